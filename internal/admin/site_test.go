package admin_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/admin"
	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/internal/csrf"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/memstore"
)

var start = time.Date(2026, 11, 23, 18, 44, 2, 0, time.UTC)

// site is a server with these pages below the path /id.
type site struct {
	t       *testing.T
	url     string
	store   *memstore.Store
	desk    *manage.Desk
	elapsed atomic.Int64 // milliseconds since start
	signed  atomic.Int64 // how long ago people signed in
}

func (s *site) clock() time.Time {
	return start.Add(time.Duration(s.elapsed.Add(1)) * time.Millisecond)
}

// door signs people in by a cookie that holds their name.
type door struct {
	s     *site
	users map[string]*oauth.User
}

func (d *door) User(_ context.Context, subject string) (*oauth.User, error) {
	if u, ok := d.users[subject]; ok {
		return u, nil
	}
	return nil, oauth.ErrUserNotFound
}

func (d *door) Session(r *http.Request) (*oauth.Session, error) {
	c, err := r.Cookie("who")
	if err != nil {
		return nil, nil
	}
	return &oauth.Session{Subject: c.Value, ID: "session-of-" + c.Value, AuthTime: d.s.clock().Add(-time.Duration(d.s.signed.Load()))}, nil
}

func (d *door) Login(w http.ResponseWriter, r *http.Request, req oauth.LoginRequest) {
	http.Redirect(w, r, "/login/?"+url.Values{"next": {req.ReturnTo}, "reason": {string(req.Reason)}}.Encode(), http.StatusFound)
}

func open(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, store: memstore.New()}
	d := &door{s, map[string]*oauth.User{
		"maria": {Subject: "maria", Username: "maria", Name: "Maria Example"},
		"root":  {Subject: "root", Username: "root", Admin: true},
		"ex":    {Subject: "ex", Username: "ex", Admin: true, Disabled: true},
	}}
	var handler http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	s.url = srv.URL + "/id"
	ring := keyring.Random()
	m, err := mint.New("vk", ring.Derive("refresh token successor"))
	check(t, err)
	scopes, err := oauth.NewScopes(
		oauth.Scope{Name: "deposit:write", Group: "Deposits", Description: "Create and edit deposits"},
		oauth.Scope{Name: "secret:scope", Description: "Nobody sees this", Internal: true})
	check(t, err)
	s.desk, err = manage.New(manage.Config{Store: s.store, Mint: m, Scopes: scopes, Users: d, Now: s.clock, Policy: manage.Policy{RequirePKCE: true}})
	check(t, err)
	guard := csrf.New(csrf.Config{Keys: ring.Derive("csrf"), Issuer: s.url, Now: s.clock})
	drawn, err := pages.New(pages.Config{Issuer: s.url, Proof: guard.Token, Now: s.clock})
	check(t, err)
	handler = peer.Identify(nil, guard.Protect(csrf.ProtectOptions{Session: d.Session}, admin.New(admin.Config{
		Desk: s.desk, Pages: drawn, Login: d, Users: d, Ring: ring, Issuer: s.url, Now: s.clock,
	})))
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// person is somebody's browser on the site.
type person struct {
	*browser.Browser
	s *site
}

// as is the browser of somebody; of nobody if the name is empty.
func (s *site) as(name string) *person {
	b := browser.New(nil)
	b.StopAt = []string{strings.TrimSuffix(s.url, "/id") + "/login/"}
	if name != "" {
		b.Headers.Set("Cookie", "who="+name)
	}
	return &person{b, s}
}

// get opens a page below /id/admin/ and wants the status.
func (p *person) get(path string, want int) *browser.Page {
	p.s.t.Helper()
	page, err := p.Open(p.s.url + "/admin/" + path)
	check(p.s.t, err)
	if page.Status != want {
		p.s.t.Errorf("GET %s: status %d, want %d\n%s", path, page.Status, want, page)
	}
	return page
}

// send submits a form and wants the status of the page it leads to.
func (p *person) send(f *browser.Form, want int) *browser.Page {
	p.s.t.Helper()
	page, err := p.Send(f)
	check(p.s.t, err)
	if page.Status != want {
		p.s.t.Errorf("POST %s: status %d, want %d\n%s", f.Action, page.Status, want, page)
	}
	return page
}

// says checks what stands on a page, and what does not ("!" before it).
func (s *site) says(page *browser.Page, texts ...string) {
	s.t.Helper()
	for _, text := range texts {
		absent, not := strings.CutPrefix(text, "!")
		if page.Contains(absent) == not {
			s.t.Errorf("%s: contains %q: %v\n%s", page.URL, absent, !not, page)
		}
	}
}

// client registers an application of maria's.
func (s *site) client(name string) *oauth.Client {
	s.t.Helper()
	c, _, err := s.desk.CreateApplication(s.t.Context(), manage.Actor{Subject: "maria"}, manage.ApplicationInput{
		Name: name, Website: "https://" + strings.ToLower(name) + ".example", RedirectURIs: []string{"https://app.example/cb"}})
	check(s.t, err)
	return c
}

// token makes a personal access token of maria's.
func (s *site) token(name string) *oauth.Token {
	s.t.Helper()
	t, _, err := s.desk.CreateToken(s.t.Context(), manage.Actor{Subject: "maria"}, manage.TokenInput{
		Name: name, Scopes: []string{"deposit:write", "user:email"}, ExpiresAt: s.clock().Add(time.Hour)})
	check(s.t, err)
	return t
}
