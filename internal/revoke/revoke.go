// Package revoke is the revocation endpoint (RFC 7009): a client gives back a
// token that it no longer needs.
//
// A refresh token takes its whole grant with it, every access token included; an
// access token goes alone. The answer is 200 with no body whether the token was
// alive, dead, unknown or another client's, and only in the first case does
// anything happen (§2.2). When the store cannot do it the answer is 503 with
// Retry-After (§2.2.1), never a 200 that is not true. token_type_hint is only a
// hint, and tokens here tell their type themselves.
package revoke

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/valetkey/valetkey/internal/clientauth"
	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Config says what the endpoint is made of. All fields are required.
type Config struct {
	Store   store.Store
	Live    *liveness.Checker
	Clients *clientauth.Authenticator
	Now     func() time.Time
}

type endpoint struct{ Config }

// New returns the revocation endpoint.
func New(c Config) http.Handler { return respond.CORS(&endpoint{c}, http.MethodPost) }

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		respond.MethodNotAllowed(w, r, http.MethodPost)
		return
	}
	if err := e.answer(w, r); err != nil {
		respond.Error(w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

func (e *endpoint) answer(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Parse(w, r)
	if err != nil {
		return err
	}
	client, err := e.Clients.Authenticate(r, f)
	if err != nil {
		return err
	}
	if err := f.Require("token"); err != nil {
		return err
	}
	known, err := e.Live.Known(r.Context(), oauth.Secret(f["token"]), mint.AccessToken, mint.RefreshToken)
	if errors.Is(err, liveness.ErrDead) {
		return nil // not one of ours: invalid tokens are no error (RFC 7009 §2.2)
	}
	if err != nil {
		return err
	}
	return e.Store.InTx(r.Context(), func(ctx context.Context, tx store.Store) error {
		t, err := tx.Token(ctx, known.ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look up token: %w", err)
		}
		if !known.Is(t) || t.ClientID != client.ID || !t.RevokedAt.IsZero() {
			return nil
		}
		return e.revoke(ctx, tx, t)
	})
}

// revoke kills the token, or all of its grant if it is a refresh token (RFC 7009 §2.1).
func (e *endpoint) revoke(ctx context.Context, tx store.Store, t *oauth.Token) error {
	now, from := e.Now(), peer.From(ctx)
	ev := oauth.Event{
		ID: mint.NewID(now), At: now, Type: oauth.EventTokenRevoked, Actor: t.ClientID, Subject: t.Subject, ClientID: t.ClientID,
		TokenID: t.ID, Network: from.Network(), RequestID: from.RequestID, Detail: "the client gave the token back",
	}
	var err error
	if t.Kind == oauth.RefreshToken && t.GrantID != "" {
		ev.Type, ev.Detail = oauth.EventGrantRevoked, "the client gave its refresh token back"
		err = tx.RevokeGrant(ctx, t.GrantID, now)
	} else {
		err = tx.RevokeToken(ctx, t.ID, now)
	}
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	if err := tx.RecordEvent(ctx, ev); err != nil {
		return fmt.Errorf("record revocation: %w", err)
	}
	return nil
}
