package attacks

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

// What clients sign, and the keys they sign it with.

// change edits a client in the store, as registration with metadata does.
func (s *site) change(c *client, edit func(*oauth.Client)) {
	s.t.Helper()
	row, err := s.store.Client(s.t.Context(), c.ID)
	must(s.t, err)
	edit(row)
	must(s.t, s.store.UpdateClient(s.t.Context(), row))
	c.Client = row
}

// claims are claims of client c for this server, changed; nil takes one out.
func (s *site) claims(c *client, changes map[string]any) map[string]any {
	now := s.clock.Now()
	out := map[string]any{"iss": c.ID, "aud": s.url, "iat": now.Unix(), "exp": now.Unix() + 60}
	maps.Copy(out, changes)
	maps.DeleteFunc(out, func(_ string, v any) bool { return v == nil })
	return out
}

// object is a request object that says what ask says.
func (s *site) object(c *client, key oauthtest.Signer, changes map[string]any) string {
	s.t.Helper()
	inside := map[string]any{}
	for name, values := range ask(c) {
		inside[name] = values[0]
	}
	maps.Copy(inside, changes)
	return key.Sign(s.t, "oauth-authz-req+jwt", s.claims(c, inside))
}

func TestM31_RequestObjects(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	key, others, es := oauthtest.NewSigner(t, "RS256", "k"), oauthtest.NewSigner(t, "RS256", "k"), oauthtest.NewSigner(t, "ES256", "e")
	s.change(s.web, func(c *oauth.Client) {
		c.Metadata.JWKS, c.Metadata.RequestObjectAlg = oauthtest.JWKS(t, key, es), "RS256"
	})
	s.change(s.web2, func(c *oauth.Client) { c.Metadata.JWKS = oauthtest.JWKS(t, others) })
	s.alice.code(s.web)

	good := s.object(s.web, key, nil)
	parts := strings.Split(good, ".")
	none := "eyJhbGciOiJub25lIn0." + parts[1] + "."
	encrypt := func(text string) string {
		crypter, err := jose.NewEncrypter(jose.A128CBC_HS256, jose.Recipient{Algorithm: jose.RSA_OAEP, Key: key.Public().Key}, nil)
		must(t, err)
		object, err := crypter.Encrypt([]byte(text))
		must(t, err)
		text, err = object.CompactSerialize()
		must(t, err)
		return text
	}
	plain, err := json.Marshal(s.claims(s.web, map[string]any{"client_id": "web"}))
	must(t, err)
	for name, object := range map[string]string{
		"encrypted JSON":              encrypt(string(plain)),
		"encrypted around alg none":   encrypt(none),
		"encrypted around a good one": encrypt(good),
		"unsigned":                    none,
		"by another algorithm":        s.object(s.web, es, nil),
		"by another client's key":     s.object(s.web, others, nil),
		"of another client":           s.object(s.web2, others, nil),
		"client_id is not outside's":  s.object(s.web, key, map[string]any{"client_id": "web2"}),
		"without client_id":           s.object(s.web, key, map[string]any{"client_id": nil}),
		"for another server":          s.object(s.web, key, map[string]any{"aud": "https://other.test"}),
		"another response_type":       s.object(s.web, key, map[string]any{"response_type": "code id_token"}),
		"request inside":              s.object(s.web, key, map[string]any{"request": good}),
		"request_uri inside":          s.object(s.web, key, map[string]any{"request_uri": "https://web.test/r"}),
		"altered":                     parts[0] + "." + parts[1][:len(parts[1])-4] + "AAAA." + parts[2],
		"junk":                        "{}",
	} {
		s.alice.az(ask(s.web, "request", object)).wantError(t, s, s.web, "invalid_request_object")
		if a := s.as(s.web, "/oauth/par", url.Values{"request": {object}, "response_type": {"code"}}); a.StatusCode != 400 || a.Error != "invalid_request_object" {
			t.Errorf("pushed, %s: %v", name, a)
		}
	}
	// The inside counts, whatever somebody wrote around it.
	s.alice.allow(ask(s.web, "request", good, "scope", "records:write", "state", "mallory's")).sent(t, s.web)
	evil := s.object(s.web, key, map[string]any{"redirect_uri": "https://evil.test/"})
	s.alice.az(ask(s.web, "request", evil)).wantPage(t)
}

