package resource

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/valetkey/valetkey/oauth"
)

// refusal is how an error looks from outside.
type refusal struct {
	status int
	code   oauth.ErrorCode // empty: a bare challenge
	text   string
	scopes []string // needed
	hint   string   // what to do about it
}

// Refuse answers a request with the error: a challenge where RFC 6750 §3 wants
// one, and a JSON object
//
//	{"error": "insufficient_scope", "error_description": "…", "scope": "records:write", "hint": "…"}
//
// whose members are left out when there is nothing to say. A fault is logged
// and answered without its text.
func (g *Guard) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	ref := describe(err)
	if ref.status >= 500 && !errors.Is(r.Context().Err(), context.Canceled) {
		g.logger.ErrorContext(r.Context(), "request could not be authenticated", "error", err, "method", r.Method, "path", r.URL.Path)
	}
	h := w.Header()
	if ref.status < 500 {
		h.Set("WWW-Authenticate", g.challenge(ref))
	}
	if ref.status == http.StatusServiceUnavailable {
		h.Set("Retry-After", "5")
	}
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(ref.status)
	json.NewEncoder(w).Encode(struct {
		Error       oauth.ErrorCode `json:"error,omitempty"`
		Description string          `json:"error_description,omitempty"`
		Scope       string          `json:"scope,omitempty"`
		Hint        string          `json:"hint,omitempty"`
	}{ref.code, ref.text, oauth.ScopeString(ref.scopes), ref.hint})
}

func describe(err error) refusal {
	if errors.Is(err, ErrNoToken) {
		return refusal{status: http.StatusUnauthorized,
			hint: "Send an access token in the header Authorization: Bearer TOKEN."}
	}
	if lacks, ok := errors.AsType[*ScopeError](err); ok {
		return refusal{status: http.StatusForbidden, code: oauth.InsufficientScope, scopes: lacks.Required,
			text: "The access token does not have every scope that this resource needs.",
			hint: "Missing: " + strings.Join(lacks.Missing, " ") + ". Ask for a token with all the scopes in scope."}
	}
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok && (errors.Is(err, oauth.TemporarilyUnavailable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)) {
		return refusal{status: http.StatusServiceUnavailable, code: oauth.TemporarilyUnavailable} // what knows the token cannot be reached
	}
	if !ok {
		return refusal{status: http.StatusInternalServerError, code: oauth.ServerError}
	}
	ref := refusal{code: e.Code, text: e.Description}
	switch e.Code {
	case oauth.InvalidRequest:
		ref.status = http.StatusBadRequest
	case oauth.InvalidToken:
		ref.status = http.StatusUnauthorized
	case oauth.InsufficientScope, oauth.AccessDenied:
		ref.status = http.StatusForbidden
	case oauth.TemporarilyUnavailable:
		ref.status = http.StatusServiceUnavailable
	default:
		return refusal{status: http.StatusInternalServerError, code: oauth.ServerError}
	}
	return ref
}

// challenge is the WWW-Authenticate value (RFC 6750 §3, RFC 9728 §5.1).
func (g *Guard) challenge(ref refusal) string {
	var params []string
	add := func(name, value string) {
		if value != "" {
			params = append(params, name+`="`+attribute(value)+`"`)
		}
	}
	add("realm", g.realm)
	add("resource_metadata", g.metadataURL)
	add("error", string(ref.code))
	add("error_description", ref.text)
	add("scope", oauth.ScopeString(ref.scopes))
	return "Bearer " + strings.Join(params, ", ")
}

// attribute keeps to the characters of RFC 6750 §3, which need no escape.
func attribute(s string) string {
	return strings.Map(func(c rune) rune {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			return '\''
		}
		return c
	}, s)
}
