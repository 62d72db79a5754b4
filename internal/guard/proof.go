package guard

import (
	"errors"
	"net/http"
	"strings"

	"github.com/valetkey/valetkey/internal/csrf"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
)

var crossOrigin = http.NewCrossOriginProtection()

var errCrossOrigin = &csrf.Error{Status: http.StatusForbidden, Message: "The request comes from another site."}

// provenance refuses a request that another site may have sent through the
// browser of the session.
func (g *Guard) provenance(r *http.Request, s *oauth.Session) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	if crossOrigin.Check(r) != nil {
		return errCrossOrigin
	}
	token, ok := g.proof(r)
	if !ok {
		return csrf.ErrMissing
	}
	return g.cfg.CSRF.Verify(token, s)
}

// proof finds the proof in the request's headers.
func (g *Guard) proof(r *http.Request) (string, bool) {
	if token, ok := headerValue(r, g.cfg.Header, g.cfg.Type); ok {
		return token, true
	}
	if g.cfg.BearerJWT {
		return headerValue(r, "Authorization", "Bearer")
	}
	return "", false
}

// headerValue reads `scheme value`, or the bare value if there is no scheme.
func headerValue(r *http.Request, header, scheme string) (string, bool) {
	value := r.Header.Get(header)
	if scheme != "" {
		got, rest, _ := strings.Cut(value, " ")
		if !strings.EqualFold(got, scheme) {
			return "", false
		}
		value = rest
	}
	return value, value != ""
}

// proofIsBearer reports whether Authorization: Bearer may hold a proof.
func (g *Guard) proofIsBearer() bool {
	return g.cfg.BearerJWT || strings.EqualFold(g.cfg.Header, "Authorization") && strings.EqualFold(g.cfg.Type, "Bearer")
}

// refuse answers a missing or bad proof as the predecessor's REST API did, and
// everything else as RFC 6750 says.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, err error) {
	bad, ok := errors.AsType[*csrf.Error](err)
	if !ok {
		g.tokens.Refuse(w, r, err)
		return
	}
	respond.JSON(w, bad.Status, struct {
		Status  int    `json:"status"`
		Message string `json:"message"`
	}{bad.Status, bad.Message})
}
