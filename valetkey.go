package valetkey

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/valetkey/valetkey/internal/accesstoken"
	"github.com/valetkey/valetkey/internal/api"
	"github.com/valetkey/valetkey/internal/cache"
	"github.com/valetkey/valetkey/internal/claims"
	"github.com/valetkey/valetkey/internal/clientauth"
	"github.com/valetkey/valetkey/internal/clientdoc"
	"github.com/valetkey/valetkey/internal/clientkeys"
	"github.com/valetkey/valetkey/internal/clientmeta"
	"github.com/valetkey/valetkey/internal/csrf"
	"github.com/valetkey/valetkey/internal/fetch"
	"github.com/valetkey/valetkey/internal/guard"
	"github.com/valetkey/valetkey/internal/idtoken"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/logout"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/session"
	"github.com/valetkey/valetkey/internal/target"
	"github.com/valetkey/valetkey/internal/upkeep"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Server is an OAuth 2 server with its settings pages. It is an http.Handler,
// safe for concurrent use, and keeps nothing that another server on the same
// store would need.
type Server struct {
	cfg     Config
	scopes  *oauth.Scopes
	targets *target.Targets
	ring    *keyring.Ring
	keys    *keys.Keys // nil without a keyring
	mint    *mint.Mint
	memory  *cache.Cache
	// What a server with a keyring signs; nil without one.
	subjects     *claims.Subjects
	idTokens     *idtoken.Minter
	accessTokens *accesstoken.Signer

	csrf  *csrf.Guard
	pages *pages.Pages
	live  *liveness.Checker
	guard *guard.Guard
	// What clients sign is verified by keys that may have to be fetched.
	fetch      *fetch.Fetcher
	fetchKeys  *fetch.Fetcher
	post       *fetch.Fetcher
	clientKeys *clientkeys.Keys
	clients    *clientauth.Authenticator
	// How clients come to be that nobody registers by hand.
	rules     *clientmeta.Rules
	documents *clientdoc.Resolver
	// How sessions end. notices is nil without a keyring, states without Config.Logout.
	notices *logout.Deliverer
	states  *session.States

	classes classes
	desk    *manage.Desk
	login   oauth.Authenticator
	handler http.Handler
}

// New builds a server. It refuses a configuration that is incomplete,
// contradictory or unsafe with an error that says what to change. The store's
// tables must exist (see sqlstore.Store.Migrate).
func New(cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, login: oncePerRequest{cfg.Login}, classes: newClasses()}
	for _, build := range []func() error{s.buildMemory, s.buildSecrets, s.buildScopes, s.buildGuard, s.buildClients, s.buildLogout, s.buildDesk, s.buildPages} {
		if err := build(); err != nil {
			return nil, err
		}
	}
	handler, err := s.routes()
	if err != nil {
		return nil, err
	}
	s.handler = handler
	return s, nil
}

// ServeHTTP answers every route of the server; see routes.go.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Desk returns the operations behind the settings pages, for programs.
func (s *Server) Desk() *manage.Desk { return s.desk }

// MenuItem is the link to the settings pages, for a host's own navigation.
func (s *Server) MenuItem() oauth.MenuItem { return Menu()[0] }

// Menu returns all links of the server's own pages, for a login that draws the
// same navigation around pages of its own, as package accounts does.
func Menu() []oauth.MenuItem {
	return []oauth.MenuItem{
		{ID: "settings.applications", Label: "Applications", Path: "/account/settings/applications/", Order: 21},
		{ID: "settings.activity", Label: "Activity", Path: "/account/settings/activity/", Order: 40},
		{ID: "admin.applications", Label: "Applications", Path: "/admin/applications/", Order: 20, Admin: true},
		{ID: "admin.tokens", Label: "Tokens", Path: "/admin/tokens/", Order: 30, Admin: true},
		{ID: "admin.activity", Label: "Activity", Path: "/admin/activity/", Order: 40, Admin: true},
	}
}

