package token

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/valetkey/valetkey/grant"
	"github.com/valetkey/valetkey/internal/idtoken"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Answer is a successful token response (RFC 6749 §5.1). Its tokens are plain
// strings because they must be seen once, by the client.
type Answer struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	RefreshToken string `json:"refresh_token,omitempty"`
	Scope        string `json:"scope,omitempty"`
	IDToken      string `json:"id_token,omitempty"` // OpenID Connect Core §3.1.3.3
	User         *User  `json:"user,omitempty"`
}

// given is the kind, if there is a token of it.
func given(token, kind string) string {
	if token == "" {
		return ""
	}
	return kind
}

// issued is what the transaction made; what must be signed is signed after it.
type issued struct {
	answer *Answer
	token  *oauth.Token // the access token's row
	issue  *grant.Issue
}

// User is the user object that the predecessor added to token responses.
type User struct {
	ID            string  `json:"id"`
	Email         *string `json:"email,omitempty"`
	EmailVerified *bool   `json:"email_verified,omitempty"`
}

// userFor returns what a client with those scopes may see of the user; nil for nobody.
func userFor(u *oauth.User, scopes []string) *User {
	if u == nil {
		return nil
	}
	out := &User{ID: u.Subject}
	if slices.Contains(scopes, oauth.ScopeEmail) {
		out.Email, out.EmailVerified = &u.Email, &u.EmailVerified
	}
	return out
}

// issue makes what the handler decided on, inside its transaction.
func (e *endpoint) issue(ctx context.Context, tx store.Store, req *grant.Request, is *grant.Issue) (*issued, error) {
	if err := e.revokeEarlier(ctx, tx, req, is); err != nil {
		return nil, err
	}
	access := e.Mint.Draw(mint.AccessToken, req.Now)
	row := &oauth.Token{
		ID: access.ID, Kind: oauth.AccessToken, Hash: access.Hash, GrantID: is.GrantID, ClientID: req.Client.ID,
		Subject: is.Subject, Scopes: is.Scopes, Resources: is.Resources, IssuedAt: req.Now, ExpiresAt: req.Now.Add(e.AccessToken),
	}
	if err := tx.CreateToken(ctx, row); err != nil {
		return nil, fmt.Errorf("store access token: %w", err)
	}
	refresh, err := e.refreshToken(ctx, tx, req, is)
	if err != nil {
		return nil, err
	}
	if err := tx.RecordEvent(ctx, event(req, oauth.EventTokenIssued, is.Subject, access.ID, is.Detail)); err != nil {
		return nil, fmt.Errorf("record issue: %w", err)
	}
	answer := &Answer{
		AccessToken: string(access.Secret), TokenType: "Bearer", ExpiresIn: int64(e.AccessToken / time.Second),
		RefreshToken: string(refresh), Scope: oauth.ScopeString(is.Scopes),
	}
	if e.TokenUser {
		answer.User = userFor(req.User, is.Scopes)
	}
	return &issued{answer: answer, token: row, issue: is}, nil
}

// sign puts in the answer what the server's keys sign. It comes after the
// transaction, which other requests wait for.
func (e *endpoint) sign(ctx context.Context, req *grant.Request, made *issued) (_ *Answer, err error) {
	var auth oauth.Authentication
	if id := made.issue.IDToken; id != nil {
		auth = id.Authentication
	}
	if e.AccessTokens != nil && e.Targets.JWT(req.Client, made.token.Resources) {
		if made.answer.AccessToken, err = e.AccessTokens.Sign(ctx, made.token, req.Client, auth); err != nil {
			return nil, fmt.Errorf("sign access token: %w", err)
		}
	}
	if made.answer.User != nil && e.OpenID != nil {
		if made.answer.User.ID, err = e.OpenID.Subjects.Of(ctx, req.Client, req.User.Subject); err != nil {
			return nil, fmt.Errorf("subject for the client: %w", err)
		}
	}
	if made.answer.IDToken, err = e.idToken(ctx, req, made); err != nil {
		return nil, fmt.Errorf("sign ID token: %w", err)
	}
	return made.answer, nil
}

