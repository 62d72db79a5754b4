package oauthtest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
)

// Party is a client and how it authenticates.
type Party struct {
	*oauth.Client
	Secret oauth.Secret // empty for a public client
}

// AddClient registers c, with a secret unless it is public. Fields left zero
// are filled in: a name, confidential by Basic, every grant type, bob as owner.
func (e *Engine) AddClient(c oauth.Client) Party {
	e.T.Helper()
	now := e.Clock.Now()
	if c.ID == "" {
		c.ID = mint.NewID(now)
	}
	if c.Name == "" {
		c.Name = "App " + c.ID
	}
	if c.AuthMethod == "" {
		c.AuthMethod = oauth.AuthBasic
	}
	if c.GrantTypes == nil {
		c.GrantTypes = []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials, oauth.GrantPassword, oauth.GrantImplicit}
	}
	if c.Owner == "" {
		c.Owner = "bob"
	}
	c.CreatedAt, c.UpdatedAt = now, now
	ctx := context.Background()
	if err := e.Store.CreateClient(ctx, &c); err != nil {
		e.T.Fatal(err)
	}
	p := Party{Client: &c}
	if !c.Public() {
		p.Secret = e.AddSecret(c.ID, time.Time{})
	}
	return p
}

// AddSecret gives a client one more secret.
func (e *Engine) AddSecret(clientID string, expires time.Time) oauth.Secret {
	e.T.Helper()
	d := e.Mint.Draw(mint.ClientSecret, e.Clock.Now())
	if err := e.Store.CreateClientSecret(context.Background(), &oauth.ClientSecret{
		ID: d.ID, ClientID: clientID, Hash: d.Hash, Hint: d.Hint, CreatedAt: e.Clock.Now(), ExpiresAt: expires,
	}); err != nil {
		e.T.Fatal(err)
	}
	return d.Secret
}

// Forge makes a well-formed secret of the same kind under the same id: all that
// somebody knows who has seen the id.
func (e *Engine) Forge(secret string) string {
	e.T.Helper()
	for _, kind := range []mint.Kind{mint.AccessToken, mint.RefreshToken, mint.PersonalToken, mint.AuthorizationCode, mint.ClientSecret, mint.DeviceCode} {
		if p, err := e.Mint.Parse(oauth.Secret(secret), kind); err == nil {
			return string(e.Mint.Redraw(kind, p.ID).Secret)
		}
	}
	e.T.Fatal("not a secret of this server")
	return ""
}

// Web is a confidential client on the web.
func (e *Engine) Web() Party {
	return e.AddClient(oauth.Client{Name: "Web", Type: oauth.WebApplication, RedirectURIs: []string{"https://web.test/cb"}})
}

// SPA is a public client in a browser.
func (e *Engine) SPA() Party {
	return e.AddClient(oauth.Client{Name: "SPA", Type: oauth.BrowserApplication, AuthMethod: oauth.AuthNone, RedirectURIs: []string{"https://spa.test/cb"}})
}

// Native is a public client on a person's device.
func (e *Engine) Native() Party {
	return e.AddClient(oauth.Client{Name: "Native", Type: oauth.NativeApplication, AuthMethod: oauth.AuthNone,
		RedirectURIs: []string{"http://127.0.0.1/cb", "com.example.app:/cb"}})
}

// SignIn returns a browser in which the subject is signed in, now.
func (e *Engine) SignIn(subject string) *Browser {
	b := &Browser{e: e, sid: rand.Text()}
	e.Door.mu.Lock()
	defer e.Door.mu.Unlock()
	e.Door.sessions[b.sid] = &oauth.Session{Subject: subject, ID: "id-of-" + b.sid, AuthTime: e.Clock.Now()}
	return b
}

// Anonymous returns a browser in which nobody is signed in.
func (e *Engine) Anonymous() *Browser { return &Browser{e: e} }

// Broken returns a browser whose session cannot be looked up.
func (e *Engine) Broken() *Browser { return &Browser{e: e, sid: "broken"} }

// Browser is a person's browser. It follows no redirect.
type Browser struct {
	e   *Engine
	sid string
}

// Session edits the browser's session.
func (b *Browser) Session(change func(*oauth.Session)) {
	b.e.Door.mu.Lock()
	defer b.e.Door.mu.Unlock()
	change(b.e.Door.sessions[b.sid])
}

// Reply is an answer that has been read.
type Reply struct {
	*http.Response
	Body string
}

