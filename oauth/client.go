package oauth

import (
	"cmp"
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
	AuthNone          AuthMethod = "none"
	AuthBasic         AuthMethod = "client_secret_basic"
	AuthPost          AuthMethod = "client_secret_post"
	AuthSecretJWT     AuthMethod = "client_secret_jwt" // OpenID Connect Core §9
	AuthPrivateKeyJWT AuthMethod = "private_key_jwt"   // OpenID Connect Core §9, RFC 7523 §2.2
)

// Grant types and response types, by their wire names. A response type of
// several words stands in the order of its registration (OAuth 2.0 Multiple
// Response Type Encoding Practices §5).
const (
	GrantAuthorizationCode = "authorization_code"
	GrantRefreshToken      = "refresh_token"
	GrantClientCredentials = "client_credentials"
	GrantPassword          = "password"
	GrantImplicit          = "implicit"
	GrantDeviceCode        = "urn:ietf:params:oauth:grant-type:device_code" // RFC 8628 §3.4

	ResponseTypeCode             = "code"
	ResponseTypeToken            = "token"
	ResponseTypeIDToken          = "id_token"
	ResponseTypeIDTokenToken     = "id_token token"
	ResponseTypeCodeIDToken      = "code id_token"
	ResponseTypeCodeToken        = "code token"
	ResponseTypeCodeIDTokenToken = "code id_token token"
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

	// Registration says how the client came to be.
	Registration Registration
	// Profile bends the server's rules for this client.
	Profile Profile
	// Metadata is what OpenID Connect and later RFCs added to a registration.
	Metadata ClientMetadata
	// Fingerprint finds a public client that registered itself with the same
	// metadata before; empty: it is not to be found that way. Unique.
	Fingerprint string
	// RefreshAt is when the document of a client that is one must be fetched
	// again; zero for every other client.
	RefreshAt time.Time

	CreatedAt time.Time
	UpdatedAt time.Time
}

// Registration is how a client came to be.
type Registration string

const (
	// RegisteredByHand: a person registered it, in the settings or on the command line.
	RegisteredByHand Registration = ""
	// RegisteredDynamically: it registered itself (RFC 7591).
	RegisteredDynamically Registration = "dynamic"
	// RegisteredByDocument: its id is the https URL of a document that describes it
	// (OAuth Client ID Metadata Document).
	RegisteredByDocument Registration = "document"
)

// Profile is a set of rules that a client is held to. The documents contradict
// each other, so each client is under one of them.
type Profile string

const (
	// ProfileOfServer is whichever the server is under.
	ProfileOfServer Profile = ""
	// ProfileDefault is OAuth 2.1 with OpenID Connect.
	ProfileDefault Profile = "default"
	// ProfileCertification is OpenID Connect Core as the OpenID Foundation's
	// conformance plans for a provider test it: PKCE may be left out, and
	// a client assertion may name the token endpoint as its audience.
	ProfileCertification Profile = "oidc-certification"
)

// Public reports whether the client keeps no secret (RFC 6749 §2.1).
func (c *Client) Public() bool { return c.AuthMethod == AuthNone }

// Under returns the profile the client is held to on a server of that profile.
func (c *Client) Under(server Profile) Profile { return cmp.Or(c.Profile, server, ProfileDefault) }

// MayUse reports whether the client is registered for the grant type.
func (c *Client) MayUse(grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

// ClientSecret is one of the secrets of a confidential client. Two may be
// active at once so that a secret can be rotated without an outage.
type ClientSecret struct {
	ID       string // look-up id inside the secret
	ClientID string
	Hash     Hash
	Hint     string // last four characters, for people
	// Sealed is the secret encrypted by the keyring, for a client that signs with
	// it (client_secret_jwt); empty for every other client.
	Sealed     string
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero: never
	LastUsedAt time.Time // minute precision; zero: never
}
