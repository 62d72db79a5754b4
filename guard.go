package valetkey

import (
	"context"
	"net/http"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/resource"
)

// RequireAuth lets a request through to next that carries a live access token
// or personal access token, or else comes from a signed-in browser. What such a
// browser sends must not have been made by another site: a request that is not
// GET, HEAD or OPTIONS needs the proof that Proof makes, in the header that
// Config.JWT names. Others are answered 401 with a challenge (RFC 6750 §3).
//
// next learns whom it serves from PrincipalFrom.
func (s *Server) RequireAuth(next http.Handler) http.Handler { return s.guard.RequireAuth(next) }

// RequireScopes is RequireAuth and more: a token must have every one of the
// scopes, or the answer is 403 insufficient_scope. A session has all of its
// user's rights.
func (s *Server) RequireScopes(scopes ...string) func(http.Handler) http.Handler {
	return s.guard.RequireScopes(scopes...)
}

// AllowAnonymous is RequireAuth that also lets a request through that shows no
// credential at all; PrincipalFrom then gives nil. A credential that is shown
// must be good.
func (s *Server) AllowAnonymous(next http.Handler) http.Handler { return s.guard.AllowAnonymous(next) }

// Proof makes the proof against cross-site requests for a session: pages give
// it to the scripts and forms that call guarded routes. It dies with the session.
func (s *Server) Proof(session *oauth.Session) string { return s.csrf.Token(session) }

// PrincipalFrom returns whom the request of that context acts as, or nil where
// no guard of this server let it through.
func PrincipalFrom(ctx context.Context) *oauth.Principal { return resource.PrincipalFrom(ctx) }
