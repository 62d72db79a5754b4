package discovery

import (
	"fmt"
	"slices"

	"github.com/valetkey/valetkey/internal/proof"
	"github.com/valetkey/valetkey/oauth"
)

// Config says what the server does. Lists are in the spelling of the wire.
type Config struct {
	Issuer        string
	Scopes        *oauth.Scopes
	Grants        []string // grant types at the token endpoint
	ResponseTypes []string
	AuthMethods   []string // of clients at the token endpoint, none among them
	AssertionAlgs []string // JWS algorithms of client assertions; empty: there are none

	JWKS                    bool // the server publishes signing keys
	Registration            bool // clients may register themselves
	ClientDocuments         bool // client ids may be URLs of documents
	DeviceAuthorization     bool
	PushedRequests          bool
	RequirePushed           bool
	RequestObjectAlgs       []string // of signed request objects; empty: not supported
	IntrospectionAlgs       []string // of signed introspection responses
	ProtectedResources      []string // RFC 9728 §4
	OpenID                  *OpenID  // nil: the server is no OpenID Provider
	ServiceDocumentationURL string
}

// OpenID says what the server does as an OpenID Provider.
type OpenID struct {
	SigningAlgs    []string // of ID tokens, UserInfo and logout tokens
	Claims         []string // names of the claims it can tell
	ACRValues      []string
	Logout         bool // end_session_endpoint, and clients are told
	SessionManaged bool // check_session_iframe
}

// Document is the metadata by member name.
type Document map[string]any

// Set adds a member, unless its name is not registered.
func (d Document) Set(name string, value any) error {
	if !registered[name] {
		return fmt.Errorf("discovery: %q is not a registered metadata name", name)
	}
	d[name] = value
	return nil
}

// member is one line of the document. It is left out if when is false.
type member struct {
	when  bool
	name  string
	value any
}

// Describe builds the document.
func Describe(c Config) (Document, error) {
	d := Document{}
	for _, group := range [][]member{endpoints(c), requests(c), clients(c), openID(c)} {
		for _, m := range group {
			if !m.when {
				continue
			}
			if err := d.Set(m.name, m.value); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}

// endpoints: RFC 8414 §2 and the documents that added an endpoint each.
func endpoints(c Config) []member {
	o := c.OpenID
	at := func(path string) string { return c.Issuer + path }
	return []member{
		{true, "issuer", c.Issuer},
		{true, "authorization_endpoint", at("/oauth/authorize")},
		{true, "token_endpoint", at("/oauth/token")},
		{true, "revocation_endpoint", at("/oauth/revoke")},
		{true, "introspection_endpoint", at("/oauth/introspect")},
		{c.JWKS, "jwks_uri", at("/oauth/jwks")},
		{c.Registration, "registration_endpoint", at("/oauth/register")},                            // RFC 7591 §3
		{c.DeviceAuthorization, "device_authorization_endpoint", at("/oauth/device_authorization")}, // RFC 8628 §4
		{c.PushedRequests, "pushed_authorization_request_endpoint", at("/oauth/par")},               // RFC 9126 §5
		{o != nil, "userinfo_endpoint", at("/oauth/userinfo")},
		{o != nil && o.Logout, "end_session_endpoint", at("/oauth/logout")},
		{o != nil && o.SessionManaged, "check_session_iframe", at("/oauth/check_session")},
		{c.ServiceDocumentationURL != "", "service_documentation", c.ServiceDocumentationURL},
		{len(c.ProtectedResources) > 0, "protected_resources", c.ProtectedResources},
	}
}

// requests says what an authorization request may hold.
func requests(c Config) []member {
	signed := len(c.RequestObjectAlgs) > 0
	grants := c.Grants
	if slices.ContainsFunc(c.ResponseTypes, func(t string) bool { return t != oauth.ResponseTypeCode }) {
		grants = append(grants[:len(grants):len(grants)], oauth.GrantImplicit)
	}
	return []member{
		{true, "scopes_supported", scopeNames(c.Scopes)},
		{true, "response_types_supported", c.ResponseTypes},
		{true, "response_modes_supported", []string{"query", "fragment", "form_post"}},
		{true, "grant_types_supported", grants},
		{true, "code_challenge_methods_supported", []string{proof.MethodS256}},
		{true, "authorization_response_iss_parameter_supported", true}, // RFC 9207 §3
		{true, "prompt_values_supported", []string{"none", "login", "consent", "select_account"}},
		{true, "ui_locales_supported", []string{"en"}},
		{true, "request_parameter_supported", signed},
		{true, "request_uri_parameter_supported", signed}, // true is the default of OpenID Connect Discovery
		{signed, "require_request_uri_registration", true},
		{signed, "request_object_signing_alg_values_supported", c.RequestObjectAlgs},
		{c.PushedRequests, "require_pushed_authorization_requests", c.RequirePushed},
	}
}

// clients says how clients may authenticate, and where they may come from.
func clients(c Config) []member {
	asserts := len(c.AssertionAlgs) > 0
	secret := slices.DeleteFunc(slices.Clone(c.AuthMethods), func(m string) bool { return m == string(oauth.AuthNone) })
	return []member{
		{true, "token_endpoint_auth_methods_supported", c.AuthMethods},
		{true, "revocation_endpoint_auth_methods_supported", c.AuthMethods},
		{true, "introspection_endpoint_auth_methods_supported", secret},
		{asserts, "token_endpoint_auth_signing_alg_values_supported", c.AssertionAlgs},
		{asserts, "revocation_endpoint_auth_signing_alg_values_supported", c.AssertionAlgs},
		{asserts, "introspection_endpoint_auth_signing_alg_values_supported", c.AssertionAlgs},
		{len(c.IntrospectionAlgs) > 0, "introspection_signing_alg_values_supported", c.IntrospectionAlgs}, // RFC 9701 §7
		{c.ClientDocuments, "client_id_metadata_document_supported", true},
	}
}

// openID: OpenID Connect Discovery §3, RP-Initiated Logout §2.1, Back-Channel
// Logout §2.1, Front-Channel Logout §3.
func openID(c Config) []member {
	o := c.OpenID
	if o == nil {
		return nil
	}
	return []member{
		{true, "subject_types_supported", []string{oauth.SubjectPublic, oauth.SubjectPairwise}},
		{true, "id_token_signing_alg_values_supported", o.SigningAlgs},
		{true, "userinfo_signing_alg_values_supported", o.SigningAlgs},
		{true, "claim_types_supported", []string{"normal"}},
		{true, "claims_supported", o.Claims},
		{true, "claims_parameter_supported", true},
		{len(o.ACRValues) > 0, "acr_values_supported", o.ACRValues},
		{o.Logout, "backchannel_logout_supported", true},
		{o.Logout, "backchannel_logout_session_supported", true},
		{o.Logout, "frontchannel_logout_supported", true},
		{o.Logout, "frontchannel_logout_session_supported", true},
	}
}

// scopeNames lists what anybody may ask for; internal scopes are nobody's business.
func scopeNames(s *oauth.Scopes) []string {
	names := []string{}
	for _, scope := range s.Visible() {
		names = append(names, scope.Name)
	}
	return names
}
