package authorize

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/valetkey/valetkey/internal/accesstoken"
	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/idtoken"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/internal/session"
	"github.com/valetkey/valetkey/internal/target"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Path is where the endpoint lives below the issuer.
const Path = "/oauth/authorize"

// ErrorsPath is where the page that explains errors lives below the issuer.
const ErrorsPath = "/oauth/errors"

// Config says what the room is made of. The first two blocks are required.
type Config struct {
	Store   store.Store
	Mint    *mint.Mint
	Live    *liveness.Checker
	Scopes  *oauth.Scopes
	Targets *target.Targets
	Login   oauth.Authenticator
	Pages   *pages.Pages
	Issuer  string
	// Keys authenticate what a browser brings back from signing in; newest first
	// (keyring.Derive("authorize")).
	Keys [][]byte
	Now  func() time.Time

	Code        time.Duration // life of a code
	AccessToken time.Duration // life of an access token of the implicit grant
	Request     time.Duration // how long a consent page waits for its answer

	// OpenID signs ID tokens and reads id_token_hint, AccessTokens signs access
	// tokens. Nil, both: the server has no keys and is no OpenID Provider.
	OpenID       *idtoken.Minter
	AccessTokens *accesstoken.Signer

	// Resolve brings a client whose id is the URL of its metadata document up to date
	// before it is looked up; nil: there are none.
	Resolve func(ctx context.Context, id string) error

	// Object reads a request object that was sent (RFC 9101 §5.1), Reference one that
	// a registered URL leads to (§5.2), Pushed what the client pushed (RFC 9126 §4),
	// each as it was valid at a time. Nil: that is not supported.
	Object, Reference func(ctx context.Context, c *oauth.Client, value string, at time.Time) (form.Values, error)
	Pushed            func(ctx context.Context, c *oauth.Client, requestURI string, at time.Time) (*oauth.PushedRequest, error)
	// RequirePushed refuses every request that was not pushed (RFC 9126 §5).
	RequirePushed bool

	// States makes the response parameter of OpenID Connect Session Management. Nil:
	// there is no session management.
	States *session.States

	Implicit          bool          // response types token and id_token, for clients registered for them
	Hybrid            bool          // response types of code and more
	AlwaysConsent     bool          // never remember consent
	ErrorRedirect     bool          // errors that must not go to the client go to ErrorsPath by a redirect
	OptionalPKCE      bool          // public clients may leave PKCE out
	Profile           oauth.Profile // of clients that are registered for none of their own
	OneTokenPerClient bool          // an access token of the implicit grant kills what came before
	Development       bool          // tell everybody which redirect URIs are registered
}

// Room is the endpoint.
type Room struct{ Config }

// New returns the room; its methods Authorize, Consent and Errors are handlers.
func New(c Config) *Room { return &Room{c} }

// Authorize is GET, HEAD and POST /oauth/authorize (RFC 6749 §3.1).
func (a *Room) Authorize(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		a.get(w, r)
	case http.MethodPost:
		a.post(w, r)
	default:
		respond.MethodNotAllowed(w, r, http.MethodGet, http.MethodHead, http.MethodPost)
	}
}

// post turns the request in a form into the same request in a URL. It changes
// nothing, so it may come from any site. Parameters of URL and form together
// are the request; one that is in both is repeated.
func (a *Room) post(w http.ResponseWriter, r *http.Request) {
	f, err := form.Parse(w, r)
	var repeated *form.Repeated
	if err != nil && !errors.As(err, &repeated) {
		a.page(w, r, &fault{err: err})
		return
	}
	query := f.URL()
	if repeated != nil { // get refuses them, and knows whom to tell
		for _, name := range repeated.Names {
			query[name] = []string{f[name], f[name]}
		}
	}
	location := a.Pages.Path(Path) + "?" + query.Encode()
	if r.URL.RawQuery != "" {
		location += "&" + r.URL.RawQuery
	}
	redirect(w, location)
}

// get is the way of one authorization request.
func (a *Room) get(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	f, formErr := form.Query(r)
	q, err := a.identify(ctx, f, formErr)
	if err != nil {
		a.page(w, r, err)
		return
	}
	who, err := a.Login.Session(r)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	to := q.destination(who)
	if who == nil && !q.silent() {
		a.signIn(w, r, q, oauth.LoginNeeded)
		return
	}
	if err := a.read(ctx, q, formErr); err != nil {
		a.refuse(w, r, to, err)
		return
	}
	reason, err := a.mustSignIn(ctx, q, who)
	switch {
	case err != nil:
		a.refuse(w, r, to, err)
		return
	case reason != "" && q.silent():
		a.refuse(w, r, to, &oauth.Error{Code: oauth.LoginRequired, Description: "The person must sign in, and prompt=none forbids asking."})
		return
	case reason != "":
		a.signIn(w, r, q, reason)
		return
	}
	user, err := a.Live.User(ctx, who.Subject)
	switch dead := errors.Is(err, liveness.ErrDead); {
	case dead && q.silent():
		a.refuse(w, r, to, &oauth.Error{Code: oauth.InteractionRequired, Description: "The account is not active, and prompt=none forbids saying so."})
	case dead:
		a.inactive(w, r)
	case err != nil:
		a.broken(w, r, err)
	default:
		a.decide(w, r, q, to, who, user)
	}
}

// decide answers at once, or asks the person first.
func (a *Room) decide(w http.ResponseWriter, r *http.Request, q *request, to destination, who *oauth.Session, user *oauth.User) {
	allowed, err := a.Store.LiveGrants(r.Context(), user.Subject, q.client.ID)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	ask := a.mustAsk(q, allowed)
	switch {
	case ask && q.silent() && q.namesSomebody():
		// consent_required would tell a client that nobody allowed anything who is signed in.
		a.refuse(w, r, to, &oauth.Error{Code: oauth.LoginRequired, Description: "The person must be asked, and prompt=none forbids asking."})
	case ask && q.silent():
		a.refuse(w, r, to, &oauth.Error{Code: oauth.ConsentRequired, Description: "The person has not allowed this yet, and prompt=none forbids asking."})
	case r.Method == http.MethodHead:
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusOK)
	case ask:
		a.ask(w, r, q, who, user, allowed)
	default:
		answer, err := a.issue(r.Context(), a.pending(q, who), q.client, user, nil)
		a.deliver(w, r, to, answer, err)
	}
}
