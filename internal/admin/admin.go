package admin

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
	"github.com/valetkey/valetkey/internal/respond"
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
	// Fresh is how long after signing in forms may be used. Zero: 15 minutes.
	Fresh time.Duration
	Now   func() time.Time
}

const (
	pathApplications = "/admin/applications/"
	pathTokens       = "/admin/tokens/"
	pathActivity     = "/admin/activity/"
)

type admin struct {
	Config
	once shown.Once
}

// New returns the handler of the three paths, below the issuer's path. It panics
// if a part is missing: that is the program's mistake, not an operator's.
func New(cfg Config) http.Handler {
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil || issuer.Host == "" || cfg.Desk == nil || cfg.Pages == nil || cfg.Login == nil || cfg.Users == nil || cfg.Ring == nil || cfg.Now == nil {
		panic("admin: a part of Config is missing")
	}
	cfg.Fresh = cmp.Or(cfg.Fresh, 15*time.Minute)
	a := &admin{cfg, shown.Once{Ring: cfg.Ring, Secure: issuer.Scheme == "https", Now: cfg.Now}}
	mux := http.NewServeMux()
	for _, rt := range a.routes() {
		mux.Handle(cfg.Pages.Path(rt.path)+"{$}", a.handle(rt))
	}
	mux.Handle("/", a.handle(route{get: func(*visit) error { return manage.ErrNotFound }}))
	return peer.Routed(mux)
}

// handler answers one request of an administrator. An error is answered by refuse.
type handler func(*visit) error

// route is one page: how it is looked at, and how its form is sent.
type route struct {
	path      string
	get, post handler // nil post: the page has no form
}

func (a *admin) routes() []route {
	const application, token = pathApplications + "{id}/", pathTokens + "{id}/"
	return []route{
		{pathApplications, a.applications, nil},
		{pathApplications + "new/", a.newApplication, a.createApplication},
		{application, a.application, nil},
		{application + "edit/", a.editApplication, a.updateApplication},
		{application + "reset/", a.askSecret, a.rotateSecret},
		{application + "created/", a.showSecret, nil},
		{application + "disable/", a.askDisable, a.disable},
		{application + "delete/", a.askDelete, a.deleteApplication},
		{pathTokens, a.tokens, nil},
		{token, a.token, nil},
		{token + "edit/", a.editToken, a.updateToken},
		{token + "revoke/", a.askRevoke, a.revokeToken},
		{pathActivity, a.activity, nil},
	}
}

// visit is one request of an administrator.
type visit struct {
	w       http.ResponseWriter
	r       *http.Request
	session *oauth.Session
	user    *oauth.User
	actor   manage.Actor
	form    url.Values // of a POST
}

func (v *visit) id() string { return v.r.PathValue("id") }

// handle finds out who is there and lets the route answer.
func (a *admin) handle(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := &visit{w: w, r: r}
		switch err := a.enter(v); {
		case err == nil && v.session == nil:
			a.Login.Login(w, r, oauth.LoginRequest{ReturnTo: form.ReturnTo(r), Reason: oauth.LoginNeeded})
			return
		case err != nil:
			a.refuse(v, err)
			return
		}
		var err error
		switch {
		case r.Method == http.MethodGet, r.Method == http.MethodHead:
			if rt.post != nil { // a form that could not be sent is not shown
				err = a.fresh(v)
			}
			if err == nil {
				err = rt.get(v)
			}
		case r.Method == http.MethodPost && rt.post != nil:
			if err = a.fresh(v); err == nil {
				v.form, err = form.Page(v.w, v.r)
			}
			if err == nil {
				err = rt.post(v)
			}
		default:
			err = errMethod
			w.Header().Set("Allow", "GET, HEAD")
			if rt.post != nil {
				w.Header().Set("Allow", "GET, HEAD, POST")
			}
		}
		if err != nil {
			a.refuse(v, err)
		}
	})
}

