package cache_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valetkey/valetkey/internal/cache"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
	"github.com/valetkey/valetkey/store/storetest"
)

// The store that everybody writes to keeps the contract.
func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		return cache.New(cache.Config{Store: memstore.New(), Users: people{}, Bound: bound, Now: time.Now}).Store()
	})
}

// The node that commits a change has forgotten before the verb returns, or the
// transaction.
func TestForgottenBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	for _, v := range verbs {
		for how, do := range map[string]func(context.Context, store.Store) error{
			"alone": v.do,
			"in a transaction": func(ctx context.Context, s store.Store) error {
				return s.InTx(ctx, v.do)
			},
			"in a transaction by its context": func(ctx context.Context, s store.Store) error {
				return s.InTx(ctx, func(ctx context.Context, _ store.Store) error { return v.do(ctx, s) })
			},
			"in a transaction in another": func(ctx context.Context, s store.Store) error {
				return s.InTx(ctx, func(ctx context.Context, tx store.Store) error { return tx.InTx(ctx, v.do) })
			},
		} {
			t.Run(v.name+" "+how, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				m := w.node(t, func(c *cache.Config) { c.UsersNoted, c.Bound = true, time.Minute })
				warm(t, m)
				must(t, do(t.Context(), m.Store()))
				if left := missing(gone(m), v.gone); len(left) > 0 {
					t.Errorf("still remembered: %v", left)
				}
			})
		}
	}
}

// While a transaction is open its changes are nobody's yet; but what was looked
// up before it ended must not outlive it.
func TestTransactionForgetsAtItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.node(t, func(c *cache.Config) { c.Bound = time.Minute })
	warm(t, m)
	fault := errors.New("fault")
	for _, outcome := range []error{nil, fault} {
		err := m.Store().InTx(t.Context(), func(ctx context.Context, tx store.Store) error {
			must(t, tx.UpdateToken(ctx, &oauth.Token{ID: "pat", Name: "new"}))
			if _, _, err := m.Tokens.Get(ctx, "pat", m.Current()); err != nil { // remembers nothing
				return err
			}
			return outcome
		})
		if !errors.Is(err, outcome) {
			t.Fatal(err)
		}
		if m.Tokens.Recall("pat", m.Current()) != nil {
			t.Errorf("outcome %v: still remembered", outcome)
		}
		warm(t, m)
	}
}

// Other nodes have forgotten within the bound, whoever changed it: another node,
// or somebody who knows nothing of any memory.
func TestForgottenElsewhereWithinTheBound(t *testing.T) {
	for _, v := range verbs {
		for _, by := range []string{"another node", "the bare store"} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				noted := func(c *cache.Config) { c.UsersNoted = true }
				m, other := w.node(t, noted), w.node(t, noted)
				warm(t, m)
				from := other.Store()
				if by == "the bare store" {
					from = w.store
				}
				must(t, v.do(t.Context(), from))
				time.Sleep(bound)
				synctest.Wait()
				if left := missing(gone(m), v.gone); len(left) > 0 {
					t.Errorf("%s by %s: still remembered: %v", v.name, by, left)
				}
				if by == "another node" && len(gone(m)) == len(rows(m)) && v.name != "ResealClientSecret" && v.name != "DeleteSubject" {
					t.Errorf("%s: everything was forgotten, not only what changed", v.name)
				}
			})
		}
	}
}

// A node that cannot read what has changed believes nothing after the bound, and
// what it remembers again after the cut heals is what is true then.
func TestCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var log strings.Builder
		m := w.node(t, func(c *cache.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		warm(t, m)
		w.cut.Store(true)
		must(t, w.store.RevokeToken(t.Context(), "pat", time.Now()))
		time.Sleep(bound)
		if at := m.Current(); !at.IsZero() {
			t.Errorf("cut off for the bound: memory is believed, as of %v", at)
		}
		if got := gone(m); len(got) != len(rows(m)) {
			t.Errorf("cut off for the bound: of what is remembered only %v is not believed", got)
		}
		time.Sleep(time.Hour)
		if s := m.Stats(); s.Behind < time.Hour {
			t.Errorf("Stats: behind by %v, want an hour", s.Behind)
		}
		w.cut.Store(false)
		time.Sleep(bound)
		synctest.Wait()
		if m.Current().IsZero() {
			t.Error("the cut is healed, and memory is not believed")
		}
		if m.Tokens.Recall("pat", m.Current()) != nil {
			t.Error("what was revoked during the cut is remembered after it")
		}
		tok, _, err := m.Tokens.Get(t.Context(), "pat", m.Current())
		if err != nil || tok.RevokedAt.IsZero() {
			t.Errorf("got %+v, %v; want the revoked token", tok, err)
		}
		if n := strings.Count(log.String(), "\n"); n != 2 {
			t.Errorf("the log has %d lines, want one of the cut and one of its end:\n%s", n, &log)
		}
	})
}

