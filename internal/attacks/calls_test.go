package attacks

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

// person is somebody with an account and a browser that follows no redirect.
type person struct {
	s               *site
	email, password string
	subject         string
	jar             http.Client
}

// browser is an empty one.
func (s *site) browser() http.Client {
	jar, err := cookiejar.New(nil)
	must(s.t, err)
	return http.Client{Transport: s.http, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// elsewhere is the same person at another, empty browser.
func (p *person) elsewhere() *person {
	other := *p
	other.jar = p.s.browser()
	return &other
}

// answer is a response that has been read.
type answer struct {
	*http.Response
	body string
}

func (a answer) String() string {
	text := strings.Join(strings.Fields(a.body), " ")
	return fmt.Sprintf("%d %s %.300s", a.StatusCode, a.Header.Get("Location"), text)
}

// send sends any request as whoever.
func (s *site) send(c http.Client, req *http.Request) answer {
	s.t.Helper()
	res, err := c.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode >= 500 {
		s.t.Errorf("%s %s: %d %s", req.Method, req.URL, res.StatusCode, body)
	}
	return answer{res, string(body)}
}

// request makes a request with headers given as name, value, …; Host sets the host.
func (s *site) request(method, path, body string, headers ...string) *http.Request {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	must(s.t, err)
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Add(headers[i], headers[i+1])
	}
	return req
}

const formType = "application/x-www-form-urlencoded"

// do sends a request without cookies.
func (s *site) do(method, path, body string, headers ...string) answer {
	s.t.Helper()
	return s.send(http.Client{Transport: s.http, CheckRedirect: s.alice.jar.CheckRedirect}, s.request(method, path, body, headers...))
}

// do sends a request with the person's cookies.
func (p *person) do(method, path, body string, headers ...string) answer {
	p.s.t.Helper()
	return p.s.send(p.jar, p.s.request(method, path, body, headers...))
}

func (p *person) get(path string) answer {
	p.s.t.Helper()
	return p.do("GET", path, "")
}

// post sends a form as a page of ours does.
func (p *person) post(path string, form url.Values, headers ...string) answer {
	p.s.t.Helper()
	return p.do("POST", path, form.Encode(), append([]string{"Content-Type", formType, "Origin", p.s.url, "Sec-Fetch-Site", "same-origin"}, headers...)...)
}

// form is the first form of a page.
func (a answer) form() url.Values {
	page := &browser.Page{URL: a.Request.URL, Body: []byte(a.body)}
	if f := page.Form(); f != nil {
		return f.Values
	}
	return url.Values{}
}

// signIn signs the person in and fails the test if that does not work.
func (p *person) signIn() *person {
	p.s.t.Helper()
	if a := p.login(p.password); a.StatusCode != http.StatusSeeOther {
		p.s.t.Fatalf("signing in as %s: %v", p.email, a)
	}
	return p
}

func (p *person) login(password string) answer {
	p.s.t.Helper()
	return p.post("/login/", url.Values{"username": {p.email}, "password": {password}})
}

// signedIn reports whether the browser has a session.
func (p *person) signedIn() bool {
	p.s.t.Helper()
	return p.get("/account/settings/profile/").StatusCode == http.StatusOK
}

// cookie is the value of a cookie the browser has.
func (p *person) cookie(name string) string {
	u, _ := url.Parse(p.s.url)
	for _, c := range p.jar.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// cookies is the Cookie header of the browser.
func (p *person) cookies() string {
	u, _ := url.Parse(p.s.url)
	var pairs []string
	for _, c := range p.jar.Jar.Cookies(u) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; ")
}

// verifier is the PKCE verifier of every honest request.
const verifier = oauthtest.Verifier

// ask is an honest authorization request of the client. more changes it: name,
// value, …; an empty value takes the name out.
func ask(c *client, more ...string) url.Values {
	return with(url.Values{
		"response_type": {"code"}, "client_id": {c.ID}, "redirect_uri": {c.RedirectURIs[0]}, "scope": {"records:read"}, "state": {"xyz"},
		"code_challenge": {oauthtest.Challenge()}, "code_challenge_method": {"S256"},
	}, more)
}

func with(v url.Values, pairs []string) url.Values {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		} else {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

// az is AZ of the list: the authorization request in the person's browser.
func (p *person) az(params url.Values) answer {
	p.s.t.Helper()
	return p.get("/oauth/authorize?" + params.Encode())
}

// consent answers a consent page.
func (p *person) consent(page answer, confirm string) answer {
	p.s.t.Helper()
	form := page.form()
	form.Set("confirm", confirm)
	return p.post("/oauth/consent", form)
}

// allow goes through authorization and consent, if asked, and returns the answer
// that leaves for the client.
func (p *person) allow(params url.Values) answer {
	p.s.t.Helper()
	a := p.az(params)
	if a.StatusCode == http.StatusOK {
		a = p.consent(a, "yes")
	}
	return a
}

// code is the code of an honest authorization.
func (p *person) code(c *client, more ...string) string {
	p.s.t.Helper()
	a := p.allow(ask(c, more...))
	code := a.callback().Get("code")
	if code == "" {
		p.s.t.Fatalf("no code: %v", a)
	}
	return code
}

// callback is the query that a redirect to a client carries; nil without one.
func (a answer) callback() url.Values {
	u, err := url.Parse(a.Header.Get("Location"))
	if err != nil || u.Scheme == "" {
		return nil
	}
	return u.Query()
}

// tokens is an answer of a machine endpoint.
type tokens struct {
	answer
	Access  string   `json:"access_token"`
	Refresh string   `json:"refresh_token"`
	Scope   string   `json:"scope"`
	Error   string   `json:"error"`
	Active  bool     `json:"active"`
	Methods []string `json:"code_challenge_methods_supported"`
	Issuer  string   `json:"issuer"`
}

func (a answer) tokens(t *testing.T) tokens {
	t.Helper()
	out := tokens{answer: a}
	if strings.HasPrefix(a.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal([]byte(a.body), &out); err != nil {
			t.Errorf("%v: %s", err, a.body)
		}
	}
	return out
}

// authenticated adds how the client says who it is.
func authenticated(c *client, form url.Values) (url.Values, []string) {
	headers := []string{"Content-Type", formType}
	v := url.Values{}
	for name, values := range form {
		v[name] = values
	}
	switch {
	case c == nil:
	case c.AuthMethod == oauth.AuthNone:
		v.Set("client_id", c.ID)
	default:
		req := http.Request{Header: http.Header{}}
		req.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(c.secret))
		headers = append(headers, "Authorization", req.Header.Get("Authorization"))
	}
	return v, headers
}

// as posts to a machine endpoint as the client; nil: as nobody.
func (s *site) as(c *client, path string, form url.Values) tokens {
	s.t.Helper()
	v, headers := authenticated(c, form)
	a := s.do("POST", path, v.Encode(), headers...).tokens(s.t)
	if path == "/oauth/token" && a.Header.Get("Cache-Control") != "no-store" {
		s.t.Errorf("an answer of the token endpoint may be stored: %v", a)
	}
	return a
}

// tok is TOK of the list.
func (s *site) tok(c *client, form url.Values) tokens {
	s.t.Helper()
	return s.as(c, "/oauth/token", form)
}

// redeem is the honest token request for a code.
func redeem(c *client, code string, more ...string) url.Values {
	return with(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.RedirectURIs[0]}, "code_verifier": {verifier}}, more)
}

