package liveness_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valetkey/valetkey/internal/cache"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

const bound = time.Second

// remembering is a world whose checker answers from memory. What the test does by
// w.store another node has done.
type remembering struct {
	*world
	memory *cache.Cache
	cut    *atomic.Bool // the database is out of reach
}

// wire is the store and the users as the checker reaches them.
type wire struct {
	store.Store
	users users
	cut   *atomic.Bool
}

var errCut = errors.New("cut off")

func (w wire) Token(ctx context.Context, id string) (*oauth.Token, error) {
	if w.cut.Load() {
		return nil, errCut
	}
	return w.Store.Token(ctx, id)
}

func (w wire) Client(ctx context.Context, id string) (*oauth.Client, error) {
	if w.cut.Load() {
		return nil, errCut
	}
	return w.Store.Client(ctx, id)
}

func (w wire) Changes(ctx context.Context, since store.Cursor) ([]store.Change, store.Cursor, error) {
	if w.cut.Load() {
		return nil, 0, errCut
	}
	return w.Store.Changes(ctx, since)
}

func (w wire) User(ctx context.Context, subject string) (*oauth.User, error) {
	if w.cut.Load() {
		return nil, errCut
	}
	return w.users.User(ctx, subject)
}

// inMemory runs a test with every token warm.
func inMemory(t *testing.T, test func(*testing.T, *remembering)) {
	synctest.Test(t, func(t *testing.T) {
		w := &remembering{world: newWorld(t), cut: new(atomic.Bool)}
		began := time.Now()
		now := func() time.Time { return start.Add(time.Since(began)) }
		via := wire{w.store, w.users, w.cut}
		w.memory = cache.New(cache.Config{Store: via, Users: via, Bound: bound, Now: now})
		w.check = liveness.New(liveness.Config{Store: w.memory.Store(), Users: via, Mint: w.mint, Now: now, Memory: w.memory})
		ctx, stop := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.memory.Run(ctx)
		}()
		defer func() {
			stop()
			<-done
		}()
		synctest.Wait()
		for _, s := range []oauth.Secret{w.access, w.personal, w.own} {
			w.alive("warm", s, nil)
		}
		test(t, w)
	})
}

// alive checks what becomes of a token: nil, ErrDead, or a fault.
func (w *remembering) alive(what string, s oauth.Secret, want error) {
	w.t.Helper()
	live, err := w.check.Token(w.t.Context(), s)
	if want == nil && err != nil || !errors.Is(err, want) {
		w.t.Errorf("%s: got %+v, error %v; want %v", what, live, err, want)
	}
}

// Memory answers without the database, and only within the bound.
func TestMemoryAnswers(t *testing.T) {
	inMemory(t, func(_ *testing.T, w *remembering) {
		w.cut.Store(true)
		for _, s := range []oauth.Secret{w.access, w.personal, w.own} {
			w.alive("cut off for a moment", s, nil)
		}
		w.alive("a token that nobody asked for before", w.token(mint.AccessToken, oauth.Token{Kind: oauth.AccessToken, ClientID: "app", Subject: "app"}), errCut)
		time.Sleep(bound)
		for _, s := range []oauth.Secret{w.access, w.personal, w.own} {
			w.alive("cut off for the bound", s, errCut)
		}
		w.cut.Store(false)
		w.alive("back", w.access, nil)
	})
}

// Memory never says no: what is better now than it was is let in at once.
func TestMemoryNeverRefuses(t *testing.T) {
	inMemory(t, func(t *testing.T, w *remembering) {
		renewed := w.mint.Redraw(mint.PersonalToken, w.id(w.personal))
		w.must(w.store.ReplaceToken(t.Context(), &oauth.Token{ID: renewed.ID, Hash: renewed.Hash, IssuedAt: start, ExpiresAt: start.Add(time.Hour)}))
		w.alive("a secret that was made elsewhere just now", renewed.Secret, nil)
		w.alive("the one before it", w.personal, liveness.ErrDead)
		w.alive("the new one again", renewed.Secret, nil)

		never := w.mint.Redraw(mint.AccessToken, w.id(w.access))
		w.alive("a wrong secret of a warm token", never.Secret, liveness.ErrDead)
		w.alive("the right one", w.access, nil)
	})
	inMemory(t, func(t *testing.T, w *remembering) {
		time.Sleep(bound) // the host's users are believed for no longer
		w.users["ulla"] = &oauth.User{Subject: "ulla", Disabled: true}
		w.alive("disabled", w.access, liveness.ErrDead)
		w.users["ulla"] = &oauth.User{Subject: "ulla"}
		w.alive("enabled again", w.access, nil)

		off := &oauth.Client{ID: "app", Owner: "olga", Disabled: true}
		w.must(w.memory.Store().UpdateClient(t.Context(), off))
		w.alive("client disabled here", w.access, liveness.ErrDead)
		w.must(w.store.UpdateClient(t.Context(), &oauth.Client{ID: "app", Owner: "olga"}))
		w.alive("client enabled again elsewhere", w.access, nil)
	})
}

// Whatever kills a token elsewhere is known here when the bound has passed; here
// it is known at once.
func TestMemoryForgets(t *testing.T) {
	for name, kill := range map[string]func(ctx context.Context, s store.Store, w *remembering) error{
		"token revoked": func(ctx context.Context, s store.Store, w *remembering) error {
			return s.RevokeToken(ctx, w.id(w.access), start)
		},
		"grant revoked": func(ctx context.Context, s store.Store, _ *remembering) error {
			return s.RevokeGrant(ctx, "grant", start)
		},
		"access tokens revoked": func(ctx context.Context, s store.Store, _ *remembering) error {
			return s.RevokeAccessTokens(ctx, "grant", start)
		},
		"grants revoked": func(ctx context.Context, s store.Store, _ *remembering) error {
			_, err := s.RevokeGrants(ctx, "ulla", "app", "", start)
			return err
		},
		"client disabled": func(ctx context.Context, s store.Store, _ *remembering) error {
			return s.UpdateClient(ctx, &oauth.Client{ID: "app", Owner: "olga", Disabled: true})
		},
		"client deleted": func(ctx context.Context, s store.Store, _ *remembering) error { return s.DeleteClient(ctx, "app") },
		// Its tokens are not those of the one before.
		"client deleted and made anew": func(ctx context.Context, s store.Store, _ *remembering) error {
			return errors.Join(s.DeleteClient(ctx, "app"), s.CreateClient(ctx, &oauth.Client{ID: "app"}))
		},
		"subject deleted": func(ctx context.Context, s store.Store, _ *remembering) error { return s.DeleteSubject(ctx, "ulla") },
	} {
		inMemory(t, func(t *testing.T, w *remembering) {
			w.must(kill(t.Context(), w.store, w))
			time.Sleep(bound)
			synctest.Wait()
			w.alive(name+" elsewhere", w.access, liveness.ErrDead)
		})
		inMemory(t, func(t *testing.T, w *remembering) {
			w.must(kill(t.Context(), w.memory.Store(), w))
			w.alive(name+" here", w.access, liveness.ErrDead)
		})
	}
	inMemory(t, func(t *testing.T, w *remembering) {
		w.users["ulla"] = &oauth.User{Subject: "ulla", Disabled: true}
		time.Sleep(bound)
		w.alive("the host's user disabled", w.access, liveness.ErrDead)
	})
}
