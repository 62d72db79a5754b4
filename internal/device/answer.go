package device

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

var (
	errGone     = &told{http.StatusBadRequest, "The code has expired, or never was. Get a new one on your device."}
	errAnswered = &told{http.StatusConflict, "This code has been answered already. If your device still waits, get a new code there."}
	errForeign  = &told{http.StatusForbidden, "This question was shown to another session. Get a new code on your device."}
	errChanged  = &told{http.StatusConflict, "The application was changed or removed meanwhile. Get a new code on your device."}
)

// Confirm is POST /device/confirm: the person's answer. Whoever mounts it keeps
// other sites from sending it.
func (d *Room) Confirm(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		respond.MethodNotAllowed(w, r, http.MethodPost)
		return
	}
	v, f, ok := d.sent(w, r)
	if !ok {
		return
	}
	ctx := r.Context()
	req, code, client, err := d.waiting(ctx, f["request"], v.session)
	if err != nil {
		d.failed(w, r, v, err)
		return
	}
	if f["back"] != "" {
		d.back(w, r, v, req, code)
		return
	}
	allow := f["confirm"] == "yes"
	err = d.answer(ctx, req, code, allow)
	if errors.Is(err, errAnswered) {
		allow, err = d.answered(ctx, code.ID, v.session.Subject)
	}
	if err != nil {
		d.failed(w, r, v, err)
		return
	}
	d.Pages.Render(w, r, http.StatusOK, v.shell(), pages.DeviceDone{Client: client, Allowed: allow})
}

// waiting finds what the form answers, and checks that this session may answer
// it. Whether it can still be answered is for answer to say.
func (d *Room) waiting(ctx context.Context, id string, s *oauth.Session) (*oauth.AuthorizationRequest, *oauth.DeviceCode, *oauth.Client, error) {
	req, err := d.Store.Request(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil, nil, errGone
	case err != nil:
		return nil, nil, nil, fmt.Errorf("look up request: %w", err)
	case req.ResponseType != requestType:
		return nil, nil, nil, errGone
	case req.SessionID != s.ID || req.Subject != s.Subject:
		return nil, nil, nil, errForeign
	case !d.Now().Before(req.ExpiresAt):
		return nil, nil, nil, errGone
	}
	code, err := d.Store.DeviceCode(ctx, codeOf(req))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, nil, errGone
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("look up device code: %w", err)
	}
	client, err := d.Live.Client(ctx, req.ClientID)
	if errors.Is(err, liveness.ErrDead) {
		return nil, nil, nil, errChanged
	}
	if err != nil {
		return nil, nil, nil, err
	}
	if !d.stillMay(client, req.Scopes) {
		return nil, nil, nil, errChanged
	}
	return req, code, client, nil
}

// answer uses the request up, once, and writes the person's answer to the code.
func (d *Room) answer(ctx context.Context, req *oauth.AuthorizationRequest, code *oauth.DeviceCode, allow bool) error {
	err := d.Store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		if err := tx.UseRequest(ctx, req.ID, d.Now()); err != nil {
			return err
		}
		if allow {
			return d.allow(ctx, tx, req, code)
		}
		if err := tx.DenyDeviceCode(ctx, code.ID, d.Now()); err != nil {
			return err
		}
		return tx.RecordEvent(ctx, d.event(ctx, oauth.EventDeviceDenied, req, "asked from "+from(code)))
	})
	switch {
	case errors.Is(err, store.ErrUsed):
		return errAnswered
	case errors.Is(err, store.ErrNotFound): // expired, or the client is gone
		return errGone
	}
	return err
}

// allow makes the grant and hands it to the device.
func (d *Room) allow(ctx context.Context, tx store.Store, req *oauth.AuthorizationRequest, code *oauth.DeviceCode) error {
	now := d.Now()
	g := &oauth.Grant{
		ID: mint.NewID(now), ClientID: req.ClientID, Subject: req.Subject, Scopes: req.Scopes, Resources: req.Resources,
		Authentication: req.Authentication, CreatedAt: now,
	}
	if err := tx.CreateGrant(ctx, g); err != nil {
		return err
	}
	if err := tx.ApproveDeviceCode(ctx, code.ID, g.ID, now); err != nil {
		return err
	}
	detail := "asked from " + from(code)
	if len(req.Scopes) > 0 {
		detail = oauth.ScopeString(req.Scopes) + "; " + detail
	}
	return tx.RecordEvent(ctx, d.event(ctx, oauth.EventDeviceApproved, req, detail))
}

// answered says what the answer was, to who sends it a second time.
func (d *Room) answered(ctx context.Context, id, subject string) (allowed bool, err error) {
	code, err := d.Store.DeviceCode(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, errGone
	case err != nil:
		return false, fmt.Errorf("look up device code: %w", err)
	case code.GrantID != "" && code.Subject == subject:
		return true, nil
	case !code.DeniedAt.IsZero():
		return false, nil
	}
	return false, errAnswered
}

// back lets the code go, so that somebody else can open it: the person who is
// signed in may not be the one who wants to be.
func (d *Room) back(w http.ResponseWriter, r *http.Request, v *visitor, req *oauth.AuthorizationRequest, code *oauth.DeviceCode) {
	err := d.Store.UseRequest(r.Context(), req.ID, d.Now())
	if err != nil && !errors.Is(err, store.ErrUsed) && !errors.Is(err, store.ErrNotFound) {
		d.failed(w, r, v, err)
		return
	}
	seeOther(w, d.address(code.UserCode))
}

// from is where the device asked from, for the audit trail.
func from(code *oauth.DeviceCode) string {
	if code.Network == "" {
		return "an unknown network"
	}
	return code.Network
}

func (d *Room) event(ctx context.Context, typ oauth.EventType, req *oauth.AuthorizationRequest, detail string) oauth.Event {
	now, from := d.Now(), peer.From(ctx)
	return oauth.Event{
		ID: mint.NewID(now), At: now, Type: typ, Actor: req.Subject, Subject: req.Subject, ClientID: req.ClientID,
		Network: from.Network(), RequestID: from.RequestID, Detail: detail,
	}
}