// refresh is the honest token request for a refresh token.
func refresh(token string, more ...string) url.Values {
	return with(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, more)
}

// flow runs the whole code flow.
func (p *person) flow(c *client, more ...string) tokens {
	p.s.t.Helper()
	a := p.s.tok(c, redeem(c, p.code(c, more...)))
	if a.StatusCode != http.StatusOK {
		p.s.t.Fatalf("the code flow of %s: %v", c.ID, a)
	}
	return a
}

// active is INT of the list, asked by rs, or by the client that holds a refresh token.
func (s *site) active(asker *client, token string) bool {
	s.t.Helper()
	a := s.as(asker, "/oauth/introspect", url.Values{"token": {token}})
	if a.StatusCode != http.StatusOK {
		s.t.Errorf("introspection: %v", a)
	}
	return a.Active
}

// rev is REV of the list.
func (s *site) rev(c *client, token string) tokens {
	s.t.Helper()
	return s.as(c, "/oauth/revoke", url.Values{"token": {token}})
}

// api is API of the list: the sample API with a bearer token.
func (s *site) api(token, path string) answer {
	s.t.Helper()
	return s.do("GET", path, "", "Authorization", "Bearer "+token)
}

// reads reports whether the token opens the sample API.
func (s *site) reads(token string) bool {
	s.t.Helper()
	a := s.api(token, "/records/read")
	if a.StatusCode != http.StatusOK && a.StatusCode != http.StatusUnauthorized {
		s.t.Errorf("the API answered %v", a)
	}
	return strings.Contains(a.body, theRecord)
}

// raw sends bytes as they are over a connection of its own.
func (s *site) raw(text string) answer {
	s.t.Helper()
	c := s.dial()
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		s.t.Fatal(err)
	}
	return s.read(bufio.NewReader(c))
}

func (s *site) read(r *bufio.Reader) answer {
	s.t.Helper()
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if res.StatusCode >= 500 {
		s.t.Errorf("answered %d %s", res.StatusCode, body)
	}
	return answer{res, string(body)}
}

// quote is text as a JSON string.
func quote(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always marshals
	}
	return string(b)
}

// linkIn is the path of the first link of ours in a text.
func linkIn(s *site, text string) string {
	s.t.Helper()
	_, rest, found := strings.Cut(text, s.url)
	if !found {
		s.t.Fatalf("no link in %s", text)
	}
	path, _, _ := strings.Cut(rest, "\n")
	return path
}
