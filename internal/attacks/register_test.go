package attacks

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

// Clients that register themselves, and clients that are documents.

// open lets anybody register.
func open(c *valetkey.Config) {
	c.Registration.Mode, c.Registration.Burst, c.ClientDocuments.Enabled = "open", 1000, true
}

// enroll registers a client as a stranger; pairs go over an honest document.
func (s *site) enroll(pairs ...any) answer {
	s.t.Helper()
	doc := map[string]any{"client_name": "Stranger", "redirect_uris": []string{"https://stranger.test/cb"}}
	for i := 0; i < len(pairs); i += 2 {
		doc[pairs[i].(string)] = pairs[i+1]
	}
	body, err := json.Marshal(doc)
	must(s.t, err)
	return s.do("POST", "/oauth/register", string(body), "Content-Type", "application/json")
}

// enrolled is the client of an answer to enroll.
func (s *site) enrolled(a answer) *client {
	s.t.Helper()
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if a.StatusCode != http.StatusCreated {
		s.t.Fatalf("not registered: %v", a)
	}
	must(s.t, json.Unmarshal([]byte(a.body), &made))
	c, err := s.store.Client(s.t.Context(), made.ID)
	must(s.t, err)
	return &client{c, made.Secret}
}

// refusedMetadata checks a refusal of RFC 7591 §3.2.2.
func refusedMetadata(t *testing.T, a answer) {
	t.Helper()
	got := a.tokens(t)
	switch got.Error {
	case "invalid_client_metadata", "invalid_redirect_uri", "invalid_software_statement":
	default:
		t.Errorf("got %v, want the metadata refused", a)
	}
	if a.StatusCode != http.StatusBadRequest {
		t.Errorf("got %v, want 400", a)
	}
}

func TestM49_DynamicRegistration(t *testing.T) {
	t.Parallel()
	off := newSite(t, options{})
	for _, path := range []string{"/oauth/register", "/register", "/connect/register"} {
		if a := off.do("POST", path, `{"redirect_uris":["https://evil.test/cb"],"scope":"root:everything"}`, "Content-Type", "application/json"); a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %v", path, a)
		}
	}

	s := newSite(t, options{server: open})
	before := s.count("SELECT count(*) FROM oauth_clients")
	for _, a := range []answer{
		s.enroll("scope", "root:everything"), s.enroll("software_statement", "junk"), s.enroll("grant_types", []string{"password"}),
		s.enroll("grant_types", []string{"client_credentials"}), s.enroll("x", strings.Repeat("x", 1<<20)),
		s.enroll("redirect_uris", make([]string, 10_000)),
		s.do("POST", "/oauth/register", `{"x":`+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)+`}`, "Content-Type", "application/json"),
	} {
		refusedMetadata(t, a)
	}
	if n := s.count("SELECT count(*) FROM oauth_clients"); n != before {
		t.Errorf("%d clients were made by refused requests", n-before)
	}
	a := s.enroll("scope", "root:everything records:read", "grant_types", []string{"authorization_code", "password", "client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"},
		"skip_consent", true, "first_party", true, "internal", true, "owner", s.root.subject, "client_id", "web", "client_secret", "chosen", "registration_access_token", "chosen")
	c := s.enrolled(a)
	if c.ID == "web" || c.secret == "chosen" || strings.Contains(a.body, "chosen") || c.FirstParty || c.Internal || c.Owner != "" ||
		strings.Join(c.Scopes, " ") != "records:read" || strings.Join(c.GrantTypes, " ") != oauth.GrantAuthorizationCode {
		t.Errorf("the stranger got %+v", c.Client)
	}
	s.alice.signIn()
	s.alice.az(ask(c, "scope", "root:everything")).wantError(t, s, c, "invalid_scope")
	s.tok(c, url.Values{"grant_type": {"client_credentials"}}).want(t, 400, "unauthorized_client")
	if page := s.alice.az(ask(c)); page.StatusCode != http.StatusOK || !strings.Contains(page.body, "Nobody here has checked this application") {
		t.Errorf("consent: %v", page)
	}
	s.alice.flow(c) // the control

	flood := newSite(t, options{server: func(c *valetkey.Config) { open(c); c.Registration.Burst = 5 }})
	made := 0
	for i := range 50 {
		switch a := flood.enroll("client_name", fmt.Sprint("Flood ", i)); a.StatusCode {
		case http.StatusCreated:
			made++
		case http.StatusTooManyRequests:
		default:
			t.Fatalf("got %v", a)
		}
	}
	if made != 5 {
		t.Errorf("%d of 50 were registered from one network, want 5", made)
	}
}

