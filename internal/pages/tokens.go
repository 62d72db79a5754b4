package pages

import (
	"time"

	"github.com/valetkey/valetkey/oauth"
)

// Expiry is the choice of how long a token lives. Its fields are expires_in
// (days, "custom" or "none") and expires_at (a date).
type Expiry struct {
	Days     []int // the presets, ascending
	AllowNo  bool  // "no expiration" is offered
	Min, Max string
	// Now is when the presets count from.
	Now time.Time
}

// At is when a token with a preset of so many days expires.
func (e Expiry) At(days int) time.Time { return e.Now.AddDate(0, 0, days) }

// TokenNew asks for a personal access token. Its fields are name, description,
// scopes and those of [Expiry].
type TokenNew struct {
	Form   Form
	Expiry Expiry
	Groups []oauth.ScopeGroup // what may be chosen; empty: there are no scopes
	// FromLink says that the values came from a link, Ignored which scopes of the
	// link do not exist.
	FromLink bool
	Ignored  []string
	// AllowNoScopes says that a token without any permission may be made.
	AllowNoScopes bool
}

func (TokenNew) Template() string { return "token_new.html" }
func (TokenNew) Title() string    { return "New personal access token" }

// TokenCreated shows a token's secret, once.
type TokenCreated struct {
	Token *oauth.Token
	// Secret is empty when the page has shown it before. It is a plain string
	// because showing it is the page's purpose.
	Secret string
	Curl   string // a command that tries the token
}

func (TokenCreated) Template() string { return "token_created.html" }
func (c TokenCreated) Title() string {
	if c.Secret == "" {
		return "This token was shown already"
	}
	return "Copy your token now"
}

// TokenView shows a personal access token and lets it be renamed and narrowed.
// Its fields are name, description and scopes.
type TokenView struct {
	Form   Form
	Token  *oauth.Token
	Groups []oauth.ScopeGroup // the token's own scopes
	// Wider is the URL of a new token with these values and more to choose.
	Wider string
}

func (TokenView) Template() string { return "token.html" }
func (TokenView) Title() string    { return "Personal access token" }

// TokenRegenerate asks how long the new secret of a token shall live.
type TokenRegenerate struct {
	Form   Form
	Token  *oauth.Token
	Expiry Expiry
}

func (TokenRegenerate) Template() string { return "token_regenerate.html" }
func (TokenRegenerate) Title() string    { return "Regenerate token" }

// TokenRevoke asks whether to revoke a token.
type TokenRevoke struct{ Token *oauth.Token }

func (TokenRevoke) Template() string { return "token_revoke.html" }
func (TokenRevoke) Title() string    { return "Revoke token" }
