package logout

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/idtoken"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/redirecturi"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/internal/session"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Paths below the issuer: the endpoint, the form of the page that asks, and the
// frame of OpenID Connect Session Management.
const (
	Path             = "/oauth/logout"
	ConfirmPath      = "/oauth/logout/confirm"
	CheckSessionPath = "/oauth/check_session"
)

// Config says what the room is made of. All fields but States are required.
type Config struct {
	Store     store.Store
	Live      *liveness.Checker
	Login     oauth.Authenticator
	Pages     *pages.Pages
	Issuer    string
	IDTokens  *idtoken.Minter // reads the id_token_hint
	Deliverer *Deliverer
	States    *session.States // nil: nobody watches sessions
	// Logout ends the session of the browser that sent r and takes its cookies. It
	// leaves the answer to the caller.
	Logout func(w http.ResponseWriter, r *http.Request) error
}

// Room is the endpoint.
type Room struct{ Config }

// New returns the room; its methods EndSession, Confirm and CheckSession are handlers.
func New(c Config) *Room { return &Room{c} }

// EndSession is GET, HEAD and POST /oauth/logout.
func (a *Room) EndSession(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		a.get(w, r)
	case http.MethodHead: // it may change nothing
		w.Header().Set("Cache-Control", "no-store")
	case http.MethodPost:
		a.post(w, r)
	default:
		respond.MethodNotAllowed(w, r, http.MethodGet, http.MethodHead, http.MethodPost)
	}
}

// post turns the request in a form into the same request in a URL: that of
// another site comes without cookies (OpenID Connect RP-Initiated Logout §2 wants
// both methods). What is in both is repeated, and get says so.
func (a *Room) post(w http.ResponseWriter, r *http.Request) {
	f, err := form.Parse(w, r)
	if err != nil {
		a.malformed(w, r, err)
		return
	}
	query := url.Values{}
	for name, value := range f {
		query.Set(name, value)
	}
	location := a.Pages.Path(Path)
	if encoded := query.Encode(); encoded != "" && r.URL.RawQuery != "" {
		location += "?" + encoded + "&" + r.URL.RawQuery
	} else if encoded+r.URL.RawQuery != "" {
		location += "?" + encoded + r.URL.RawQuery
	}
	redirect(w, location)
}

// get is the way of one logout request.
func (a *Room) get(w http.ResponseWriter, r *http.Request) {
	f, err := form.Query(r)
	if err != nil {
		a.malformed(w, r, err)
		return
	}
	q, wrong, err := a.understand(r.Context(), f)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	s, err := a.Login.Session(r)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	if s == nil && wrong == nil {
		a.goOn(w, r, q, "", nil)
		return
	}
	certain := false
	if s != nil {
		if certain, err = a.certain(r.Context(), q, s); err != nil {
			a.broken(w, r, err)
			return
		}
	}
	if certain {
		a.end(w, r, q, s)
		return
	}
	a.ask(w, r, q, s, wrong)
}

// understand reads the request. One that is wrong is followed no further than to
// the question whether to sign out.
func (a *Room) understand(ctx context.Context, f form.Values) (*request, *problem, error) {
	q, err := a.read(ctx, f)
	var wrong *problem
	if errors.As(err, &wrong) {
		return &request{}, wrong, nil
	}
	return q, nil, err
}

// ask draws the page that asks, or that says what is wrong with the request.
func (a *Room) ask(w http.ResponseWriter, r *http.Request, q *request, s *oauth.Session, wrong *problem) {
	page, shell, status := pages.EndSession{Hidden: q.hidden(), SignedIn: s != nil}, pages.Shell{Session: s}, http.StatusOK
	if q.client != nil {
		page.Application = q.client.Name
	}
	if origin := redirecturi.Origin(q.uri); origin != "" {
		shell.FormAction = []string{origin}
	}
	if wrong != nil {
		status = http.StatusBadRequest
		page.Parameter, page.Problem, page.RequestID = wrong.parameter, wrong.text, peer.From(r.Context()).RequestID
	}
	if s != nil {
		user, err := a.Live.User(r.Context(), s.Subject)
		if err != nil && !errors.Is(err, liveness.ErrDead) {
			a.broken(w, r, err)
			return
		}
		shell.User = user
	}
	a.Pages.Render(w, r, status, shell, page)
}

// Confirm is POST /oauth/logout/confirm: the person's answer to the page that
// asks. Whoever mounts it keeps other sites from sending it.
func (a *Room) Confirm(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		respond.MethodNotAllowed(w, r, http.MethodPost)
		return
	}
	f, err := form.Parse(w, r)
	if err != nil {
		a.malformed(w, r, err)
		return
	}
	// The hint has done its work; a registration that changed meanwhile leads nowhere.
	delete(f, "id_token_hint")
	q, _, err := a.understand(r.Context(), f)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	s, err := a.Login.Session(r)
	switch {
	case err != nil:
		a.broken(w, r, err)
	case s == nil: // sent twice, or signed out elsewhere
		a.goOn(w, r, q, "", nil)
	default:
		a.end(w, r, q, s)
	}
}

// malformed answers what cannot even be read.
func (a *Room) malformed(w http.ResponseWriter, r *http.Request, err error) {
	e := respond.Refusal(r, err)
	a.errorPage(w, r, respond.Status(e.Code), respond.Description(e))
}

// broken answers a fault of our own machinery.
func (a *Room) broken(w http.ResponseWriter, r *http.Request, err error) {
	e := respond.Refusal(r, err)
	w.Header().Set("Retry-After", "5")
	a.errorPage(w, r, respond.Status(e.Code), "")
}

func (a *Room) errorPage(w http.ResponseWriter, r *http.Request, status int, message string) {
	a.Pages.Render(w, r, status, pages.Shell{}, pages.ErrorPage{
		Status: status, Message: message, RequestID: peer.From(r.Context()).RequestID,
	})
}

// CheckSession is GET /oauth/check_session (OpenID Connect Session Management
// §3.2): a page that clients load into a frame, the only one of ours that may be
// framed.
func (a *Room) CheckSession(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		respond.MethodNotAllowed(w, r, http.MethodGet, http.MethodHead)
		return
	}
	a.Pages.CheckSession(w, a.States.Cookie())
}
