package valetkey

import (
	"net/http"

	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/respond"
)

// routes is the route table.
func (s *Server) routes() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.Handle(s.path("/assets/"), s.pages.Assets())
	return peer.Identify(s.cfg.TrustedProxies, respond.WithLogger(remember(mux), s.cfg.Logger)), nil
}