// M33 where strangers name addresses without anybody's leave: at registration, and
// as a client id that is a URL.
func TestM33_StrangersAddressesStayOutside(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	bait := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `["https://stranger.test/cb"]`)
	}))
	defer bait.Close()
	port := bait.URL[strings.LastIndexByte(bait.URL, ':')+1:]
	s := newSite(t, options{server: open})
	s.alice.signIn()
	for _, address := range []string{
		"http://127.0.0.1:" + port + "/x", "https://127.0.0.1:" + port + "/x", "https://localhost:" + port + "/x", "https://localhost.:" + port + "/x",
		"https://0.0.0.0:" + port + "/x", "https://[::1]:" + port + "/x", "https://[::ffff:127.0.0.1]:" + port + "/x", "https://2130706433:" + port + "/x",
		"https://0x7f.1:" + port + "/x", "https://0177.0.0.1:" + port + "/x", "https://169.254.169.254/x", "file:///etc/passwd", "gopher://127.0.0.1:" + port + "/x",
		"https://a:b@127.0.0.1:" + port + "/x", "https://127.0.0.1:22/x",
	} {
		a := s.enroll("sector_identifier_uri", address)
		refusedMetadata(t, a)
		if strings.Contains(a.body, "127.0.0.1") && !strings.Contains(address, "127.0.0.1") || strings.Contains(a.body, "connect") {
			t.Errorf("%s: the answer says what is inside: %v", address, a)
		}
		s.enroll("jwks_uri", address, "logo_uri", address, "client_uri", address, "backchannel_logout_uri", address)
		s.alice.az(ask(s.web, "client_id", address)).wantPage(t)
		s.tok(nil, url.Values{"grant_type": {"authorization_code"}, "client_id": {address}, "code": {"x"}})
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the server fetched %d times", n)
	}
	control := newSite(t, options{server: func(c *valetkey.Config) {
		open(c)
		c.FetchAllow, c.FetchRoots = []string{"127.0.0.0/8"}, bait.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	}})
	control.enrolled(control.enroll("sector_identifier_uri", bait.URL+"/x"))
	if hits.Load() == 0 {
		t.Error("the control is dead: what the operator allows was not fetched")
	}
}

// M09 with members that strangers register.
func TestM09_ScriptInMetadata(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{server: open})
	for _, uri := range dangerous {
		for _, member := range []string{"redirect_uris", "post_logout_redirect_uris"} {
			refusedMetadata(t, s.enroll(member, []string{uri}))
		}
		for _, member := range []string{"client_uri", "logo_uri", "policy_uri", "tos_uri", "jwks_uri", "initiate_login_uri", "backchannel_logout_uri", "frontchannel_logout_uri"} {
			if uri == "http://web.test/cb" && strings.Contains("client_uri logo_uri policy_uri tos_uri", member) {
				continue // people may read plain http
			}
			refusedMetadata(t, s.enroll(member, uri))
		}
	}
	c := s.enrolled(s.enroll("tos_uri", "https://stranger.test/terms", "logo_uri", "https://stranger.test/logo.png", "post_logout_redirect_uris", []string{"https://stranger.test/bye"}))
	s.alice.signIn()
	page := s.alice.az(ask(c))
	if !strings.Contains(page.body, `href="https://stranger.test/terms"`) || strings.Contains(page.body, "logo.png") {
		t.Errorf("consent: %v", page)
	}
}

// M15 with what strangers call themselves.
func TestM15_StrangersNamesAreHarmless(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{server: open})
	for _, name := range []string{"Bank \u202e evil", "two\nlines", "\u2066x", "nul\x00"} {
		refusedMetadata(t, s.enroll("client_name", name))
	}
	if c := s.enrolled(s.enroll("client_name", strings.Repeat("x", 10_000))); len(c.Name) > 70 {
		t.Errorf("the name has %d bytes", len(c.Name))
	}
	const markup = `<img src=x onerror=alert(1)>{{7*7}}`
	c := s.enrolled(s.enroll("client_name", markup, "contacts", []string{markup}, "software_id", markup, "policy_uri", "https://stranger.test/p"))
	s.alice.signIn()
	s.root.signIn()
	shown := 0
	for _, a := range []answer{s.alice.az(ask(c)), s.root.get("/admin/applications/"), s.root.get("/admin/applications/" + c.ID + "/"), s.root.get("/admin/activity/")} {
		if strings.Contains(a.body, "<img src=x") || strings.Contains(a.body, ">49") {
			t.Errorf("%s shows the markup as it came", a.Request.URL)
		}
		if strings.Contains(a.body, "&lt;img src=x") {
			shown++
		}
	}
	if shown < 4 {
		t.Errorf("the name is shown on %d pages of 4", shown)
	}
}

// M53: keys that everybody could sign with are not registered.
func TestM53_PrivateKeysAreRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{server: open})
	key := oauthtest.NewSigner(t, "ES256", "k")
	honest := oauthtest.JWKS(t, key)
	register := func(set json.RawMessage) answer {
		return s.enroll("token_endpoint_auth_method", "private_key_jwt", "jwks", set)
	}
	for _, bad := range []string{
		`{"keys":[{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}]}`, strings.Replace(string(honest), `{"use"`, `{"d":"AAAA","use"`, 1),
		`{"keys":[]}`, `[]`, `{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`, `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`,
	} {
		refusedMetadata(t, register(json.RawMessage(bad)))
	}
	c := s.enrolled(register(honest))
	if c.secret != "" {
		t.Error("a client that signs was given a secret as well")
	}
}
