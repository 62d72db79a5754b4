// Package discovery serves the authorization server's metadata (RFC 8414).
//
// The document is made once, from what the server is configured to do, and then
// served as ready bytes with an ETag. Whatever it lists works, and whatever
// works is listed. It can hold only names of the IANA registry "OAuth
// Authorization Server Metadata": [Document.Set] refuses others.
package discovery

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/valetkey/valetkey/internal/issuer"
	"github.com/valetkey/valetkey/internal/proof"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
)

// WellKnown is where the document lives below the host (RFC 8414 §3).
const WellKnown = "/.well-known/oauth-authorization-server"

// Path is the path of an issuer's document: the well-known part goes between the
// host and the issuer's own path (RFC 8414 §3.1).
func Path(id string) string { return WellKnown + issuer.Path(id) }

// Config says what the server does. Issuer, Scopes and Grants are required.
type Config struct {
	Issuer   string
	Scopes   *oauth.Scopes
	Grants   []string // grant types at the token endpoint
	Implicit bool     // response_type=token is on offer
	JWKS     bool     // the server publishes signing keys
}

// New makes the document and returns its handler.
func New(c Config) (http.Handler, error) {
	d, err := Describe(c)
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	sum := sha256.Sum256(body)
	return respond.CORS(&endpoint{body: body, etag: `"` + hex.EncodeToString(sum[:12]) + `"`}, http.MethodGet, http.MethodHead), nil
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

// Describe builds the document.
func Describe(c Config) (Document, error) {
	responseTypes, responseModes, grants := []string{oauth.ResponseTypeCode}, []string{"query"}, c.Grants
	if c.Implicit {
		responseTypes = append(responseTypes, oauth.ResponseTypeToken)
		responseModes = append(responseModes, "fragment")
		grants = append(grants[:len(grants):len(grants)], oauth.GrantImplicit)
	}
	secrets := []string{string(oauth.AuthBasic), string(oauth.AuthPost)}
	all := append(secrets[:len(secrets):len(secrets)], string(oauth.AuthNone))

	d := Document{}
	for _, m := range []struct {
		name  string
		value any
	}{
		{"issuer", c.Issuer},
		{"authorization_endpoint", c.Issuer + "/oauth/authorize"},
		{"token_endpoint", c.Issuer + "/oauth/token"},
		{"revocation_endpoint", c.Issuer + "/oauth/revoke"},
		{"introspection_endpoint", c.Issuer + "/oauth/introspect"},
		{"scopes_supported", scopeNames(c.Scopes)},
		{"response_types_supported", responseTypes},
		{"response_modes_supported", responseModes},
		{"grant_types_supported", grants},
		{"token_endpoint_auth_methods_supported", all},
		{"revocation_endpoint_auth_methods_supported", all},
		{"introspection_endpoint_auth_methods_supported", secrets},
		{"code_challenge_methods_supported", []string{proof.MethodS256}},
		{"authorization_response_iss_parameter_supported", true}, // RFC 9207 §3
		{"prompt_values_supported", []string{"none", "login", "consent", "select_account"}},
		{"request_parameter_supported", false},
		{"request_uri_parameter_supported", false}, // true is the default of OpenID Connect Discovery
	} {
		if err := d.Set(m.name, m.value); err != nil {
			return nil, err
		}
	}
	if c.JWKS {
		return d, d.Set("jwks_uri", c.Issuer+"/oauth/jwks")
	}
	return d, nil
}

// scopeNames lists what anybody may ask for; internal scopes are nobody's business.
func scopeNames(s *oauth.Scopes) []string {
	names := []string{}
	for _, scope := range s.Visible() {
		names = append(names, scope.Name)
	}
	return names
}

type endpoint struct {
	body []byte
	etag string
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		respond.MethodNotAllowed(w, r, http.MethodGet, http.MethodHead)
		return
	}
	h := w.Header()
	h.Set("ETag", e.etag)
	h.Set("Cache-Control", "public, max-age=300")
	if matches(r.Header.Get("If-None-Match"), e.etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.Write(e.body)
}

// matches reads If-None-Match (RFC 9110 §13.1.2).
func matches(header, etag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		if c := strings.TrimPrefix(strings.TrimSpace(candidate), "W/"); c == etag || c == "*" {
			return true
		}
	}
	return false
}
