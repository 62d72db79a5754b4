package manage

import (
	"context"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// InitialTokenInput is what somebody says about an initial access token.
type InitialTokenInput struct {
	Name string // whom it is for; at most 40 characters
	// ExpiresAt is the first instant at which the token is dead; zero: never.
	ExpiresAt time.Time
}

// CreateInitialToken makes an initial access token, with which software may
// register itself, any number of times (RFC 7591 §3). The token is shown here and
// never again. For administrators and the operator. [Desk.Tokens] lists such tokens
// by their kind, and [Desk.RevokeToken] ends one; what was registered with it
// stays. Errors: [*Invalid], [*Refused].
func (d *Desk) CreateInitialToken(ctx context.Context, a Actor, in InitialTokenInput) (*oauth.Token, oauth.Secret, error) {
	if !a.all() || a.byToken() != nil {
		return nil, "", &Refused{"Only an administrator who is signed in may make initial access tokens."}
	}
	now := d.now()
	drawn := d.mint.Draw(mint.InitialToken, now)
	t := &oauth.Token{
		ID: drawn.ID, Kind: oauth.InitialToken, Hash: drawn.Hash, Hint: drawn.Hint, Subject: a.Subject,
		Name: strings.TrimSpace(in.Name), IssuedAt: now, ExpiresAt: instant(in.ExpiresAt),
	}
	var bad Invalid
	bad.name(t.Name, maxTokenName, "The name must be at most 40 characters long.")
	if !t.ExpiresAt.IsZero() && !t.ExpiresAt.After(now) {
		bad.add("expires_at", "The expiry must lie in the future.")
	}
	if err := bad.err(); err != nil {
		return nil, "", err
	}
	err := d.store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		if err := tx.CreateToken(ctx, t); err != nil {
			return err
		}
		return d.record(ctx, tx, a, oauth.Event{Type: oauth.EventTokenIssued, TokenID: t.ID, Detail: "made the initial access token " + t.Name})
	})
	if err != nil {
		return nil, "", err
	}
	return t, drawn.Secret, nil
}
