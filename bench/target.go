package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"golang.org/x/oauth2"

	"github.com/valetkey/valetkey/internal/livetest"
)

const (
	people    = 32 // as many as the most connections of people, so that each has one
	tokenPool = 1000
)

// target is a Valetkey server that is measured and what was set up on it.
type target struct {
	ctx  context.Context
	site *livetest.Site
	stop func() error
	pid  int

	service *oauth2.Config // client credentials and introspection
	signed  *oauth2.Config // the same with access tokens in JWT form
	web     *oauth2.Config // authorization code; an https redirect, so consent is remembered
	browser *oauth2.Config // public: its refresh tokens rotate
}

// newSite makes an installation the way an operator does, in a directory of its
// own. On PostgreSQL database is its URL; empty: SQLite.
func newSite(ctx context.Context, binary, dir, database string, env ...string) (*livetest.Site, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	site, err := livetest.NewSite(ctx, binary, dir)
	if err != nil {
		return nil, err
	}
	site.Env = append(site.Env, env...)
	if database != "" {
		site.Env = append(site.Env, "VALETKEY_DB="+database)
	}
	_, err = site.Run(ctx, "", "migrate", "up")
	return site, err
}

// startTarget starts the program on the site.
func startTarget(ctx context.Context, site *livetest.Site) (*target, error) {
	server, err := site.Start(ctx)
	if err != nil {
		return nil, err
	}
	return &target{ctx: ctx, site: site, pid: server.PID, stop: server.Stop}, nil
}

// startFresh makes a site with people and clients, and starts it.
func startFresh(ctx context.Context, binary, dir, database string, env ...string) (*target, error) {
	site, err := newSite(ctx, binary, dir, database, env...)
	if err != nil {
		return nil, err
	}
	t, err := startTarget(ctx, site)
	if err != nil {
		return nil, err
	}
	for n := range people {
		if err := site.CreatePerson(ctx, person(n)); err != nil {
			return nil, errors.Join(err, t.stop())
		}
	}
	if err := t.register(); err != nil {
		return nil, errors.Join(err, t.stop())
	}
	return t, nil
}

// startHouse is startFresh with passwords that cost nothing to verify.
func startHouse(ctx context.Context, binary, dir string) (*target, error) {
	site, err := newSite(ctx, binary, dir, "")
	if err != nil {
		return nil, err
	}
	house, err := startChild(ctx, houseArgument, dir)
	if err != nil {
		return nil, err
	}
	site.Addr, site.Issuer = house.addr, "http://"+house.addr
	t := &target{ctx: ctx, site: site, pid: house.pid, stop: func() error { house.stop(); return nil }}
	if err := t.register(); err != nil {
		return nil, errors.Join(err, t.stop())
	}
	return t, nil
}

func (t *target) register() (err error) {
	for _, c := range []struct {
		to   **oauth2.Config
		name string
		args []string
	}{
		{&t.service, "Service", []string{"--type", "service"}},
		{&t.signed, "Signed", []string{"--type", "service", "--access-token-format", "jwt"}},
		{&t.web, "Web", []string{"--type", "web", "--redirect-uri", livetest.RedirectURI, "--id-token-alg", "ES256"}},
		{&t.browser, "Browser", []string{"--type", "browser", "--redirect-uri", livetest.RedirectURI, "--id-token-alg", "ES256"}},
	} {
		if *c.to, err = t.site.CreateApplication(t.ctx, c.name, c.args...); err != nil {
			return err
		}
		(*c.to).Scopes = []string{"openid"}
	}
	return nil
}

func person(n int) livetest.Person {
	return livetest.Person{Email: fmt.Sprintf("person%d@example.org", n), Password: "correct horse battery staple"}
}

// side is an operation on the target.
func (t *target) side(connect func(n int) (step, error)) side { return side{t.pid, connect} }

// fetch gets a path again and again.
func (t *target) fetch(path, expect string) side {
	return t.side(func(int) (step, error) {
		w, req := &wire{addr: t.site.Addr}, get(t.site.Addr, path)
		return func() error { return w.expect(req, expect) }, nil
	})
}

// token asks for tokens by client credentials.
func (t *target) token(client *oauth2.Config) side {
	return t.side(func(int) (step, error) {
		w, req := &wire{addr: t.site.Addr}, t.mint(client)
		return func() error { return w.expect(req, `"access_token"`) }, nil
	})
}

func (t *target) mint(client *oauth2.Config) []byte {
	return post(t.site.Addr, "/oauth/token", url.Values{"grant_type": {"client_credentials"}}, basic(client.ClientID, client.ClientSecret))
}

