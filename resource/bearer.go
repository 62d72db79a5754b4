package resource

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/valetkey/valetkey/oauth"
)

// maxToken is the length, in bytes, beyond which a token is not looked at.
const maxToken = 8 << 10

// credential is what a request shows to be let in.
type credential struct {
	token   oauth.Secret
	inQuery bool
}

// bearer reads the access token of r (RFC 6750 §2). It returns ErrNoToken if
// the request has none, and an invalid_request refusal for one that cannot be
// read or is there twice.
func bearer(r *http.Request, queryToken bool) (credential, error) {
	headers := r.Header.Values("Authorization")
	switch {
	case len(headers) > 1:
		return credential{}, malformed("The request has more than one Authorization header.")
	case len(headers) == 1:
		token, err := bearerHeader(headers[0])
		return credential{token: token}, err
	case queryToken:
		token, err := bearerQuery(r.URL.RawQuery)
		return credential{token: token, inQuery: true}, err
	}
	return credential{}, ErrNoToken
}

// bearerHeader reads `Bearer token68` (RFC 6750 §2.1). Other schemes are no
// token: what they carry is somebody else's business.
func bearerHeader(value string) (oauth.Secret, error) {
	n := 0
	for n < len(value) && tchars[value[n]] {
		n++
	}
	if !strings.EqualFold(value[:n], "Bearer") {
		return "", ErrNoToken
	}
	token, ok := strings.CutPrefix(value[n:], " ")
	if !ok || !token68(token) {
		return "", malformed("The Authorization header must be the word Bearer, one space and the access token.")
	}
	return oauth.Secret(token), nil
}

// bearerQuery reads ?access_token= (RFC 6750 §2.3).
func bearerQuery(raw string) (oauth.Secret, error) {
	query, _ := url.ParseQuery(raw) // what cannot be read is left out, as net/http does
	values := query["access_token"]
	switch {
	case len(values) == 0 || len(values) == 1 && values[0] == "":
		return "", ErrNoToken
	case len(values) > 1:
		return "", malformed("The parameter access_token is there more than once.")
	case !token68(values[0]):
		return "", malformed("The parameter access_token is not an access token.")
	}
	return oauth.Secret(values[0]), nil
}

const alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

var (
	tchars       = only(alphanumeric + "!#$%&'*+-.^_`|~") // RFC 9110 §5.6.2
	token68Chars = only(alphanumeric + "-._~+/")          // RFC 9110 §11.2
)

func only(chars string) (set [256]bool) {
	for i := range len(chars) {
		set[chars[i]] = true
	}
	return set
}

// token68: one or more token68 characters, then any number of "=".
func token68(s string) bool {
	if len(s) > maxToken {
		return false
	}
	body := strings.TrimRight(s, "=")
	for i := range len(body) {
		if !token68Chars[body[i]] {
			return false
		}
	}
	return body != ""
}

func malformed(description string) error {
	return &oauth.Error{Code: oauth.InvalidRequest, Description: description}
}
