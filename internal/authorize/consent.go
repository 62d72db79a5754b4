package authorize

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/redirecturi"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// ask keeps the request and draws the page.
func (a *Room) ask(w http.ResponseWriter, r *http.Request, q *request, session *oauth.Session, user *oauth.User, allowed []*oauth.Grant) {
	ctx := r.Context()
	publisher, err := a.publisher(ctx, q.client)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	req := a.pending(q, session)
	if err := a.Store.CreateRequest(ctx, req); err != nil {
		a.broken(w, r, err)
		return
	}
	known := func(scope string) bool {
		return slices.ContainsFunc(allowed, func(g *oauth.Grant) bool { return slices.Contains(allowedBy(g), scope) })
	}
	fresh := slices.DeleteFunc(q.wants(), known)
	old := slices.DeleteFunc(q.wants(), func(s string) bool { return !known(s) })
	shell := pages.Shell{User: user, Session: session}
	if origin := redirecturi.Origin(q.redirectURI); origin != "" {
		shell.FormAction = []string{origin}
	}
	a.Pages.Render(w, r, http.StatusOK, shell, pages.Consent{
		Request: req.ID, Client: q.client, Publisher: publisher, RedirectURI: q.redirectURI,
		New: a.Scopes.Group(fresh), Allowed: a.Scopes.Group(old),
		Resources:     a.Targets.Names(q.resources),
		Offline:       gives(q.responseType, oauth.ResponseTypeCode) && q.client.MayUse(oauth.GrantRefreshToken),
		SwitchAccount: a.switchAccount(q),
	})
}

// publisher is what to call the user who registered the client.
func (a *Room) publisher(ctx context.Context, c *oauth.Client) (string, error) {
	if c.Owner == "" {
		return "", nil
	}
	owner, err := a.Live.User(ctx, c.Owner)
	if err != nil {
		return "", err
	}
	return owner.DisplayName(), nil
}

// Consent is POST /oauth/consent: the person's answer. Whoever mounts it keeps
// other sites from sending it.
func (a *Room) Consent(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		respond.MethodNotAllowed(w, r, http.MethodPost)
		return
	}
	f, err := form.Parse(w, r)
	if err != nil {
		a.page(w, r, &fault{err: err})
		return
	}
	session, err := a.Login.Session(r)
	if err != nil {
		a.broken(w, r, err)
		return
	}
	asked, err := a.waiting(r.Context(), f["request"], session)
	if err != nil {
		a.consentFailed(w, r, err)
		return
	}
	to := destinationOf(asked.req, session)
	answer, err := a.decided(r.Context(), asked, f["confirm"] == "yes")
	a.deliver(w, r, to, answer, err)
}

// stale says why a consent form can no longer be answered.
type stale struct {
	status  int
	message string
}

func (s *stale) Error() string { return s.message }

var (
	errGone      = &stale{http.StatusBadRequest, "This request has expired, or never was. Go back to the application and start again."}
	errAnswered  = &stale{http.StatusConflict, "You have answered this request already. Go back to the application; if it still waits, start again there."}
	errSignedOut = &stale{http.StatusForbidden, "You are no longer signed in. Go back to the application and start again."}
	errForeign   = &stale{http.StatusForbidden, "This request was shown to another session. Go back to the application and start again."}
	errUnsure    = &stale{http.StatusForbidden, "Your sign-in must be confirmed first. Go back to the application and start again."}
	errChanged   = &stale{http.StatusConflict, "The application was changed or removed meanwhile. Go back to it and start again."}
	errInactive  = &stale{http.StatusForbidden, "This account is not active. Ask the people who run this server."}
)

// question is what a consent page spoke of.
type question struct {
	req    *oauth.AuthorizationRequest
	client *oauth.Client
	user   *oauth.User
}

// waiting finds the request that the form answers, and checks that this session
// may answer it and that everything about it still stands.
func (a *Room) waiting(ctx context.Context, id string, s *oauth.Session) (*question, error) {
	if s == nil {
		return nil, errSignedOut
	}
	req, err := a.Store.Request(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errGone
	}
	if err != nil {
		return nil, err
	}
	switch {
	case req.SessionID != s.ID || req.Subject != s.Subject:
		return nil, errForeign
	case !req.UsedAt.IsZero():
		return nil, errAnswered
	case !a.Now().Before(req.ExpiresAt):
		return nil, errGone
	case s.Stale:
		return nil, errUnsure
	}
	client, err := a.Live.Client(ctx, req.ClientID)
	if errors.Is(err, liveness.ErrDead) {
		return nil, errChanged
	}
	if err != nil {
		return nil, err
	}
	if !a.stillMay(client, req) {
		return nil, errChanged
	}
	user, err := a.Live.User(ctx, req.Subject)
	if errors.Is(err, liveness.ErrDead) {
		return nil, errInactive
	}
	return &question{req, client, user}, err
}

// stillMay reports whether the client may still have what the page spoke of.
func (a *Room) stillMay(client *oauth.Client, req *oauth.AuthorizationRequest) bool {
	_, err := a.Scopes.ForClient(client, oauth.ScopeString(req.Scopes))
	return err == nil && redirecturi.Match(client.RedirectURIs, req.RedirectURI) &&
		a.offers(req.ResponseType) && client.MayRespond(req.ResponseType)
}

// decided uses the request up, once, and issues what the person allowed, or says
// that they refused.
func (a *Room) decided(ctx context.Context, q *question, allow bool) ([]param, error) {
	use := func(ctx context.Context, tx store.Store) error {
		err := tx.UseRequest(ctx, q.req.ID, a.Now())
		switch {
		case errors.Is(err, store.ErrUsed):
			return errAnswered
		case errors.Is(err, store.ErrNotFound): // expired, or the client is gone
			return errGone
		case err != nil:
			return err
		}
		if !allow {
			return tx.RecordEvent(ctx, a.event(ctx, oauth.EventConsentDenied, q.req, ""))
		}
		return tx.RecordEvent(ctx, a.event(ctx, oauth.EventConsentGiven, q.req, oauth.ScopeString(union(q.req.Scopes, scopesOf(q.req.Claims)))))
	}
	if allow {
		answer, err := a.issue(ctx, q.req, q.client, q.user, use)
		if errors.Is(err, store.ErrNotFound) { // the client went meanwhile
			err = errGone
		}
		return answer, err
	}
	err := a.Store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		if err := use(ctx, tx); err != nil {
			return err
		}
		return a.usePushed(ctx, tx, q.req)
	})
	if err == nil {
		err = &oauth.Error{Code: oauth.AccessDenied, Description: "The person refused."}
	}
	return nil, err
}

// consentFailed tells the person why the answer could not be taken.
func (a *Room) consentFailed(w http.ResponseWriter, r *http.Request, err error) {
	var s *stale
	if !errors.As(err, &s) {
		a.broken(w, r, err)
		return
	}
	a.errorPage(w, r, s.status, s.message)
}
