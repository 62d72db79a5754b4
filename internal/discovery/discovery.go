package discovery

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/valetkey/valetkey/internal/issuer"
	"github.com/valetkey/valetkey/internal/respond"
)

// WellKnown is where the document lies below the host (RFC 8414 §3), and
// OpenIDWellKnown where it lies below the issuer (OpenID Connect Discovery §4).
const (
	WellKnown       = "/.well-known/oauth-authorization-server"
	OpenIDWellKnown = "/.well-known/openid-configuration"
)

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
	sum := sha256.Sum256(body)
	return respond.CORS(&endpoint{body: body, etag: `"` + hex.EncodeToString(sum[:12]) + `"`}, http.MethodGet, http.MethodHead), nil
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
