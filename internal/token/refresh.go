package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/valetkey/valetkey/grant"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/target"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// RefreshToken is the refresh token grant (RFC 6749 §6); the package comment
// tells its policy.
type RefreshToken struct {
	Mint    *mint.Mint
	Targets *target.Targets
	// Lifetime is how long a refresh token lives since its last use; zero: until
	// it is revoked.
	Lifetime time.Duration
	// Repeat is how long a rotated token gives its successor again.
	Repeat time.Duration
	// RotateAll rotates the refresh tokens of confidential clients too, and
	// revokes the grant's earlier access tokens at every refresh.
	RotateAll bool
}

func (RefreshToken) GrantType() string { return oauth.GrantRefreshToken }
func (RefreshToken) Params() []string  { return []string{"refresh_token", "scope"} }

// Subject is the user of the refresh token.
func (g RefreshToken) Subject(ctx context.Context, s store.Store, r *grant.Request) (string, error) {
	if r.Form["refresh_token"] == "" {
		return "", refuse(oauth.InvalidRequest, "The parameter refresh_token is missing.")
	}
	t, err := g.find(ctx, s, r)
	if err != nil {
		return "", err
	}
	return t.Subject, nil
}

// Grant checks the refresh token and exchanges it. Checks that a client can fail
// by an honest mistake come before anything is changed.
func (g RefreshToken) Grant(ctx context.Context, tx store.Store, r *grant.Request) (*grant.Issue, error) {
	t, err := g.find(ctx, tx, r)
	if err != nil {
		return nil, err
	}
	if err := alive(t, r); err != nil {
		return nil, err
	}
	scopes, err := narrowed(t, r)
	if err != nil {
		return nil, err
	}
	resources, err := g.Targets.Narrow(t.Resources, r.Resources)
	if err != nil {
		return nil, err
	}
	issue := &grant.Issue{Subject: t.Subject, Scopes: scopes, Resources: resources, GrantID: t.GrantID, Detail: oauth.GrantRefreshToken}
	switch {
	case !t.RotatedAt.IsZero():
		err = g.repeat(ctx, tx, r, t, issue)
	case r.Client.Public() || g.RotateAll:
		err = g.rotate(ctx, tx, r, t, issue)
	default:
		err = g.keep(ctx, tx, r, t, issue)
	}
	if err != nil {
		return nil, err
	}
	if err := tx.TouchGrant(ctx, t.GrantID, r.Now); err != nil {
		return nil, fmt.Errorf("touch grant: %w", err)
	}
	// OpenID Connect Core §12.2: the same sign-in as before, and no nonce.
	issue.IDToken, err = signedIn(ctx, tx, t.GrantID, scopes, "")
	return issue, err
}

// find returns the refresh token if it is one of ours and this client's (RFC
// 6749 §6, §10.4). Unknown and foreign tokens are told alike.
func (g RefreshToken) find(ctx context.Context, s store.Store, r *grant.Request) (*oauth.Token, error) {
	unknown := refuse(oauth.InvalidGrant, "The refresh token is unknown, or was issued to another client.")
	parsed, err := g.Mint.Parse(oauth.Secret(r.Form["refresh_token"]), mint.RefreshToken)
	if err != nil {
		return nil, unknown
	}
	t, err := s.Token(ctx, parsed.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, unknown
	case err != nil:
		return nil, fmt.Errorf("look up refresh token: %w", err)
	case !t.Hash.Equal(parsed.Hash), t.Kind != oauth.RefreshToken, t.ClientID != r.Client.ID:
		return nil, unknown
	}
	return t, nil
}

// alive: not revoked and not expired. A rotated token passes on to repeat, even
// after its expiry: until it is purged it can still betray a thief.
func alive(t *oauth.Token, r *grant.Request) error {
	switch {
	case !t.RevokedAt.IsZero():
		return refuse(oauth.InvalidGrant, "The refresh token has been revoked.")
	case t.RotatedAt.IsZero() && !t.ExpiresAt.IsZero() && !r.Now.Before(t.ExpiresAt):
		return refuse(oauth.InvalidGrant, "The refresh token has expired: it was not used for too long.")
	}
	return nil
}

