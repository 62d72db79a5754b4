package oauth

import "slices"

// AuthenticationMethod tells how a protected request was authenticated.
type AuthenticationMethod string

const (
	ByAccessToken   AuthenticationMethod = "access_token"
	ByPersonalToken AuthenticationMethod = "personal_token"
	BySession       AuthenticationMethod = "session"
)

// Principal is whom a protected request acts as.
type Principal struct {
	Subject  string
	ClientID string // empty for sessions and personal access tokens
	Scopes   []string
	Method   AuthenticationMethod
	TokenID  string // look-up id of the token; empty for sessions
}

// Has reports whether the principal may use the scope. A session has all of
// its user's rights.
func (p *Principal) Has(scope string) bool {
	return p.Method == BySession || slices.Contains(p.Scopes, scope)
}
