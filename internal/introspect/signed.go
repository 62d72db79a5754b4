package introspect

import (
	"cmp"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/valetkey/valetkey/oauth"
)

// mediaType is that of a signed answer, typ its JWT's type (RFC 9701 §4, §5).
const (
	mediaType = "application/token-introspection+jwt"
	typ       = "token-introspection+jwt"
)

// wantsJWT reads the Accept header (RFC 9701 §4). Whoever names both types gets
// the signed one.
func (e *endpoint) wantsJWT(r *http.Request) bool {
	if e.Sign == nil {
		return false
	}
	for _, header := range r.Header.Values("Accept") {
		for entry := range strings.SplitSeq(header, ",") {
			if name, params, err := mime.ParseMediaType(entry); err == nil && name == mediaType && params["q"] != "0" {
				return true
			}
		}
	}
	return false
}

// signed is the JWT's claims (RFC 9701 §5). There is no sub and no exp, so that
// it cannot pass for a token.
type signed struct {
	Issuer        string `json:"iss"`
	Audience      string `json:"aud"`
	IssuedAt      int64  `json:"iat"`
	Introspection answer `json:"token_introspection"`
}

func (e *endpoint) sendSigned(w http.ResponseWriter, r *http.Request, asker *oauth.Client, a answer) error {
	alg := cmp.Or(asker.Metadata.IntrospectionAlg, "RS256") // RFC 9701 §6
	jwt, err := e.Sign(r.Context(), alg, typ, signed{Issuer: e.Issuer, Audience: asker.ID, IssuedAt: e.Now().Unix(), Introspection: a})
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	io.WriteString(w, jwt)
	return nil
}