// idToken is the ID token of the answer (OpenID Connect Core §3.1.3.3, §12.2), or
// "" for none.
func (e *endpoint) idToken(ctx context.Context, req *grant.Request, made *issued) (string, error) {
	id := made.issue.IDToken
	if id == nil || e.OpenID == nil || req.User == nil {
		return "", nil
	}
	return e.OpenID.Sign(ctx, idtoken.Token{
		Client: req.Client, User: req.User, Scopes: made.issue.Scopes, Authentication: id.Authentication,
		Nonce: id.Nonce, Claims: id.Claims, AccessToken: made.answer.AccessToken,
	})
}

// revokeEarlier kills what the new tokens replace.
func (e *endpoint) revokeEarlier(ctx context.Context, tx store.Store, req *grant.Request, is *grant.Issue) error {
	if e.OneTokenPerClient {
		if _, err := tx.RevokeGrants(ctx, is.Subject, req.Client.ID, is.GrantID, req.Now); err != nil {
			return fmt.Errorf("revoke earlier grants: %w", err)
		}
	}
	if (e.OneTokenPerClient || is.RevokeAccess) && is.GrantID != "" {
		if err := tx.RevokeAccessTokens(ctx, is.GrantID, req.Now); err != nil {
			return fmt.Errorf("revoke earlier access tokens: %w", err)
		}
	}
	return nil
}

// refreshToken makes the refresh token of the answer, or "" for none.
func (e *endpoint) refreshToken(ctx context.Context, tx store.Store, req *grant.Request, is *grant.Issue) (oauth.Secret, error) {
	row, secret := is.Successor, is.RefreshToken
	if is.Refresh {
		drawn := e.Mint.Draw(mint.RefreshToken, req.Now)
		secret = drawn.Secret
		row = &oauth.Token{
			ID: drawn.ID, Kind: oauth.RefreshToken, Hash: drawn.Hash, GrantID: is.GrantID, ClientID: req.Client.ID,
			Subject: is.Subject, Scopes: is.Scopes, Resources: is.RefreshResources, IssuedAt: req.Now, ExpiresAt: after(req.Now, e.RefreshToken),
		}
		if len(row.Resources) == 0 {
			row.Resources = is.Resources
		}
	}
	if row == nil {
		return secret, nil
	}
	if err := tx.CreateToken(ctx, row); err != nil {
		return "", fmt.Errorf("store refresh token: %w", err)
	}
	return secret, nil
}

// signedIn says what an ID token of the grant holds, if the scopes ask for one; nil
// if they do not. The nonce is that of the authorization request, for its code alone.
func signedIn(ctx context.Context, tx store.Store, grantID string, scopes []string, nonce string) (*grant.IDToken, error) {
	if !slices.Contains(scopes, oauth.ScopeOpenID) {
		return nil, nil
	}
	g, err := tx.Grant(ctx, grantID)
	if err != nil {
		return nil, fmt.Errorf("look up grant: %w", err)
	}
	return &grant.IDToken{Nonce: nonce, Authentication: g.Authentication, Claims: g.Claims}, nil
}

// after is now plus the lifetime; never, if that is zero.
func after(now time.Time, lifetime time.Duration) time.Time {
	if lifetime == 0 {
		return time.Time{}
	}
	return now.Add(lifetime)
}

func event(req *grant.Request, typ oauth.EventType, subject, tokenID, detail string) oauth.Event {
	return oauth.Event{
		ID: mint.NewID(req.Now), At: req.Now, Type: typ, Actor: req.Client.ID, Subject: subject, ClientID: req.Client.ID,
		TokenID: tokenID, Network: req.Network, RequestID: req.RequestID, Detail: detail,
	}
}

func refuse(code oauth.ErrorCode, description string) error {
	return &oauth.Error{Code: code, Description: description}
}
