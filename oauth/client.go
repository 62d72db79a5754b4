package oauth

import (
	"slices"
	"time"
)

// ApplicationType is what a developer says a client is. It chooses the
// defaults of a new client and the rules for its redirect URIs.
type ApplicationType string

const (
	// WebApplication runs on a server and can keep a secret.
	WebApplication ApplicationType = "web"
	// BrowserApplication runs in a browser (a single-page application) and keeps no secret.
	BrowserApplication ApplicationType = "browser"
	// NativeApplication runs on a person's device or command line (RFC 8252).
	NativeApplication ApplicationType = "native"
	// ServiceApplication acts for itself, with no user (RFC 6749 §4.4).
	ServiceApplication ApplicationType = "service"
	// LegacyApplication may be registered for grant types that OAuth 2.1 dropped.
	LegacyApplication ApplicationType = "legacy"
)

// AuthMethod is how a client authenticates at the token endpoint
// (RFC 7591 §2, token_endpoint_auth_method).
type AuthMethod string

const (
	AuthNone  AuthMethod = "none"
	AuthBasic AuthMethod = "client_secret_basic"
	AuthPost  AuthMethod = "client_secret_post"
)

// Grant types and response types of RFC 6749, by their wire names.
const (
	GrantAuthorizationCode = "authorization_code"
	GrantRefreshToken      = "refresh_token"
	GrantClientCredentials = "client_credentials"
	GrantPassword          = "password"
	GrantImplicit          = "implicit"

	ResponseTypeCode  = "code"
	ResponseTypeToken = "token"
)

// Client is registered software (RFC 6749 §2). A person sees it as an application.
type Client struct {
	ID          string // client_id
	Type        ApplicationType
	Name        string // shown on the consent page; plain text, at most 60 characters
	Description string
	Website     string     // http or https URL
	Owner       string     // subject of the user who registered it; empty for an operator's client
	AuthMethod  AuthMethod // AuthNone makes the client public (RFC 6749 §2.1)

	// RedirectURIs are compared character by character (RFC 6749 §3.1.2.3);
	// only the port of a loopback IP address may vary (RFC 8252 §7.3).
	RedirectURIs []string
	GrantTypes   []string // the grant types this client may use
	// Scopes bounds what the client may ask for. Empty means every scope that
	// is not internal.
	Scopes []string
	// DefaultScopes are granted when a request names no scope (RFC 6749 §3.3).
	DefaultScopes []string

	RequirePKCE bool // refuse an authorization request without a code challenge (RFC 7636)
	FirstParty  bool // the operator's own software: consent is not asked where nobody can take its place
	Internal    bool // hidden from the settings pages
	Disabled    bool // refused everywhere, and its tokens are dead, until it is enabled again

	CreatedAt time.Time
	UpdatedAt time.Time
}

// Public reports whether the client keeps no secret (RFC 6749 §2.1).
func (c *Client) Public() bool { return c.AuthMethod == AuthNone }

// MayUse reports whether the client is registered for the grant type.
func (c *Client) MayUse(grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

// ClientSecret is one of the secrets of a confidential client. Two may be
// active at once so that a secret can be rotated without an outage.
type ClientSecret struct {
	ID         string // look-up id inside the secret
	ClientID   string
	Hash       Hash
	Hint       string // last four characters, for people
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero: never
	LastUsedAt time.Time // minute precision; zero: never
}
