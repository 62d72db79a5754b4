package cache_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/cache"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
)

// world is a store with a client, a grant and tokens, and nodes that remember them.
type world struct {
	store *memstore.Store
	cut   atomic.Bool // nobody reads what has changed
	users people
}

type people map[string]*oauth.User

func (p people) User(_ context.Context, subject string) (*oauth.User, error) {
	if u := p[subject]; u != nil {
		return u, nil
	}
	return nil, oauth.ErrUserNotFound
}

var errCut = errors.New("cut off")

// wire is the store as a node reaches it.
type wire struct {
	store.Store
	w *world
}

func (s wire) Changes(ctx context.Context, since store.Cursor) ([]store.Change, store.Cursor, error) {
	if s.w.cut.Load() {
		return nil, 0, errCut
	}
	return s.Store.Changes(ctx, since)
}

const bound = time.Second

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{store: memstore.New(), users: people{"alice": {Subject: "alice"}, "mallory": {Subject: "mallory", Disabled: true}}}
	now := time.Now()
	tokens := []*oauth.Token{
		{ID: "at", Kind: oauth.AccessToken, GrantID: "g", ClientID: "c", Subject: "alice"},
		{ID: "rt", Kind: oauth.RefreshToken, GrantID: "g", ClientID: "c", Subject: "alice"},
		{ID: "own", Kind: oauth.AccessToken, ClientID: "c", Subject: "c"},
		{ID: "pat", Kind: oauth.PersonalToken, Subject: "alice"},
		{ID: "dead", Kind: oauth.PersonalToken, Subject: "alice", RevokedAt: now},
	}
	errs := []error{
		w.store.CreateClient(t.Context(), &oauth.Client{ID: "c", Owner: "alice", AuthMethod: oauth.AuthBasic}),
		w.store.CreateClient(t.Context(), &oauth.Client{ID: "off", Disabled: true}),
		w.store.CreateClientSecret(t.Context(), &oauth.ClientSecret{ID: "s", ClientID: "c", Sealed: "old"}),
		w.store.CreateGrant(t.Context(), &oauth.Grant{ID: "g", ClientID: "c", Subject: "alice"}),
	}
	for _, tok := range tokens {
		tok.IssuedAt, tok.ExpiresAt = now, now.Add(time.Hour)
		errs = append(errs, w.store.CreateToken(t.Context(), tok))
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return w
}

// node is one more process on the store, and it reads what others change until
// the test ends.
func (w *world) node(t *testing.T, change ...func(*cache.Config)) *cache.Cache {
	t.Helper()
	m := w.idle(change...)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	for m.Current().IsZero() {
		time.Sleep(time.Millisecond)
	}
	return m
}

// idle is a node that does not read.
func (w *world) idle(change ...func(*cache.Config)) *cache.Cache {
	c := cache.Config{Store: wire{w.store, w}, Users: w.users, Bound: bound, Now: time.Now}
	for _, f := range change {
		f(&c)
	}
	return cache.New(c)
}

// rows are all that a node may remember, by name.
func rows(m *cache.Cache) map[string]func() bool {
	at := m.Current()
	return map[string]func() bool{
		"token at":   func() bool { return m.Tokens.Recall("at", at) != nil },
		"token own":  func() bool { return m.Tokens.Recall("own", at) != nil },
		"token pat":  func() bool { return m.Tokens.Recall("pat", at) != nil },
		"client":     func() bool { return m.Clients.Recall("c", at) != nil },
		"secrets":    func() bool { return m.Secrets.Recall("c", at) != nil },
		"grant":      func() bool { return m.Grants.Recall("g", at) != nil },
		"user alice": func() bool { return m.Users.Recall("alice", at) != nil },
	}
}

