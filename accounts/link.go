package accounts

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

const (
	mailedLife = 30 * time.Minute
	setupLife  = time.Hour
	inviteLife = 72 * time.Hour
)

// linkPaths are where the links of each purpose lead.
var linkPaths = map[Purpose]string{
	PurposeReset: pathReset, PurposeSetup: pathSetup, PurposeSignup: pathSignup, PurposeConfirm: pathConfirm,
}

// newLink stores a one-time link and returns its URL, the only time that it is
// known. Links come from the configured issuer, never from a request's headers.
func (a *Accounts) newLink(ctx context.Context, l Link, life time.Duration) (string, error) {
	secret, now := drawSecret(), a.cfg.Now()
	l.Hash, l.CreatedAt, l.ExpiresAt = oauth.HashSecret(secret), now, now.Add(life)
	err := a.store.InTx(ctx, func(ctx context.Context, tx Store) error {
		// A new link replaces older ones. Links without an account but to a mailbox
		// stand side by side.
		if l.AccountID != "" || l.Purpose == PurposeSetup {
			if err := tx.DeleteLinks(ctx, l.Purpose, l.AccountID); err != nil {
				return err
			}
		}
		return tx.CreateLink(ctx, &l)
	})
	if err != nil {
		return "", err
	}
	return a.url(linkPaths[l.Purpose] + string(secret) + "/"), nil
}

// errLink: the link does not exist, was used, or its time is over.
var errLink = &refusal{http.StatusGone, "The link was used before, or its time is over. Ask for a new one."}

// link returns the live link that the request's path holds.
func (a *Accounts) link(r *http.Request, p Purpose) (*Link, error) {
	l, err := a.store.Link(r.Context(), oauth.HashSecret(oauth.Secret(r.PathValue("link"))))
	if errors.Is(err, ErrNotFound) || (err == nil && (l.Purpose != p || !l.UsedAt.IsZero() || !a.cfg.Now().Before(l.ExpiresAt))) {
		return nil, errLink
	}
	return l, err
}

// use consumes the link inside tx; of several requests at once one succeeds.
func (a *Accounts) use(ctx context.Context, tx Store, l *Link) error {
	err := tx.UseLink(ctx, l.Hash, a.cfg.Now())
	if errors.Is(err, ErrUsed) {
		return errLink
	}
	return err
}
