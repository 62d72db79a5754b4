package cli

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/accounts/sqlaccounts"
	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/internal/upkeep"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// house is everything that one configuration makes: the database, the door and
// the server. The server and the commands beside it build it alike, so that the
// same rules hold in both.
type house struct {
	env      *Env
	loaded   *config.Loaded
	log      *slog.Logger
	database database
	db       *sql.DB
	store    *sqlstore.Store
	people   *sqlaccounts.Store
	door     *accounts.Accounts
	server   *valetkey.Server
	keys     *keys.Keys
	changed  chan struct{}  // to be told to other servers; nil: there are none
	ring     *keyring.Ring  // nil: no keyring is configured
	observer oauth.Observer // nil: nobody is told of requests
}

// parts is what the configuration does not say.
type parts struct {
	log *slog.Logger
	dev bool
	// migrate makes the tables, or brings them up to date.
	migrate bool
	private *private // nil: nothing is counted
	tracer  Tracer   // nil: nothing is traced
}

// observer is told of requests to the door and to the server; nil: nobody is.
func (p parts) observer() oauth.Observer {
	var all observers
	if p.private != nil {
		all = append(all, p.private.metrics)
	}
	if p.tracer != nil {
		all = append(all, p.tracer)
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return all
}

// operator is who acts by the command line.
var operator = manage.Actor{Operator: true}

// openHouse opens the database and builds the rest. Close it.
func openHouse(ctx context.Context, env *Env, l *config.Loaded, p parts) (_ *house, err error) {
	h := &house{env: env, loaded: l, log: p.log, observer: p.observer()}
	defer func() {
		if err != nil {
			h.close()
		}
	}()
	if err := h.openDatabase(ctx, p); err != nil {
		return nil, err
	}
	if l.Keyring != "" {
		if h.ring, err = keyring.Parse(l.Keyring); err != nil {
			return nil, &config.Error{Where: "keyring (" + l.Origin("keyring") + ")", Err: err}
		}
	}
	h.keys = keys.New(keys.Config{Store: h.store, Ring: h.ring, Now: env.Now})
	if h.door, err = accounts.New(h.doorConfig(p.dev)); err != nil {
		return nil, invalidf("%w", err)
	}
	if h.server, err = valetkey.New(h.serverConfig(p.dev)); err != nil {
		return nil, invalidf("%w", err)
	}
	return h, nil
}

// openStore opens the database alone, for commands about the database.
func openStore(env *Env, l *config.Loaded) (*house, error) {
	d, err := databaseOf(l)
	if err != nil {
		return nil, err
	}
	h := &house{env: env, loaded: l, log: slog.New(slog.DiscardHandler), database: d}
	if h.db, err = d.open(); err != nil {
		return nil, err
	}
	h.store = sqlstore.New(h.db, d.dialect)
	h.people = sqlaccounts.New(h.store)
	return h, nil
}

// openExisting opens the database alone if it is there.
func openExisting(env *Env, l *config.Loaded) (*house, error) {
	d, err := databaseOf(l)
	if err != nil {
		return nil, err
	}
	if missing, err := d.missing(); missing || err != nil {
		return nil, unavailablef("there is no database %s", d)
	}
	return openStore(env, l)
}

// openDatabase opens the database. It is made, or brought up to date, only if
// asked: a command must not change the tables below a running server of an
// older version.
func (h *house) openDatabase(ctx context.Context, p parts) error {
	s, err := openStore(h.env, h.loaded)
	if err != nil {
		return err
	}
	h.db, h.store, h.people, h.database = s.db, s.store, s.people, s.database
	if p.private != nil {
		h.store.DB().Watch(p.private.metrics.Watcher(h.env.Now))
	}
	if !p.migrate {
		return h.requireMigrated(ctx)
	}
	if err := h.database.private(); err != nil {
		return err
	}
	if err := h.store.Migrate(ctx); err != nil {
		return unavailablef("the database %s cannot be brought up to date: %w", h.database, err)
	}
	if err := h.people.Migrate(ctx); err != nil {
		return unavailablef("the database %s cannot be brought up to date: %w", h.database, err)
	}
	return nil
}

func (h *house) requireMigrated(ctx context.Context) error {
	for _, pending := range []func(context.Context) ([]string, error){h.store.Pending, h.people.Pending} {
		names, err := pending(ctx)
		if err != nil {
			return unavailablef("the database %s cannot be used: %w", h.database, err)
		}
		if len(names) > 0 {
			return unavailablef("the database %s is older than this program (%s is missing): run \"valetkey migrate up\", or start the server, which does it too", h.database, strings.Join(names, ", "))
		}
	}
	return nil
}

// close lets go of everything. Mails that are being sent are waited for.
func (h *house) close() error {
	if h.door != nil {
		h.door.Wait()
	}
	if h.db == nil {
		return nil
	}
	return h.db.Close()
}

// issuer is what a command beside the server goes by when it does not know the
// issuer; it makes no links then.
func (h *house) issuer() string { return cmp.Or(h.loaded.Issuer, "http://localhost") }

func (h *house) templates() fs.FS {
	if h.loaded.Templates == "" {
		return nil
	}
	return os.DirFS(h.loaded.Templates)
}

func (h *house) doorConfig(dev bool) accounts.Config {
	c := h.loaded.Config
	signOut := ""
	if h.ring != nil {
		signOut = "/oauth/logout" // clients that are told by the browser are told there only
	}
	return accounts.Config{
		Issuer: h.issuer(), Store: h.people, Product: c.Product, Home: "/account/settings/applications/",
		Menu: valetkey.Menu(), Templates: h.templates(), Keyring: c.Keyring, Audit: h.store,
		Mailer: newMailer(c.Mail), OnDelete: h.store.DeleteSubject, Logger: h.log, Observer: h.observer,
		SessionEnded:   func(ctx context.Context, sids ...string) error { return h.server.EndSession(ctx, sids...) },
		UserChanged:    func(subject string) { h.server.UserChanged(subject) },
		SessionChanged: func(w http.ResponseWriter) { h.server.SessionChanged(w) },
		SignOut:        signOut,
		Signup:         c.Signup, Development: dev,
		Binding: accounts.Binding(c.Sessions.Binding), Idle: c.Sessions.Idle.Std(), Absolute: c.Sessions.Absolute.Std(),
		Remember: c.Sessions.Remember.Std(), ACR: c.Sessions.ACR, Reauthentication: c.Lifetimes.Reauthentication.Std(),
		ImportedSalt: c.ImportedPasswordSalt, TrustedProxies: c.Server.TrustedProxies, Now: h.env.Now,
	}
}

func (h *house) serverConfig(dev bool) valetkey.Config {
	c := h.loaded.Config
	out := valetkey.Config{
		Issuer: h.issuer(), Store: h.store, Login: h.door, Logout: h.door.Logout, Users: h.door, Scopes: h.scopes(),
		Keyring: c.Keyring, Product: c.Product, TokenPrefix: c.TokenPrefix, Templates: h.templates(),
		Menu: h.door.Menu(), TrustedProxies: c.Server.TrustedProxies, Observer: h.observer, Logger: h.log, Now: h.env.Now,
		Lifetimes: valetkey.Lifetimes{
			Code: c.Lifetimes.Code.Std(), AccessToken: c.Lifetimes.AccessToken.Std(), IDToken: c.Lifetimes.IDToken.Std(),
			RefreshToken: c.Lifetimes.RefreshToken.Std(), RefreshRepeat: c.Lifetimes.RefreshRepeat.Std(),
			Request: c.Lifetimes.Request.Std(), PushedRequest: c.Lifetimes.PushedRequest.Std(), DeviceCode: c.Lifetimes.DeviceCode.Std(),
			Reauthentication: c.Lifetimes.Reauthentication.Std(), Audit: c.Lifetimes.Audit.Std(), KeyRotation: c.Lifetimes.SigningKey.Std(),
		},
		PersonalTokens: valetkey.PersonalTokens{
			Default: c.PersonalTokens.Default.Std(), Max: c.PersonalTokens.Max.Std(), MaxPerUser: c.PersonalTokens.MaxPerUser,
			AllowNoExpiry: c.PersonalTokens.AllowNoExpiry, AllowNoScopes: c.PersonalTokens.AllowNoScopes,
		},
		JWT: valetkey.JWT{Header: c.JWT.Header, Type: c.JWT.Type, Lifetime: c.JWT.Lifetime.Std()},
		Compat: valetkey.Compat{
			Implicit: c.Compat.Implicit, Hybrid: c.Compat.Hybrid, QueryToken: c.Compat.QueryToken, UnknownClient404: c.Compat.UnknownClient404, AnySecretMethod: c.Compat.AnySecretMethod,
			OneTokenPerClient: c.Compat.OneTokenPerClient, TokenUser: c.Compat.TokenUser, AlwaysConsent: c.Compat.AlwaysConsent,
			RotateAll: c.Compat.RotateAll, ErrorRedirect: c.Compat.ErrorRedirect, ClientCredentialsAsOwner: c.Compat.ClientCredentialsAsOwner,
			OptionalPKCE: c.Compat.OptionalPKCE, ImmortalTokens: c.Compat.ImmortalTokens, BearerJWT: c.Compat.BearerJWT,
		},
		UsersNoted: true, Changed: h.tellChanges(), RevocationBound: cmp.Or(c.RevocationBound.Std(), -1),
		Profile: oauth.Profile(c.Profile), AccessTokenAlg: c.AccessTokenAlg,
		Registration: valetkey.Registration{
			Mode: c.RegistrationMode(), Profile: c.RegistrationProfile(), Unused: c.Registration.Unused.Std(), Burst: c.Registration.Burst,
		},
		ClientDocuments: valetkey.ClientDocuments{
			Enabled: c.ClientDocuments.Enabled, Allow: c.ClientDocuments.Allow, Deny: c.ClientDocuments.Deny,
		},
		Resources: c.OAuthResources(), RequirePushed: c.RequirePushedRequests, FetchAllow: c.Fetch.Allow,
		ACRValues: []string{c.Sessions.ACR}, TestEndpoints: c.TestEndpoints, Development: dev,
	}
	if c.PasswordGrant {
		out.Password = h.door.VerifyPassword
	}
	return out
}

// testScope is what /oauth/info and the sample resource of "valetkey dev" ask for.
const testScope = "test:scope"

func (h *house) scopes() []oauth.Scope {
	list := h.loaded.OAuthScopes()
	if h.loaded.TestEndpoints && !slices.ContainsFunc(list, func(s oauth.Scope) bool { return s.Name == testScope }) {
		list = append(list, oauth.Scope{Name: testScope, Group: "Test", Description: "Call the test endpoints"})
	}
	return list
}

// keepHouse deletes what has expired until ctx ends, and returns when nothing is
// left to be written.
func (h *house) keepHouse(ctx context.Context) {
	var engine sync.WaitGroup
	engine.Go(func() { h.server.Start(ctx) })
	engine.Go(func() { h.exchangeChanges(ctx) })
	defer engine.Wait()
	sessions := upkeep.Sweep{Name: "accounts", Rest: upkeep.Rest, Step: func(ctx context.Context, _ string, limit int) (int, string, error) {
		n, err := h.door.Purge(ctx, h.env.Now(), limit)
		if err != nil || n < limit { // no table had as many as it may
			return n, "", err
		}
		return n, "more", nil
	}}
	(&upkeep.Upkeep{Sweeps: []upkeep.Sweep{sessions}, Now: h.env.Now, Logger: h.log}).Run(ctx)
}

// account finds an account by subject or e-mail address.
func (h *house) account(ctx context.Context, who string) (*accounts.Account, error) {
	a, err := h.door.FindUser(ctx, who)
	if errors.Is(err, accounts.ErrNotFound) {
		return nil, notFoundf("there is no user %q", who)
	}
	return a, err
}
