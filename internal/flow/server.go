package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Server is what a client has to know of a server; the members are those of RFC
// 8414 §2 and OpenID Connect Discovery §3. What is empty is not known.
type Server struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	Device        string   `json:"device_authorization_endpoint"`
	Introspection string   `json:"introspection_endpoint"`
	UserInfo      string   `json:"userinfo_endpoint"`
	JWKS          string   `json:"jwks_uri"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
	NamesIssuer   bool     `json:"authorization_response_iss_parameter_supported"` // RFC 9207 §3
}

// Discover asks the issuer what it is: as OpenID Connect Discovery §4 has it, and
// if there is nothing, as RFC 8414 §3.1 has it.
func Discover(ctx context.Context, issuer string) (*Server, error) {
	if err := CheckURL(issuer); err != nil {
		return nil, &Refusal{"issuer: " + err.Error()}
	}
	u, err := url.Parse(issuer)
	if err != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, refusef("the issuer %q has a query or a fragment", issuer)
	}
	w := newWeb()
	appended := strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
	inserted := u.Scheme + "://" + u.Host + "/.well-known/oauth-authorization-server" + strings.TrimSuffix(u.EscapedPath(), "/")
	for _, address := range []string{appended, inserted} {
		a, err := w.get(ctx, address, "Accept", "application/json")
		if err != nil {
			return nil, err
		}
		if a.status == http.StatusNotFound {
			continue
		}
		s := &Server{}
		if err := a.object(address, s); err != nil {
			return nil, err
		}
		if s.Issuer != issuer {
			return nil, refusef("%s says that its issuer is %q, not %q: they must be the same, character by character", address, s.Issuer, issuer)
		}
		return s, nil
	}
	return nil, fmt.Errorf("%s publishes no metadata: neither %s nor %s is there", issuer, appended, inserted)
}

// Keys fetches the server's public keys.
func (s *Server) Keys(ctx context.Context) (*Keys, error) {
	if s.JWKS == "" {
		return nil, errors.New("the server publishes no keys")
	}
	return FetchKeys(ctx, s.JWKS)
}

// Keys are public keys that verify tokens.
type Keys = jose.JSONWebKeySet

// FetchKeys fetches a JSON Web Key Set (RFC 7517 §5).
func FetchKeys(ctx context.Context, address string) (*Keys, error) {
	a, err := newWeb().get(ctx, address, "Accept", "application/jwk-set+json, application/json")
	if err != nil {
		return nil, err
	}
	set := &Keys{}
	return set, a.object(address, set)
}

// ParseKeys reads a JSON Web Key Set.
func ParseKeys(text []byte) (*Keys, error) {
	set := &Keys{}
	switch err := json.Unmarshal(text, set); {
	case err != nil:
		return nil, refusef("it is not a JSON Web Key Set: %s", strings.TrimPrefix(err.Error(), "go-jose/go-jose: "))
	case len(set.Keys) == 0:
		return nil, refusef("it holds no key")
	}
	return set, nil
}

// Check refuses endpoints that must not be used (see CheckURL).
func (s *Server) Check() error {
	for _, e := range []struct{ name, address string }{
		{"authorization", s.Authorization}, {"token", s.Token}, {"device authorization", s.Device},
		{"introspection", s.Introspection}, {"userinfo", s.UserInfo}, {"JWKS", s.JWKS},
	} {
		if e.address == "" {
			continue
		}
		if err := CheckURL(e.address); err != nil {
			return refusef("the %s endpoint: %v", e.name, err)
		}
	}
	return nil
}
