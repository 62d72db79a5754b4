package accounts

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/oauth"
)

// Parameters of the login page. All but next come from [Accounts.Login] only.
const (
	paramNext   = "next"   // local path to go on to
	paramReason = "reason" // an oauth.LoginReason
	paramHint   = "hint"   // address to fill in
	paramTo     = "to"     // sealed name of the application that waits
	paramOrigin = "origin" // sealed origin of the application that waits
)

// The places for which the two are sealed: a link somebody made up can neither
// put words on our page nor loosen its policy.
const (
	sealedName   = "accounts|login|application"
	sealedOrigin = "accounts|login|origin"
)

// Login implements [oauth.Authenticator]: it sends the browser to the login page.
// There is one way to sign in and one language, so ACRValues and UILocales, which
// are wishes (OpenID Connect Core §3.1.2.1), change nothing.
func (a *Accounts) Login(w http.ResponseWriter, r *http.Request, req oauth.LoginRequest) {
	q := url.Values{}
	if next := localPath(req.ReturnTo); next != "" {
		q.Set(paramNext, next)
	}
	if req.Reason != oauth.LoginNeeded && req.Reason != "" {
		q.Set(paramReason, string(req.Reason))
	}
	if hint := req.Hint; hint != "" && len(hint) <= maxEmail {
		q.Set(paramHint, hint)
	}
	if name := pages.Plain(req.ClientName); name != "" {
		q.Set(paramTo, a.ring.Seal([]byte(name), sealedName))
	}
	if req.ClientOrigin != "" {
		q.Set(paramOrigin, a.ring.Seal([]byte(req.ClientOrigin), sealedOrigin))
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, a.loginURL(q), http.StatusFound)
}

func (a *Accounts) loginURL(q url.Values) string {
	to := a.pages.Path(pathLogin)
	if len(q) > 0 {
		to += "?" + q.Encode()
	}
	return to
}

// maxNext bounds where to go on to: an authorization request with a long state
// goes through, and escaped it still fits into the headers that servers accept.
const maxNext = 8 << 10

// localPath returns a path with query on this server, or "" for anything that a
// browser could take for another place.
func localPath(s string) string {
	if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || len(s) > maxNext ||
		strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil {
		return ""
	}
	return s
}

// next is where the browser goes after signing in.
func (a *Accounts) next(r *http.Request) string {
	return cmp.Or(localPath(r.URL.Query().Get(paramNext)), a.pages.Path(a.cfg.Home))
}

func reason(r *http.Request) oauth.LoginReason {
	switch reason := oauth.LoginReason(r.URL.Query().Get(paramReason)); reason {
	case oauth.LoginAgain, oauth.LoginOther:
		return reason
	}
	return oauth.LoginNeeded
}

// loginPage is GET /login/. Who is signed in and has no reason to do so again
// goes straight on.
func (a *Accounts) loginPage(w http.ResponseWriter, r *http.Request) error {
	v, err := a.visit(r)
	if err != nil {
		return err
	}
	why := reason(r)
	if v != nil && why == oauth.LoginNeeded {
		http.Redirect(w, r, a.next(r), http.StatusFound)
		return nil
	}
	values := url.Values{"username": {r.URL.Query().Get(paramHint)}}
	if v != nil && v.session.Remember {
		values.Set("remember", "yes")
	}
	if v != nil && why == oauth.LoginAgain {
		values.Set("username", v.account.Email)
	}
	a.renderLogin(w, r, http.StatusOK, pages.Form{Values: values})
	return nil
}

func (a *Accounts) renderLogin(w http.ResponseWriter, r *http.Request, status int, f pages.Form) {
	page := pages.Login{Form: f, Reason: reason(r), LostPassword: a.mailer != nil, Signup: a.cfg.Signup}
	shell := a.shell(r, status, "")
	q := url.Values{}
	for _, name := range []string{paramNext, paramReason, paramHint} {
		if v := r.URL.Query().Get(name); v != "" {
			q.Set(name, v)
		}
	}
	to, origin := r.URL.Query().Get(paramTo), r.URL.Query().Get(paramOrigin)
	if name, err := a.ring.Open(to, sealedName); err == nil {
		page.Application = string(name)
		q.Set(paramTo, to)
	}
	if source, err := a.ring.Open(origin, sealedOrigin); err == nil {
		shell.FormAction = []string{string(source)}
		q.Set(paramOrigin, origin)
	}
	page.Action = a.loginURL(q)
	a.pages.Render(w, r, status, shell, page)
}

// login is POST /login/.
func (a *Accounts) login(w http.ResponseWriter, r *http.Request) error {
	values, err := form(w, r)
	if err != nil {
		return err
	}
	device, _, _ := a.cookie(r, deviceCookie)
	err = a.attempt(r.Context(), values.Get("username"), oauth.Secret(values.Get("password")), device, func(p *proof) error {
		return a.signIn(w, r, p, values.Get("remember") != "")
	})
	var wait *Throttled
	f := pages.Form{Values: keep(values)}
	switch {
	case errors.Is(err, errWrong):
		f.Add("", "The e-mail address or the password is not right, or the account is disabled.")
		a.renderLogin(w, r, http.StatusUnprocessableEntity, f)
	case errors.As(err, &wait):
		f.Add("", waitSentence(wait))
		w.Header().Set("Retry-After", strconv.Itoa(wait.Seconds()))
		a.renderLogin(w, r, http.StatusTooManyRequests, f)
	case err != nil:
		return err
	default:
		http.Redirect(w, r, a.next(r), http.StatusSeeOther)
	}
	return nil
}
