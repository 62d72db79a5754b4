package accounts

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/valetkey/valetkey/internal/csrf"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
)

// handler answers a request or returns why it could not; only fail turns an
// error into a page.
type handler func(w http.ResponseWriter, r *http.Request) error

// refusal is a page that says no.
type refusal struct {
	status  int
	message string // empty: the usual sentence of the status
}

func (e *refusal) Error() string { return fmt.Sprintf("accounts: %d %s", e.status, e.message) }

var errNoPage = &refusal{status: http.StatusNotFound}

// page makes an http.Handler of h.
func (a *Accounts) page(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			a.fail(w, r, err)
		}
	})
}

// fail answers with the page that an error deserves. A fault is logged and says
// nothing about itself.
func (a *Accounts) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, message := http.StatusInternalServerError, ""
	var no *refusal
	var wait *Throttled
	var busy *oauth.Error
	switch {
	case errors.As(err, &no):
		status, message = no.status, no.message
	case errors.As(err, &wait):
		status, message = http.StatusTooManyRequests, waitSentence(wait)
		w.Header().Set("Retry-After", strconv.Itoa(wait.Seconds()))
	case errors.Is(err, ErrNotFound):
		status = http.StatusNotFound
	case errors.Is(r.Context().Err(), context.Canceled):
		// The browser went away; nobody reads the answer.
	case errors.As(err, &busy) && busy.Code == oauth.TemporarilyUnavailable:
		status = http.StatusServiceUnavailable // the page says when to come back
	default:
		if errors.Is(err, oauth.TemporarilyUnavailable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			status = http.StatusServiceUnavailable
		}
		a.cfg.Logger.ErrorContext(r.Context(), "request failed", "path", r.Pattern, "request_id", peer.From(r.Context()).RequestID, "error", err)
	}
	a.render(w, r, status, "", pages.ErrorPage{Status: status, Message: message, RequestID: peer.From(r.Context()).RequestID})
}

func waitSentence(t *Throttled) string {
	if t.Seconds() == 1 {
		return "There were too many attempts. Try again in 1 second."
	}
	return fmt.Sprintf("There were too many attempts. Try again in %d seconds.", t.Seconds())
}

// refuseForm answers a form that seems to come from another site.
func (a *Accounts) refuseForm(w http.ResponseWriter, r *http.Request, reason error) {
	if sentence := csrf.Sentence(reason); sentence != "" {
		reason = &refusal{http.StatusForbidden, sentence}
	}
	a.fail(w, r, reason)
}

// done are the sentences that ?done=… may show after a form succeeded.
var done = map[string]string{
	"signed-out":      "You are signed out.",
	"password":        "Your password is changed. You are signed out everywhere else.",
	"reset":           "Your password is changed. Sign in with the new one.",
	"link-sent":       "If the address belongs to an account, a link is on its way. It works for 30 minutes.",
	"signup-sent":     "A mail is on its way to the address. Its link works for 30 minutes.",
	"profile":         "Your profile is saved.",
	"confirm-sent":    "A link is on its way. It works for 30 minutes.",
	"confirmed":       "Your e-mail address is confirmed.",
	"session-ended":   "That browser is signed out.",
	"sessions-ended":  "You are signed out everywhere else.",
	"user-created":    "The user is created.",
	"user-invited":    "The user is created. A link to choose a password is on its way.",
	"user-disabled":   "The user is disabled and signed out everywhere.",
	"user-enabled":    "The user is enabled.",
	"user-admin":      "The user is an administrator now.",
	"user-not-admin":  "The user is no administrator any more.",
	"user-deleted":    "The user is deleted.",
	"user-signed-out": "The user is signed out everywhere.",
	"user-reset-link": "A link to choose a new password is on its way to the user.",
}

// render draws a page for whoever sent the request.
func (a *Accounts) render(w http.ResponseWriter, r *http.Request, status int, active string, p pages.Page) {
	a.pages.Render(w, r, status, a.shell(r, status, active), p)
}

func (a *Accounts) shell(r *http.Request, status int, active string) pages.Shell {
	s := pages.Shell{Active: active}
	if v, _ := r.Context().Value(visitKey{}).(*visit); v != nil {
		s.User, s.Session = v.account.user(), v.public()
	}
	if status == http.StatusOK {
		s.Status = done[r.URL.Query().Get("done")]
	}
	return s
}

// see sends the browser to a path below the issuer after a form succeeded.
func (a *Accounts) see(w http.ResponseWriter, r *http.Request, path string) {
	http.Redirect(w, r, a.pages.Path(path), http.StatusSeeOther)
}

// url is the absolute URL of a path below the issuer.
func (a *Accounts) url(path string) string { return a.base + path }

const maxForm = 64 << 10

// form reads the posted form. Each field comes once at most.
func form(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(strings.ToLower(media)) != "application/x-www-form-urlencoded" {
		return nil, &refusal{http.StatusUnsupportedMediaType, "Send the form as application/x-www-form-urlencoded."}
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			return nil, &refusal{status: http.StatusRequestEntityTooLarge}
		}
		return nil, &refusal{status: http.StatusBadRequest}
	}
	for _, values := range r.PostForm {
		if len(values) > 1 {
			return nil, &refusal{status: http.StatusBadRequest}
		}
	}
	return r.PostForm, nil
}

// signedIn hands h the session of the request; without one the person signs in first.
func (a *Accounts) signedIn(h func(w http.ResponseWriter, r *http.Request, v *visit) error) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, err := a.visit(r)
		if err != nil {
			return err
		}
		if v == nil {
			a.Login(w, r, oauth.LoginRequest{ReturnTo: r.URL.RequestURI(), Reason: oauth.LoginNeeded})
			return nil
		}
		return h(w, r, v)
	}
}

// confirmed is signedIn for what is sensitive: the person proved who they are a
// short while ago, or does so now.
func (a *Accounts) confirmed(h func(w http.ResponseWriter, r *http.Request, v *visit) error) handler {
	return a.signedIn(func(w http.ResponseWriter, r *http.Request, v *visit) error {
		if !a.fresh(v) {
			a.Login(w, r, oauth.LoginRequest{ReturnTo: r.URL.RequestURI(), Reason: oauth.LoginAgain})
			return nil
		}
		return h(w, r, v)
	})
}

// administrator is signedIn for administrators; for others there is no such page.
func (a *Accounts) administrator(h func(w http.ResponseWriter, r *http.Request, v *visit) error) func(http.ResponseWriter, *http.Request, *visit) error {
	return func(w http.ResponseWriter, r *http.Request, v *visit) error {
		if !v.account.Admin {
			return errNoPage
		}
		return h(w, r, v)
	}
}

// wrong notes a refused input in the form: *Invalid at its field, errors of the
// store as a sentence, and all of them if several are joined. It returns the error if it is none of these.
func wrong(f *pages.Form, err error) error {
	var invalid *Invalid
	var many interface{ Unwrap() []error }
	switch {
	case errors.As(err, &many):
		for _, e := range many.Unwrap() {
			if err := wrong(f, e); err != nil {
				return err
			}
		}
	case errors.As(err, &invalid):
		f.Add(invalid.Field, invalid.Message)
	case errors.Is(err, ErrExists):
		f.Add("email", "There is an account with this address already.")
	default:
		return err
	}
	return nil
}

// keep is what a form may show again: everything but passwords.
func keep(values url.Values) url.Values {
	kept := url.Values{}
	for name, v := range values {
		if !strings.Contains(name, "password") {
			kept[name] = v
		}
	}
	return kept
}
