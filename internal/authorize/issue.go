package authorize

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// pending is the request in the form that the server keeps: all that the answer
// needs, and bound to session and person.
func (a *Room) pending(q *request, s *oauth.Session) *oauth.AuthorizationRequest {
	now := a.Now()
	return &oauth.AuthorizationRequest{
		ID: mint.NewID(now), SessionID: s.ID, Subject: s.Subject, ClientID: q.client.ID, ResponseType: q.responseType,
		RedirectURI: q.redirectURI, RedirectURISent: q.uriSent, Scopes: q.scopes, State: q.state, CodeChallenge: q.challenge,
		CreatedAt: now, ExpiresAt: now.Add(a.Request),
	}
}

// issue records what the person allows and makes the answer, inside tx.
func (a *Room) issue(ctx context.Context, tx store.Store, req *oauth.AuthorizationRequest, client *oauth.Client) ([]param, error) {
	now := a.Now()
	g := &oauth.Grant{ID: mint.NewID(now), ClientID: client.ID, Subject: req.Subject, Scopes: req.Scopes, CreatedAt: now}
	if err := tx.CreateGrant(ctx, g); err != nil {
		return nil, fmt.Errorf("store grant: %w", err)
	}
	if req.ResponseType == oauth.ResponseTypeToken {
		return a.issueToken(ctx, tx, req, g)
	}
	return a.issueCode(ctx, tx, req, g)
}

// issueCode: RFC 6749 §4.1.2.
func (a *Room) issueCode(ctx context.Context, tx store.Store, req *oauth.AuthorizationRequest, g *oauth.Grant) ([]param, error) {
	drawn := a.Mint.Draw(mint.AuthorizationCode, g.CreatedAt)
	code := &oauth.AuthorizationCode{
		ID: drawn.ID, Hash: drawn.Hash, GrantID: g.ID, ClientID: g.ClientID, Subject: g.Subject, Scopes: g.Scopes,
		CodeChallenge: req.CodeChallenge, IssuedAt: g.CreatedAt, ExpiresAt: g.CreatedAt.Add(a.Code),
	}
	if req.RedirectURISent {
		code.RedirectURI = req.RedirectURI
	}
	if err := tx.CreateCode(ctx, code); err != nil {
		return nil, fmt.Errorf("store code: %w", err)
	}
	return []param{{"code", string(drawn.Secret)}}, nil
}

// issueToken: RFC 6749 §4.2.2. There is never a refresh token.
func (a *Room) issueToken(ctx context.Context, tx store.Store, req *oauth.AuthorizationRequest, g *oauth.Grant) ([]param, error) {
	if a.OneTokenPerClient {
		if _, err := tx.RevokeGrants(ctx, g.Subject, g.ClientID, g.ID, g.CreatedAt); err != nil {
			return nil, fmt.Errorf("revoke earlier grants: %w", err)
		}
	}
	drawn := a.Mint.Draw(mint.AccessToken, g.CreatedAt)
	if err := tx.CreateToken(ctx, &oauth.Token{
		ID: drawn.ID, Kind: oauth.AccessToken, Hash: drawn.Hash, GrantID: g.ID, ClientID: g.ClientID, Subject: g.Subject,
		Scopes: g.Scopes, IssuedAt: g.CreatedAt, ExpiresAt: g.CreatedAt.Add(a.AccessToken),
	}); err != nil {
		return nil, fmt.Errorf("store access token: %w", err)
	}
	e := a.event(ctx, oauth.EventTokenIssued, req, oauth.GrantImplicit)
	e.TokenID = drawn.ID
	if err := tx.RecordEvent(ctx, e); err != nil {
		return nil, fmt.Errorf("record issue: %w", err)
	}
	answer := []param{
		{"access_token", string(drawn.Secret)},
		{"token_type", "Bearer"},
		{"expires_in", strconv.FormatInt(int64(a.AccessToken/time.Second), 10)},
	}
	if len(g.Scopes) > 0 {
		answer = append(answer, param{"scope", oauth.ScopeString(g.Scopes)})
	}
	return answer, nil
}

// event is about the person's answer to req.
func (a *Room) event(ctx context.Context, typ oauth.EventType, req *oauth.AuthorizationRequest, detail string) oauth.Event {
	now, from := a.Now(), peer.From(ctx)
	return oauth.Event{
		ID: mint.NewID(now), At: now, Type: typ, Actor: req.Subject, Subject: req.Subject, ClientID: req.ClientID,
		Network: from.Network(), RequestID: from.RequestID, Detail: detail,
	}
}
