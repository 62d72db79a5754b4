package parity_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/oauth2"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// callback is where applications send people back to. Nobody is there: a
// browser that is sent to it has arrived.
const (
	elsewhere = "https://app.example/"
	callback  = elsewhere + "callback"
	password  = "correct horse battery staple"
)

// person has an account.
type person struct{ id, email string }

// person makes an account; change edits it first.
func (s *site) person(change ...func(*accounts.NewUser)) person {
	s.t.Helper()
	u := accounts.NewUser{Email: fmt.Sprintf("person%d@example.org", serial.Add(1)), Password: password, Name: "Somebody", EmailVerified: true}
	for _, c := range change {
		c(&u)
	}
	a, err := s.door.CreateUser(s.t.Context(), u)
	s.must(err)
	return person{a.ID, a.Email}
}

func admin(u *accounts.NewUser) { u.Admin = true }

// visitor is somebody at a browser.
type visitor struct {
	*browser.Browser
	s *site
	person
}

// visitor has a browser and is not signed in.
func (s *site) visitor(p person) *visitor {
	b := browser.New(s.http.Transport)
	b.StopAt = []string{elsewhere}
	return &visitor{b, s, p}
}

// signIn is a new person who signed in at the login page.
func (s *site) signIn(change ...func(*accounts.NewUser)) *visitor {
	s.t.Helper()
	return s.signedIn(s.person(change...))
}

func (s *site) signedIn(p person) *visitor {
	s.t.Helper()
	v := s.visitor(p)
	page := v.open("/login/")
	if page = v.submit(page.Form().Set("username", p.email).Set("password", password)); page.Status != http.StatusOK {
		s.t.Fatalf("signing in: %v", page)
	}
	return v
}

// open visits a path of the site.
func (v *visitor) open(path string) *browser.Page {
	v.s.t.Helper()
	page, err := v.Open(v.s.url + path)
	v.s.must(err)
	return page
}

func (v *visitor) submit(f *browser.Form) *browser.Page {
	v.s.t.Helper()
	page, err := v.Send(f)
	v.s.must(err)
	return page
}

// cookie is the browser's Cookie header for the site.
func (v *visitor) cookie() string {
	u, err := url.Parse(v.s.url)
	v.s.must(err)
	var pairs []string
	for _, c := range v.Cookies(u) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	return strings.Join(pairs, "; ")
}

// application is a client as golang.org/x/oauth2 knows it.
type application struct {
	*oauth2.Config
	s      *site
	public bool
}

// application registers software of the owner's; change edits the input first.
func (s *site) application(owner person, change ...func(*manage.ApplicationInput)) *application {
	s.t.Helper()
	in := manage.ApplicationInput{Name: fmt.Sprintf("App %d", serial.Add(1)), Website: elsewhere, RedirectURIs: []string{callback}}
	for _, c := range change {
		c(&in)
	}
	c, secret, err := s.server.Desk().CreateApplication(s.t.Context(), manage.Actor{Subject: owner.id}, in)
	s.must(err)
	return s.known(c, secret)
}

func (s *site) known(c *oauth.Client, secret oauth.Secret) *application {
	style := oauth2.AuthStyleInHeader
	if c.Public() {
		style = oauth2.AuthStyleInParams
	}
	to := callback
	if len(c.RedirectURIs) > 0 {
		to = c.RedirectURIs[0]
	}
	return &application{&oauth2.Config{
		ClientID: c.ID, ClientSecret: string(secret), RedirectURL: to, Scopes: []string{"test:scope"},
		Endpoint: oauth2.Endpoint{AuthURL: s.url + "/oauth/authorize", TokenURL: s.url + "/oauth/token", AuthStyle: style},
	}, s, c.Public()}
}

func public(in *manage.ApplicationInput)  { in.Type = oauth.BrowserApplication }
func service(in *manage.ApplicationInput) { in.Type, in.RedirectURIs = oauth.ServiceApplication, nil }

