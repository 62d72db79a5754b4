package authorize

import (
	"context"
	"slices"
	"strings"

	"github.com/valetkey/valetkey/oauth"
)

// Response modes (OAuth 2.0 Multiple Response Type Encoding Practices §2.1, OAuth
// 2.0 Form Post Response Mode §2).
const (
	modeQuery    = "query"
	modeFragment = "fragment"
	modeFormPost = "form_post"
)

// canonical writes a response type in the order of its registration, which
// happens to be that of the alphabet; the order on the wire does not matter
// (OAuth 2.0 Multiple Response Type Encoding Practices §1, §5).
func canonical(responseType string) string {
	words := strings.Fields(responseType)
	slices.Sort(words)
	return strings.Join(words, " ")
}

// offers reports whether the server offers a response type, by its canonical name.
func (a *Room) offers(responseType string) bool {
	switch responseType {
	case oauth.ResponseTypeCode:
		return true
	case oauth.ResponseTypeToken:
		return a.Implicit
	case oauth.ResponseTypeIDToken, oauth.ResponseTypeIDTokenToken:
		return a.Implicit && a.OpenID != nil
	case oauth.ResponseTypeCodeToken:
		return a.Hybrid
	case oauth.ResponseTypeCodeIDToken, oauth.ResponseTypeCodeIDTokenToken:
		return a.Hybrid && a.OpenID != nil
	}
	return false
}

// gives reports whether one of the words of a response type is the given one.
func gives(responseType, word string) bool {
	return slices.Contains(strings.Fields(responseType), word)
}

// readResponseType: RFC 6749 §3.1.1, §4.1.2.1, §4.2.2.1.
func (a *Room) readResponseType(_ context.Context, q *request) error {
	q.responseType = canonical(q.form["response_type"])
	switch {
	case q.responseType == "":
		return invalid("The parameter response_type is missing.")
	case !a.offers(q.responseType):
		return &oauth.Error{Code: oauth.UnsupportedResponseType, Description: "This server does not offer the response_type. Use code."}
	case !q.client.MayRespond(q.responseType):
		return &oauth.Error{Code: oauth.UnauthorizedClient, Description: "This client is not registered for the response_type."}
	}
	return nil
}

// modeFor is the response mode of a request, before anything but its redirect URI
// is known to be right: errors must go somewhere too. It is the one that was asked
// for, if that may be, and else the default.
func (a *Room) modeFor(q *request) string {
	if sent := q.form["response_mode"]; modeAllowed(q, canonical(q.form["response_type"]), sent) {
		return sent
	}
	if rt := canonical(q.form["response_type"]); rt != oauth.ResponseTypeCode && a.offers(rt) {
		return modeFragment
	}
	return modeQuery
}

// modeAllowed: a token must not stand in a query, where servers log it and
// browsers tell it on (OAuth 2.0 Multiple Response Type Encoding Practices §3.0, §5).
func modeAllowed(q *request, responseType, mode string) bool {
	switch mode {
	case modeQuery:
		return !gives(responseType, "token") && !gives(responseType, "id_token")
	case modeFragment:
		return true
	case modeFormPost: // a form needs somebody on the web who takes it
		return strings.HasPrefix(q.redirectURI, "https://") || strings.HasPrefix(q.redirectURI, "http://")
	}
	return false
}

// readResponseMode refuses what modeFor could not follow.
func (a *Room) readResponseMode(_ context.Context, q *request) error {
	switch sent := q.form["response_mode"]; {
	case sent == "" || sent == q.mode:
		return nil
	case !slices.Contains([]string{modeQuery, modeFragment, modeFormPost}, sent):
		return invalid("The parameter response_mode must be query, fragment or form_post, or left out.")
	}
	return invalid("The parameter response_mode is not possible with this response_type and redirect_uri. Leave it out.")
}