// enter fills in who is there; v.session stays nil when nobody is signed in.
// Whoever is no administrator finds nothing here.
func (a *admin) enter(v *visit) error {
	session, err := a.Login.Session(v.r)
	if err != nil || session == nil {
		return err
	}
	user, err := a.Users.User(v.r.Context(), session.Subject)
	if errors.Is(err, oauth.ErrUserNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	v.session, v.user = session, user
	if !user.Admin || user.Disabled {
		return manage.ErrNotFound
	}
	from := peer.From(v.r.Context())
	v.actor = manage.Actor{Subject: user.Subject, Admin: true, Network: from.Network(), RequestID: from.RequestID}
	return nil
}

var (
	errStale  = errors.New("admin: a fresh sign-in is needed")
	errMethod = errors.New("admin: method not allowed")
)

// fresh: the administrator signed in lately.
func (a *admin) fresh(v *visit) error {
	if v.session.FreshAt(a.Now(), a.Fresh) {
		return nil
	}
	return errStale
}

// refuse answers an error. A fault is logged and shown as nothing but the
// request's id.
func (a *admin) refuse(v *visit, err error) {
	page := pages.ErrorPage{RequestID: peer.From(v.r.Context()).RequestID}
	var refused *manage.Refused
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, errStale):
		a.Login.Login(v.w, v.r, oauth.LoginRequest{ReturnTo: form.ReturnTo(v.r), Reason: oauth.LoginAgain})
		return
	case errors.Is(err, manage.ErrNotFound):
		page.Status = http.StatusNotFound
	case errors.Is(err, errMethod):
		page.Status = http.StatusMethodNotAllowed
	case errors.As(err, &refused):
		page.Status, page.Message = http.StatusForbidden, refused.Reason
	case errors.As(err, &tooLarge):
		page.Status = http.StatusRequestEntityTooLarge
	case errors.Is(err, form.ErrPage):
		page.Status = http.StatusBadRequest
	default:
		page.Status = respond.Status(respond.Refusal(v.r, err).Code) // logs it
	}
	a.Pages.Render(v.w, v.r, page.Status, pages.Shell{User: v.user, Session: v.session}, page)
}

// done are the sentences that ?done=KEY announces after a redirect.
var done = map[string]string{
	"created":  "The application is registered.",
	"saved":    "Your changes are saved.",
	"disabled": "The application is disabled. Its tokens do not work until it is enabled again.",
	"enabled":  "The application is enabled.",
	"deleted":  "The application is deleted.",
	"revoked":  "The token is revoked. It cannot be used any more.",
}

// render draws a page under the menu item.
func (a *admin) render(v *visit, status int, item string, page pages.Page) error {
	a.Pages.Render(v.w, v.r, status, pages.Shell{
		User: v.user, Session: v.session, Active: item, Status: done[v.r.URL.Query().Get("done")],
	}, page)
	return nil
}

// seeOther ends a POST that did something (RFC 9110 §15.4.4).
func (a *admin) seeOther(v *visit, local string) error {
	v.w.Header().Set("Cache-Control", "no-store")
	http.Redirect(v.w, v.r, a.Pages.Path(local), http.StatusSeeOther)
	return nil
}

// rejected is the form with what the desk says about it. It returns false if the
// error is about something else.
func rejected(values url.Values, err error) (pages.Form, bool) {
	f := pages.Form{Values: values}
	var invalid *manage.Invalid
	if !errors.As(err, &invalid) {
		return f, false
	}
	for _, e := range invalid.Errors {
		f.Add(e.Field, e.Message)
	}
	return f, true
}

// name is the display name of a user, or "" if there is none.
func (a *admin) name(v *visit, subject string) (string, error) {
	if subject == "" {
		return "", nil
	}
	user, err := a.Users.User(v.r.Context(), subject)
	if errors.Is(err, oauth.ErrUserNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return user.DisplayName(), nil
}

// below is the address of something below a list.
func below(list, id string, more ...string) string {
	return list + url.PathEscape(id) + "/" + strings.Join(more, "")
}
