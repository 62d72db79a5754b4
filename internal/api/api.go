package api

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// The scopes of the API itself.
const (
	ScopeTokensRead          = "tokens:read"
	ScopeTokensWrite         = "tokens:write"
	ScopeApplicationsRead    = "applications:read"
	ScopeApplicationsWrite   = "applications:write"
	ScopeAuthorizationsRead  = "authorizations:read"
	ScopeAuthorizationsWrite = "authorizations:write"
	ScopeActivityRead        = "activity:read"
)

// Scopes returns the scopes of the API itself, for the registry.
func Scopes() []oauth.Scope {
	const group = "Account settings"
	return []oauth.Scope{
		{Name: ScopeTokensRead, Group: group, Description: "See your personal access tokens, without the secrets"},
		{Name: ScopeTokensWrite, Group: group, Description: "Change and revoke your personal access tokens, and make others that reach no further", Sensitive: true},
		{Name: ScopeApplicationsRead, Group: group, Description: "See the applications you registered, without the secrets"},
		{Name: ScopeApplicationsWrite, Group: group, Description: "Register, change and delete your applications and their secrets", Sensitive: true},
		{Name: ScopeAuthorizationsRead, Group: group, Description: "See which applications you authorized"},
		{Name: ScopeAuthorizationsWrite, Group: group, Description: "Revoke what you authorized", Sensitive: true},
		{Name: ScopeActivityRead, Group: group, Description: "See the security activity of your account"},
	}
}

// Config is what the API works with. Desk, Principal, Issuer and Now are required.
type Config struct {
	Desk *manage.Desk
	// Principal returns whom a request acts as. The guard in front of the API has
	// put it there; a request without one is answered 401.
	Principal func(context.Context) (*oauth.Principal, bool)
	// Recent reports whether the person behind a session proved who they are
	// recently enough to be handed a secret. Nil: always.
	Recent func(*http.Request) bool
	Issuer string // the server's own URL, for links
	Now    func() time.Time
}

type api struct {
	Config
	base   string // issuer + "/api/v1"
	prefix string // the path of base
}

// New returns the handler of everything below the issuer's path + /api/v1/.
func New(c Config) (http.Handler, error) {
	issuer, err := url.Parse(c.Issuer)
	switch {
	case err != nil || issuer.Host == "":
		return nil, fmt.Errorf("api: issuer %q is not a URL", c.Issuer)
	case c.Desk == nil || c.Principal == nil || c.Now == nil:
		return nil, errors.New("api: Desk, Principal and Now are required")
	}
	if c.Recent == nil {
		c.Recent = func(*http.Request) bool { return true }
	}
	prefix := strings.TrimSuffix(issuer.Path, "/") + "/api/v1"
	a := &api{Config: c, base: strings.TrimSuffix(c.Issuer, "/") + "/api/v1", prefix: prefix}
	mux := http.NewServeMux()
	allowed := map[string][]string{}
	for _, op := range a.operations() {
		mux.HandleFunc(op.method+" "+prefix+op.path, a.serve(op))
		allowed[op.path] = append(allowed[op.path], op.method)
	}
	mux.HandleFunc("GET "+prefix+"/openapi.yaml", document)
	allowed["/openapi.yaml"] = []string{http.MethodGet}
	for path, methods := range allowed {
		mux.HandleFunc(prefix+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(methods, ", "))
			respond.Problem(w, r, &problem{http.StatusMethodNotAllowed, "Here one may " + strings.Join(methods, ", ") + "."})
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		respond.Problem(w, r, &problem{http.StatusNotFound, "There is no such resource. The API is described at " + a.base + "/openapi.yaml."})
	})
	return peer.Routed(mux), nil
}

// call is one request with whom it acts as.
type call struct {
	w     http.ResponseWriter
	r     *http.Request
	actor manage.Actor
}

func (c *call) ctx() context.Context { return c.r.Context() }
func (c *call) id() string           { return c.r.PathValue("id") }

// operation is one row of the table below.
type operation struct {
	method, path string
	scope        string // what a token needs
	secret       bool   // hands out a secret, so a session must be recent
	handle       func(*call) error
}