// verifier is the PKCE verifier of every request here.
const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// request is the address of an honest authorization request; pairs add
// parameters, and an empty value takes one out.
func (a *application) request(pairs ...string) string {
	u, err := url.Parse(a.AuthCodeURL("some state", oauth2.S256ChallengeOption(verifier)))
	a.s.must(err)
	q := u.Query()
	for i := 0; i < len(pairs); i += 2 {
		if q.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
			q.Del(pairs[i])
		}
	}
	return "/oauth/authorize?" + q.Encode()
}

// answer opens an authorization request and presses a button of the consent
// page, if there is one.
func (v *visitor) answer(request, button string) *browser.Page {
	v.s.t.Helper()
	page := v.open(request)
	if page.Location == nil {
		f := page.FormTo("/oauth/consent")
		if f == nil {
			v.s.t.Fatalf("no consent page: %v", page)
		}
		page = v.submit(f.Press("confirm", button))
	}
	return page
}

// code goes through the authorization request and returns the code.
func (v *visitor) code(a *application, pairs ...string) string {
	v.s.t.Helper()
	page := v.answer(a.request(pairs...), "yes")
	if page.Location == nil || page.Location.Query().Get("code") == "" {
		v.s.t.Fatalf("no code: %v, sent to %v", page, page.Location)
	}
	return page.Location.Query().Get("code")
}

// token goes through the whole code flow, as a relying party written with
// golang.org/x/oauth2 does.
func (v *visitor) token(a *application, pairs ...string) *oauth2.Token {
	v.s.t.Helper()
	token, err := a.Exchange(a.context(), v.code(a, pairs...), oauth2.VerifierOption(verifier))
	v.s.must(err)
	return token
}

func (a *application) context() context.Context {
	return context.WithValue(a.s.t.Context(), oauth2.HTTPClient, a.s.http)
}

// post asks the token endpoint as the application; pairs are the form.
func (a *application) post(pairs ...string) reply {
	a.s.t.Helper()
	f := form(pairs...)
	if a.public {
		f.Set("client_id", a.ClientID)
		return a.s.send(http.MethodPost, "/oauth/token", f)
	}
	return a.s.send(http.MethodPost, "/oauth/token", f, "Authorization", basic(a.ClientID, a.ClientSecret))
}

// redeem exchanges a code.
func (a *application) redeem(code string) reply {
	a.s.t.Helper()
	return a.post("grant_type", "authorization_code", "code", code, "redirect_uri", a.RedirectURL, "code_verifier", verifier)
}

func (a *application) refresh(token string, pairs ...string) reply {
	a.s.t.Helper()
	return a.post(append([]string{"grant_type", "refresh_token", "refresh_token", token}, pairs...)...)
}

func basic(id, secret string) string {
	r, _ := http.NewRequest(http.MethodGet, "/", nil)
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return r.Header.Get("Authorization")
}

const settings = "/account/settings/applications/"

var secretInPage = regexp.MustCompile(`id="secret"[^>]*value="([^"]+)"|id="client_secret"[^>]*value="([^"]+)"`)

// shownIn is the secret that the page shows, or "".
func shownIn(p *browser.Page) string {
	if m := secretInPage.FindSubmatch(p.Body); m != nil {
		return string(m[1]) + string(m[2])
	}
	return ""
}

// personalToken makes a token at the settings page.
func (v *visitor) personalToken(name string, scopes ...string) string {
	v.s.t.Helper()
	page := v.submit(v.open(settings+"tokens/new/").FormTo("/new/").Set("name", name).Set("scopes", scopes...))
	secret := shownIn(page)
	if secret == "" {
		v.s.t.Fatalf("no token: %v", page)
	}
	return secret
}

var viewLink = regexp.MustCompile(`/tokens/([^/"]+)/view/`)

// authorizationID is the first authorized application of the settings page.
func authorizationID(body []byte) string {
	if m := viewLink.FindSubmatch(body); m != nil {
		return string(m[1])
	}
	return ""
}

// idOf is the token or client that the page's address names.
func idOf(p *browser.Page) string {
	parts := strings.Split(strings.Trim(p.URL.Path, "/"), "/")
	for i, part := range parts {
		if (part == "tokens" || part == "clients") && i+1 < len(parts) {
			return parts[i+1]
		}
	}
	return ""
}