// introspect asks about tokens; nil: about some that it makes first.
func (t *target) introspect(tokens []string) side {
	return t.side(func(n int) (step, error) {
		w, auth := &wire{addr: t.site.Addr}, basic(t.service.ClientID, t.service.ClientSecret)
		mine := tokens
		for range tokenPool / people {
			if tokens != nil {
				break
			}
			if err := w.expect(t.mint(t.service), `"access_token"`); err != nil {
				return nil, err
			}
			mine = append(mine, member(w.body.String(), "access_token"))
		}
		pool := make([][]byte, len(mine))
		for i, token := range mine {
			// Each connection begins elsewhere, and goes its own way round.
			pool[(i*7919+n*len(mine)/people)%len(mine)] = post(t.site.Addr, "/oauth/introspect", url.Values{"token": {token}}, auth)
		}
		return w.inTurns(pool, `"active":true`), nil
	})
}

// userInfo asks about a person who has signed in to the web client.
func (t *target) userInfo() side {
	return t.side(func(n int) (step, error) {
		token, err := livetest.NewVisitor(person(n), nil).Token(t.ctx, t.web)
		if err != nil {
			return nil, err
		}
		w, req := &wire{addr: t.site.Addr}, get(t.site.Addr, "/oauth/userinfo", "Authorization: Bearer "+token.AccessToken)
		return func() error { return w.expect(req, `"sub"`) }, nil
	})
}

// refresh rotates a refresh token and gets an ID token with each.
func (t *target) refresh() side {
	return t.side(func(n int) (step, error) {
		token, err := livetest.NewVisitor(person(n), nil).Token(t.ctx, t.browser)
		if err != nil {
			return nil, err
		}
		w, current := &wire{addr: t.site.Addr}, token.RefreshToken
		return func() error {
			form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {current}, "client_id": {t.browser.ClientID}}
			if err := w.expect(post(t.site.Addr, "/oauth/token", form), `"id_token"`); err != nil {
				return err
			}
			current = member(w.body.String(), "refresh_token")
			return nil
		}, nil
	})
}

// transport keeps connections as a browser does.
func transport() *http.Transport {
	return &http.Transport{MaxIdleConnsPerHost: people, DisableCompression: true}
}

// knownFlow is what a person does who is signed in and has agreed before: one
// redirect and one token request, with an ID token.
func (t *target) knownFlow() side {
	return t.side(func(n int) (step, error) {
		tr := transport()
		visitor := livetest.NewVisitor(person(n), tr)
		ctx := context.WithValue(t.ctx, oauth2.HTTPClient, &http.Client{Transport: tr})
		flow := func() error { _, err := visitor.Token(ctx, t.web); return err }
		return flow, flow()
	})
}

var newcomers atomic.Int64

// wholeFlow signs in with a password and agrees on the consent page, to an
// application of its own so that consent is never known before, and revokes what
// it got.
func (t *target) wholeFlow() side {
	return t.side(func(n int) (step, error) {
		tr := transport()
		ctx := context.WithValue(t.ctx, oauth2.HTTPClient, &http.Client{Transport: tr})
		name := fmt.Sprintf("Newcomer %d", newcomers.Add(1))
		app, err := t.site.CreateApplication(t.ctx, name, "--type", "web", "--redirect-uri", livetest.RedirectURI)
		if err != nil {
			return nil, err
		}
		return func() error {
			token, err := livetest.NewVisitor(person(n), tr).Token(ctx, app)
			if err != nil {
				return err
			}
			return t.forget(ctx, app, token)
		}, nil
	})
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

// login signs in by the form, and nothing else.
func (t *target) login() side {
	return t.side(func(n int) (step, error) {
		tr := transport()
		return func() error {
			visitor := livetest.NewVisitor(person(n), tr)
			page, err := visitor.Open(t.site.Issuer + "/login/")
			if err != nil {
				return err
			}
			form := page.FormTo("/login/")
			if form == nil {
				return fmt.Errorf("no form to sign in by: %v", page)
			}
			form.Set("username", visitor.Person.Email).Set("password", visitor.Person.Password)
			if page, err = visitor.Send(form); err == nil && page.Form() != nil && page.Form().Values.Has("password") {
				return fmt.Errorf("not signed in: %v", page)
			}
			return err
		}, nil
	})
}

// databaseFile is the SQLite file of a site.
func databaseFile(site *livetest.Site) string { return filepath.Join(site.Dir, "valetkey.db") }

// member reads one string member of a JSON object without decoding the rest.
func member(body, name string) string {
	_, rest, _ := strings.Cut(body, `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
