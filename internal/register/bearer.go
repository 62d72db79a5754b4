package register

import (
	"errors"
	"net/http"
	"strings"

	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
)

// errNoToken: nothing was shown, so the challenge names no error (RFC 6750 §3.1).
var errNoToken = errors.New("no bearer token")

// bearer reads the token of the Authorization header. Nothing else may hold it.
func bearer(r *http.Request) (oauth.Secret, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) == 1 {
		if scheme, token, ok := strings.Cut(headers[0], " "); ok && strings.EqualFold(scheme, "Bearer") && token != "" {
			return oauth.Secret(token), nil
		}
	}
	return "", &oauth.Error{Code: oauth.InvalidToken, Cause: errNoToken,
		Description: "This needs the token that goes with it, once, as Authorization: Bearer."}
}

// refuse answers with the error, and with a challenge where a token is at fault
// (RFC 6750 §3).
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, errNoToken):
		w.Header().Set("WWW-Authenticate", `Bearer realm="registration"`)
	case errors.Is(err, oauth.InvalidToken):
		w.Header().Set("WWW-Authenticate", `Bearer realm="registration", error="invalid_token"`)
	}
	respond.Error(w, r, err)
}
