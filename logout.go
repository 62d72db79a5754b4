package valetkey

import (
	"context"
	"net/http"
	"strings"

	"github.com/valetkey/valetkey/internal/logout"
	"github.com/valetkey/valetkey/internal/session"
)

// EndSession tells the clients that browser sessions signed somebody in to that
// these sessions have ended (OpenID Connect Back-Channel Logout 1.0). The names
// are those of [oauth.Session].SID, or ID where that is empty. A host calls it
// whenever it ends a session: somebody signs out, is disabled, or has another
// password; sessions that expire need not be told. What ends at the server's own
// logout endpoint the server tells by itself.
//
// It only writes down what is to be told, so that no notice is lost. Called in a
// transaction of the store it is part of that. Start delivers, at once and again
// until the clients have answered or a day has passed.
func (s *Server) EndSession(ctx context.Context, sids ...string) error {
	if s.notices == nil {
		return nil
	}
	return s.notices.End(ctx, sids...)
}

// SessionChanged lets pages that watch the session notice that the browser which
// gets the answer w has another one, or none (OpenID Connect Session Management
// 1.0). A host calls it when it sets or takes its session cookie.
func (s *Server) SessionChanged(w http.ResponseWriter) { s.states.Forget(w) }

// signsOut reports whether there is a logout endpoint.
func (s *Server) signsOut() bool { return s.keys != nil && s.cfg.Logout != nil }

func (s *Server) buildLogout() error {
	if s.keys == nil {
		return nil
	}
	s.notices = logout.NewDeliverer(logout.Delivery{
		Store: s.cfg.Store, Issuer: s.cfg.Issuer, IDTokens: s.idTokens, Post: s.post.PostForm, Now: s.cfg.Now, Logger: s.cfg.Logger,
	})
	if s.signsOut() {
		s.states = session.NewStates(s.ring.Derive("browser state")[0], strings.HasPrefix(s.cfg.Issuer, "https:"))
	}
	return nil
}

// logoutRoutes mounts what ends sessions.
func (s *Server) logoutRoutes(at mount) {
	if !s.signsOut() {
		return
	}
	room := logout.New(logout.Config{
		Store: s.cfg.Store, Live: s.live, Login: s.login, Pages: s.pages, Issuer: s.cfg.Issuer, IDTokens: s.idTokens,
		Deliverer: s.notices, States: s.states, Logout: s.cfg.Logout,
	})
	at(logout.Path, http.HandlerFunc(room.EndSession))
	at(logout.CheckSessionPath, http.HandlerFunc(room.CheckSession))
	at(logout.ConfirmPath, s.browser(http.HandlerFunc(room.Confirm)))
}
