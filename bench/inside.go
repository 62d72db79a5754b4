package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// inside is the server as a library in this process, on a SQLite file, so that
// allocations and statements can be counted. No connection lies between.
type inside struct {
	server *valetkey.Server
	// guarded is a resource that takes a token.
	guarded http.Handler
	mint    *mint.Mint
	store   *sqlstore.Store
	close   func()
	secret  oauth.Secret // of both clients
	live    oauth.Secret // an access token of the person
}

const (
	insidePerson = "alice"
	insideSigned = "signed" // its access tokens are JSON Web Tokens
	insidePublic = "public"
	insideScope  = "records:read"
)

// alone is a host with one person, whom it finds in no time.
type alone struct{}

func (alone) User(_ context.Context, subject string) (*oauth.User, error) {
	if subject != insidePerson {
		return nil, oauth.ErrUserNotFound
	}
	return &oauth.User{Subject: insidePerson, Name: "Alice", Username: "alice@example.org", Email: "alice@example.org", EmailVerified: true}, nil
}

func (alone) Session(*http.Request) (*oauth.Session, error) { return nil, nil }

func (alone) Login(w http.ResponseWriter, _ *http.Request, _ oauth.LoginRequest) {
	http.Error(w, "nobody signs in here", http.StatusForbidden)
}

// neverRemembers makes a server ask the database every time.
func neverRemembers(c *valetkey.Config) { c.RevocationBound = -1 }

