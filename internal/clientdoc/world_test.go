package clientdoc_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/valetkey/valetkey/internal/clientdoc"
	"github.com/valetkey/valetkey/internal/clientmeta"
	"github.com/valetkey/valetkey/internal/fetch"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
)

// publisher is a site on which clients describe themselves.
type publisher struct {
	*httptest.Server
	roots *x509.CertPool
	hits  atomic.Int32

	mu     sync.Mutex
	answer http.HandlerFunc
}

func publish(t *testing.T) *publisher {
	p := &publisher{roots: x509.NewCertPool()}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.hits.Add(1)
		p.mu.Lock()
		answer := p.answer
		p.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(p.Close)
	p.roots.AddCert(p.Certificate())
	return p
}

func (p *publisher) serve(h http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = h
}

// document serves what pairs make of an honest document about id.
func (p *publisher) document(id string, pairs ...any) {
	m := map[string]any{"client_id": id, "client_name": "Agent", "redirect_uris": []string{"https://app.test/cb"}}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
		if pairs[i+1] == nil {
			delete(m, pairs[i].(string))
		}
	}
	body, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	p.serve(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("Cache-Control", "max-age=600")
		w.Write(body)
	})
}

// hosts resolves every name to loopback.
type hosts struct{}

func (hosts) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

type world struct {
	t     *testing.T
	p     *publisher
	clock *oauthtest.Clock
	store store.Store
	cfg   clientdoc.Config
	r     *clientdoc.Resolver
}

func newWorld(t *testing.T, change ...func(*clientdoc.Config)) *world {
	t.Helper()
	w := &world{t: t, p: publish(t), clock: oauthtest.NewClock(), store: memstore.New()}
	scopes, err := oauth.NewScopes()
	if err != nil {
		t.Fatal(err)
	}
	fetcher := fetch.New(fetch.Config{Now: w.clock.Now, Roots: w.p.roots, Allow: []string{"127.0.0.0/8"}, Resolver: hosts{}})
	c := clientdoc.Config{Store: w.store, Fetch: fetcher, Now: w.clock.Now, Rules: &clientmeta.Rules{
		GrantTypes:    []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials, oauth.GrantImplicit},
		ResponseTypes: []string{oauth.ResponseTypeCode, oauth.ResponseTypeToken},
		AuthMethods:   []oauth.AuthMethod{oauth.AuthBasic, oauth.AuthPost, oauth.AuthNone, oauth.AuthPrivateKeyJWT, oauth.AuthSecretJWT},
		Scopes:        scopes, Profile: oauth.ProfileCertification, Fetch: fetcher,
	}}
	for _, ch := range change {
		ch(&c)
	}
	w.cfg, w.r = c, clientdoc.New(c)
	return w
}

// host is the publisher under a name.
func (w *world) host(name string) string {
	_, port, _ := strings.Cut(strings.TrimPrefix(w.p.URL, "https://"), ":")
	return "https://" + name + ":" + port
}

func (w *world) resolve(id string) error { return w.r.Resolve(context.Background(), id) }

func (w *world) client(id string) *oauth.Client {
	c, err := w.store.Client(context.Background(), id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		w.t.Fatal(err)
	}
	return c
}

// refused: as a refusal, and nothing was kept.
func (w *world) refused(name, id string, err error) {
	w.t.Helper()
	var refusal *oauth.Error
	if !errors.As(err, &refusal) || refusal.Code != oauth.InvalidClient || refusal.Description == "" {
		w.t.Errorf("%s: err = %v", name, err)
	}
	if w.client(id) != nil {
		w.t.Errorf("%s: it became a client", name)
	}
}
