package authorize

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Path is where the endpoint lives below the issuer.
const Path = "/oauth/authorize"

// ErrorsPath is where the page that explains errors lives below the issuer.
const ErrorsPath = "/oauth/errors"

// Config says what the room is made of. The first two blocks are required.
type Config struct {
	Store  store.Store
	Mint   *mint.Mint
	Live   *liveness.Checker
	Scopes *oauth.Scopes
	Login  oauth.Authenticator
	Pages  *pages.Pages
	Issuer string
	// Keys authenticate what a browser brings back from signing in; newest first
	// (keyring.Derive("authorize")).
	Keys [][]byte
	Now  func() time.Time

	Code        time.Duration // life of a code
	AccessToken time.Duration // life of an access token of the implicit grant
	Request     time.Duration // how long a consent page waits for its answer

	Implicit          bool // response_type=token, for clients registered for it
	AlwaysConsent     bool // never remember consent
	ErrorRedirect     bool // errors that must not go to the client go to ErrorsPath by a redirect
	OptionalPKCE      bool // public clients may leave PKCE out
	OneTokenPerClient bool // an access token of the implicit grant kills what came before
	Development       bool // tell everybody which redirect URIs are registered
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
	query := url.Values{}
	for name, value := range f {
		query.Set(name, value)
	}
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
	session, err := a.Login.Session(r)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	if session == nil && !q.silent() {
		a.signIn(w, r, q, oauth.LoginNeeded)
		return
	}
	if err := a.read(q, f, formErr); err != nil {
		a.refuse(w, r, q.destination(), err)
		return
	}
	if reason, needed := a.mustSignIn(q, session); needed {
		if q.silent() {
			a.refuse(w, r, q.destination(), &oauth.Error{Code: oauth.LoginRequired, Description: "The person must sign in, and prompt=none forbids asking."})
			return
		}
		a.signIn(w, r, q, reason)
		return
	}
	user, err := a.Live.User(ctx, session.Subject)
	switch dead := errors.Is(err, liveness.ErrDead); {
	case dead && q.silent():
		a.refuse(w, r, q.destination(), &oauth.Error{Code: oauth.InteractionRequired, Description: "The account is not active, and prompt=none forbids saying so."})
	case dead:
		a.inactive(w, r)
	case err != nil:
		a.broken(w, r, err)
	default:
		a.decide(w, r, q, session, user)
	}
}

// decide answers at once, or asks the person first.
func (a *Room) decide(w http.ResponseWriter, r *http.Request, q *request, session *oauth.Session, user *oauth.User) {
	allowed, err := a.Store.LiveGrants(r.Context(), user.Subject, q.client.ID)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	ask := a.mustAsk(q, allowed)
	switch {
	case ask && q.silent():
		a.refuse(w, r, q.destination(), &oauth.Error{Code: oauth.ConsentRequired, Description: "The person has not allowed this yet, and prompt=none forbids asking."})
	case r.Method == http.MethodHead:
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusOK)
	case ask:
		a.ask(w, r, q, session, user, allowed)
	default:
		req := a.pending(q, session)
		var answer []param
		err := a.Store.InTx(r.Context(), func(ctx context.Context, tx store.Store) (err error) {
			answer, err = a.issue(ctx, tx, req, q.client)
			return err
		})
		if err != nil {
			a.broken(w, r, err)
			return
		}
		a.send(w, q.destination(), answer)
	}
}
