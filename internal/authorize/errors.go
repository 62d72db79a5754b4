package authorize

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
)

// page tells the person of an error that must not go to the client (RFC 6749
// §4.1.2.1). Anything but a fault is our own machinery.
func (a *Room) page(w http.ResponseWriter, r *http.Request, err error) {
	var f *fault
	if !errors.As(err, &f) {
		a.broken(w, r, err)
		return
	}
	e := respond.Refusal(r, f.err)
	if a.ErrorRedirect {
		query := url.Values{"error": {string(e.Code)}, "error_description": {respond.Description(e)}}
		w.Header().Set("Location", a.Pages.Path(ErrorsPath)+"?"+query.Encode())
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusFound)
		return
	}
	entry := respond.Lookup(e.Code)
	page := pages.AuthorizationError{
		Code: string(e.Code), Parameter: f.parameter, Got: shortened(f.got),
		Problem: respond.Description(e), Fix: entry.Fix, Spec: entry.Spec,
		RequestID: peer.From(r.Context()).RequestID, At: a.Now(),
	}
	if f.client != nil {
		page.Client = f.client.Name
		page.Problem += a.confide(r, f)
	}
	a.Pages.Render(w, r, entry.Status, pages.Shell{}, page)
}

// confide tells the client's owner, and administrators, which redirect URIs are
// registered. Strangers learn nothing that they did not send.
func (a *Room) confide(r *http.Request, f *fault) string {
	if f.parameter != "redirect_uri" || len(f.client.RedirectURIs) == 0 || !a.Development && !a.manages(r, f.client) {
		return ""
	}
	return fmt.Sprintf(" Registered: %s", strings.Join(f.client.RedirectURIs, " "))
}

func (a *Room) manages(r *http.Request, c *oauth.Client) bool {
	session, err := a.Login.Session(r)
	if err != nil || session == nil {
		return false
	}
	user, err := a.Live.User(r.Context(), session.Subject)
	return err == nil && (user.Admin || c.Owner == user.Subject)
}

// broken answers a fault of our own machinery.
func (a *Room) broken(w http.ResponseWriter, r *http.Request, err error) {
	e := respond.Refusal(r, err)
	a.errorPage(w, r, respond.Status(e.Code), "")
}

// inactive tells somebody that their account is not active.
func (a *Room) inactive(w http.ResponseWriter, r *http.Request) {
	a.errorPage(w, r, errInactive.status, errInactive.message)
}

func (a *Room) errorPage(w http.ResponseWriter, r *http.Request, status int, message string) {
	a.Pages.Render(w, r, status, pages.Shell{}, pages.ErrorPage{
		Status: status, Message: message, RequestID: peer.From(r.Context()).RequestID,
	})
}

// Errors is GET /oauth/errors: what an error code means, in a page. It says only
// what the catalogue says, never what the URL says.
func (a *Room) Errors(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		respond.MethodNotAllowed(w, r, http.MethodGet, http.MethodHead)
		return
	}
	f, err := form.Query(r)
	code := oauth.ErrorCode(f["error"])
	entry := respond.Lookup(code)
	page := pages.AuthorizationError{RequestID: peer.From(r.Context()).RequestID}
	if err == nil && entry.Code == code {
		page.Code, page.User, page.Problem, page.Fix, page.Spec = string(code), entry.User, entry.Developer, entry.Fix, entry.Spec
	}
	a.Pages.Render(w, r, http.StatusOK, pages.Shell{}, page)
}

// shortened keeps a page readable whatever was sent.
func shortened(s string) string {
	const most = 300
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
