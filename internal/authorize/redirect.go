package authorize

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/redirecturi"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
)

// destination is where an authorization response goes. Its URI has been
// compared with the registered ones.
type destination struct {
	uri      string
	state    string
	mode     string // modeQuery, modeFragment or modeFormPost
	clientID string
	session  *oauth.Session // nil: nobody is signed in
	openID   bool           // the request is one of OpenID Connect
}

// param is one parameter of a response. Responses are slices so that parameters
// stand in the order in which they were made.
type param struct{ name, value string }

// reserved are the names that only this server may set in a response. A
// registered redirect URI that has one of them in its query loses it, or the
// client would find two (RFC 6749 §3.1: parameters appear once).
var reserved = []string{"code", "access_token", "id_token", "state", "iss", "session_state", "error", "error_description", "error_uri"}

// deliver sends the answer, or tells why there is none.
func (a *Room) deliver(w http.ResponseWriter, r *http.Request, to destination, answer []param, err error) {
	var refusal *oauth.Error
	switch {
	case err == nil:
		a.send(w, r, to, answer)
	case errors.As(err, &refusal):
		a.refuse(w, r, to, refusal)
	default:
		a.consentFailed(w, r, err)
	}
}

// send gives the client the answer with state (byte for byte as it came) and iss
// (RFC 9207 §2).
func (a *Room) send(w http.ResponseWriter, r *http.Request, to destination, answer []param) {
	if to.state != "" {
		answer = append(answer, param{"state", to.state})
	}
	answer = append(answer, param{"iss", a.Issuer})
	if to.openID { // OpenID Connect Session Management §2
		if state := a.States.Answer(w, r, to.session, to.clientID, to.uri); state != "" {
			answer = append(answer, param{"session_state", state})
		}
	}
	if to.mode == modeFormPost {
		a.formPost(w, r, to, answer)
		return
	}
	redirect(w, respondTo(to, answer))
}

// refuse gives the client the error (RFC 6749 §4.1.2.1, §4.2.2.1).
func (a *Room) refuse(w http.ResponseWriter, r *http.Request, to destination, err error) {
	e := respond.Refusal(r, err)
	answer := []param{{"error", string(e.Code)}}
	if text := respond.Description(e); text != "" {
		answer = append(answer, param{"error_description", text})
	}
	a.send(w, r, to, append(answer, param{"error_uri", a.Issuer + ErrorsPath + "?error=" + url.QueryEscape(string(e.Code))}))
}

// respondTo puts the parameters into the URI. What its query holds already is
// kept as it was written (RFC 6749 §3.1.2).
func respondTo(to destination, params []param) string {
	var encoded []string
	for _, p := range params {
		encoded = append(encoded, url.QueryEscape(p.name)+"="+url.QueryEscape(p.value))
	}
	if to.mode == modeFragment {
		return to.uri + "#" + strings.Join(encoded, "&")
	}
	base, query, _ := strings.Cut(to.uri, "?")
	return base + "?" + strings.Join(append(keep(query), encoded...), "&")
}

// keep is the registered query without what is reserved.
func keep(query string) []string {
	if query == "" {
		return nil
	}
	return slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool {
		raw, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(raw)
		return err != nil || slices.Contains(reserved, name)
	})
}

// redirect is 303, so that no browser repeats a form there (RFC 9700 §4.12). The
// response may hold a code: it is not kept and not told on.
func redirect(w http.ResponseWriter, location string) {
	h := w.Header()
	h.Set("Location", location)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(http.StatusSeeOther)
}

// formPost draws the page whose form takes the answer to the client (OAuth 2.0
// Form Post Response Mode §2). Nothing of it stands in a URL.
func (a *Room) formPost(w http.ResponseWriter, r *http.Request, to destination, params []param) {
	page := pages.FormPost{Action: to.uri}
	if base, query, there := strings.Cut(to.uri, "?"); there {
		page.Action = base + "?" + strings.Join(keep(query), "&")
	}
	for _, p := range params {
		page.Fields = append(page.Fields, pages.FormPostField{Name: p.name, Value: p.value})
	}
	a.Pages.Render(w, r, http.StatusOK, pages.Shell{FormOnly: redirecturi.Origin(to.uri)}, page)
}

// destination is where the answer goes, and how.
func (q *request) destination(s *oauth.Session) destination {
	return destination{
		uri: q.redirectURI, state: q.state, mode: q.mode, clientID: q.client.ID, session: s,
		openID: slices.Contains(strings.Fields(q.form["scope"]), oauth.ScopeOpenID), // the scopes may not have been read
	}
}

// destinationOf is where the answer to a kept request goes.
func destinationOf(req *oauth.AuthorizationRequest, s *oauth.Session) destination {
	return destination{
		uri: req.RedirectURI, state: req.State, mode: req.ResponseMode, clientID: req.ClientID, session: s,
		openID: slices.Contains(req.Scopes, oauth.ScopeOpenID),
	}
}
