package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// reader reads what has changed, as a process that remembers rows does.
type reader struct {
	*suite
	cursor store.Cursor
	seen   []store.Change
}

// reader returns one that has read everything so far.
func (s *suite) reader() *reader {
	s.t.Helper()
	r := &reader{suite: s}
	r.read()
	return r
}

func (r *reader) read() []store.Change {
	r.t.Helper()
	changes, next, err := r.Changes(r.ctx, r.cursor)
	r.must(err)
	r.cursor = next
	r.seen = append(r.seen, changes...)
	return changes
}

// told checks that the next reading tells of every one of the changes; it may
// tell of more, and of everything.
func (r *reader) told(what string, want ...store.Change) {
	r.t.Helper()
	got := r.read()
	for _, w := range want {
		if !slices.Contains(got, w) && !slices.Contains(got, everything) {
			r.t.Errorf("%s: got told of %v, want %v among it", what, got, w)
		}
	}
}

// quiet checks that something is not held to be a change: each one costs every
// process that remembers the row another look at it.
func (r *reader) quiet(what string) {
	r.t.Helper()
	before := slices.Clone(r.seen)
	for _, c := range r.read() {
		if !slices.Contains(before, c) {
			r.t.Errorf("%s: got told of %v, want nothing new", what, c)
		}
	}
}

var everything = store.Change{Kind: store.EverythingChanged}

var changeTests = map[string]func(*testing.T, *suite){
	"Told": func(t *testing.T, s *suite) {
		client := s.client("c1")
		r := s.reader()
		g := s.grant("g1", "c1", "alice")
		s.grant("g2", "c1", "alice")
		s.token("at", oauth.AccessToken, g)
		s.token("at2", oauth.AccessToken, g)
		s.token("rt", oauth.RefreshToken, g)
		pat := s.personal("pat", "alice")
		own := &oauth.Token{ID: "own", Kind: oauth.AccessToken, ClientID: "c1", Subject: "alice", IssuedAt: start, ExpiresAt: start.Add(time.Hour)}
		s.must(s.CreateToken(s.ctx, own))
		s.must(s.TouchGrant(s.ctx, "g1", start))
		s.must(s.TouchToken(s.ctx, "pat", start, ""))
		s.must(s.RotateToken(s.ctx, "rt", "rt2", start))
		s.code("ac", g)
		s.must(s.UseCode(s.ctx, "ac", start))
		r.quiet("rows created and used")

		token := func(id string) store.Change { return store.Change{Kind: store.TokenChanged, ID: id} }
		grant := func(id string) store.Change { return store.Change{Kind: store.GrantChanged, ID: id} }
		theClient := store.Change{Kind: store.ClientChanged, ID: "c1"}

		s.must(s.RevokeToken(s.ctx, "at", start))
		r.told("RevokeToken", token("at"))
		r.quiet("nothing since")
		s.must(s.RevokeAccessTokens(s.ctx, "g1", start))
		r.told("RevokeAccessTokens", token("at2"))
		s.must(s.UpdateToken(s.ctx, pat))
		r.told("UpdateToken", token("pat"))
		s.must(s.ReplaceToken(s.ctx, pat))
		r.told("ReplaceToken", token("pat"))
		s.must(s.RevokeGrant(s.ctx, "g1", start))
		r.told("RevokeGrant", grant("g1"))
		_, err := s.RevokeGrants(s.ctx, "alice", "c1", "", start)
		s.must(err)
		r.told("RevokeGrants", grant("g2"), token("own"))

		s.must(s.UpdateClient(s.ctx, client))
		r.told("UpdateClient", theClient)
		s.must(s.CreateClientSecret(s.ctx, &oauth.ClientSecret{ID: "s1", ClientID: "c1", Sealed: "old", CreatedAt: start}))
		r.told("CreateClientSecret", theClient)
		s.must(s.TouchClientSecret(s.ctx, "s1", start))
		r.quiet("TouchClientSecret")
		s.must(s.ResealClientSecret(s.ctx, "s1", "old", "new"))
		r.told("ResealClientSecret", theClient)
		s.must(s.ExpireClientSecrets(s.ctx, "c1", "", start))
		r.told("ExpireClientSecrets", theClient)
		s.must(s.DeleteSubject(s.ctx, "alice"))
		r.told("DeleteSubject", store.Change{Kind: store.SubjectChanged, ID: "alice"})
		s.must(s.DeleteClient(s.ctx, "c1"))
		r.told("DeleteClient", theClient)
	},
	"DeleteSubjectDeletesClients": func(t *testing.T, s *suite) {
		s.must(s.CreateClient(s.ctx, &oauth.Client{ID: "hers", Owner: "alice", CreatedAt: start}))
		r := s.reader()
		s.must(s.DeleteSubject(s.ctx, "alice"))
		r.told("DeleteSubject", store.Change{Kind: store.ClientChanged, ID: "hers"})
	},
	"ZeroCursor": func(t *testing.T, s *suite) {
		for range 2 {
			changes, _, err := s.Changes(s.ctx, 0)
			s.must(err)
			equal(t, changes, []store.Change{everything})
		}
	},
	// A cursor that the store cannot have given out is of another life of the
	// database: it was restored from a backup.
	"CursorFromTheFuture": func(t *testing.T, s *suite) {
		r := s.reader()
		changes, _, err := s.Changes(s.ctx, r.cursor+1<<40)
		s.must(err)
		equal(t, changes, []store.Change{everything})
	},
	// Whoever commits later is not passed over because others committed meanwhile.
	"NobodyIsPassedOver": func(t *testing.T, s *suite) {
		const writers, each = 8, 10
		for w := range writers {
			for i := range each {
				s.personal(fmt.Sprintf("pat-%d-%d", w, i), "alice")
			}
		}
		r := s.reader()
		errs := make(chan error, writers)
		for w := range writers {
			go func() {
				errs <- func() error {
					for i := range each {
						err := s.InTx(s.ctx, func(ctx context.Context, tx store.Store) error {
							return tx.RevokeToken(ctx, fmt.Sprintf("pat-%d-%d", w, i), start)
						})
						if err != nil {
							return err
						}
					}
					return nil
				}()
			}()
		}
		seen := map[store.Change]bool{}
		read := func() {
			for _, c := range r.read() {
				seen[c] = true
			}
		}
		for left := writers; left > 0; {
			read()
			select {
			case err := <-errs:
				s.must(err)
				left--
			default:
			}
		}
		read()
		if len(seen) != writers*each {
			t.Errorf("got told of %d tokens, want %d: %v", len(seen), writers*each, seen)
		}
	},
	"Purge": func(t *testing.T, s *suite) {
		s.personal("a", "alice")
		s.personal("b", "alice")
		old, r := s.reader(), s.reader()
		s.must(s.RevokeToken(s.ctx, "a", start))
		r.read()
		s.purge(start, start, 1) // sees it for the first time
		s.purge(start.Add(store.ChangeMemory), start, 1)
		changes, _, err := s.Changes(s.ctx, old.cursor)
		s.must(err)
		equal(t, changes, []store.Change{{Kind: store.TokenChanged, ID: "a"}}) // kept this long

		late := start.Add(store.ChangeMemory + time.Second)
		s.purge(late, start, 1)
		old.told("after the purge", everything)
		s.must(s.RevokeToken(s.ctx, "b", start))
		old.told("after the purge", store.Change{Kind: store.TokenChanged, ID: "b"})
		r.told("has read what was purged", store.Change{Kind: store.TokenChanged, ID: "b"})
	},
}
