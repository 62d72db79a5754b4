package valetkey

import (
	"net/http"

	"github.com/valetkey/valetkey/internal/claims"
	"github.com/valetkey/valetkey/internal/discovery"
	"github.com/valetkey/valetkey/internal/requestobject"
	"github.com/valetkey/valetkey/oauth"
)

// metadata says what the routes can do. A new route or switch that a client may
// use belongs here too; the test that walks the document finds what is missing.
func (s *Server) metadata() (http.Handler, error) {
	c := discovery.Config{
		Issuer: s.cfg.Issuer, Scopes: s.scopes, JWKS: s.keys != nil, DeviceAuthorization: true,
		Grants:        []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials, oauth.GrantDeviceCode},
		ResponseTypes: s.responseTypes(),
		AuthMethods:   s.clients.Methods(),
		AssertionAlgs: s.clients.SigningAlgs(),

		Registration: s.cfg.Registration.Mode != "", ClientDocuments: s.cfg.ClientDocuments.Enabled,
		PushedRequests: true, RequirePushed: s.cfg.RequirePushed, RequestObjectAlgs: requestobject.Algorithms,
	}
	if s.cfg.Password != nil {
		c.Grants = append(c.Grants, oauth.GrantPassword)
	}
	for _, r := range s.cfg.Resources {
		c.ProtectedResources = append(c.ProtectedResources, r.URI)
	}
	if s.keys != nil {
		s.describeOpenID(&c)
	}
	return discovery.New(c)
}

// describeOpenID says what a server that can sign does beyond OAuth.
func (s *Server) describeOpenID(c *discovery.Config) {
	algs := s.keys.Algorithms()
	c.IntrospectionAlgs = algs
	c.OpenID = &discovery.OpenID{
		SigningAlgs: algs, Claims: append([]string{"sub"}, claims.Names()...), ACRValues: s.cfg.ACRValues,
		Logout: s.signsOut(), SessionManaged: s.signsOut(),
	}
}