// M33 again, with clients that register addresses: keys, request objects, pushed
// or not. What is not public is not asked.
func TestM33_RegisteredAddressesStayOutside(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	bait := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		io.WriteString(w, `{"keys":[]}`)
	}))
	defer bait.Close()
	port := bait.URL[strings.LastIndexByte(bait.URL, ':')+1:]
	s := newSite(t, options{})
	s.alice.signIn()
	key := oauthtest.NewSigner(t, "ES256", "k")
	for _, address := range []string{
		"http://127.0.0.1:" + port + "/", "https://127.0.0.1:" + port + "/", "https://localhost:" + port + "/", "https://localhost.:" + port + "/",
		"https://0.0.0.0:" + port + "/", "https://[::1]:" + port + "/", "https://[::ffff:127.0.0.1]:" + port + "/", "https://2130706433:" + port + "/",
		"https://0x7f.1:" + port + "/", "https://0177.0.0.1:" + port + "/", "https://169.254.169.254/", "file:///etc/passwd", "gopher://127.0.0.1:" + port + "/",
		"https://a:b@127.0.0.1:" + port + "/", "https://127.0.0.1:22/",
	} {
		s.change(s.web, func(c *oauth.Client) { c.Metadata.JWKSURI, c.Metadata.RequestURIs = address, []string{address} })
		s.alice.az(ask(s.web, "request_uri", address)).wantError(t, s, s.web, "invalid_request_uri")
		s.alice.az(ask(s.web, "request", s.object(s.web, key, nil))).wantError(t, s, s.web, "invalid_request_object")
		s.change(s.m2m, func(c *oauth.Client) { c.AuthMethod, c.Metadata.JWKSURI = oauth.AuthPrivateKeyJWT, address })
		a := s.tok(nil, s.asserted(s.m2m, key, nil))
		if a.StatusCode != 401 && a.StatusCode != 429 || strings.Contains(a.body, "127.0.0.1") || strings.Contains(a.body, "connect") {
			t.Errorf("%s: %v", address, a)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the server fetched %d times", n)
	}
	control := newSite(t, options{server: func(c *valetkey.Config) { c.FetchAllow = []string{"127.0.0.1"} }})
	control.change(control.m2m, func(c *oauth.Client) {
		c.AuthMethod, c.Metadata.JWKSURI = oauth.AuthPrivateKeyJWT, bait.URL
	})
	control.tok(nil, control.asserted(control.m2m, key, nil)).want(t, 401, "invalid_client")
	if hits.Load() == 0 {
		t.Error("the control is dead: what the operator allows was not fetched")
	}
}

// asserted is a token request of a client that signs.
func (s *site) asserted(c *client, key oauthtest.Signer, changes map[string]any) url.Values {
	s.t.Helper()
	claims := s.claims(c, map[string]any{"sub": c.ID, "jti": mint.NewID(s.clock.Now())})
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return oauthtest.Asserted(url.Values{"grant_type": {"client_credentials"}, "scope": {"records:read"}}, key.Sign(s.t, "", claims))
}

func TestM51_ClientAssertions(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	key := oauthtest.NewSigner(t, "ES256", "k")
	s.change(s.m2m, func(c *oauth.Client) {
		c.AuthMethod, c.Metadata.JWKS = oauth.AuthPrivateKeyJWT, oauthtest.JWKS(t, key)
	})
	once := s.asserted(s.m2m, key, map[string]any{"jti": "Once"})
	s.tok(nil, once).want(t, 200, "")
	s.tok(nil, once).want(t, 401, "invalid_client")
	s.start() // the memory is not in the process
	s.tok(nil, once).want(t, 401, "invalid_client")
	s.clock.Move(61 * time.Second) // and lasts as long as the assertion might pass
	s.tok(nil, once).want(t, 401, "invalid_client")

	parts := strings.Split(once.Get("client_assertion"), ".")
	again := oauthtest.Asserted(once, strings.Join([]string{parts[0], strings.Replace(parts[1], "T25jZQ", "b25jZQ", 1), parts[2]}, "."))
	s.tok(nil, again).want(t, 401, "invalid_client")

	for _, claims := range []map[string]any{
		{"jti": nil}, {"exp": nil}, {"exp": s.clock.Now().Add(6 * time.Minute).Unix()}, {"exp": s.clock.Now().Add(-time.Minute).Unix()}, {"aud": "https://evil.test"},
	} {
		s.tok(nil, s.asserted(s.m2m, key, claims)).want(t, 401, "invalid_client")
	}
	s.clock.Move(2 * time.Minute)
	tracks := s.warm(32)
	raced := s.asserted(s.m2m, key, nil)
	if got := tally(t, s.race(tracks, repeated(32, func(int) *http.Request { return s.machineRequest(nil, "/oauth/token", raced) }))); got["OK"] != 1 {
		t.Errorf("32 at once: %v, want one success", got)
	}
	s.clock.Move(2 * time.Minute)
	a := s.tok(nil, s.asserted(s.m2m, key, nil))
	a.want(t, 200, "")
	if !s.reads(a.Access) {
		t.Error("the control is dead")
	}
}

