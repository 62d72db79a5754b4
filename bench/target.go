package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/oauth2"

	"github.com/valetkey/valetkey/internal/livetest"
)

const (
	people    = 32 // as many as the most connections, so that each has a person
	tokenPool = 1000
	settings  = "/account/settings/applications/"
)

// target is the Valetkey server that is measured and what was set up on it.
type target struct {
	ctx     context.Context
	site    *livetest.Site
	server  *livetest.Server
	service *oauth2.Config // client credentials and introspection
	web     *oauth2.Config // authorization code; an https redirect, so consent is remembered
	browser *oauth2.Config // public: its refresh tokens rotate
}

// startTarget builds and sets up a server the way an operator does.
func startTarget(ctx context.Context, dir, binary string) (*target, error) {
	var err error
	if binary == "" {
		if binary, err = livetest.Build(ctx, dir); err != nil {
			return nil, err
		}
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return nil, err
	}
	t := &target{ctx: ctx}
	if t.site, err = livetest.NewSite(ctx, binary, dir); err != nil {
		return nil, err
	}
	t.site.Env = append(t.site.Env, "VALETKEY_TEST_ENDPOINTS=true")
	if t.server, err = t.site.Start(ctx); err != nil {
		return nil, err
	}
	if err := t.populate(); err != nil {
		return nil, errors.Join(err, t.server.Stop())
	}
	return t, nil
}

func (t *target) populate() (err error) {
	for n := range people {
		if err := t.site.CreatePerson(t.ctx, person(n)); err != nil {
			return err
		}
	}
	if t.service, err = t.site.CreateApplication(t.ctx, "Service", "--type", "service"); err != nil {
		return err
	}
	if t.web, err = t.site.CreateApplication(t.ctx, "Web", "--type", "web", "--redirect-uri", livetest.RedirectURI); err != nil {
		return err
	}
	t.browser, err = t.site.CreateApplication(t.ctx, "Browser", "--type", "browser", "--redirect-uri", livetest.RedirectURI)
	return err
}

func person(n int) livetest.Person {
	return livetest.Person{Email: fmt.Sprintf("person%d@example.org", n), Password: "correct horse battery staple"}
}

// scenarios are the rows about Valetkey.
func (t *target) scenarios() []scenario {
	both := []int{1, 32}
	return []scenario{
		{"discovery document", both, t.discovery},
		{"token: client credentials", both, t.clientCredentials},
		{"introspect: live token", both, t.introspect},
		{"protected resource (/oauth/ping)", both, t.ping},
		{"page: settings, applications", both, t.settingsPage},
		{"refresh: rotation", both, t.refresh},
		{"code flow: session, consent known", both, t.knownCodeFlow},
		{"code flow: sign-in and consent", []int{1, 8}, t.wholeCodeFlow},
	}
}

func (t *target) wire() *wire { return &wire{addr: t.site.Addr} }

func (t *target) discovery(int) (step, error) {
	w, req := t.wire(), get(t.site.Addr, "/.well-known/oauth-authorization-server")
	return func() error { return w.expect(req, `"issuer"`) }, nil
}

func (t *target) clientCredentials(int) (step, error) {
	w, req := t.wire(), t.mint()
	return func() error { return w.expect(req, `"access_token"`) }, nil
}

func (t *target) mint() []byte {
	return post(t.site.Addr, "/oauth/token", url.Values{"grant_type": {"client_credentials"}}, basic(t.service.ClientID, t.service.ClientSecret))
}

// pool makes n requests, one for each of as many fresh access tokens.
func (t *target) pool(w *wire, n int, request func(token string) []byte) ([][]byte, error) {
	mint := t.mint()
	pool := make([][]byte, n)
	for i := range pool {
		if err := w.expect(mint, `"access_token"`); err != nil {
			return nil, err
		}
		pool[i] = request(member(w.body.String(), "access_token"))
	}
	return pool, nil
}

