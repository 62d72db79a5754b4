package token

import (
	"context"
	"errors"
	"fmt"

	"github.com/valetkey/valetkey/grant"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/proof"
	"github.com/valetkey/valetkey/internal/redirecturi"
	"github.com/valetkey/valetkey/internal/target"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// AuthorizationCode is the authorization code grant (RFC 6749 §4.1.3).
type AuthorizationCode struct {
	Mint    *mint.Mint
	Targets *target.Targets
}

func (AuthorizationCode) GrantType() string { return oauth.GrantAuthorizationCode }
func (AuthorizationCode) Params() []string  { return []string{"code", "redirect_uri", "code_verifier"} }

// Subject is the user who was asked for consent.
func (g AuthorizationCode) Subject(ctx context.Context, s store.Store, r *grant.Request) (string, error) {
	if r.Form["code"] == "" {
		return "", refuse(oauth.InvalidRequest, "Missing code parameter.")
	}
	code, err := g.find(ctx, s, r)
	if err != nil {
		return "", err
	}
	return code.Subject, nil
}

// Grant checks the code in the order of the RFC and uses it. Whoever fails a
// check before the last leaves the code as it was, or a stranger could use up
// other people's codes.
func (g AuthorizationCode) Grant(ctx context.Context, tx store.Store, r *grant.Request) (*grant.Issue, error) {
	code, err := g.find(ctx, tx, r)
	if err != nil {
		return nil, err
	}
	if err := sameRedirect(code, r); err != nil {
		return nil, err
	}
	if err := inTime(code, r); err != nil {
		return nil, err
	}
	if err := proof.VerifyPKCE(code.CodeChallenge, r.Form["code_verifier"]); err != nil {
		return nil, err
	}
	resources, err := g.Targets.Narrow(code.Resources, r.Resources)
	if err != nil && code.UsedAt.IsZero() { // a code that was used is seen for that first
		return nil, err
	}
	if err := use(ctx, tx, code, r); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	id, err := signedIn(ctx, tx, code.GrantID, code.Scopes, code.Nonce)
	if err != nil {
		return nil, err
	}
	return &grant.Issue{
		Subject: code.Subject, Scopes: code.Scopes, Resources: resources, GrantID: code.GrantID, IDToken: id,
		Refresh: r.Client.MayUse(oauth.GrantRefreshToken), RefreshResources: code.Resources, Detail: oauth.GrantAuthorizationCode,
	}, nil
}

// find returns the code if it is one of ours and this client's (RFC 6749
// §4.1.3). Unknown and foreign codes are told alike.
func (g AuthorizationCode) find(ctx context.Context, s store.Store, r *grant.Request) (*oauth.AuthorizationCode, error) {
	unknown := refuse(oauth.InvalidGrant, "The code is unknown, or was issued to another client.")
	parsed, err := g.Mint.Parse(oauth.Secret(r.Form["code"]), mint.AuthorizationCode)
	if err != nil {
		return nil, unknown
	}
	code, err := s.Code(ctx, parsed.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, unknown
	case err != nil:
		return nil, fmt.Errorf("look up code: %w", err)
	case !code.Hash.Equal(parsed.Hash), code.ClientID != r.Client.ID:
		return nil, unknown
	}
	return code, nil
}

// sameRedirect: RFC 6749 §4.1.3, and OAuth 2.1 §10.2 for clients that leave it
// out because PKCE binds the code.
func sameRedirect(code *oauth.AuthorizationCode, r *grant.Request) error {
	sent := r.Form["redirect_uri"]
	switch {
	case sent == "" && code.RedirectURI == "", sent == "" && code.CodeChallenge != "":
		return nil
	case sent == "":
		return refuse(oauth.InvalidGrant, "The parameter redirect_uri is missing: the authorization request had one.")
	case code.RedirectURI == "" && redirecturi.Match(r.Client.RedirectURIs, sent), sent == code.RedirectURI:
		return nil
	}
	return refuse(oauth.InvalidGrant, "Mismatching redirect URI: redirect_uri differs from the one of the authorization request.")
}

// inTime refuses an expired code, but lets a used one pass on to be seen for
// what it is (RFC 6749 §4.1.2).
func inTime(code *oauth.AuthorizationCode, r *grant.Request) error {
	if code.UsedAt.IsZero() && !r.Now.Before(code.ExpiresAt) {
		return refuse(oauth.InvalidGrant, "The code has expired.")
	}
	return nil
}

// use redeems the code, once. A second time, everything that came of the first
// is revoked (RFC 6749 §4.1.2, §10.5).
func use(ctx context.Context, tx store.Store, code *oauth.AuthorizationCode, r *grant.Request) error {
	err := tx.UseCode(ctx, code.ID, r.Now)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return refuse(oauth.InvalidGrant, "The code has expired.")
	case !errors.Is(err, store.ErrUsed):
		return fmt.Errorf("use code: %w", err)
	}
	now, err := tx.Code(ctx, code.ID)
	if err != nil {
		return fmt.Errorf("look up used code: %w", err)
	}
	if now.UsedAt.IsZero() {
		return refuse(oauth.InvalidGrant, "The access that the code stands for has been revoked.")
	}
	if err := tx.RevokeGrant(ctx, code.GrantID, r.Now); err != nil {
		return fmt.Errorf("revoke grant of replayed code: %w", err)
	}
	if err := tx.RecordEvent(ctx, event(r, oauth.EventCodeReplayed, code.Subject, "", "a code was used twice; its grant is revoked")); err != nil {
		return fmt.Errorf("record replay: %w", err)
	}
	return refuse(oauth.InvalidGrant, "The code was used before. The tokens that were issued for it are revoked.")
}
