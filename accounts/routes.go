package accounts

import (
	"context"
	"net/http"

	"github.com/valetkey/valetkey/internal/csrf"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
)

// Paths below the issuer, spelled as the predecessor spelled them.
const (
	pathLogin    = "/login/"
	pathLogout   = "/logout/"
	pathLost     = "/lost-password/"
	pathReset    = "/reset-password/" // and the link's secret
	pathSignup   = "/signup/"         // alone, or with the link's secret
	pathConfirm  = "/confirm-email/"  // and the link's secret
	pathSetup    = "/setup/"          // and the link's secret
	pathProfile  = "/account/settings/profile/"
	pathPassword = "/account/settings/password/"
	pathSecurity = "/account/settings/security/"
	pathSessions = "/account/settings/sessions/"
	pathRevoke   = pathSessions + "revoke"
	pathUsers    = "/admin/users/"

	newUserSegment = "new"
)

// Items of the navigation.
const (
	menuProfile  = "settings.profile"
	menuSecurity = "settings.security"
	menuUsers    = "admin.users"
)

// Menu returns the door's own links of the settings navigation.
func (a *Accounts) Menu() []oauth.MenuItem {
	return []oauth.MenuItem{
		{ID: menuProfile, Label: "Profile", Path: pathProfile, Order: 10},
		{ID: menuSecurity, Label: "Password and sessions", Path: pathSecurity, Order: 20},
		{ID: menuUsers, Label: "Users", Path: pathUsers, Order: 10, Admin: true},
	}
}

// Patterns returns the [http.ServeMux] patterns to mount the door at, beside the
// server. They hold the issuer's path.
func (a *Accounts) Patterns() []string {
	patterns := []string{}
	for _, p := range []string{"/login", "/logout", pathLogin, pathLogout, pathLost, pathReset, pathSignup, pathConfirm, pathSetup,
		pathProfile, pathPassword, pathSecurity, pathSessions, pathUsers} {
		patterns = append(patterns, a.pages.Path(p))
	}
	return patterns
}

// routes is every page of the door on one screen.
func (a *Accounts) routes() http.Handler {
	mux := http.NewServeMux()
	get := func(path string, h handler) { mux.Handle("GET "+a.pages.Path(path), a.page(h)) }
	post := func(path string, h handler) { mux.Handle("POST "+a.pages.Path(path), a.page(h)) }
	form := func(path string, show, send handler) { get(path, show); post(path, send) }

	get("/login", a.slash)
	get("/logout", a.slash)
	form(pathLogin+"{$}", a.loginPage, a.login)
	form(pathLogout+"{$}", a.logoutPage, a.logout)
	if a.mailer != nil {
		form(pathLost+"{$}", a.lostPage, a.lost)
	}
	form(pathReset+"{link}/{$}", a.resetPage, a.reset)
	if a.cfg.Signup {
		form(pathSignup+"{$}", a.signupPage, a.signup)
		form(pathSignup+"{link}/{$}", a.finishSignupPage, a.finishSignup)
	}
	form(pathConfirm+"{link}/{$}", a.confirmPage, a.confirm)
	form(pathSetup+"{link}/{$}", a.setupPage, a.setup)

	form(pathProfile+"{$}", a.signedIn(a.profilePage), a.signedIn(a.profile))
	form(pathProfile+"confirm-email/{$}", a.backToProfile, a.signedIn(a.sendConfirmation))
	form(pathPassword+"{$}", a.signedIn(a.passwordPage), a.signedIn(a.password))
	get(pathSecurity+"{$}", a.signedIn(a.securityPage))
	form(pathRevoke, a.confirmed(a.revokePage), a.confirmed(a.revoke))

	admin := func(h func(http.ResponseWriter, *http.Request, *visit) error) handler {
		return a.signedIn(a.administrator(h))
	}
	sure := func(h func(http.ResponseWriter, *http.Request, *visit) error) handler {
		return admin(func(w http.ResponseWriter, r *http.Request, v *visit) error {
			return a.confirmed(h)(w, r)
		})
	}
	get(pathUsers+"{$}", admin(a.usersPage))
	form(pathUsers+newUserSegment+"/{$}", sure(a.createUserPage), sure(a.createUserForm))
	get(pathUsers+"{id}/{$}", admin(a.userPage))
	form(pathUsers+"{id}/{action}/{$}", sure(a.userActionPage), sure(a.userAction))

	guarded := a.guard.Protect(csrf.ProtectOptions{Session: a.Session, Refuse: a.refuseForm}, a.strict(mux))
	limited := a.room.Limit(a.identify(guarded), a.fail)
	if a.cfg.Observer == nil {
		return peer.Identify(a.cfg.TrustedProxies, limited)
	}
	return peer.Identify(a.cfg.TrustedProxies, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer.Observe(w, r, a.cfg.Observer, a.cfg.Now, limited)
	}))
}

// ServeHTTP serves the door's pages.
func (a *Accounts) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.serve.ServeHTTP(w, r) }

// Load tells how busy the door is: with requests, with attempts to sign in, and
// with hashing passwords.
func (a *Accounts) Load() []oauth.Load {
	return []oauth.Load{a.room.Load(), a.turns.all.Load(), a.hasher.room.Load()}
}

// identify finds out once whose session the request has.
func (a *Accounts) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store") // redirects hand out cookies too
		v, err := a.lookUp(r)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
	})
}

// strict answers what the mux does not know with our own pages.
func (a *Accounts) strict(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			peer.NoteRoute(r.Context(), pattern)
			mux.ServeHTTP(w, r)
			return
		}
		probe := probe{header: http.Header{}}
		h.ServeHTTP(&probe, r)
		if allow := probe.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
		}
		a.fail(w, r, &refusal{status: probe.status})
	})
}

// probe asks a handler for its status and headers only.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) WriteHeader(status int)      { p.status = status }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }

// slash sends /login and /logout to where they are.
func (a *Accounts) slash(w http.ResponseWriter, r *http.Request) error {
	to := r.URL.Path + "/"
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	http.Redirect(w, r, to, http.StatusMovedPermanently)
	return nil
}