// openInside makes the server on a fresh file in dir. What configure changes is
// its business; nil: nothing.
func openInside(ctx context.Context, dir, name string, configure func(*valetkey.Config)) (_ *inside, err error) {
	db, err := openSQLite(countedDriver, filepath.Join(dir, name+".db"))
	if err != nil {
		return nil, err
	}
	in := &inside{store: sqlstore.New(db, sqlstore.SQLite)}
	if err := in.store.Migrate(ctx); err != nil {
		return nil, err
	}
	if in.mint, err = mint.New("vk", [][]byte{make([]byte, 32)}); err != nil {
		return nil, err
	}
	c := valetkey.Config{
		Issuer: "http://localhost", Store: in.store, Login: alone{}, Users: alone{}, UsersNoted: true, Now: time.Now,
		Keyring: keyring.Line("bench"), AccessTokenAlg: "ES256", Logger: slog.New(slog.DiscardHandler),
		Scopes: []oauth.Scope{{Name: insideScope, Description: "Read your records"}},
	}
	if configure != nil {
		configure(&c)
	}
	if in.server, err = valetkey.New(c); err != nil {
		return nil, err
	}
	in.guarded = in.server.RequireScopes(insideScope)(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	running, stop := context.WithCancel(ctx)
	var housekeeping sync.WaitGroup
	housekeeping.Go(func() { in.server.Start(running) })
	in.close = func() {
		stop()
		housekeeping.Wait()
		db.Close()
	}
	if err := in.populate(ctx); err != nil {
		return nil, err
	}
	return in, nil
}

func (in *inside) populate(ctx context.Context) error {
	now := time.Now()
	drawn := in.mint.Draw(mint.ClientSecret, now)
	in.secret = drawn.Secret
	for _, c := range []*oauth.Client{
		{ID: floorClient, Type: oauth.ServiceApplication, AuthMethod: oauth.AuthBasic, GrantTypes: []string{oauth.GrantClientCredentials}},
		{ID: insideSigned, Type: oauth.ServiceApplication, AuthMethod: oauth.AuthBasic, GrantTypes: []string{oauth.GrantClientCredentials},
			Metadata: oauth.ClientMetadata{AccessTokenFormat: oauth.FormatJWT}},
		{ID: insidePublic, Type: oauth.BrowserApplication, AuthMethod: oauth.AuthNone, GrantTypes: []string{oauth.GrantRefreshToken},
			Metadata: oauth.ClientMetadata{IDTokenAlg: "ES256"}},
	} {
		c.Name, c.CreatedAt, c.UpdatedAt = c.ID, now, now
		if err := in.store.CreateClient(ctx, c); err != nil {
			return err
		}
	}
	for _, id := range []string{floorClient, insideSigned} {
		s := &oauth.ClientSecret{ID: drawn.ID + id, ClientID: id, Hash: drawn.Hash, CreatedAt: now}
		if err := in.store.CreateClientSecret(ctx, s); err != nil {
			return err
		}
	}
	grant := &oauth.Grant{ID: "grant", ClientID: insidePublic, Subject: insidePerson, Scopes: []string{"openid", insideScope}, CreatedAt: now,
		Authentication: oauth.Authentication{AuthTime: now}}
	if err := in.store.CreateGrant(ctx, grant); err != nil {
		return err
	}
	var err error
	in.live, err = in.token(ctx, mint.AccessToken)
	return err
}

// token makes a token of the person by hand.
func (in *inside) token(ctx context.Context, kind mint.Kind) (oauth.Secret, error) {
	now := time.Now()
	d := in.mint.Draw(kind, now)
	t := &oauth.Token{ID: d.ID, Kind: oauth.AccessToken, Hash: d.Hash, GrantID: "grant", ClientID: insidePublic, Subject: insidePerson,
		Scopes: []string{"openid", insideScope}, IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	if kind == mint.RefreshToken {
		t.Kind = oauth.RefreshToken
	}
	return d.Secret, in.store.CreateToken(ctx, t)
}

// operation is one that is counted inside the process.
type operation struct {
	name string
	// next makes the next request; it is not counted, and neither is its making.
	next    func() *http.Request
	handler http.Handler
	// after sees the answer.
	after func(body []byte)
}

// operations are those whose allocations and statements have budgets.
func (in *inside) operations(ctx context.Context) ([]operation, error) {
	refresh, err := in.token(ctx, mint.RefreshToken)
	if err != nil {
		return nil, err
	}
	form := func(path, client string, values url.Values) func() *http.Request {
		return func() *http.Request {
			r := newRequest(http.MethodPost, path, strings.NewReader(values.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if client != insidePublic {
				r.SetBasicAuth(client, string(in.secret))
			}
			return r
		}
	}
	bearer := func(path string) func() *http.Request {
		return func() *http.Request {
			r := newRequest(http.MethodGet, path, http.NoBody)
			r.Header.Set("Authorization", "Bearer "+string(in.live))
			return r
		}
	}
	credentials := url.Values{"grant_type": {oauth.GrantClientCredentials}}
	rotation := url.Values{"grant_type": {oauth.GrantRefreshToken}, "client_id": {insidePublic}}
	return []operation{
		{name: "token: client credentials, opaque", next: form("/oauth/token", floorClient, credentials), handler: in.server},
		{name: "token: client credentials, JWT", next: form("/oauth/token", insideSigned, credentials), handler: in.server},
		{name: "introspection", next: form("/oauth/introspect", floorClient, url.Values{"token": {string(in.live)}}), handler: in.server},
		{name: "userinfo", next: bearer("/oauth/userinfo"), handler: in.server},
		{name: "guard", next: bearer("/records"), handler: in.guarded},
		{name: "refresh and ID token", handler: in.server,
			next: func() *http.Request {
				rotation.Set("refresh_token", string(refresh))
				return form("/oauth/token", insidePublic, rotation)()
			},
			after: func(body []byte) { refresh = oauth.Secret(member(string(body), "refresh_token")) }},
		{name: "discovery", handler: in.server, next: func() *http.Request {
			return newRequest(http.MethodGet, "/.well-known/openid-configuration", http.NoBody)
		}},
	}, nil
}

func newRequest(method, path string, body io.Reader) *http.Request {
	r, err := http.NewRequest(method, "http://localhost"+path, body)
	if err != nil {
		panic(err)
	}
	r.RemoteAddr, r.RequestURI = "127.0.0.1:40000", path
	return r
}

// answer is an http.ResponseWriter that can be used again.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// do runs the operation once.
func (op operation) do(a *answer, r *http.Request) error {
	clear(a.header)
	a.body.Reset()
	a.status = http.StatusOK
	op.handler.ServeHTTP(a, r)
	if a.status != http.StatusOK {
		return fmt.Errorf("%s: status %d: %.300s", op.name, a.status, a.body.Bytes())
	}
	if op.after != nil {
		op.after(a.body.Bytes())
	}
	return nil
}

// cost is what one operation comes to.
type cost struct {
	Nanoseconds         float64
	Allocations         float64
	Statements, Commits float64
}

// count runs the operation n times, after some that warm it up.
func (op operation) count(n int) (c cost, err error) {
	a := &answer{header: http.Header{}}
	for range n/10 + 20 {
		if err := op.do(a, op.next()); err != nil {
			return c, err
		}
	}
	var before, after runtime.MemStats
	var spent time.Duration
	var allocations uint64
	statements, commits := asks.statements.Load(), asks.commits.Load()
	for range n {
		r := op.next()
		runtime.ReadMemStats(&before)
		start := time.Now()
		err := op.do(a, r)
		spent += time.Since(start)
		runtime.ReadMemStats(&after)
		if err != nil {
			return c, err
		}
		allocations += after.Mallocs - before.Mallocs
	}
	each := float64(n)
	return cost{
		Nanoseconds: float64(spent.Nanoseconds()) / each, Allocations: float64(allocations) / each,
		Statements: float64(asks.statements.Load()-statements) / each, Commits: float64(asks.commits.Load()-commits) / each,
	}, nil
}

// benchmark measures an operation whose request can be sent again and again, as
// "go test -bench" would.
func (op operation) benchmark() (testing.BenchmarkResult, error) {
	var failed error
	a, r := &answer{header: http.Header{}}, op.next()
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := op.do(a, r); err != nil {
				failed = err
				b.FailNow()
			}
		}
	})
	return result, failed
}
