// Package guard lets requests through to the APIs of the server's own process:
// to Valetkey's REST API and to whatever the host serves beside it.
//
// It is [resource.Guard] with two ways in. First a bearer token, looked up and
// checked by liveness. A request with a bearer token is decided by that token
// alone: its cookies are not looked at, so nothing has to be proven about where
// it comes from. Second, only if there is no bearer token, the session of the
// host. Requests that change nothing (GET, HEAD, OPTIONS) then pass; any other
// must pass http.CrossOriginProtection and carry the proof of package csrf in
// a header.
//
// The proof is never an access token, nor an access token a proof: the first is
// a JSON Web Token of type csrf+jwt, the second was minted by this server or is
// one of type at+jwt, and each is refused by the other's check.
package guard

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/accesstoken"
	"github.com/valetkey/valetkey/internal/csrf"
	"github.com/valetkey/valetkey/internal/lastuse"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/target"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/resource"
	"github.com/valetkey/valetkey/store"
)

// Config says what the guard asks. Checker, Session, CSRF, Store and Now are required.
type Config struct {
	Checker *liveness.Checker
	Session func(*http.Request) (*oauth.Session, error)
	CSRF    *csrf.Guard
	// Store is told when a token was last used.
	Store store.Store
	Now   func() time.Time
	// Targets tells which resources are our own. Nil: only tokens are let in that are
	// meant for none in particular.
	Targets *target.Targets

	// Header and Type say where the proof travels: the header's name (empty:
	// X-CSRF-Token), and the scheme before the value (empty: the bare value).
	Header, Type string
	// BearerJWT also takes the proof from Authorization: Bearer.
	BearerJWT bool

	QueryToken     bool           // see resource.Config
	Realm          string         // see resource.Config
	MetadataURL    string         // see resource.Config
	TrustedProxies []netip.Prefix // see peer.Identify
	Logger         *slog.Logger   // faults; nil: nobody gets them
}

// Guard guards handlers.
type Guard struct {
	cfg    Config
	either *resource.Guard // token or session
	tokens *resource.Guard // token only
	uses   *lastuse.Recorder
}

// New returns a guard, or says what is wrong with c.
func New(c Config) (*Guard, error) {
	if c.Checker == nil || c.Session == nil || c.CSRF == nil || c.Store == nil || c.Now == nil {
		return nil, errors.New("guard: Checker, Session, CSRF, Store and Now are required")
	}
	if c.Header == "" {
		c.Header = csrf.Header
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Guard{cfg: c, uses: lastuse.New(c.Now, c.Logger)}
	rc := resource.Config{
		Verify: g.verify, Realm: c.Realm, MetadataURL: c.MetadataURL,
		QueryToken: c.QueryToken, Refuse: g.refuse, Logger: c.Logger,
	}
	var err error
	if g.tokens, err = resource.New(rc); err != nil {
		return nil, err
	}
	rc.Session = g.session
	g.either, err = resource.New(rc)
	return g, err
}

// RequireAuth lets a request through that has a live token or a session.
func (g *Guard) RequireAuth(next http.Handler) http.Handler {
	return g.identify(g.either.RequireAuth(next))
}

// RequireScopes is RequireAuth, and the token must have every one of the scopes.
func (g *Guard) RequireScopes(scopes ...string) func(http.Handler) http.Handler {
	require := g.either.RequireScopes(scopes...)
	return func(next http.Handler) http.Handler { return g.identify(require(next)) }
}

// AllowAnonymous is RequireAuth that lets a request without any credential
// through as nobody.
func (g *Guard) AllowAnonymous(next http.Handler) http.Handler {
	return g.identify(g.either.AllowAnonymous(next))
}

// RequireToken is RequireScopes for tokens only: a session opens nothing.
func (g *Guard) RequireToken(scopes ...string) func(http.Handler) http.Handler {
	require := g.tokens.RequireScopes(scopes...)
	return func(next http.Handler) http.Handler { return g.identify(require(next)) }
}

// Refuse answers a request that a handler behind the guard must refuse after all,
// as the guard itself does (see resource.Guard).
func (g *Guard) Refuse(w http.ResponseWriter, r *http.Request, err error) { g.refuse(w, r, err) }

// Wait blocks until the uses seen so far are recorded, for shutdown and tests.
func (g *Guard) Wait() { g.uses.Wait() }

func (g *Guard) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, g.enter(w, r)) })
}

// verify is the resource.Verifier of tokens that were minted here.
func (g *Guard) verify(ctx context.Context, token oauth.Secret) (*oauth.Principal, error) {
	if g.proofIsBearer() && strings.Contains(string(token), ".") && !accesstoken.Is(string(token)) {
		return nil, resource.ErrNoToken // a JSON Web Token: the session's proof, if anything
	}
	v, _ := ctx.Value(visitKey{}).(*visit)
	if v == nil {
		v = new(visit)
	}
	live := &v.live
	err := g.cfg.Checker.Find(ctx, live, token)
	if errors.Is(err, liveness.ErrDead) {
		return nil, &oauth.Error{Code: oauth.InvalidToken, Cause: err,
			Description: "The access token is unknown, expired or revoked."}
	}
	if err != nil {
		return nil, err
	}
	if !g.forUs(live.Token) {
		return nil, &oauth.Error{Code: oauth.InvalidToken, Description: "The access token is meant for another resource."}
	}
	g.used(ctx, live.Token)
	peer.NoteClient(ctx, live.Token.ClientID)
	return v.principalOf(live.Token), nil
}

// LiveFrom returns the token that let the request of that context in, with its
// client and user; nil if it was a session.
func LiveFrom(ctx context.Context) *liveness.Live {
	v, _ := ctx.Value(visitKey{}).(*visit)
	if v == nil || v.live.Token == nil {
		return nil
	}
	return &v.live
}

// forUs: a token that is meant for another resource must not open ours, or that
// resource could use what was sent to it against us (RFC 8707 §1, RFC 9700 §2.3).
func (g *Guard) forUs(t *oauth.Token) bool {
	return len(t.Resources) == 0 || g.cfg.Targets != nil && g.cfg.Targets.Own(t.Resources)
}

// used notes a use of t. Personal tokens know themselves when they were last
// used; of the others, their grant does.
func (g *Guard) used(ctx context.Context, t *oauth.Token) {
	switch {
	case t.Kind == oauth.PersonalToken:
		if g.uses.Recent(t.ID) {
			return
		}
		network := peer.From(ctx).Network()
		g.uses.Record(ctx, t.ID, func(ctx context.Context, now time.Time) error {
			return g.cfg.Store.TouchToken(ctx, t.ID, now, network)
		})
	case t.GrantID != "" && !g.uses.Recent(t.GrantID):
		g.uses.Record(ctx, t.GrantID, func(ctx context.Context, now time.Time) error {
			return g.cfg.Store.TouchGrant(ctx, t.GrantID, now)
		})
	}
}

// session is the principal of the host's session, if the request may use it.
func (g *Guard) session(r *http.Request) (*oauth.Principal, error) {
	s, err := g.cfg.Session(r)
	if err != nil || s == nil {
		return nil, err
	}
	if _, err := g.cfg.Checker.User(r.Context(), s.Subject); errors.Is(err, liveness.ErrDead) {
		return nil, nil // the session outlived its user: nobody is signed in
	} else if err != nil {
		return nil, err
	}
	if err := g.provenance(r, s); err != nil {
		return nil, err
	}
	return &oauth.Principal{Subject: s.Subject, Method: oauth.BySession}, nil
}
