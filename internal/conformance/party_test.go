package conformance_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/valetkey/valetkey/internal/browser"
)

// callback is the relying party's redirect URI. Nobody is there: the browser
// stops and shows what was brought.
const callback = "https://rp.example/test/a/valetkey/callback"

// party is a relying party: a registered client and a browser with a person.
type party struct {
	t        *testing.T
	op       *provider
	http     *http.Client
	metadata map[string]any
	browser  *browser.Browser

	ID, Secret, Method            string
	registrationURI, registration string // RFC 7592
	signer                        *ecdsa.PrivateKey
	alg                           string // of ID tokens
}

// newParty registers a client dynamically with these members over the defaults.
func newParty(t *testing.T, members map[string]any) *party {
	t.Helper()
	p := anonymous(t)
	request := map[string]any{
		"client_name": t.Name()[:min(len(t.Name()), 50)], "redirect_uris": []string{callback},
		"grant_types":    []string{"authorization_code", "refresh_token", "implicit"},
		"response_types": []string{"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"},
	}
	maps.Copy(request, members)
	status, answer := p.register(request)
	if status != http.StatusCreated {
		t.Fatalf("registration: %d %v", status, answer)
	}
	p.adopt(answer)
	return p
}

// anonymous is a relying party that has read the metadata and registered nothing.
func anonymous(t *testing.T) *party {
	t.Helper()
	p := &party{t: t, op: op(t), alg: "RS256"}
	transport := p.op.transport()
	t.Cleanup(transport.CloseIdleConnections)
	p.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	p.browser = p.newBrowser()
	status, header, body := p.get(p.op.Issuer+"/.well-known/openid-configuration", "")
	if status != http.StatusOK || !strings.HasPrefix(header.Get("Content-Type"), "application/json") {
		t.Fatalf("discovery: %d %v", status, header)
	}
	p.metadata = object(t, body)
	return p
}

func (p *party) newBrowser() *browser.Browser {
	transport := p.op.transport()
	p.t.Cleanup(transport.CloseIdleConnections)
	b := browser.New(transport)
	b.StopAt = []string{"https://rp.example/"}
	return b
}

// adopt takes over what a registration gave.
func (p *party) adopt(answer map[string]any) {
	p.ID, p.Secret, p.Method = text(answer, "client_id"), text(answer, "client_secret"), text(answer, "token_endpoint_auth_method")
	p.registrationURI, p.registration = text(answer, "registration_client_uri"), text(answer, "registration_access_token")
	if alg := text(answer, "id_token_signed_response_alg"); alg != "" {
		p.alg = alg
	}
}

func (p *party) register(request map[string]any) (int, map[string]any) {
	p.t.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		p.t.Fatal(err)
	}
	req, _ := http.NewRequest(http.MethodPost, p.endpoint("registration_endpoint"), bytes.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	status, _, answer := p.send(req)
	return status, object(p.t, answer)
}

// endpoint is a URL of the metadata.
func (p *party) endpoint(name string) string {
	p.t.Helper()
	address := text(p.metadata, name)
	if !strings.HasPrefix(address, "https://") {
		p.t.Fatalf("%s is %q", name, address)
	}
	return address
}

func (p *party) send(req *http.Request) (int, http.Header, []byte) {
	p.t.Helper()
	resp, err := p.http.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, body
}

func (p *party) get(address, bearer string) (int, http.Header, []byte) {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	return p.send(req)
}

func (p *party) post(address string, form url.Values, prepare func(*http.Request)) (int, http.Header, []byte) {
	p.t.Helper()
	req, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if prepare != nil {
		prepare(req)
	}
	return p.send(req)
}

// arrival is an authorization response, and how it came.
type arrival struct {
	url.Values
	mode string // query, fragment or form_post
	uri  string // what it was sent to, without the response
	// pages counts the pages that a person had to answer.
	pages int
}

// authorizeURL is an authorization request. Defaults go first; a value that is
// "-" leaves the parameter out.
func (p *party) authorizeURL(params ...string) string {
	query := url.Values{
		"client_id": {p.ID}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"},
		"state": {"state-" + token(10)}, "nonce": {"nonce-" + token(10)},
	}
	for i := 0; i+1 < len(params); i += 2 {
		query.Set(params[i], params[i+1])
		if params[i+1] == "-" {
			query.Del(params[i])
		}
	}
	return p.endpoint("authorization_endpoint") + "?" + query.Encode()
}

// authorize goes through the pages until the response arrives.
func (p *party) authorize(params ...string) *arrival {
	p.t.Helper()
	a, page := p.try(params...)
	if a == nil {
		p.t.Fatalf("no response arrived; the browser stands at %v", page)
	}
	return a
}

// try opens the authorization request and answers what it can: signs in, allows.
// It returns the page it is stuck at if no response arrives.
func (p *party) try(params ...string) (*arrival, *browser.Page) {
	p.t.Helper()
	page, err := p.browser.Open(p.authorizeURL(params...))
	if err != nil {
		p.t.Fatal(err)
	}
	return p.walk(page)
}

