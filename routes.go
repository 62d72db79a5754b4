package valetkey

import (
	"context"
	"net/http"

	"github.com/valetkey/valetkey/grant"
	"github.com/valetkey/valetkey/internal/admin"
	"github.com/valetkey/valetkey/internal/api"
	"github.com/valetkey/valetkey/internal/authorize"
	"github.com/valetkey/valetkey/internal/csrf"
	"github.com/valetkey/valetkey/internal/device"
	"github.com/valetkey/valetkey/internal/discovery"
	"github.com/valetkey/valetkey/internal/introspect"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/par"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/ping"
	"github.com/valetkey/valetkey/internal/requestobject"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/internal/revoke"
	"github.com/valetkey/valetkey/internal/settings"
	"github.com/valetkey/valetkey/internal/token"
	"github.com/valetkey/valetkey/internal/userinfo"
	"github.com/valetkey/valetkey/oauth"
)

// routes is the route table.
//
// Machines send no cookies to the first group, and what they send is not
// protected against other sites; browsers send cookies to the second, and there
// every request that changes something is (browser). The metadata lie wherever
// clients look for them, all else below the issuer's path.
func (s *Server) routes() (http.Handler, error) {
	rest, err := s.restAPI()
	if err != nil {
		return nil, err
	}
	metadata, err := s.metadata()
	if err != nil {
		return nil, err
	}
	ask, devices := s.authorization(), s.devices()

	mux := http.NewServeMux()
	for _, path := range discovery.Paths(s.cfg.Issuer, s.keys != nil) {
		mux.Handle(path, metadata)
	}
	at := mount(func(path string, h http.Handler) { mux.Handle(s.pages.Path(path), h) })
	tokens, lookups := at.within(s.classes.tokens, busy), at.within(s.classes.lookups, busy)
	people, calls := at.within(s.classes.pages, s.busyPage), at.within(s.classes.api, respond.Problem)

	people("/oauth/authorize", http.HandlerFunc(ask.Authorize))
	people("/oauth/errors", http.HandlerFunc(ask.Errors))
	tokens(par.Path, s.pushing(ask))
	tokens("/oauth/token", s.tokenEndpoint())
	tokens(device.Path, devices.Endpoint())
	s.registrationRoutes(tokens)
	tokens("/oauth/revoke", revoke.New(revoke.Config{Store: s.cfg.Store, Live: s.live, Clients: s.clients, Now: s.cfg.Now}))
	lookups("/oauth/introspect", s.introspection())
	lookups("/oauth/ping", s.ping())
	if s.cfg.TestEndpoints {
		lookups("/oauth/info", ping.Info(s.guard.RequireToken))
		lookups("/oauth/invalid", ping.Invalid(s.guard.RequireToken))
	}
	if s.keys != nil {
		at("/oauth/jwks", s.keys)
		lookups("/oauth/userinfo", userinfo.New(userinfo.Config{
			Guard: s.guard, Memory: s.memory, Subjects: s.subjects, Issuer: s.cfg.Issuer, Sign: s.keys.Sign,
		}))
	}
	calls("/api/v1/", s.guard.RequireAuth(rest))
	at("/api/v1/openapi.yaml", rest)
	at("/assets/", s.pages.Assets())

	people("/oauth/consent", s.browser(http.HandlerFunc(ask.Consent)))
	s.logoutRoutes(people)
	people(device.PagePath, s.browser(http.HandlerFunc(devices.Page)))
	people(device.ConfirmPath, s.browser(http.HandlerFunc(devices.Confirm)))
	people("/account/settings/", s.browser(s.settings()))
	administration := s.browser(s.administration())
	people("/admin/applications/", administration)
	people("/admin/tokens/", administration)
	people("/admin/activity/", administration)
	at("/", http.HandlerFunc(s.notFound))

	return s.enter(mux), nil
}

// browser keeps other sites from acting through a signed-in browser.
func (s *Server) browser(next http.Handler) http.Handler {
	return s.csrf.Protect(csrf.ProtectOptions{Session: s.login.Session, Refuse: s.refuseForm}, next)
}

func (s *Server) refuseForm(w http.ResponseWriter, r *http.Request, reason error) {
	if sentence := csrf.Sentence(reason); sentence != "" {
		s.errorPage(w, r, http.StatusForbidden, sentence)
		return
	}
	s.errorPage(w, r, respond.Status(respond.Refusal(r, reason).Code), "")
}

func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	s.errorPage(w, r, http.StatusNotFound, "")
}

func (s *Server) errorPage(w http.ResponseWriter, r *http.Request, status int, message string) {
	s.pages.Render(w, r, status, pages.Shell{}, pages.ErrorPage{
		Status: status, Message: message, RequestID: peer.From(r.Context()).RequestID,
	})
}

