package authorize

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/redirecturi"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// mustAsk decides whether the person has to be asked. Our own software need not
// ask, and a live grant that covers the scopes is a remembered consent; both only
// if nobody else can receive the answer: an https redirect URI or a secret proves
// the client, while any program can listen where a native one does (RFC 8252 §8.6).
func (a *Room) mustAsk(q *request, allowed []*oauth.Grant) bool {
	proven := strings.HasPrefix(q.redirectURI, "https://") || !q.client.Public() && q.responseType == oauth.ResponseTypeCode
	switch {
	case slices.Contains(q.prompt, "consent"):
		return true
	case !proven:
		return true
	case q.client.FirstParty:
		return false
	case a.AlwaysConsent:
		return true
	}
	return !slices.ContainsFunc(allowed, func(g *oauth.Grant) bool { return oauth.ContainsScopes(g.Scopes, q.scopes) })
}

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
		return slices.ContainsFunc(allowed, func(g *oauth.Grant) bool { return slices.Contains(g.Scopes, scope) })
	}
	fresh := slices.DeleteFunc(slices.Clone(q.scopes), known)
	old := slices.DeleteFunc(slices.Clone(q.scopes), func(s string) bool { return !known(s) })
	shell := pages.Shell{User: user, Session: session}
	if origin := redirecturi.Origin(q.redirectURI); origin != "" {
		shell.FormAction = []string{origin}
	}
	a.Pages.Render(w, r, http.StatusOK, shell, pages.Consent{
		Request: req.ID, Client: q.client, Publisher: publisher, RedirectURI: q.redirectURI,
		New: a.Scopes.Group(fresh), Allowed: a.Scopes.Group(old),
		Offline:       q.responseType == oauth.ResponseTypeCode && q.client.MayUse(oauth.GrantRefreshToken),
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
	req, client, err := a.waiting(r.Context(), f["request"], session)
	if err != nil {
		a.consentFailed(w, r, err)
		return
	}
	answer, err := a.answer(r.Context(), req, client, f["confirm"] == "yes")
	if err != nil {
		a.consentFailed(w, r, err)
		return
	}
	if answer == nil {
		a.refuse(w, r, destinationOf(req), &oauth.Error{Code: oauth.AccessDenied, Description: "The person refused."})
		return
	}
	a.send(w, destinationOf(req), answer)
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

// waiting finds the request that the form answers, and checks that this session
// may answer it and that everything about it still stands.
func (a *Room) waiting(ctx context.Context, id string, s *oauth.Session) (*oauth.AuthorizationRequest, *oauth.Client, error) {
	if s == nil {
		return nil, nil, errSignedOut
	}
	req, err := a.Store.Request(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, errGone
	}
	if err != nil {
		return nil, nil, err
	}
	switch {
	case req.SessionID != s.ID || req.Subject != s.Subject:
		return nil, nil, errForeign
	case !req.UsedAt.IsZero():
		return nil, nil, errAnswered
	case !a.Now().Before(req.ExpiresAt):
		return nil, nil, errGone
	case s.Stale:
		return nil, nil, errUnsure
	}
	client, err := a.Live.Client(ctx, req.ClientID)
	if errors.Is(err, liveness.ErrDead) {
		return nil, nil, errChanged
	}
	if err != nil {
		return nil, nil, err
	}
	if !a.stillMay(client, req) {
		return nil, nil, errChanged
	}
	if _, err := a.Live.User(ctx, req.Subject); errors.Is(err, liveness.ErrDead) {
		return nil, nil, errInactive
	} else if err != nil {
		return nil, nil, err
	}
	return req, client, nil
}

// stillMay reports whether the client may still have what the page spoke of.
func (a *Room) stillMay(client *oauth.Client, req *oauth.AuthorizationRequest) bool {
	_, err := a.Scopes.ForClient(client, oauth.ScopeString(req.Scopes))
	return err == nil && redirecturi.Match(client.RedirectURIs, req.RedirectURI) && client.MayUse(grantTypes[req.ResponseType])
}

// answer uses the request up, once, and issues what the person allowed; nil if
// they refused.
func (a *Room) answer(ctx context.Context, req *oauth.AuthorizationRequest, client *oauth.Client, allow bool) ([]param, error) {
	var answer []param
	err := a.Store.InTx(ctx, func(ctx context.Context, tx store.Store) (err error) {
		answer = nil // fn may run again
		if err := tx.UseRequest(ctx, req.ID, a.Now()); err != nil {
			return err
		}
		if !allow {
			return tx.RecordEvent(ctx, a.event(ctx, oauth.EventConsentDenied, req, ""))
		}
		if err := tx.RecordEvent(ctx, a.event(ctx, oauth.EventConsentGiven, req, oauth.ScopeString(req.Scopes))); err != nil {
			return err
		}
		answer, err = a.issue(ctx, tx, req, client)
		return err
	})
	switch {
	case errors.Is(err, store.ErrUsed):
		return nil, errAnswered
	case errors.Is(err, store.ErrNotFound): // expired, or the client is gone
		return nil, errGone
	}
	return answer, err
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