// operations is the whole API.
func (a *api) operations() []operation {
	return []operation{
		{"GET", "/tokens", ScopeTokensRead, false, a.listTokens},
		{"POST", "/tokens", ScopeTokensWrite, true, a.createToken},
		{"GET", "/tokens/{id}", ScopeTokensRead, false, a.showToken},
		{"PATCH", "/tokens/{id}", ScopeTokensWrite, false, a.updateToken},
		{"DELETE", "/tokens/{id}", ScopeTokensWrite, false, a.revokeToken},
		{"POST", "/tokens/{id}/regenerate", ScopeTokensWrite, true, a.regenerateToken},

		{"GET", "/applications", ScopeApplicationsRead, false, a.listApplications},
		{"POST", "/applications", ScopeApplicationsWrite, true, a.createApplication},
		{"GET", "/applications/{id}", ScopeApplicationsRead, false, a.showApplication},
		{"PATCH", "/applications/{id}", ScopeApplicationsWrite, false, a.updateApplication},
		{"DELETE", "/applications/{id}", ScopeApplicationsWrite, false, a.deleteApplication},
		{"POST", "/applications/{id}/rotate-secret", ScopeApplicationsWrite, true, a.rotateSecret},

		{"GET", "/authorizations", ScopeAuthorizationsRead, false, a.listAuthorizations},
		{"GET", "/authorizations/{id}", ScopeAuthorizationsRead, false, a.showAuthorization},
		{"DELETE", "/authorizations/{id}", ScopeAuthorizationsWrite, false, a.revokeAuthorization},

		{"GET", "/activity", ScopeActivityRead, false, a.listActivity},
	}
}

// serve checks who calls, in order, and hands over.
func (a *api) serve(op operation) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := &call{w: w, r: r}
		err := a.identify(c)
		if err == nil {
			err = a.require(c, op)
		}
		if err == nil {
			err = op.handle(c)
		}
		if err != nil {
			respond.Problem(w, r, err)
		}
	}
}

// identify: somebody calls, and it is a person. A client that acts for itself
// (RFC 6749 §4.4) has no settings.
func (a *api) identify(c *call) error {
	p, ok := a.Principal(c.ctx())
	if !ok || p.Subject == "" {
		c.w.Header().Set("WWW-Authenticate", "Bearer")
		return &problem{http.StatusUnauthorized, "Sign in, or send an access token."}
	}
	if p.ClientID != "" && p.ClientID == p.Subject {
		return &problem{http.StatusForbidden, "This token acts for no user. Only users have tokens and applications."}
	}
	from := peer.From(c.ctx())
	c.actor = manage.Actor{Subject: p.Subject, Network: from.Network(), RequestID: from.RequestID}
	if p.Method != oauth.BySession {
		c.actor.Limit = p
	}
	return nil
}

// require: the token has the scope (RFC 6750 §3.1), the session is recent.
func (a *api) require(c *call, op operation) error {
	switch {
	case c.actor.Limit != nil && !c.actor.Limit.Has(op.scope):
		c.w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer error="insufficient_scope", scope="%s"`, op.scope))
		return &oauth.Error{Code: oauth.InsufficientScope, Description: "The token lacks the scope " + op.scope + "."}
	case c.actor.Limit == nil && op.secret && !a.Recent(c.r):
		return &problem{http.StatusForbidden, "Sign in again before you make a secret: the last time was too long ago."}
	}
	return nil
}

//go:embed openapi.yaml
var openapi []byte

// document answers with the description of the API. It is no secret.
func document(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Write(openapi)
}

// problem is a refusal that is the API's own.
type problem struct {
	status int
	detail string
}

func (p *problem) Error() string             { return "api: " + p.detail }
func (p *problem) HTTPStatus() int           { return p.status }
func (p *problem) Public() string            { return p.detail }
func (p *problem) Fields() map[string]string { return nil }

// optional is a time or null.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// listed is never null in JSON.
func listed[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// orNull is a string or null.
func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
