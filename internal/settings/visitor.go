package settings

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// visitor is who is at the keyboard.
type visitor struct {
	session *oauth.Session
	user    *oauth.User
	actor   manage.Actor
}

// visitor returns nil when nobody is signed in, or somebody who no longer exists.
// On these pages an administrator is a person like any other: everybody's
// things are looked after elsewhere.
func (s *Settings) visitor(r *http.Request) (*visitor, error) {
	session, err := s.cfg.Login.Session(r)
	if err != nil || session == nil {
		return nil, err
	}
	user, err := s.cfg.Users.User(r.Context(), session.Subject)
	if errors.Is(err, oauth.ErrUserNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if user.Disabled {
		return nil, &manage.Refused{Reason: "This account is disabled."}
	}
	from := peer.From(r.Context())
	return &visitor{session: session, user: user, actor: manage.Actor{
		Subject: user.Subject, Network: from.Network(), RequestID: from.RequestID,
	}}, nil
}

// publisher is the display name of a client's owner; empty if it has none.
func (s *Settings) publisher(ctx context.Context, c *oauth.Client) (string, error) {
	if c.Owner == "" {
		return "", nil
	}
	owner, err := s.cfg.Users.User(ctx, c.Owner)
	switch {
	case errors.Is(err, oauth.ErrUserNotFound):
		return "somebody who has left", nil
	case err != nil:
		return "", err
	}
	return owner.DisplayName(), nil
}

// errorPage answers what cannot be done. A fault is logged and shown as nothing
// but the request's id.
func (s *Settings) errorPage(w http.ResponseWriter, r *http.Request, v *visitor, err error) {
	page := pages.ErrorPage{RequestID: peer.From(r.Context()).RequestID}
	var refused *manage.Refused
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, manage.ErrNotFound):
		page.Status = http.StatusNotFound
	case errors.As(err, &refused):
		page.Status, page.Message = http.StatusForbidden, refused.Reason
	case errors.As(err, &tooLarge):
		page.Status = http.StatusRequestEntityTooLarge
	case errors.Is(err, form.ErrPage):
		page.Status = http.StatusBadRequest
	default:
		page.Status = respond.Status(respond.Refusal(r, err).Code) // logs it
	}
	s.cfg.Pages.Render(w, r, page.Status, s.shell(r, v, ""), page)
}

func (s *Settings) methodNotAllowed(w http.ResponseWriter, r *http.Request, rt route) {
	allow := []string{http.MethodGet, http.MethodHead}
	if rt.post != nil {
		allow = append(allow, http.MethodPost)
	}
	w.Header().Set("Allow", strings.Join(allow, ", "))
	s.cfg.Pages.Render(w, r, http.StatusMethodNotAllowed, pages.Shell{},
		pages.ErrorPage{Status: http.StatusMethodNotAllowed, RequestID: peer.From(r.Context()).RequestID})
}