func (s *Server) authorization() *authorize.Room {
	objects := requestobject.New(requestobject.Config{Issuer: s.cfg.Issuer, Keys: s.clientKeys, Fetch: s.fetch, Now: s.cfg.Now})
	return authorize.New(authorize.Config{
		Store: s.cfg.Store, Mint: s.mint, Live: s.live, Scopes: s.scopes, Login: s.login, Pages: s.pages,
		Issuer: s.cfg.Issuer, Keys: s.ring.Derive("authorize"), Now: s.cfg.Now,
		Code: s.cfg.Lifetimes.Code, AccessToken: s.cfg.Lifetimes.AccessToken, Request: s.cfg.Lifetimes.Request,
		Targets: s.targets, OpenID: s.idTokens, AccessTokens: s.accessTokens, States: s.states,
		Resolve: s.resolveClient(), Object: objects.Object, Reference: objects.Reference, RequirePushed: s.cfg.RequirePushed,
		Implicit: s.cfg.Compat.Implicit, Hybrid: s.cfg.Compat.Hybrid,
		AlwaysConsent: s.cfg.Compat.AlwaysConsent, ErrorRedirect: s.cfg.Compat.ErrorRedirect,
		OptionalPKCE: s.cfg.Compat.OptionalPKCE, Profile: s.cfg.Profile, OneTokenPerClient: s.cfg.Compat.OneTokenPerClient,
		Development: s.cfg.Development,
	})
}

// pushing is where requests are pushed to, and ask finds them.
func (s *Server) pushing(ask *authorize.Room) http.Handler {
	room := par.New(par.Config{
		Store: s.cfg.Store, Mint: s.mint, Clients: s.clients, Check: ask.Check, Now: s.cfg.Now, Lifetime: s.cfg.Lifetimes.PushedRequest,
	})
	ask.Pushed = room.Resolve
	return room.Handler()
}

func (s *Server) devices() *device.Room {
	return device.New(device.Config{
		Store: s.cfg.Store, Mint: s.mint, Clients: s.clients, Live: s.live, Scopes: s.scopes, Targets: s.targets,
		Login: s.login, Pages: s.pages, Issuer: s.cfg.Issuer, Now: s.cfg.Now, Life: s.cfg.Lifetimes.DeviceCode,
	})
}

func (s *Server) tokenEndpoint() http.Handler {
	refresh := s.cfg.Lifetimes.RefreshToken
	if s.cfg.Compat.ImmortalTokens {
		refresh = 0
	}
	grants := []grant.Handler{
		token.AuthorizationCode{Mint: s.mint, Targets: s.targets},
		token.RefreshToken{Mint: s.mint, Targets: s.targets, Lifetime: refresh, Repeat: s.cfg.Lifetimes.RefreshRepeat, RotateAll: s.cfg.Compat.RotateAll},
		token.DeviceCode{Mint: s.mint, Targets: s.targets, Life: s.cfg.Lifetimes.DeviceCode},
		token.ClientCredentials{Scopes: s.scopes, Targets: s.targets, AsOwner: s.cfg.Compat.ClientCredentialsAsOwner},
	}
	if s.cfg.Password != nil {
		grants = append(grants, token.Password{Verify: s.cfg.Password, Scopes: s.scopes, Targets: s.targets})
	}
	return token.New(token.Config{
		Store: s.cfg.Store, Mint: s.mint, Clients: s.clients, Live: s.live, Grants: grants, Now: s.cfg.Now,
		AccessToken: s.cfg.Lifetimes.AccessToken, RefreshToken: refresh,
		Targets: s.targets, OpenID: s.idTokens, AccessTokens: s.accessTokens,
		OneTokenPerClient: s.cfg.Compat.OneTokenPerClient, TokenUser: s.cfg.Compat.TokenUser,
		UnknownClient404: s.cfg.Compat.UnknownClient404,
	})
}

func (s *Server) introspection() http.Handler {
	c := introspect.Config{Clients: s.clients, Live: s.live, Issuer: s.cfg.Issuer, Now: s.cfg.Now, Subjects: s.subjects}
	if s.keys != nil {
		c.Sign = s.keys.Sign
	}
	return introspect.New(c)
}

func (s *Server) ping() http.Handler {
	if s.cfg.Compat.QueryToken {
		return ping.FormToken(ping.Ping(s.guard.RequireToken))
	}
	return ping.Ping(s.guard.RequireToken)
}

func (s *Server) restAPI() (http.Handler, error) {
	return api.New(api.Config{
		Desk: s.desk, Issuer: s.cfg.Issuer, Now: s.cfg.Now,
		Principal: func(ctx context.Context) (*oauth.Principal, bool) { p := PrincipalFrom(ctx); return p, p != nil },
		Recent: func(r *http.Request) bool {
			session, err := s.login.Session(r)
			return err == nil && session != nil && session.FreshAt(s.cfg.Now(), s.cfg.Lifetimes.Reauthentication)
		},
	})
}

func (s *Server) settings() http.Handler {
	return settings.New(settings.Config{
		Desk: s.desk, Pages: s.pages, Login: s.login, Users: s.cfg.Users, Ring: s.ring,
		Issuer: s.cfg.Issuer, Fresh: s.cfg.Lifetimes.Reauthentication, Now: s.cfg.Now,
	})
}

func (s *Server) administration() http.Handler {
	return admin.New(admin.Config{
		Desk: s.desk, Pages: s.pages, Login: s.login, Users: s.cfg.Users, Ring: s.ring,
		Issuer: s.cfg.Issuer, Fresh: s.cfg.Lifetimes.Reauthentication, Now: s.cfg.Now,
	})
}
