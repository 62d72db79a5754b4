package authorize

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
)

// destination is where an authorization response goes. Its URI has been
// compared with the registered ones.
type destination struct {
	uri      string
	state    string
	fragment bool // in the fragment, not the query (RFC 6749 §4.2.2)
}

// param is one parameter of a response. Responses are slices so that parameters
// stand in the order in which they were made.
type param struct{ name, value string }

// reserved are the names that only this server may set in a response. A
// registered redirect URI that has one of them in its query loses it, or the
// client would find two (RFC 6749 §3.1: parameters appear once).
var reserved = []string{"code", "state", "iss", "error", "error_description", "error_uri"}

// send redirects to the client with answer, state (byte for byte as it came) and
// iss (RFC 9207 §2).
func (a *Room) send(w http.ResponseWriter, to destination, answer []param) {
	if to.state != "" {
		answer = append(answer, param{"state", to.state})
	}
	redirect(w, respondTo(to, append(answer, param{"iss", a.Issuer})))
}

// refuse redirects to the client with the error (RFC 6749 §4.1.2.1, §4.2.2.1).
func (a *Room) refuse(w http.ResponseWriter, r *http.Request, to destination, err error) {
	e := respond.Refusal(r, err)
	answer := []param{{"error", string(e.Code)}}
	if text := respond.Description(e); text != "" {
		answer = append(answer, param{"error_description", text})
	}
	a.send(w, to, append(answer, param{"error_uri", a.Issuer + ErrorsPath + "?error=" + url.QueryEscape(string(e.Code))}))
}

// respondTo puts the parameters into the URI. What its query holds already is
// kept as it was written (RFC 6749 §3.1.2).
func respondTo(to destination, params []param) string {
	var encoded []string
	for _, p := range params {
		encoded = append(encoded, url.QueryEscape(p.name)+"="+url.QueryEscape(p.value))
	}
	if to.fragment {
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

// destinationOf is where the answer to a kept request goes.
func destinationOf(req *oauth.AuthorizationRequest) destination {
	return destination{uri: req.RedirectURI, state: req.State, fragment: req.ResponseType == oauth.ResponseTypeToken}
}
