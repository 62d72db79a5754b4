package introspect_test

import (
	"context"
	"database/sql"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/internal/cache"
	"github.com/valetkey/valetkey/internal/clientauth"
	"github.com/valetkey/valetkey/internal/introspect"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/sqlstore"
)

type anybody struct{}

func (anybody) User(_ context.Context, subject string) (*oauth.User, error) {
	return &oauth.User{Subject: subject, Username: subject + "@example.org"}, nil
}

// writer is a http.ResponseWriter that costs nothing.
type writer struct {
	header http.Header
	status int
	body   []byte
}

func (w *writer) Header() http.Header  { return w.header }
func (w *writer) WriteHeader(code int) { w.status = code }
func (w *writer) Write(b []byte) (int, error) {
	w.body = append(w.body[:0], b...)
	return len(b), nil
}

// BenchmarkIntrospection is one introspection with everything but the network:
// the form, the caller's secret, the token, the answer. hello is the least that a
// handler with a JSON answer does.
func BenchmarkIntrospection(b *testing.B) {
	for name, bound := range map[string]time.Duration{"warm": time.Second, "cold": 0} {
		b.Run(name, func(b *testing.B) {
			handler, body, authorization := newBench(b, bound)
			run(b, handler, func(r *http.Request) {
				r.Body = io.NopCloser(strings.NewReader(body))
				r.Header["Authorization"] = authorization
			}, `"active":true`)
		})
	}
	b.Run("hello", func(b *testing.B) {
		run(b, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			respond.JSON(w, http.StatusOK, struct {
				Hello string `json:"hello"`
			}{"world"})
		}), func(*http.Request) {}, "world")
	})
}

func run(b *testing.B, h http.Handler, prepare func(*http.Request), want string) {
	w := &writer{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		r := &http.Request{Method: http.MethodPost, URL: &url.URL{Path: "/oauth/introspect"}, RemoteAddr: "192.0.2.1:1234",
			Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}}
		prepare(r)
		clear(w.header)
		h.ServeHTTP(w, r)
	}
	if w.status != http.StatusOK || !strings.Contains(string(w.body), want) {
		b.Fatalf("got %d %s", w.status, w.body)
	}
}

func newBench(b *testing.B, bound time.Duration) (h http.Handler, body string, authorization []string) {
	b.Helper()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(filepath.Join(b.TempDir(), "test.db")))
	must(err)
	db.SetMaxIdleConns(8)
	b.Cleanup(func() { db.Close() })
	st := sqlstore.New(db, sqlstore.SQLite)
	ctx := context.Background()
	must(st.Migrate(ctx))
	m, err := mint.New("vk", [][]byte{make([]byte, 32)})
	must(err)
	memory := cache.New(cache.Config{Store: st, Users: anybody{}, UsersNoted: true, Bound: bound, Now: time.Now})
	live := liveness.New(liveness.Config{Store: st, Users: anybody{}, Mint: m, Now: time.Now, Memory: memory})
	clients := clientauth.New(clientauth.Config{Store: st, Live: live, Now: time.Now})
	h = introspect.New(introspect.Config{Clients: clients, Live: live, Issuer: "https://id.example", Now: time.Now})

	now := time.Now()
	secret, token := m.Draw(mint.ClientSecret, now), m.Draw(mint.AccessToken, now)
	must(st.CreateClient(ctx, &oauth.Client{ID: "app", AuthMethod: oauth.AuthBasic, CreatedAt: now, UpdatedAt: now}))
	must(st.CreateClientSecret(ctx, &oauth.ClientSecret{ID: secret.ID, ClientID: "app", Hash: secret.Hash, CreatedAt: now}))
	must(st.CreateGrant(ctx, &oauth.Grant{ID: "grant", ClientID: "app", Subject: "ulla", CreatedAt: now}))
	must(st.CreateToken(ctx, &oauth.Token{ID: token.ID, Kind: oauth.AccessToken, Hash: token.Hash, GrantID: "grant", ClientID: "app", Subject: "ulla",
		Scopes: []string{"read", "write"}, IssuedAt: now, ExpiresAt: now.Add(time.Hour)}))

	running, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		memory.Run(running)
	}()
	b.Cleanup(func() {
		clients.Wait()
		stop()
		<-done
	})
	for bound > 0 && memory.Current().IsZero() {
		time.Sleep(time.Millisecond)
	}
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth("app", string(secret.Secret))
	return h, url.Values{"token": {string(token.Secret)}}.Encode(), r.Header["Authorization"]
}