// warm looks everything up and checks that it is remembered.
func warm(t *testing.T, m *cache.Cache) {
	t.Helper()
	ctx, at := t.Context(), m.Current()
	for _, id := range []string{"at", "own", "pat", "rt", "dead"} {
		if _, _, err := m.Tokens.Get(ctx, id, at); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err1 := m.Clients.Get(ctx, "c", at)
	_, _, err2 := m.Secrets.Get(ctx, "c", at)
	_, _, err3 := m.Grants.Get(ctx, "g", at)
	_, _, err4 := m.Users.Get(ctx, "alice", at)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	for name, remembered := range rows(m) {
		if !remembered() {
			t.Fatalf("%s is not remembered after it was looked up", name)
		}
	}
}

// gone lists what is not remembered.
func gone(m *cache.Cache) map[string]bool {
	out := map[string]bool{}
	for name, remembered := range rows(m) {
		if !remembered() {
			out[name] = true
		}
	}
	return out
}

func set(names ...string) map[string]bool {
	out := map[string]bool{}
	for _, n := range names {
		out[n] = true
	}
	return out
}

func missing(got, want map[string]bool) (names []string) {
	for n := range want {
		if !got[n] {
			names = append(names, n)
		}
	}
	return names
}

// verbs are all that change what may be remembered, and what must be forgotten then.
var verbs = []struct {
	name string
	do   func(ctx context.Context, s store.Store) error
	gone map[string]bool
}{
	{"UpdateClient", func(ctx context.Context, s store.Store) error {
		return s.UpdateClient(ctx, &oauth.Client{ID: "c", Disabled: true})
	}, set("client")},
	{"DeleteClient", func(ctx context.Context, s store.Store) error { return s.DeleteClient(ctx, "c") },
		set("client", "secrets", "grant", "token at", "token own")},
	{"CreateClientSecret", func(ctx context.Context, s store.Store) error {
		return s.CreateClientSecret(ctx, &oauth.ClientSecret{ID: "s2", ClientID: "c"})
	}, set("secrets")},
	{"ResealClientSecret", func(ctx context.Context, s store.Store) error { return s.ResealClientSecret(ctx, "s", "old", "new") }, set("secrets")},
	{"ExpireClientSecrets", func(ctx context.Context, s store.Store) error {
		return s.ExpireClientSecrets(ctx, "c", "", time.Now())
	}, set("secrets")},
	{"RevokeGrant", func(ctx context.Context, s store.Store) error { return s.RevokeGrant(ctx, "g", time.Now()) }, set("grant", "token at")},
	{"RevokeGrants", func(ctx context.Context, s store.Store) error {
		_, err := s.RevokeGrants(ctx, "alice", "c", "", time.Now())
		return err
	}, set("grant", "token at")},
	{"UpdateToken", func(ctx context.Context, s store.Store) error {
		return s.UpdateToken(ctx, &oauth.Token{ID: "pat", Name: "x"})
	}, set("token pat")},
	{"ReplaceToken", func(ctx context.Context, s store.Store) error {
		return s.ReplaceToken(ctx, &oauth.Token{ID: "pat", Hash: oauth.HashSecret("x")})
	}, set("token pat")},
	{"RevokeToken", func(ctx context.Context, s store.Store) error { return s.RevokeToken(ctx, "own", time.Now()) }, set("token own")},
	{"RevokeAccessTokens", func(ctx context.Context, s store.Store) error { return s.RevokeAccessTokens(ctx, "g", time.Now()) }, set("token at")},
	{"DeleteSubject", func(ctx context.Context, s store.Store) error { return s.DeleteSubject(ctx, "alice") },
		set("client", "grant", "token at", "token pat", "user alice")},
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fill makes n more personal access tokens of users who have nothing else.
func (w *world) fill(t *testing.T, n int) []string {
	t.Helper()
	var ids []string
	for i := range n {
		id := fmt.Sprintf("fill-%d", i)
		must(t, w.store.CreateToken(t.Context(), &oauth.Token{ID: id, Kind: oauth.PersonalToken, Subject: id, IssuedAt: time.Now()}))
		ids = append(ids, id)
	}
	return ids
}