// narrowed reads scope: what was granted, or less (RFC 6749 §6).
func narrowed(t *oauth.Token, r *grant.Request) ([]string, error) {
	asked, err := oauth.ParseScope(r.Form["scope"])
	if err != nil || len(asked) == 0 {
		return t.Scopes, err
	}
	if !oauth.ContainsScopes(t.Scopes, asked) {
		return nil, refuse(oauth.InvalidScope, "The parameter scope asks for more than was granted.")
	}
	return asked, nil
}

// keep hands the refresh token back, and makes it live on. To spare a write it
// is prolonged only when a tenth of its life is gone.
func (g RefreshToken) keep(ctx context.Context, tx store.Store, r *grant.Request, t *oauth.Token, issue *grant.Issue) error {
	issue.RefreshToken = oauth.Secret(r.Form["refresh_token"])
	fresh := after(r.Now, g.Lifetime)
	if t.ExpiresAt.IsZero() || !fresh.IsZero() && fresh.Sub(t.ExpiresAt) < g.Lifetime/10 {
		return nil
	}
	t.ExpiresAt = fresh
	err := tx.ReplaceToken(ctx, t)
	if errors.Is(err, store.ErrNotFound) {
		return refuse(oauth.InvalidGrant, "The refresh token has been revoked.")
	}
	if err != nil {
		return fmt.Errorf("prolong refresh token: %w", err)
	}
	return nil
}

// rotate exchanges the refresh token for its successor (RFC 9700 §4.14.2), which
// has the scopes of the old one whatever the access token is narrowed to.
func (g RefreshToken) rotate(ctx context.Context, tx store.Store, r *grant.Request, t *oauth.Token, issue *grant.Issue) error {
	next := g.Mint.Successor(oauth.Secret(r.Form["refresh_token"]), mint.NewID(r.Now))
	err := tx.RotateToken(ctx, t.ID, next.ID, r.Now)
	switch {
	case errors.Is(err, store.ErrUsed): // somebody was faster, or it has just been revoked
		if t, err = tx.Token(ctx, t.ID); err != nil {
			return fmt.Errorf("look up rotated refresh token: %w", err)
		}
		if err := alive(t, r); err != nil {
			return err
		}
		return g.repeat(ctx, tx, r, t, issue)
	case errors.Is(err, store.ErrNotFound):
		return refuse(oauth.InvalidGrant, "The refresh token has expired: it was not used for too long.")
	case err != nil:
		return fmt.Errorf("rotate refresh token: %w", err)
	}
	issue.RefreshToken = next.Secret
	issue.Successor = &oauth.Token{
		ID: next.ID, Kind: oauth.RefreshToken, Hash: next.Hash, GrantID: t.GrantID, ClientID: t.ClientID,
		Subject: t.Subject, Scopes: t.Scopes, Resources: t.Resources, IssuedAt: r.Now, ExpiresAt: after(r.Now, g.Lifetime),
	}
	issue.RevokeAccess = g.RotateAll
	return nil
}

// repeat answers a token that was rotated already: with the same successor while
// the client may have missed the first answer, by revoking the grant later on.
// Once the successor has itself been used the first answer has arrived, and the
// old token gets nothing more.
func (g RefreshToken) repeat(ctx context.Context, tx store.Store, r *grant.Request, t *oauth.Token, issue *grant.Issue) error {
	// Long before it was rotated is no time to repeat either: the clock was put back.
	if r.Now.Sub(t.RotatedAt).Abs() >= g.Repeat {
		if err := tx.RevokeGrant(ctx, t.GrantID, r.Now); err != nil {
			return fmt.Errorf("revoke grant of replayed refresh token: %w", err)
		}
		if err := tx.RecordEvent(ctx, event(r, oauth.EventRefreshReplayed, t.Subject, t.ID, "a rotated refresh token was used again; its grant is revoked")); err != nil {
			return fmt.Errorf("record replay: %w", err)
		}
		return refuse(oauth.InvalidGrant, "The refresh token was used before. All tokens of this authorization are revoked.")
	}
	used := refuse(oauth.InvalidGrant, "The refresh token was used before.")
	next, err := tx.Token(ctx, t.SuccessorID)
	if errors.Is(err, store.ErrNotFound) {
		return used
	}
	if err != nil {
		return fmt.Errorf("look up successor: %w", err)
	}
	drawn, known := g.Mint.KnownSuccessor(oauth.Secret(r.Form["refresh_token"]), next.ID, next.Hash)
	if !known || !next.LiveAt(r.Now) {
		return used
	}
	issue.RefreshToken = drawn.Secret
	return nil
}
