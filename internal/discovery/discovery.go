package discovery

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/valetkey/valetkey/internal/issuer"
	"github.com/valetkey/valetkey/internal/respond"
)

// WellKnown is where the document lies below the host (RFC 8414 §3), and
// OpenIDWellKnown where it lies below the issuer (OpenID Connect Discovery §4).
const (
	WellKnown       = "/.well-known/oauth-authorization-server"
	OpenIDWellKnown = "/.well-known/openid-configuration"
)

// maxAge is for how long a client may keep the document.
const maxAge = 5 * time.Minute

// Paths lists the addresses of an issuer's document. RFC 8414 §3.1 puts the
// well-known part between the host and the issuer's own path, also for OpenID
// (§5); OpenID Connect Discovery §4.1 appends it. Clients try all of them.
func Paths(id string, openID bool) []string {
	path := issuer.Path(id)
	paths := []string{WellKnown + path}
	if path != "" {
		paths = append(paths, path+WellKnown)
	}
	if openID {
		paths = append(paths, OpenIDWellKnown+path)
		if path != "" {
			paths = append(paths, path+OpenIDWellKnown)
		}
	}
	return paths
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
	return respond.CORS(respond.NewReady("application/json", body, maxAge), http.MethodGet, http.MethodHead), nil
}
