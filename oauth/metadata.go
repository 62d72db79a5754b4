package oauth

import (
	"encoding/json"
	"slices"
)

// ClientMetadata is what OpenID Connect Dynamic Client Registration §2 and later
// documents added to the registration of RFC 7591 §2. Its JSON members are the
// registered names; what is absent takes the default of its document.
type ClientMetadata struct {
	// ResponseTypes the client may use; empty: those that follow from its grant types.
	ResponseTypes []string `json:"response_types,omitempty"`
	Contacts      []string `json:"contacts,omitempty"`
	LogoURI       string   `json:"logo_uri,omitempty"`
	PolicyURI     string   `json:"policy_uri,omitempty"`
	TermsURI      string   `json:"tos_uri,omitempty"`

	JWKS                json.RawMessage `json:"jwks,omitempty"` // public keys by value; excludes JWKSURI
	JWKSURI             string          `json:"jwks_uri,omitempty"`
	SectorIdentifierURI string          `json:"sector_identifier_uri,omitempty"`
	SubjectType         string          `json:"subject_type,omitempty"` // SubjectPublic if empty

	TokenAuthAlg        string `json:"token_endpoint_auth_signing_alg,omitempty"`   // of client assertions; any if empty
	IDTokenAlg          string `json:"id_token_signed_response_alg,omitempty"`      // RS256 if empty (OpenID Connect Core §2)
	UserInfoAlg         string `json:"userinfo_signed_response_alg,omitempty"`      // plain JSON if empty
	RequestObjectAlg    string `json:"request_object_signing_alg,omitempty"`        // any if empty
	IntrospectionAlg    string `json:"introspection_signed_response_alg,omitempty"` // RFC 9701 §6; RS256 if empty
	AccessTokenFormat   string `json:"access_token_format,omitempty"`               // FormatOpaque if empty; our own name
	RequireSignedObject bool   `json:"require_signed_request_object,omitempty"`     // RFC 9101 §10.5
	RequirePushed       bool   `json:"require_pushed_authorization_requests,omitempty"`

	DefaultMaxAge    *int64   `json:"default_max_age,omitempty"` // seconds
	RequireAuthTime  bool     `json:"require_auth_time,omitempty"`
	DefaultACRValues []string `json:"default_acr_values,omitempty"`
	InitiateLoginURI string   `json:"initiate_login_uri,omitempty"`
	RequestURIs      []string `json:"request_uris,omitempty"`

	PostLogoutRedirectURIs    []string `json:"post_logout_redirect_uris,omitempty"`
	BackchannelLogoutURI      string   `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSession  bool     `json:"backchannel_logout_session_required,omitempty"`
	FrontchannelLogoutURI     string   `json:"frontchannel_logout_uri,omitempty"`
	FrontchannelLogoutSession bool     `json:"frontchannel_logout_session_required,omitempty"`
	SoftwareID                string   `json:"software_id,omitempty"`
	SoftwareVersion           string   `json:"software_version,omitempty"`
}

// Subject types (OpenID Connect Core §8) and formats of access tokens.
const (
	SubjectPublic   = "public"   // every client sees the same sub
	SubjectPairwise = "pairwise" // each sector sees its own

	FormatOpaque = "opaque" // checked at the introspection endpoint
	FormatJWT    = "jwt"    // RFC 9068
)

// MayRespond reports whether the client may use a response type, given in the
// order of its registration. Without a list of them code follows from the
// authorization code grant, token and id_token from the implicit grant, and the
// hybrids from both.
func (c *Client) MayRespond(responseType string) bool {
	if list := c.Metadata.ResponseTypes; len(list) > 0 {
		return slices.Contains(list, responseType)
	}
	switch responseType {
	case ResponseTypeCode:
		return c.MayUse(GrantAuthorizationCode)
	case ResponseTypeToken, ResponseTypeIDToken, ResponseTypeIDTokenToken:
		return c.MayUse(GrantImplicit)
	case ResponseTypeCodeIDToken, ResponseTypeCodeToken, ResponseTypeCodeIDTokenToken:
		return c.MayUse(GrantAuthorizationCode) && c.MayUse(GrantImplicit)
	}
	return false
}
