package resource

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/valetkey/valetkey/internal/identity"
	"github.com/valetkey/valetkey/oauth"
)

// Verifier tells whom an access token stands for. Refusals are *oauth.Error:
// invalid_token for a token that is not alive, temporarily_unavailable when it
// cannot be told now. [ErrNoToken] says that the value is not an access token
// at all and is to be overlooked. Any other error is a fault.
type Verifier func(ctx context.Context, token oauth.Secret) (*oauth.Principal, error)

// ErrNoToken: the request carries no access token. As the answer to a request
// it is 401 with a bare challenge (RFC 6750 §3.1).
var ErrNoToken = errors.New("resource: no access token")

// Config says how a Guard authenticates. Only Verify is required.
type Config struct {
	// Verify checks an access token.
	Verify Verifier
	// Realm is named in challenges (RFC 9110 §11.5); "api" if empty, because a
	// challenge must say something (RFC 6750 §3).
	Realm string
	// MetadataURL is the URL of the protected resource metadata document, named
	// in challenges (RFC 9728 §5.1); empty: none.
	MetadataURL string
	// QueryToken also takes a token from ?access_token=. URLs end up in logs and
	// histories: leave it off unless old clients need it (RFC 6750 §2.3).
	QueryToken bool
	// Session is asked when a request carries no access token. It returns the
	// principal of the signed-in browser, nil when nobody is signed in, or an
	// error, which refuses the request. It must itself see to it that unsafe
	// requests are not forged by another site. Nil: tokens only.
	Session func(r *http.Request) (*oauth.Principal, error)
	// Refuse writes the answer to a refused request; nil: [Guard.Refuse]. It is
	// given whatever Verify or Session returned, ErrNoToken or a refusal of the guard.
	Refuse func(w http.ResponseWriter, r *http.Request, err error)
	// Logger gets faults; nil: nobody does.
	Logger *slog.Logger
}

// Guard lets requests through to handlers. It is safe for use by many
// goroutines and keeps nothing between requests.
type Guard struct {
	verify      Verifier
	session     func(*http.Request) (*oauth.Principal, error)
	refuse      func(http.ResponseWriter, *http.Request, error)
	logger      *slog.Logger
	realm       string
	metadataURL string
	queryToken  bool
}

// New returns a guard, or says what is wrong with c.
func New(c Config) (*Guard, error) {
	if c.Verify == nil {
		return nil, errors.New("resource: Config.Verify is missing: say what checks access tokens, for example Introspection")
	}
	if !quotable(c.Realm) {
		return nil, fmt.Errorf("resource: Config.Realm %q: want printable ASCII without quotes and backslashes", c.Realm)
	}
	if u, err := url.Parse(c.MetadataURL); c.MetadataURL != "" && (err != nil || u.Host == "" || !quotable(c.MetadataURL)) {
		return nil, fmt.Errorf("resource: Config.MetadataURL %q is not an absolute URL", c.MetadataURL)
	}
	g := &Guard{verify: c.Verify, session: c.Session, refuse: c.Refuse, logger: c.Logger,
		realm: cmp.Or(c.Realm, "api"), metadataURL: c.MetadataURL, queryToken: c.QueryToken}
	if g.refuse == nil {
		g.refuse = g.Refuse
	}
	if g.logger == nil {
		g.logger = slog.New(slog.DiscardHandler)
	}
	return g, nil
}

// RequireAuth lets a request through that has a live access token or a session.
func (g *Guard) RequireAuth(next http.Handler) http.Handler {
	return g.RequireScopes()(next)
}

// RequireScopes lets a request through that is authenticated (see RequireAuth)
// and may use every one of the scopes. A session has all of its user's rights.
func (g *Guard) RequireScopes(scopes ...string) func(http.Handler) http.Handler {
	scopes = slices.Clone(scopes)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			p, err := g.authenticate(w, r)
			if err == nil && p == nil {
				err = ErrNoToken
			}
			if err == nil {
				err = lacking(p, scopes)
			}
			if err != nil {
				g.refuse(w, r, err)
				return
			}
			next.ServeHTTP(w, g.with(r, p))
		})
	}
}

// AllowAnonymous is RequireAuth, but a request that shows no credential passes
// too, without a principal. A credential that is shown must be good: a client
// whose token has expired is told so rather than served as nobody.
func (g *Guard) AllowAnonymous(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := g.authenticate(w, r)
		if err != nil {
			g.refuse(w, r, err)
			return
		}
		if p != nil {
			r = g.with(r, p)
		}
		next.ServeHTTP(w, r)
	})
}

// authenticate returns whom the request acts as, or nil if it shows no credential.
func (g *Guard) authenticate(w http.ResponseWriter, r *http.Request) (*oauth.Principal, error) {
	if known := identity.From(r.Context()); known.By == g {
		return known.Principal, nil // an outer guard of the same kind has done it
	}
	cred, err := bearer(r, g.queryToken)
	if err == nil {
		var p *oauth.Principal
		p, err = g.verify(r.Context(), cred.token)
		if err == nil && p == nil {
			return nil, errors.New("resource: the verifier returned neither a principal nor an error")
		}
		if err == nil {
			if cred.inQuery {
				w.Header().Set("Cache-Control", "private") // RFC 6750 §2.3
			}
			return p, nil
		}
	}
	if !errors.Is(err, ErrNoToken) {
		return nil, err
	}
	if g.session == nil {
		return nil, nil
	}
	return g.session(r)
}

// lacking refuses p unless it may use all the scopes (RFC 6750 §3.1).
func lacking(p *oauth.Principal, scopes []string) error {
	var missing []string
	for _, s := range scopes {
		if !p.Has(s) {
			missing = append(missing, s)
		}
	}
	if missing == nil {
		return nil
	}
	return &ScopeError{Required: scopes, Missing: missing}
}

// ScopeError is the refusal of a principal that lacks a scope; it is an
// oauth.InsufficientScope to errors.Is.
type ScopeError struct {
	Required []string // what the resource demands
	Missing  []string // what the principal lacks of it
}

func (e *ScopeError) Error() string {
	return string(oauth.InsufficientScope) + ": missing " + strings.Join(e.Missing, " ")
}

// Is makes errors.Is(err, oauth.InsufficientScope) true.
func (e *ScopeError) Is(target error) bool { return target == oauth.InsufficientScope }

// with returns the request as one that acts as p.
func (g *Guard) with(r *http.Request, p *oauth.Principal) *http.Request {
	id := identity.Identity{Principal: p, By: g}
	if identity.From(r.Context()) == id {
		return r
	}
	if ctx := identity.With(r.Context(), id); ctx != r.Context() {
		return r.WithContext(ctx)
	}
	return r
}

// PrincipalFrom returns whom the request of that context acts as. It is never
// nil below RequireAuth and RequireScopes; below AllowAnonymous, and where no
// guard is, it may be.
func PrincipalFrom(ctx context.Context) *oauth.Principal {
	return identity.From(ctx).Principal
}

// WithPrincipal returns a context in which PrincipalFrom finds p, for tests of
// handlers without their guard. No guard believes it.
func WithPrincipal(ctx context.Context, p *oauth.Principal) context.Context {
	return context.WithValue(ctx, identity.Key{}, &identity.Identity{Principal: p, By: nobody})
}

// nobody vouches for the principal of a test.
var nobody = new(int)

// quotable reports whether s may stand in a quoted-string as it is (RFC 9110 §5.6.4).
func quotable(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c < 0x20 || c > 0x7e || c == '"' || c == '\\' })
}
