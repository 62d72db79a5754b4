package cache_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valetkey/valetkey/internal/cache"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// slow holds a look-up up after it has read.
type slow struct {
	store.Store
	hold chan struct{}
}

func (s slow) Token(ctx context.Context, id string) (*oauth.Token, error) {
	t, err := s.Store.Token(ctx, id)
	<-s.hold
	return t, err
}

// A look-up that was under way while its token was revoked must not be believed
// afterwards: it carries the token as it was.
func TestLookUpUnderWay(t *testing.T) {
	revoke := map[string]func(ctx context.Context, s store.Store) error{
		"token": func(ctx context.Context, s store.Store) error { return s.RevokeToken(ctx, "at", time.Now()) },
		"grant": func(ctx context.Context, s store.Store) error { return s.RevokeGrant(ctx, "g", time.Now()) },
	}
	for what, revoke := range revoke {
		for _, here := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				hold := make(chan struct{})
				m := w.node(t, func(c *cache.Config) { c.Store = slow{c.Store, hold} })
				go m.Tokens.Get(context.Background(), "at", m.Current())
				synctest.Wait() // it has read
				s := m.Store()
				if !here {
					s = w.store
				}
				must(t, revoke(t.Context(), s))
				time.Sleep(bound)
				close(hold)
				synctest.Wait() // and is kept
				if got := m.Tokens.Recall("at", m.Current()); got != nil {
					t.Errorf("%s revoked here=%v: got %+v, which was read before", what, here, got)
				}
			})
		}
	}
}

// A later look-up is not replaced by an earlier one that took longer.
func TestLaterLookUpStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		hold := make(chan struct{})
		m := w.node(t, func(c *cache.Config) { c.Store = slow{c.Store, hold} })
		go m.Tokens.Get(context.Background(), "pat", m.Current())
		synctest.Wait()
		must(t, m.Store().UpdateToken(t.Context(), &oauth.Token{ID: "pat", Name: "new"}))
		go m.Tokens.Get(context.Background(), "pat", m.Current())
		synctest.Wait()
		hold <- struct{}{}
		hold <- struct{}{}
		synctest.Wait()
		if got := m.Tokens.Recall("pat", m.Current()); got != nil && got.Name != "new" {
			t.Errorf("got the token named %q, want the new one or none", got.Name)
		}
	})
}

// However reading and revoking mix, nobody who asks after a revocation was
// answered is told that the token lives.
func TestNeverAfterTheAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.fill(t, 200)
	m := w.node(t)
	s := m.Store()
	answered := make([]atomic.Bool, len(ids))
	var group sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		group.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				i := rand.IntN(len(ids))
				dead := answered[i].Load() // before we ask
				tok, _, err := m.Tokens.Get(context.Background(), ids[i], m.Current())
				if err != nil || dead && tok.RevokedAt.IsZero() {
					t.Errorf("token %s: told %+v, %v; it was revoked before", ids[i], tok, err)
					return
				}
			}
		})
	}
	for _, i := range rand.Perm(len(ids)) {
		must(t, s.RevokeToken(t.Context(), ids[i], time.Now()))
		answered[i].Store(true)
		if i%10 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
	time.Sleep(20 * time.Millisecond)
	close(stop)
	group.Wait()
	if got := m.Stats(); got.Hits == 0 {
		t.Errorf("nothing was ever remembered: %+v", got)
	}
}

// Memory is bounded, and what is asked for stays.
func TestBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const bytes = 1 << 20
	m := w.node(t, func(c *cache.Config) { c.Bytes, c.Bound = bytes, time.Minute })
	ids := w.fill(t, 5000)
	hot := ids[:20]
	var kept, asked int
	for i, id := range ids {
		_, _, err := m.Tokens.Get(t.Context(), id, m.Current())
		must(t, err)
		if i < len(hot) {
			continue
		}
		for _, id := range hot[:1+i%len(hot)] {
			_, remembered, err := m.Tokens.Get(t.Context(), id, m.Current())
			must(t, err)
			asked++
			if remembered {
				kept++
			}
		}
	}
	s := m.Stats()
	if s.Bytes > bytes || s.Entries == 0 || s.Entries >= len(ids) {
		t.Errorf("got %+v, want some entries in at most %d bytes", s, bytes)
	}
	if kept*100 < asked*95 {
		t.Errorf("of %d questions for what is asked for all the time only %d were answered from memory", asked, kept)
	}
}

// A row that is larger than its share is not kept, and nothing goes for its sake.
func TestLargeRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.node(t, func(c *cache.Config) { c.Bytes = 1 << 20 })
	warm(t, m)
	before := m.Stats().Entries
	large := &oauth.Client{ID: "large", Metadata: oauth.ClientMetadata{Contacts: []string{strings.Repeat("x", 1<<18)}}}
	must(t, w.store.CreateClient(t.Context(), large))
	_, _, err := m.Clients.Get(t.Context(), "large", m.Current())
	must(t, err)
	if m.Clients.Recall("large", m.Current()) != nil || m.Stats().Entries != before {
		t.Errorf("a client of a quarter of all bytes is kept: %+v", m.Stats())
	}
}