// M53 for keys: what was replaced or has expired proves nothing, whoever has a
// key of the same name.
func TestM53_OldKeysStop(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	old, next, same := oauthtest.NewSigner(t, "ES256", "k"), oauthtest.NewSigner(t, "ES256", "next"), oauthtest.NewSigner(t, "ES256", "k")
	sign := func(c *client, set json.RawMessage) {
		s.change(c, func(c *oauth.Client) { c.AuthMethod, c.Metadata.JWKS = oauth.AuthPrivateKeyJWT, set })
	}
	sign(s.m2m, oauthtest.JWKS(t, old))
	sign(s.rs, oauthtest.JWKS(t, same))
	s.tok(nil, s.asserted(s.m2m, old, nil)).want(t, 200, "")
	s.tok(nil, s.asserted(s.m2m, same, nil)).want(t, 401, "invalid_client")
	s.tok(s.m2m, url.Values{"grant_type": {"client_credentials"}}).want(t, 401, "invalid_client") // its leftover secret
	sign(s.m2m, oauthtest.JWKS(t, next))
	s.tok(nil, s.asserted(s.m2m, old, nil)).want(t, 401, "invalid_client")
	s.tok(nil, s.asserted(s.m2m, next, nil)).want(t, 200, "")

	expiring := json.RawMessage(strings.Replace(string(oauthtest.JWKS(t, next)), `{"use"`, `{"exp":1,"use"`, 1))
	sign(s.m2m, expiring) // a key that expired in 1970
	s.tok(nil, s.asserted(s.m2m, next, nil)).want(t, 401, "invalid_client")
	for _, set := range []string{
		`{"keys":[{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0","alg":"HS256"}]}`,
		strings.Replace(string(oauthtest.JWKS(t, next)), `{"use"`, `{"d":"AA","use"`, 1),
	} {
		sign(s.m2m, json.RawMessage(set))
		s.tok(nil, s.asserted(s.m2m, next, nil)).want(t, 401, "invalid_client")
		s.tok(nil, s.asserted(s.m2m, oauthtest.Signer{Algorithm: "HS256", Private: []byte("secretsecretsecretsecretsecretsecret")}, nil)).want(t, 401, "invalid_client")
	}
	sign(s.m2m, oauthtest.JWKS(t, next))
	s.tok(nil, s.asserted(s.m2m, next, nil)).want(t, 200, "")
}

func TestM45_ResourceOfAToken(t *testing.T) {
	t.Parallel()
	const one, two = "https://one.test/api", "https://two.test/api"
	s := newSite(t, options{server: func(c *valetkey.Config) {
		c.Resources = []oauth.Resource{{URI: one}, {URI: two}}
	}})
	s.alice.signIn()
	audience := func(c *client, token string) string {
		t.Helper()
		a := s.as(c, "/oauth/introspect", url.Values{"token": {token}})
		var got struct {
			Aud json.RawMessage `json:"aud"`
		}
		must(t, json.Unmarshal([]byte(a.body), &got))
		return string(got.Aud)
	}
	for _, c := range []*client{s.web, s.spa} {
		code := s.alice.code(c, "resource", one)
		for _, wrong := range []string{two, "https://evil.test/", "not a URI", one + "#x"} {
			s.tok(c, redeem(c, code, "resource", wrong)).want(t, 400, "invalid_target")
		}
		got := s.tok(c, redeem(c, code, "resource", one)) // the code is not used up
		got.want(t, 200, "")
		s.tok(c, refresh(got.Refresh, "resource", two)).want(t, 400, "invalid_target")
		next := s.tok(c, refresh(got.Refresh, "resource", one)) // nor is the refresh token
		next.want(t, 200, "")
		for _, token := range []string{got.Access, next.Access} {
			if aud := audience(s.rs, token); !strings.Contains(aud, one) || strings.Contains(aud, two) {
				t.Errorf("%s: aud is %s", c.ID, aud)
			}
			if s.reads(token) {
				t.Errorf("%s: a token for another resource reads here", c.ID)
			}
		}
	}
	s.alice.az(ask(s.web, "resource", "https://evil.test/")).wantError(t, s, s.web, "invalid_target")
	if plain := s.alice.flow(s.web); !s.reads(plain.Access) {
		t.Error("the control is dead")
	}
}
