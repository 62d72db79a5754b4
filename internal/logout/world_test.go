package logout_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// logoutToken is what a client reads.
type logoutToken struct {
	jwt.Claims
	SID    string                     `json:"sid"`
	Events map[string]json.RawMessage `json:"events"`
	Nonce  *string                    `json:"nonce"`
	Type   string                     `json:"-"`
	Alg    string                     `json:"-"`
}

// site is a client's web site: a real server on loopback. It verifies what it is
// sent with another library's eyes and the keys that are published.
type site struct {
	t    *testing.T
	URL  string // http://localhost:port, which the server is allowed to ask
	keys func() jose.JSONWebKeySet

	mu     sync.Mutex
	status int // the answer; 200 if zero
	hang   chan struct{}
	tokens []logoutToken
	calls  int
}

func newSite(t *testing.T) *site {
	s := &site{t: t}
	server := httptest.NewServer(http.HandlerFunc(s.back))
	t.Cleanup(server.Close)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	s.URL = "http://localhost:" + port
	return s
}

// back is POST /back: OpenID Connect Back-Channel Logout §2.6.
func (s *site) back(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hang != nil {
		hang := s.hang
		s.mu.Unlock()
		<-hang
		s.mu.Lock()
	}
	s.calls++
	if s.status != 0 {
		w.WriteHeader(s.status)
		return
	}
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.URL.RawQuery != "" {
		s.t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
	if len(r.PostForm) != 1 || len(r.PostForm["logout_token"]) != 1 {
		s.t.Errorf("the form holds %v, want one logout_token", r.PostForm)
	}
	s.tokens = append(s.tokens, s.verify(r.PostForm.Get("logout_token")))
}

func (s *site) verify(text string) (out logoutToken) {
	parsed, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		s.t.Errorf("a logout token that is none: %v", err)
		return out
	}
	keys := s.keys()
	header := parsed.Headers[0]
	if key := keys.Key(header.KeyID); len(key) != 1 || key[0].Algorithm != header.Algorithm {
		s.t.Errorf("a key that is not published: %q for %s", header.KeyID, header.Algorithm)
	} else if err := parsed.Claims(key[0], &out); err != nil {
		s.t.Errorf("not signed with the published key: %v", err)
	}
	out.Type, _ = header.ExtraHeaders[jose.HeaderType].(string)
	out.Alg = header.Algorithm
	return out
}

func (s *site) answer(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status = status
}

func (s *site) heard() []logoutToken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]logoutToken{}, s.tokens...)
}

func (s *site) called() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

// world is a server and a client's site.
type world struct {
	*oauthtest.Engine
	site *site
}

