package clientauth

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/oauth"
)

// basic reads client_secret_basic (RFC 6749 §2.3.1): HTTP Basic, with id and
// secret each form-urlencoded before they are joined by a colon.
func basic(r *http.Request, f form.Values) (credentials, bool, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) == 0 {
		return credentials{}, false, nil
	}
	if len(headers) > 1 {
		return credentials{}, false, &oauth.Error{Code: oauth.InvalidRequest, Description: "The request has more than one Authorization header."}
	}
	id, secret, ok := parseBasic(headers[0])
	if !ok {
		return credentials{}, false, &oauth.Error{Code: oauth.InvalidClient,
			Description: "The Authorization header is not HTTP Basic with the form-urlencoded client id and secret."}
	}
	if inBody := f["client_id"]; inBody != "" && inBody != id {
		return credentials{}, false, &oauth.Error{Code: oauth.InvalidRequest,
			Description: "The parameter client_id differs from the client in the Authorization header."}
	}
	return credentials{method: oauth.AuthBasic, clientID: id, secret: oauth.Secret(secret)}, true, nil
}

// parseBasic reads "Basic" SP base64(urlencoded id ":" urlencoded secret). The
// scheme's case does not matter (RFC 9110 §11.1); only canonical base64 counts.
func parseBasic(header string) (id, secret string, ok bool) {
	scheme, encoded, found := strings.Cut(header, " ")
	if !found || !strings.EqualFold(scheme, "Basic") {
		return "", "", false
	}
	pair, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil || strings.ContainsAny(encoded, "\r\n") {
		return "", "", false
	}
	rawID, rawSecret, found := strings.Cut(string(pair), ":")
	if !found {
		return "", "", false
	}
	id, err1 := url.QueryUnescape(rawID)
	secret, err2 := url.QueryUnescape(rawSecret)
	if err1 != nil || err2 != nil || id == "" || !clean(id) || !clean(secret) {
		return "", "", false
	}
	return id, secret, true
}

// clean: a store keeps UTF-8 without NUL only.
func clean(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