// Do sends a request with the browser's cookie. headers are pairs of name and
// value that replace the browser's own.
func (b *Browser) Do(method, path string, form url.Values, headers ...string) Reply {
	b.e.T.Helper()
	req, err := http.NewRequest(method, b.e.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.e.T.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	if b.sid != "" {
		req.AddCookie(&http.Cookie{Name: cookie, Value: b.sid})
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return b.e.Send(req)
}

// Send sends any request.
func (e *Engine) Send(req *http.Request) Reply {
	e.T.Helper()
	res, err := e.HTTP.Do(req)
	if err != nil {
		e.T.Error(err)
		return Reply{Response: &http.Response{Header: http.Header{}, Request: req}}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		e.T.Error(err)
	}
	return Reply{res, string(body)}
}

// Authorize sends the authorization request.
func (b *Browser) Authorize(params url.Values) Reply {
	b.e.T.Helper()
	return b.Do(http.MethodGet, "/oauth/authorize?"+params.Encode(), nil)
}

var hiddenRequest = regexp.MustCompile(`name="request" value="([^"]+)"`)

// RequestID is the request that a consent page waits for, or "".
func (r Reply) RequestID() string {
	if m := hiddenRequest.FindStringSubmatch(r.Body); m != nil {
		return m[1]
	}
	return ""
}

// Answer answers a consent page.
func (b *Browser) Answer(page Reply, confirm string) Reply {
	b.e.T.Helper()
	return b.Do(http.MethodPost, "/oauth/consent", url.Values{"request": {page.RequestID()}, "confirm": {confirm}})
}

// Code gets a code from authorization to answer, asked for consent or not. more
// adds parameters or takes them out (an empty value).
func (b *Browser) Code(c Party, more ...string) string {
	b.e.T.Helper()
	reply := b.Authorize(Request(c, more...))
	if reply.StatusCode == http.StatusOK {
		reply = b.Answer(reply, "yes")
	}
	code := reply.Callback().Get("code")
	if code == "" {
		b.e.T.Fatalf("no code: %d %s %s", reply.StatusCode, reply.Header.Get("Location"), reply.Body)
	}
	return code
}

// Callback is the query of the redirect, nil without one.
func (r Reply) Callback() url.Values {
	u, err := url.Parse(r.Header.Get("Location"))
	if err != nil || u.Scheme == "" {
		return nil
	}
	return u.Query()
}

// Verifier is the PKCE verifier of every Request.
const Verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// Challenge is its S256 challenge.
func Challenge() string {
	sum := sha256.Sum256([]byte(Verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Request is an honest authorization request; more as in [Browser.Code].
func Request(c Party, more ...string) url.Values {
	v := url.Values{
		"response_type": {"code"}, "client_id": {c.ID}, "redirect_uri": {c.RedirectURIs[0]}, "scope": {"records:read"}, "state": {"xyz"},
		"code_challenge": {Challenge()}, "code_challenge_method": {"S256"},
	}
	change(v, more)
	return v
}

// change sets pairs; an empty value takes the name out.
func change(v url.Values, pairs []string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		} else {
			v.Set(pairs[i], pairs[i+1])
		}
	}
}

// Redemption is the honest token request for a code.
func Redemption(c Party, code string, more ...string) url.Values {
	v := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {c.RedirectURIs[0]}, "code_verifier": {Verifier}}
	change(v, more)
	return v
}

// Refresh is the honest token request for a refresh token.
func Refresh(token string, more ...string) url.Values {
	v := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	change(v, more)
	return v
}

// TokenReply is an answer of a machine endpoint.
type TokenReply struct {
	Reply        `json:"-"`
	AccessToken  string         `json:"access_token"`
	RefreshToken string         `json:"refresh_token"`
	IDToken      string         `json:"id_token"`
	TokenType    string         `json:"token_type"`
	ExpiresIn    int            `json:"expires_in"`
	Scope        string         `json:"scope"`
	User         map[string]any `json:"user"`
	Error        string         `json:"error"`
	Description  string         `json:"error_description"`
	Active       bool           `json:"active"`
}

// As posts a form to an endpoint, authenticated as the client does it.
func (e *Engine) As(c Party, path string, form url.Values) TokenReply {
	e.T.Helper()
	v := url.Values{}
	for name, values := range form {
		v[name] = values
	}
	switch c.AuthMethod {
	case oauth.AuthNone:
		v.Set("client_id", c.ID)
	case oauth.AuthPost:
		v.Set("client_id", c.ID)
		v.Set("client_secret", string(c.Secret))
	}
	req := e.post(path, v)
	if c.AuthMethod == oauth.AuthBasic {
		req.SetBasicAuth(url.QueryEscape(c.ID), url.QueryEscape(string(c.Secret)))
	}
	return e.Read(req)
}

// Post posts a form without authentication.
func (e *Engine) Post(path string, form url.Values) TokenReply {
	e.T.Helper()
	return e.Read(e.post(path, form))
}

func (e *Engine) post(path string, form url.Values) *http.Request {
	req, err := http.NewRequest(http.MethodPost, e.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		e.T.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req
}

// Read sends a request and reads its JSON.
func (e *Engine) Read(req *http.Request) TokenReply {
	e.T.Helper()
	reply := TokenReply{Reply: e.Send(req)}
	if strings.HasPrefix(reply.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal([]byte(reply.Body), &reply); err != nil {
			e.T.Errorf("%s: %v in %s", req.URL.Path, err, reply.Body)
		}
	}
	return reply
}

// Token posts to the token endpoint.
func (e *Engine) Token(c Party, form url.Values) TokenReply {
	e.T.Helper()
	return e.As(c, "/oauth/token", form)
}

// Tokens runs the whole code grant in b and returns the tokens.
func (e *Engine) Tokens(b *Browser, c Party, more ...string) TokenReply {
	e.T.Helper()
	reply := e.Token(c, Redemption(c, b.Code(c, more...)))
	if reply.StatusCode != http.StatusOK {
		e.T.Fatalf("token request: %d %s", reply.StatusCode, reply.Body)
	}
	return reply
}

// Active asks the introspection endpoint as the client asker.
func (e *Engine) Active(asker Party, token string) bool {
	e.T.Helper()
	reply := e.As(asker, "/oauth/introspect", url.Values{"token": {token}})
	if reply.StatusCode != http.StatusOK {
		e.T.Errorf("introspection: %d %s", reply.StatusCode, reply.Body)
	}
	return reply.Active
}

// Want checks status and error code of an answer.
func (r TokenReply) Want(t interface {
	Helper()
	Errorf(string, ...any)
}, status int, code string) {
	t.Helper()
	if r.StatusCode != status || r.Error != code {
		t.Errorf("got %d %q (%s), want %d %q", r.StatusCode, r.Error, r.Description, status, code)
	}
}