func newWorld(t *testing.T, s store.Store, change ...func(*valetkey.Config)) *world {
	t.Helper()
	w := newNode(t, s, change...)
	if err := w.Keys.EnsureActive(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// newNode is a server on a store that has keys, or gets them by somebody else.
func newNode(t *testing.T, s store.Store, change ...func(*valetkey.Config)) *world {
	t.Helper()
	w := &world{site: newSite(t)}
	w.Engine = oauthtest.New(t, oauthtest.Options{OpenID: true, Store: s, Configure: func(c *valetkey.Config) {
		c.FetchAllow = []string{"localhost"}
		for _, f := range change {
			f(c)
		}
	}})
	w.site.keys = w.published
	return w
}

// published are the keys that everybody may read.
func (w *world) published() (set jose.JSONWebKeySet) {
	w.T.Helper()
	body := w.Anonymous().Do(http.MethodGet, "/oauth/jwks", nil).Body
	if err := json.Unmarshal([]byte(body), &set); err != nil {
		w.T.Errorf("keys: %v in %s", err, body)
	}
	return set
}

const bye = "https://web.test/bye?from=us"

// client registers a client that signs people in. more bends its metadata.
func (w *world) client(more ...func(*oauth.ClientMetadata)) oauthtest.Party {
	c := oauth.Client{RedirectURIs: []string{"https://web.test/cb"}, Metadata: oauth.ClientMetadata{PostLogoutRedirectURIs: []string{bye, "https://web.test/plain"}}}
	for _, f := range more {
		f(&c.Metadata)
	}
	return w.AddClient(c)
}

func (w *world) back(m *oauth.ClientMetadata) { m.BackchannelLogoutURI = w.site.URL + "/back" }

func front(m *oauth.ClientMetadata) { m.FrontchannelLogoutURI = "https://web.test/front?x=y" }

// idToken signs the browser's person in to the client.
func (w *world) idToken(b *oauthtest.Browser, c oauthtest.Party) string {
	w.T.Helper()
	reply := w.Tokens(b, c, "scope", "openid", "nonce", "n")
	var body struct {
		IDToken string `json:"id_token"`
	}
	if err := json.Unmarshal([]byte(reply.Body), &body); err != nil || body.IDToken == "" {
		w.T.Fatalf("no ID token: %v in %s", err, reply.Body)
	}
	return body.IDToken
}

// claim reads a claim without looking at the signature.
func claim(t *testing.T, token, name string) string {
	t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]any{}
	if err := parsed.UnsafeClaimsWithoutVerification(&set); err != nil {
		t.Fatal(err)
	}
	value, _ := set[name].(string)
	return value
}

func logoutURL(pairs ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return "/oauth/logout?" + v.Encode()
}

// leave asks the endpoint by GET.
func leave(b *oauthtest.Browser, pairs ...string) oauthtest.Reply {
	return b.Do(http.MethodGet, logoutURL(pairs...), nil)
}

// hidden are the fields of the form of the page that asks.
func hidden(body string) url.Values {
	fields := url.Values{}
	for part := range strings.SplitSeq(body, `<input type="hidden" name="`) {
		name, rest, ok := strings.Cut(part, `" value="`)
		value, _, more := strings.Cut(rest, `"`)
		if ok && more && !strings.ContainsAny(name, "<> ") {
			fields.Set(name, strings.NewReplacer("&amp;", "&", "&#43;", "+", "&#34;", `"`).Replace(value))
		}
	}
	return fields
}

// confirm answers the page that asks.
func confirm(b *oauthtest.Browser, page oauthtest.Reply) oauthtest.Reply {
	return b.Do(http.MethodPost, "/oauth/logout/confirm", hidden(page.Body))
}

// wantSignedIn asks as a client does: prompt=none.
func (w *world) wantSignedIn(what string, b *oauthtest.Browser, c oauthtest.Party, want bool) {
	w.T.Helper()
	back := b.Authorize(oauthtest.Request(c, "scope", "openid", "nonce", "n", "prompt", "none")).Callback()
	switch {
	case want && back.Get("code") == "":
		w.T.Errorf("%s: prompt=none: %v, want a code", what, back)
	case !want && back.Get("error") != "login_required":
		w.T.Errorf("%s: prompt=none: %v, want login_required", what, back)
	}
}

// start runs what delivers until the test ends.
func (w *world) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Server.Start(ctx) })
	stop = func() { cancel(); running.Wait() }
	w.T.Cleanup(stop)
	return stop
}

// eventually waits for what happens elsewhere.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came to this: %s", what)
		}
	}
}

// notices are the rows that wait.
func (w *world) notices(sid string) []*oauth.SessionClient {
	w.T.Helper()
	rows, err := w.Store.SessionClients(context.Background(), sid)
	if err != nil {
		w.T.Fatal(err)
	}
	return rows
}

// events of a type in the audit trail.
func (w *world) events(typ oauth.EventType) []*oauth.Event {
	w.T.Helper()
	list, err := w.Store.ListEvents(context.Background(), store.EventQuery{Type: typ}, store.Page{Limit: 100})
	if err != nil {
		w.T.Fatal(err)
	}
	return list
}

func authTime(t *testing.T, token string) int64 {
	t.Helper()
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		AuthTime int64 `json:"auth_time"`
	}
	if err := parsed.UnsafeClaimsWithoutVerification(&set); err != nil {
		t.Fatal(err)
	}
	return set.AuthTime
}
