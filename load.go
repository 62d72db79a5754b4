package valetkey

import (
	"net/http"

	"github.com/valetkey/valetkey/internal/overload"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
)

// classes divide the requests so that one kind of them cannot keep out another:
// while nothing can be written tokens can still be looked up.
type classes struct {
	tokens  *overload.Class // machines that are given something or take it back
	lookups *overload.Class // machines that ask about a token
	pages   *overload.Class
	api     *overload.Class
}

func newClasses() classes {
	of := func(name string) *overload.Class { return overload.New(name, overload.Requests()) }
	return classes{of("tokens"), of("lookups"), of("pages"), of("api")}
}

// Load tells how busy the server is, by the class of work: "tokens" (the token
// endpoint, revocation, pushed requests, device authorization, registration),
// "lookups" (introspection, UserInfo), "pages" and "api"; and of what it asks of
// clients' servers: "documents", "keys" and "notices" (of sessions that ended). A
// request beyond a class's limits is refused with 503 and Retry-After.
func (s *Server) Load() []oauth.Load {
	c := s.classes
	return []oauth.Load{c.tokens.Load(), c.lookups.Load(), c.pages.Load(), c.api.Load(),
		s.fetch.Load(), s.fetchKeys.Load(), s.post.Load()}
}

// mount is how routes are added to the table.
type mount func(path string, h http.Handler)

// within limits what is mounted to the class. A page that is refused is told to a
// person, anything else by refuse.
func (at mount) within(c *overload.Class, refuse func(http.ResponseWriter, *http.Request, error)) mount {
	return func(path string, h http.Handler) { at(path, c.Limit(h, refuse)) }
}

// busy answers a machine, also one in a browser.
func busy(w http.ResponseWriter, r *http.Request, err error) {
	respond.CORS(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { respond.Error(w, r, err) })).ServeHTTP(w, r)
}

// busyPage answers a person.
func (s *Server) busyPage(w http.ResponseWriter, r *http.Request, err error) {
	s.errorPage(w, r, respond.Status(respond.Refusal(r, err).Code), "")
}
