package settings

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/shown"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// Config is what the pages work with. Every field but Fresh is required.
type Config struct {
	Desk  *manage.Desk
	Pages *pages.Pages
	// Login tells whose session a request has, and signs people in.
	Login oauth.Authenticator
	Users oauth.UserSource
	// Ring seals what is shown once.
	Ring   *keyring.Ring
	Issuer string
	// Fresh is how long after signing in sensitive things may be done. Zero: 15 minutes.
	Fresh time.Duration
	Now   func() time.Time
}

const (
	pathApplications = "/account/settings/applications/"
	pathActivity     = "/account/settings/activity/"
)

// Settings serves the pages.
type Settings struct {
	cfg    Config
	prefix string // the issuer's path
	once   shown.Once
	recent *recent
}

// New returns the handler of both paths, below the issuer's path. It panics if
// a part is missing: that is the program's mistake, not an operator's.
func New(cfg Config) http.Handler {
	if cfg.Desk == nil || cfg.Pages == nil || cfg.Login == nil || cfg.Users == nil || cfg.Ring == nil || cfg.Now == nil {
		panic("settings: a part of Config is missing")
	}
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil || issuer.Host == "" {
		panic("settings: the issuer is not a URL")
	}
	cfg.Fresh = cmp.Or(cfg.Fresh, 15*time.Minute)
	s := &Settings{
		cfg: cfg, prefix: strings.TrimSuffix(issuer.Path, "/"), recent: newRecent(cfg.Now),
		once: shown.Once{Ring: cfg.Ring, Secure: issuer.Scheme == "https", Now: cfg.Now},
	}
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.Handle(s.prefix+r.path+"{$}", s.handle(r))
	}
	mux.Handle(s.prefix+pathApplications, s.handle(route{get: s.nothing}))
	mux.Handle(s.prefix+pathActivity, s.handle(route{get: s.nothing}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.errorPage(w, r, nil, manage.ErrNotFound) })
	return peer.Routed(mux)
}

// handler answers one request of somebody who is signed in. An error is
// answered by [Settings.refuse].
type handler func(w http.ResponseWriter, r *http.Request, v *visitor) error

// route is one page: how it is looked at, and how its form is sent.
type route struct {
	path      string
	get, post handler // nil post: the page has no form
}

func (s *Settings) routes() []route {
	return []route{
		{pathActivity, s.activity, nil},
		{pathApplications, s.index, nil},
		{pathApplications + "clients/new/", s.newClient, s.createClient},
		{pathApplications + "clients/{id}/", s.client, s.updateClient},
		{pathApplications + "clients/{id}/created/", s.clientCreated, nil},
		{pathApplications + "clients/{id}/reset/", s.resetClient, s.rotateSecret},
		{pathApplications + "clients/{id}/delete/", s.askDelete, s.deleteClient},
		{pathApplications + "tokens/new/", s.newToken, s.createToken},
		{pathApplications + "tokens/{id}/", s.token, s.updateToken},
		{pathApplications + "tokens/{id}/created/", s.tokenCreated, nil},
		{pathApplications + "tokens/{id}/regenerate/", s.askRegenerate, s.regenerateToken},
		{pathApplications + "tokens/{id}/revoke/", s.askRevoke, s.revoke},
		{pathApplications + "tokens/{id}/view/", s.authorization, nil},
	}
}

// nothing answers what is no page.
func (s *Settings) nothing(http.ResponseWriter, *http.Request, *visitor) error {
	return manage.ErrNotFound
}

// handle finds out who is there and lets the route answer.
func (s *Settings) handle(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		do := rt.get
		switch r.Method {
		case http.MethodGet, http.MethodHead:
		case http.MethodPost:
			do = rt.post
		default:
			do = nil
		}
		if do == nil {
			s.methodNotAllowed(w, r, rt)
			return
		}
		v, err := s.visitor(r)
		if err == nil && v == nil {
			s.cfg.Login.Login(w, r, oauth.LoginRequest{ReturnTo: form.ReturnTo(r), Reason: oauth.LoginNeeded})
			return
		}
		if err == nil {
			err = do(w, r, v)
		}
		if err != nil {
			s.refuse(w, r, v, err)
		}
	})
}

// again is returned by a handler that wants a fresh sign-in first, after which
// the browser arrives at form.ReturnTo.
type again struct{ returnTo string }

func (again) Error() string { return "settings: a fresh sign-in is needed" }

// fresh returns an error unless the person signed in lately.
func (s *Settings) fresh(v *visitor, returnTo string) error {
	if v.session.FreshAt(s.cfg.Now(), s.cfg.Fresh) {
		return nil
	}
	return again{returnTo}
}

// refuse answers an error; v may be nil.
func (s *Settings) refuse(w http.ResponseWriter, r *http.Request, v *visitor, err error) {
	var reauthenticate again
	if errors.As(err, &reauthenticate) {
		s.cfg.Login.Login(w, r, oauth.LoginRequest{ReturnTo: reauthenticate.returnTo, Reason: oauth.LoginAgain})
		return
	}
	s.errorPage(w, r, v, err)
}

// answer sends the browser where a form led, now or when it was sent first.
func (s *Settings) answer(w http.ResponseWriter, r *http.Request, a answer) error {
	if a.cookie != nil {
		http.SetCookie(w, a.cookie)
	}
	return s.seeOther(w, r, a.location)
}

// seeOther ends a POST that did something (RFC 9110 §15.4.4).
func (s *Settings) seeOther(w http.ResponseWriter, r *http.Request, local string) error {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, s.prefix+local, http.StatusSeeOther)
	return nil
}

// done are the sentences that ?done=KEY announces after a redirect.
var done = map[string]string{
	"saved":          "Your changes are saved.",
	"token-revoked":  "The token is revoked. It cannot be used any more.",
	"access-revoked": "The access is revoked. The application can ask you again.",
	"client-deleted": "The application is deleted.",
	"client-created": "The application is registered.",
}

// shell is what surrounds the pages of this room.
func (s *Settings) shell(r *http.Request, v *visitor, active string) pages.Shell {
	shell := pages.Shell{Active: active, Status: done[r.URL.Query().Get("done")]}
	if v != nil {
		shell.User, shell.Session = v.user, v.session
	}
	return shell
}

// render draws a page of the applications.
func (s *Settings) render(w http.ResponseWriter, r *http.Request, v *visitor, status int, page pages.Page) error {
	s.cfg.Pages.Render(w, r, status, s.shell(r, v, pages.SettingsApplications), page)
	return nil
}