// A machine that slept has a clock that stood still; the other clock tells.
func TestClockThatStoodStill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	skip := make(chan time.Duration, 1)
	skip <- 0
	m := w.node(t, func(c *cache.Config) {
		c.Bound = time.Minute
		c.Now = func() time.Time {
			d := <-skip
			skip <- d
			return time.Now().Add(d).Round(0)
		}
	})
	warm(t, m)
	for _, d := range []time.Duration{time.Hour, -time.Hour} {
		<-skip
		skip <- d
		if !m.Current().IsZero() {
			t.Errorf("clock moved by %v: memory is believed", d)
		}
	}
}

// Without Run nothing is remembered: nobody would say what to forget. Nor with a
// bound of zero.
func TestNothingRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	idle := w.idle()
	none := w.idle(func(c *cache.Config) { c.Bound = 0 })
	none.Run(t.Context()) // returns at once
	for what, m := range map[string]*cache.Cache{"without Run": idle, "bound 0": none} {
		for range 2 {
			if _, remembered, err := m.Tokens.Get(t.Context(), "at", m.Current()); remembered || err != nil {
				t.Errorf("%s: remembered=%v, error %v", what, remembered, err)
			}
		}
		if s := m.Stats(); s.Entries != 0 || s.Behind != -1 {
			t.Errorf("%s: %+v", what, s)
		}
	}
	if none.Store() != store.Store(wire{w.store, w}) {
		t.Error("bound 0: the store is wrapped all the same")
	}
}

// What would refuse is not remembered, so that it is let in as soon as it may be.
func TestRefusalsAreNotRemembered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.node(t)
	for range 2 {
		at := m.Current()
		_, token, _ := m.Tokens.Get(t.Context(), "dead", at)
		_, refresh, _ := m.Tokens.Get(t.Context(), "rt", at)
		_, none, err := m.Tokens.Get(t.Context(), "no such token", at)
		_, client, _ := m.Clients.Get(t.Context(), "off", at)
		_, secrets, _ := m.Secrets.Get(t.Context(), "off", at)
		_, user, _ := m.Users.Get(t.Context(), "mallory", at)
		if token || refresh || none || client || secrets || user || !errors.Is(err, store.ErrNotFound) {
			t.Errorf("remembered: token %v, refresh token %v, none %v (%v), client %v, secrets %v, user %v", token, refresh, none, err, client, secrets, user)
		}
	}
}

// Nothing is believed for long, even if nothing is ever told. A host's users are
// believed for the bound.
func TestAge(t *testing.T) {
	for _, tc := range []struct {
		noted bool
		after time.Duration
		gone  int
	}{
		{false, bound - time.Millisecond, 0},
		{false, bound, 1}, // alice
		{true, bound, 0},
		{true, time.Minute - time.Millisecond, 0},
		{true, time.Minute, 7},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newWorld(t).node(t, func(c *cache.Config) { c.UsersNoted = tc.noted })
			warm(t, m)
			time.Sleep(tc.after)
			synctest.Wait()
			if got := gone(m); len(got) != tc.gone {
				t.Errorf("users noted %v, after %v: forgotten %v, want %d rows", tc.noted, tc.after, got, tc.gone)
			}
		})
	}
}

// The host's user is the host's; it may change it.
func TestUsersAreCopied(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.node(t)
	warm(t, m)
	w.users["alice"].Name = "changed by the host"
	if got := m.Users.Recall("alice", m.Current()); got == nil || got.Name != "" {
		t.Errorf("got %+v, want the user as she was looked up", got)
	}
}