func (t *target) introspect(int) (step, error) {
	w := t.wire()
	auth := basic(t.service.ClientID, t.service.ClientSecret)
	pool, err := t.pool(w, tokenPool/people, func(token string) []byte {
		return post(t.site.Addr, "/oauth/introspect", url.Values{"token": {token}}, auth)
	})
	next := 0
	return func() error {
		next++
		return w.expect(pool[next%len(pool)], `"active":true`)
	}, err
}

func (t *target) ping(int) (step, error) {
	w := t.wire()
	pool, err := t.pool(w, tokenPool/people, func(token string) []byte {
		return get(t.site.Addr, "/oauth/ping", "Authorization: Bearer "+token)
	})
	next := 0
	return func() error {
		next++
		return w.expect(pool[next%len(pool)], "pong")
	}, err
}

func (t *target) refresh(n int) (step, error) {
	token, err := livetest.NewVisitor(person(n), nil).Token(t.ctx, t.browser)
	if err != nil {
		return nil, err
	}
	w, current := t.wire(), token.RefreshToken
	return func() error {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {current}, "client_id": {t.browser.ClientID}}
		if err := w.expect(post(t.site.Addr, "/oauth/token", form), `"refresh_token"`); err != nil {
			return err
		}
		current = member(w.body.String(), "refresh_token")
		return nil
	}, nil
}

// transport keeps connections as a browser does.
func transport() *http.Transport {
	return &http.Transport{MaxIdleConnsPerHost: people, DisableCompression: true}
}

// knownCodeFlow is what a person does who is signed in and has agreed before:
// one redirect and one token request.
func (t *target) knownCodeFlow(n int) (step, error) {
	tr := transport()
	visitor := livetest.NewVisitor(person(n), tr)
	ctx := context.WithValue(t.ctx, oauth2.HTTPClient, &http.Client{Transport: tr})
	flow := func() error { _, err := visitor.Token(ctx, t.web); return err }
	return flow, flow()
}

var newcomers atomic.Int64

// wholeCodeFlow signs in with a password and agrees on the consent page, to an
// application of its own so that consent is never known before.
func (t *target) wholeCodeFlow(n int) (step, error) {
	tr := transport()
	ctx := context.WithValue(t.ctx, oauth2.HTTPClient, &http.Client{Transport: tr})
	name := fmt.Sprintf("Newcomer %d", newcomers.Add(1))
	app, err := t.site.CreateApplication(t.ctx, name, "--type", "web", "--redirect-uri", livetest.RedirectURI)
	if err != nil {
		return nil, err
	}
	return func() error {
		visitor := livetest.NewVisitor(person(n), tr)
		token, err := visitor.Token(ctx, app)
		if err != nil {
			return err
		}
		return t.forget(ctx, app, token)
	}, nil
}

// forget revokes what an application got, its grant with it, so that the next
// flow asks for consent again (RFC 7009 §2.1).
func (t *target) forget(ctx context.Context, app *oauth2.Config, token *oauth2.Token) error {
	form := strings.NewReader(url.Values{"token": {token.RefreshToken}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.site.Issuer+"/oauth/revoke", form)
	if err != nil {
		return err
	}
	req.SetBasicAuth(url.QueryEscape(app.ClientID), url.QueryEscape(app.ClientSecret))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := ctx.Value(oauth2.HTTPClient).(*http.Client).Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("revoke: %s", resp.Status)
	}
	return nil
}

// settingsPage is the page with a person's applications and tokens.
func (t *target) settingsPage(n int) (step, error) {
	visitor := livetest.NewVisitor(person(n), transport())
	if _, err := visitor.Token(t.ctx, t.web); err != nil { // signs in
		return nil, err
	}
	home, err := url.Parse(t.site.Issuer)
	if err != nil {
		return nil, err
	}
	var cookies []string
	for _, c := range visitor.Cookies(home) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	w := t.wire()
	req := get(t.site.Addr, settings, "Cookie: "+strings.Join(cookies, "; "), "User-Agent: "+visitor.Headers.Get("User-Agent"))
	return func() error { return w.expect(req, "Authorized applications") }, nil
}

// member reads one string member of a JSON object without decoding the rest.
func member(body, name string) string {
	_, rest, _ := strings.Cut(body, `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
