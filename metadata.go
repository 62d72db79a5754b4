package valetkey

import (
	"net/http"

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
		ResponseTypes: []string{oauth.ResponseTypeCode},
		AuthMethods:   s.clients.Methods(),
		AssertionAlgs: s.clients.SigningAlgs(),

		PushedRequests: true, RequirePushed: s.cfg.RequirePushed, RequestObjectAlgs: requestobject.Algorithms,
	}
	if s.cfg.Password != nil {
		c.Grants = append(c.Grants, oauth.GrantPassword)
	}
	if s.cfg.Compat.Implicit {
		c.ResponseTypes = append(c.ResponseTypes, oauth.ResponseTypeToken)
	}
	return discovery.New(c)
}
