package settings_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/internal/csrf"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/settings"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/memstore"
)

const home = "/account/settings/applications/"

// site is a server with these pages, and everything behind them.
type site struct {
	t     *testing.T
	url   string // with the issuer's path, without a slash at the end
	store *memstore.Store
	desk  *manage.Desk
	door  *door

	mu  sync.Mutex
	now time.Time
}

// door signs people in by a cookie that holds their name.
type door struct {
	users    map[string]*oauth.User
	authTime func() time.Time
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
	s := &oauth.Session{Subject: c.Value, ID: "session-of-" + c.Value, AuthTime: d.authTime()}
	if c, err := r.Cookie("other"); err == nil {
		s.ID += c.Value
	}
	return s, nil
}

func (d *door) Login(w http.ResponseWriter, r *http.Request, req oauth.LoginRequest) {
	http.Redirect(w, r, "/login/?"+url.Values{"next": {req.ReturnTo}, "reason": {string(req.Reason)}}.Encode(), http.StatusFound)
}

func open(t *testing.T) *site { return openAt(t, "", manage.Policy{RequirePKCE: true}) }

// openAt opens a site whose issuer has the path.
func openAt(t *testing.T, path string, policy manage.Policy) *site {
	t.Helper()
	s := &site{t: t, store: memstore.New(), now: time.Date(2026, 11, 23, 18, 44, 2, 0, time.UTC)}
	signedIn := s.now
	s.door = &door{users: map[string]*oauth.User{
		"maria": {Subject: "maria", Username: "maria", Name: "Maria Example"},
		"eve":   {Subject: "eve", Username: "eve"},
		"ada":   {Subject: "ada", Username: "ada", Admin: true},
		"gone":  {Subject: "gone", Username: "gone", Disabled: true},
	}, authTime: func() time.Time { return signedIn }}

	var handler http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	s.url = srv.URL + path

	ring := keyring.Random()
	m, err := mint.New("vk", ring.Derive("refresh token successor"))
	check(t, err)
	scopes, err := oauth.NewScopes(
		oauth.Scope{Name: "deposit:write", Group: "Deposits", Description: "Create and edit deposits"},
		oauth.Scope{Name: "deposit:actions", Group: "Deposits", Description: "Publish deposits", Sensitive: true},
		oauth.Scope{Name: "openid", Description: "Know who you are", ClientOnly: true},
		oauth.Scope{Name: "secret:scope", Description: "Nobody sees this", Internal: true},
	)
	check(t, err)
	s.desk, err = manage.New(manage.Config{Store: s.store, Mint: m, Scopes: scopes, Users: s.door, Now: s.clock, Policy: policy})
	check(t, err)
	guard := csrf.New(csrf.Config{Keys: ring.Derive("csrf"), Issuer: s.url, Now: s.clock})
	drawn, err := pages.New(pages.Config{Issuer: s.url, Product: "Example", Proof: guard.Token, Now: s.clock})
	check(t, err)
	handler = peer.Identify(nil, guard.Protect(csrf.ProtectOptions{Session: s.door.Session}, settings.New(settings.Config{
		Desk: s.desk, Pages: drawn, Login: s.door, Users: s.door, Ring: ring, Issuer: s.url, Now: s.clock,
	})))
	return s
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *site) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// pass lets time go by.
func (s *site) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// person is somebody's browser on the site.
type person struct {
	*browser.Browser
	s *site
}

// as is the browser of somebody; of nobody if the name is empty.
func (s *site) as(name string) *person {
	b := browser.New(nil)
	b.StopAt = []string{s.url[:strings.Index(s.url, "127.0.0.1")+len("127.0.0.1")] + s.port() + "/login/"}
	if name != "" {
		b.Headers.Set("Cookie", "who="+name)
	}
	return &person{b, s}
}

func (s *site) port() string {
	u, err := url.Parse(s.url)
	check(s.t, err)
	return ":" + u.Port()
}

// get opens a page below the applications and wants the status.
func (p *person) get(path string, want int) *browser.Page {
	p.s.t.Helper()
	if !strings.HasPrefix(path, "/") {
		path = home + path
	}
	page, err := p.Open(p.s.url + path)
	check(p.s.t, err)
	if page.Status != want {
		p.s.t.Fatalf("GET %s: got %s, want %d", path, page, want)
	}
	return page
}

// send sends a form and wants the status of where it leads.
func (p *person) send(f *browser.Form, want int) *browser.Page {
	p.s.t.Helper()
	page, err := p.Send(f)
	check(p.s.t, err)
	if page.Status != want {
		p.s.t.Fatalf("form to %s: got %s, want %d", f.Action, page, want)
	}
	return page
}

// text wants the page to say something.
func (s *site) text(page *browser.Page, want ...string) {
	s.t.Helper()
	for _, w := range want {
		if !page.Contains(w) {
			s.t.Errorf("%s does not say %q:\n%s", page.URL, w, page.Body)
		}
	}
}

func (s *site) noText(page *browser.Page, unwanted ...string) {
	s.t.Helper()
	for _, w := range unwanted {
		if page.Contains(w) {
			s.t.Errorf("%s says %q", page.URL, w)
		}
	}
}

func (s *site) tokens(subject string) []*oauth.Token {
	s.t.Helper()
	list, err := s.desk.Tokens(s.t.Context(), manage.Actor{Subject: subject}, manage.TokenQuery{}, manage.Page{Limit: 100})
	check(s.t, err)
	return list
}

func (s *site) clients(subject string) []*oauth.Client {
	s.t.Helper()
	list, err := s.desk.Applications(s.t.Context(), manage.Actor{Subject: subject}, manage.ApplicationQuery{}, manage.Page{Limit: 100})
	check(s.t, err)
	return list
}

// makeToken makes a token for the subject without the pages.
func (s *site) makeToken(subject, name string) *oauth.Token {
	s.t.Helper()
	t, _, err := s.desk.CreateToken(s.t.Context(), manage.Actor{Subject: subject}, manage.TokenInput{
		Name: name, Scopes: []string{"deposit:write", "user:email"}, ExpiresAt: s.clock().AddDate(0, 0, 30)})
	check(s.t, err)
	return t
}

// makeClient registers an application of the subject without the pages.
func (s *site) makeClient(subject, name string) *oauth.Client {
	s.t.Helper()
	c, _, err := s.desk.CreateApplication(s.t.Context(), manage.Actor{Subject: subject}, manage.ApplicationInput{
		Name: name, Website: "https://app.example/", RedirectURIs: []string{"https://app.example/cb"}})
	check(s.t, err)
	return c
}

// authorize lets the subject allow the client something, and returns the grant and a token of it.
func (s *site) authorize(subject string, c *oauth.Client, scopes ...string) (*oauth.Grant, *oauth.Token) {
	s.t.Helper()
	now := s.clock()
	g := &oauth.Grant{ID: mint.NewID(now), ClientID: c.ID, Subject: subject, Scopes: scopes, CreatedAt: now}
	check(s.t, s.store.CreateGrant(s.t.Context(), g))
	t := &oauth.Token{ID: mint.NewID(now), Kind: oauth.AccessToken, GrantID: g.ID, ClientID: c.ID, Subject: subject, Scopes: scopes, IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	check(s.t, s.store.CreateToken(s.t.Context(), t))
	return g, t
}
