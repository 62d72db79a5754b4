package clientauth

import (
	"slices"

	"github.com/valetkey/valetkey/internal/clientkeys"
	"github.com/valetkey/valetkey/oauth"
)

// Methods lists the methods by which clients authenticate at every endpoint, for
// the metadata; with AuthNone they only say who they are.
func (a *Authenticator) Methods() []string {
	out := []string{}
	for _, m := range a.methods() {
		out = append(out, string(m))
	}
	return out
}

// methods: those that need keys are there if what they need is.
func (a *Authenticator) methods() []oauth.AuthMethod {
	out := []oauth.AuthMethod{oauth.AuthBasic, oauth.AuthPost}
	if a.cfg.Ring != nil {
		out = append(out, oauth.AuthSecretJWT)
	}
	if a.cfg.Keys != nil {
		out = append(out, oauth.AuthPrivateKeyJWT)
	}
	return append(out, oauth.AuthNone)
}

// SigningAlgs lists the algorithms of client assertions, for the metadata
// (RFC 8414 §2, token_endpoint_auth_signing_alg_values_supported); none if no
// method signs.
func (a *Authenticator) SigningAlgs() []string { return Algorithms(a.methods()) }

// Algorithms lists the JWS algorithms of the methods that sign.
func Algorithms(methods []oauth.AuthMethod) []string {
	var out []string
	if slices.Contains(methods, oauth.AuthPrivateKeyJWT) {
		out = append(out, clientkeys.Algorithms...)
	}
	if slices.Contains(methods, oauth.AuthSecretJWT) {
		out = append(out, secretAlgorithms...)
	}
	return out
}
