package guard_test

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/internal/cache"
	"github.com/valetkey/valetkey/internal/csrf"
	"github.com/valetkey/valetkey/internal/guard"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/resource"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// call is one call of a guarded API in the host's own process, with everything
// but the network.
type call struct {
	handler http.Handler
	request *http.Request
	writer  writer
	memory  *cache.Cache
	served  int
}

// writer is a http.ResponseWriter that costs nothing.
type writer struct {
	header http.Header
	status int
}

func (w *writer) Header() http.Header         { return w.header }
func (w *writer) Write(b []byte) (int, error) { return len(b), nil }
func (w *writer) WriteHeader(status int)      { w.status = status }

func (c *call) do() {
	clear(c.writer.header)
	c.handler.ServeHTTP(&c.writer, c.request)
}

type anybody struct{}

func (anybody) User(_ context.Context, subject string) (*oauth.User, error) {
	return &oauth.User{Subject: subject}, nil
}

// newCall makes a call with a token of a grant, whose client has an owner.
func newCall(t testing.TB, st store.Store, bound time.Duration) *call {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c := &call{writer: writer{header: http.Header{}}}
	c.memory = cache.New(cache.Config{Store: st, Users: anybody{}, UsersNoted: true, Bound: bound, Now: time.Now})
	m, err := mint.New("vk", [][]byte{make([]byte, 32)})
	must(err)
	g, err := guard.New(guard.Config{
		Checker: liveness.New(liveness.Config{Store: st, Users: anybody{}, Mint: m, Now: time.Now, Memory: c.memory}),
		Session: session, CSRF: csrf.New(csrf.Config{Keys: [][]byte{make([]byte, 32)}, Issuer: issuer, Now: time.Now}), Store: st, Now: time.Now,
	})
	must(err)
	c.handler = g.RequireScopes("read")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if resource.PrincipalFrom(r.Context()).Subject == "ulla" {
			c.served++
		}
	}))

	now, drawn := time.Now(), m.Draw(mint.AccessToken, time.Now())
	must(st.CreateClient(t.Context(), &oauth.Client{ID: "app", Owner: "olga", CreatedAt: now, UpdatedAt: now}))
	must(st.CreateGrant(t.Context(), &oauth.Grant{ID: "grant", ClientID: "app", Subject: "ulla", CreatedAt: now}))
	must(st.CreateToken(t.Context(), &oauth.Token{ID: drawn.ID, Kind: oauth.AccessToken, Hash: drawn.Hash, GrantID: "grant", ClientID: "app", Subject: "ulla",
		Scopes: []string{"read", "write"}, IssuedAt: now, ExpiresAt: now.Add(time.Hour)}))
	c.request = httptest.NewRequest(http.MethodGet, "https://api.example/records?page=2", nil)
	c.request.Header.Set("Authorization", "Bearer "+string(drawn.Secret))

	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.memory.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-done
		g.Wait()
	})
	for bound > 0 && c.memory.Current().IsZero() {
		time.Sleep(time.Millisecond)
	}
	c.do()
	g.Wait() // its use is recorded, and the next ones within the minute are not
	if c.served != 1 {
		t.Fatalf("the call was not served: %d, %v", c.writer.status, c.writer.header)
	}
	return c
}

func openSQLite(t testing.TB) store.Store {
	t.Helper()
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(filepath.Join(t.TempDir(), "test.db")))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxIdleConns(8)
	t.Cleanup(func() { db.Close() })
	st := sqlstore.New(db, sqlstore.SQLite)
	if err := st.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return st
}

// A guard that answers from memory makes a context and a copy of the request to
// carry it, and nothing else.
func TestWarmGuardAllocates(t *testing.T) {
	c := newCall(t, memstore.New(), time.Minute)
	before := c.memory.Stats()
	if n := testing.AllocsPerRun(1000, c.do); n > 2 {
		t.Errorf("a warm call allocates %v times, want at most 2", n)
	}
	after := c.memory.Stats()
	if after.Misses != before.Misses || after.Hits == before.Hits || c.served < 1000 {
		t.Errorf("the calls were not warm: %+v, then %+v; %d served", before, after, c.served)
	}
}

func BenchmarkGuard(b *testing.B) {
	for name, bound := range map[string]time.Duration{"warm": time.Second, "cold": 0} {
		b.Run(name, func(b *testing.B) {
			c := newCall(b, openSQLite(b), bound)
			b.ReportAllocs()
			for b.Loop() {
				c.do()
			}
			if c.served < b.N {
				b.Fatalf("served %d of %d", c.served, b.N)
			}
		})
	}
}
