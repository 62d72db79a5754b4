// Package proof checks what ties a request to the party that began it: PKCE
// (RFC 7636).
//
// PKCE is checked three ways: the verifier is present exactly when the challenge
// was, the method is the one of the authorization request, and that is S256
// only. "plain" protects nothing from who can read the authorization request,
// and a method left out means plain (RFC 7636 §4.3), so it is refused.
package proof

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/valetkey/valetkey/oauth"
)

// MethodS256 is the only code challenge method (RFC 7636 §4.2).
const MethodS256 = "S256"

const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

// Challenge reads code_challenge and code_challenge_method of an authorization
// request (RFC 7636 §4.3). It returns "" when the request has neither and none
// is required. A refusal is an [*oauth.Error] of code invalid_request.
func Challenge(challenge, method string, required bool) (string, error) {
	switch {
	case challenge == "" && method != "":
		return "", refuse(oauth.InvalidRequest, "The parameter code_challenge_method was sent without code_challenge.")
	case challenge == "" && required:
		return "", refuse(oauth.InvalidRequest, "The parameter code_challenge is missing: this client must use PKCE with code_challenge_method=S256.")
	case challenge == "":
		return "", nil
	case method == "":
		return "", refuse(oauth.InvalidRequest, "The parameter code_challenge_method is missing and must be S256.")
	case method != MethodS256:
		return "", refuse(oauth.InvalidRequest, "The parameter code_challenge_method must be S256.")
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(challenge)
	if err != nil || len(sum) != sha256.Size || strings.ContainsAny(challenge, "\r\n") {
		return "", refuse(oauth.InvalidRequest, "The parameter code_challenge is not an S256 challenge: 43 characters of base64url.")
	}
	return challenge, nil
}

// VerifyPKCE compares the code_verifier of a token request with the challenge
// that is kept with the code; each is "" if it was not sent (RFC 7636 §4.6, RFC
// 9700 §2.1.1). A refusal is an [*oauth.Error] of code invalid_grant.
func VerifyPKCE(challenge, verifier string) error {
	switch {
	case challenge == "" && verifier == "":
		return nil
	case challenge == "":
		return refuse(oauth.InvalidGrant, "The parameter code_verifier was sent but the authorization request had no code_challenge.")
	case verifier == "":
		return refuse(oauth.InvalidGrant, "The parameter code_verifier is missing: the authorization request had a code_challenge.")
	case len(verifier) < 43 || len(verifier) > 128 || strings.Trim(verifier, unreserved) != "":
		return refuse(oauth.InvalidGrant, "The parameter code_verifier is not 43 to 128 letters, digits, '-', '.', '_' or '~'.")
	}
	sum := sha256.Sum256([]byte(verifier))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	if subtle.ConstantTimeCompare([]byte(want), []byte(challenge)) != 1 {
		return refuse(oauth.InvalidGrant, "The parameter code_verifier does not match the code_challenge of the authorization request.")
	}
	return nil
}

func refuse(code oauth.ErrorCode, description string) error {
	return &oauth.Error{Code: code, Description: description}
}