func (p *party) walk(page *browser.Page) (*arrival, *browser.Page) {
	p.t.Helper()
	for pages := 0; ; pages++ {
		if a := arrived(page); a != nil {
			a.pages = pages
			return a, page
		}
		form := page.Form()
		if form == nil || page.Status >= 400 || pages == 5 {
			return nil, page
		}
		if form.Values.Has("password") {
			form.Set("username", person.Email).Set("password", person.Password)
		}
		var err error
		if page, err = p.browser.Send(form); err != nil {
			p.t.Fatal(err)
		}
	}
}

// arrived reads the response from wherever the browser was sent.
func arrived(page *browser.Page) *arrival {
	if to := page.Location; to != nil {
		a := &arrival{Values: to.Query(), mode: "query"}
		if to.Fragment != "" {
			a.mode = "fragment"
			a.Values, _ = url.ParseQuery(to.EscapedFragment())
			for name, values := range to.Query() { // whatever stands in the query is seen too
				a.Values["query:"+name] = values
			}
		}
		bare := *to
		bare.RawQuery, bare.Fragment = "", ""
		a.uri = bare.String()
		return a
	}
	if form := page.Form(); form != nil && form.Method == http.MethodPost && strings.HasPrefix(form.Action.String(), "https://rp.example/") {
		return &arrival{Values: form.Values, mode: "form_post", uri: form.Action.String()}
	}
	return nil
}

// tokens is a token response.
type tokens struct {
	status int
	header http.Header
	body   map[string]any

	Access, Refresh, ID, Error string
}

// exchange redeems a code; params are added to the form.
func (p *party) exchange(code string, params ...string) *tokens {
	p.t.Helper()
	return p.token(append([]string{"grant_type", "authorization_code", "code", code, "redirect_uri", callback}, params...)...)
}

// token sends a token request with the client's own authentication method.
func (p *party) token(params ...string) *tokens {
	p.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	status, header, body := p.post(p.endpoint("token_endpoint"), form, func(req *http.Request) { p.authenticate(req, form) })
	r := &tokens{status: status, header: header, body: object(p.t, body)}
	r.Access, r.Refresh, r.ID, r.Error = text(r.body, "access_token"), text(r.body, "refresh_token"), text(r.body, "id_token"), text(r.body, "error")
	return r
}

// authenticate puts the client's credentials where its method wants them.
func (p *party) authenticate(req *http.Request, form url.Values) {
	switch p.Method {
	case "", "client_secret_basic":
		req.SetBasicAuth(url.QueryEscape(p.ID), url.QueryEscape(p.Secret))
		return
	case "client_secret_post":
		form.Set("client_id", p.ID)
		form.Set("client_secret", p.Secret)
	case "private_key_jwt":
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", p.assertion(nil))
	case "none":
		form.Set("client_id", p.ID)
	}
	body := form.Encode()
	req.Body, req.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	req.GetBody = nil
}

// keyed gives the party a signing key and returns its public set.
func (p *party) keyed() json.RawMessage {
	p.t.Helper()
	var err error
	if p.signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		p.t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.signer.Public(), KeyID: "rp-1", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		p.t.Fatal(err)
	}
	return set
}

// sign makes a JWT of the party's.
func (p *party) sign(typ string, claims map[string]any) string {
	p.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.signer, KeyID: "rp-1"}}, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		p.t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		p.t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		p.t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		p.t.Fatal(err)
	}
	return compact
}

// userInfo asks for the claims with a bearer header.
func (p *party) userInfo(access string) map[string]any {
	p.t.Helper()
	status, header, body := p.get(p.endpoint("userinfo_endpoint"), access)
	if status != http.StatusOK || !strings.HasPrefix(header.Get("Content-Type"), "application/json") {
		p.t.Fatalf("userinfo: %d %v %s", status, header, body)
	}
	claims := object(p.t, body)
	checkClaims(p.t, claims)
	return claims
}

func object(t *testing.T, body []byte) map[string]any {
	t.Helper()
	out := map[string]any{}
	if len(body) == 0 {
		return out
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		t.Fatalf("not a JSON object: %v: %s", err, body)
	}
	return out
}

func text(m map[string]any, name string) string {
	s, _ := m[name].(string)
	return s
}

func texts(m map[string]any, name string) (out []string) {
	list, _ := m[name].([]any)
	for _, v := range list {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

// token draws n random letters.
func token(n int) string { return rand.Text()[:n] }

// only reports the names that are not allowed.
func only(values url.Values, allowed ...string) (more []string) {
	for name := range values {
		if !slices.Contains(allowed, name) {
			more = append(more, name)
		}
	}
	return more
}

// s256: RFC 7636 §4.2.
func s256(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// assertion is a client assertion (RFC 7523 §3) with these claims over the honest ones.
func (p *party) assertion(claims map[string]any) string {
	now := time.Now()
	honest := map[string]any{
		"iss": p.ID, "sub": p.ID, "aud": p.endpoint("token_endpoint"), "jti": token(20),
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
	maps.Copy(honest, claims)
	return p.sign("JWT", honest)
}

// altered is the secret with another last character.
func altered(secret string) string {
	last := "x"
	if strings.HasSuffix(secret, last) {
		last = "y"
	}
	return secret[:len(secret)-1] + last
}