// Start makes the first signing keys if there is a keyring and no key, and then
// reads what other servers on the same store have changed (Config.RevocationBound),
// rotates keys when it is time, tells clients of sessions that have ended
// ([Server.EndSession]) and deletes what has expired, in small batches, until ctx
// is done. Before it returns it waits for the last uses of tokens and secrets to
// be recorded, so call it off after the last request and close the store after it.
// Without Start every look-up asks the store, expired rows stay where they are,
// and clients are told only of sessions that end at the logout endpoint.
func (s *Server) Start(ctx context.Context) {
	defer s.guard.Wait()
	defer s.clients.Wait()
	var reading sync.WaitGroup
	reading.Go(func() { s.memory.Run(ctx) })
	defer reading.Wait()
	if s.notices != nil {
		var telling sync.WaitGroup
		telling.Go(func() { s.notices.Run(ctx) })
		defer telling.Wait()
	}
	if s.keys != nil {
		if err := s.keys.EnsureActive(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Logger.ErrorContext(ctx, "no signing key could be made", "error", err)
		}
	}
	var deleting sync.WaitGroup
	deleting.Go(func() { s.upkeep().Run(ctx) })
	defer deleting.Wait()
	for {
		if s.keys != nil {
			if err := s.keys.Maintain(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Logger.ErrorContext(ctx, "signing keys could not be rotated", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Minute):
		}
	}
}

// upkeep deletes what has expired.
func (s *Server) upkeep() *upkeep.Upkeep {
	const month = 30 * 24 * time.Hour
	return &upkeep.Upkeep{Now: s.cfg.Now, Logger: s.cfg.Logger, Sweeps: upkeep.Of(s.cfg.Store, func() store.Horizon {
		now := s.cfg.Now()
		return store.Horizon{
			Dead: now, Events: now.Add(-s.cfg.Lifetimes.Audit), Keys: now.Add(-month), Registrations: now.Add(-s.cfg.Registration.Unused),
		}
	})}
}

func (s *Server) buildSecrets() (err error) {
	s.ring = keyring.Random()
	if s.cfg.Keyring != "" {
		if s.ring, err = keyring.Parse(s.cfg.Keyring); err != nil {
			return err
		}
		if err := s.buildKeys(); err != nil {
			return err
		}
	}
	if s.mint, err = mint.New(s.cfg.TokenPrefix, s.ring.Derive("refresh token successor")); err != nil {
		return err
	}
	s.csrf = csrf.New(csrf.Config{
		Keys: s.ring.Derive("csrf"), Issuer: s.cfg.Issuer, Lifetime: s.cfg.JWT.Lifetime, Now: s.cfg.Now,
	})
	return nil
}

// buildKeys makes what signs. A server that can sign is an OpenID Provider.
func (s *Server) buildKeys() error {
	l := s.cfg.Lifetimes
	c := keys.Config{
		Store: s.cfg.Store, Ring: s.ring, Now: s.cfg.Now, Signers: s.cfg.Signers,
		Rotation: l.KeyRotation, Overlap: max(l.IDToken, l.AccessToken) + keys.Slack,
	}
	if err := c.Check(); err != nil {
		return fmt.Errorf("valetkey: %w", err)
	}
	s.keys = keys.New(c)
	s.subjects = &claims.Subjects{Salt: s.keys.PairwiseSalt}
	s.idTokens = &idtoken.Minter{Keys: s.keys, Subjects: s.subjects, Issuer: s.cfg.Issuer, Lifetime: l.IDToken, Now: s.cfg.Now}
	s.accessTokens = &accesstoken.Signer{Keys: s.keys, Issuer: s.cfg.Issuer, Algorithm: s.cfg.AccessTokenAlg}
	return nil
}

// buildScopes registers the host's scopes, and those of the REST API and of OpenID
// Connect. The host may word the latter in its own way.
func (s *Server) buildScopes() (err error) {
	list := api.Scopes()
	if s.keys != nil {
		for _, own := range claims.Scopes() {
			if !slices.ContainsFunc(s.cfg.Scopes, func(sc oauth.Scope) bool { return sc.Name == own.Name }) {
				list = append(list, own)
			}
		}
	}
	if s.scopes, err = oauth.NewScopes(append(list, s.cfg.Scopes...)...); err != nil {
		return err
	}
	if s.targets, err = target.New(s.cfg.Issuer, s.cfg.Resources); err != nil {
		return fmt.Errorf("valetkey: Config.Resources: %w", err)
	}
	return nil
}

func (s *Server) buildGuard() (err error) {
	s.live = liveness.New(liveness.Config{Store: s.cfg.Store, Users: s.cfg.Users, Mint: s.mint, Now: s.cfg.Now, JWT: s.accessTokens, Memory: s.memory})
	s.guard, err = guard.New(guard.Config{
		Checker: s.live, Session: s.login.Session, CSRF: s.csrf, Store: s.cfg.Store, Now: s.cfg.Now, Targets: s.targets,
		Header: s.cfg.JWT.Header, Type: s.cfg.JWT.Type, BearerJWT: s.cfg.Compat.BearerJWT,
		QueryToken: s.cfg.Compat.QueryToken, TrustedProxies: s.cfg.TrustedProxies, Logger: s.cfg.Logger,
	})
	return err
}

// buildClients makes what finds out which client sends a request.
func (s *Server) buildClients() error {
	// Each has places of its own: what strangers make us fetch, as slowly as they
	// like, must not keep us from keys, nor either from telling of sessions that ended.
	places := func(what string) *fetch.Fetcher {
		return fetch.New(fetch.Config{For: what, Allow: s.cfg.FetchAllow, Roots: s.cfg.FetchRoots, Now: s.cfg.Now})
	}
	s.fetch, s.fetchKeys, s.post = places("documents"), places("keys"), places("notices")
	s.clientKeys = clientkeys.New(clientkeys.Config{Fetch: s.fetchKeys, Now: s.cfg.Now})
	c := clientauth.Config{
		Store: s.cfg.Store, Live: s.live, Now: s.cfg.Now, Logger: s.cfg.Logger, AnySecretMethod: s.cfg.Compat.AnySecretMethod, Profile: s.cfg.Profile,
		Issuer: s.cfg.Issuer, Keys: s.clientKeys, Resolve: s.resolveClient(),
	}
	if s.keys != nil {
		c.Ring = s.ring // a ring that dies with the process opens nothing that is kept
	}
	s.clients = clientauth.New(c)
	return s.buildRegistration()
}

func (s *Server) buildDesk() (err error) {
	p := s.cfg.PersonalTokens
	s.desk, err = manage.New(manage.Config{
		Store: s.cfg.Store, Mint: s.mint, Scopes: s.scopes, Users: s.cfg.Users, Now: s.cfg.Now,
		Policy: manage.Policy{
			PersonalTokenDefault: p.Default,
			PersonalTokenMax:     p.Max,
			AllowNoExpiry:        p.AllowNoExpiry,
			AllowNoScopes:        p.AllowNoScopes,
			MaxPersonalTokens:    p.MaxPerUser,
			LegacyGrants:         s.cfg.Compat.Implicit || s.cfg.Compat.Hybrid || s.cfg.Password != nil,
			ClientCredentials:    s.cfg.Compat.ClientCredentialsAsOwner,
			RequirePKCE:          !s.cfg.Compat.OptionalPKCE,
		},
		Metadata: s.rules, Seal: s.sealSecret(),
	})
	return err
}

func (s *Server) buildPages() (err error) {
	menu := append(Menu(), s.cfg.Menu...)
	signOut := "" // the host's own page
	if s.signsOut() {
		signOut = logout.Path
	}
	s.pages, err = pages.New(pages.Config{
		Product: s.cfg.Product, Issuer: s.cfg.Issuer, Secure: strings.HasPrefix(s.cfg.Issuer, "https:"),
		Development: s.cfg.Development, Overlay: s.cfg.Templates, Menu: menu,
		SignOut: signOut, Proof: s.csrf.Token, Now: s.cfg.Now, Logger: s.cfg.Logger,
	})
	return err
}
