package authorize

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/valetkey/valetkey/internal/idtoken"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/session"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// pending is the request in the form that the server keeps: all that the answer
// needs, and bound to session and person.
func (a *Room) pending(q *request, s *oauth.Session) *oauth.AuthorizationRequest {
	now := a.Now()
	return &oauth.AuthorizationRequest{
		ID: mint.NewID(now), SessionID: s.ID, Subject: s.Subject, ClientID: q.client.ID,
		ResponseType: q.responseType, ResponseMode: q.mode, RedirectURI: q.redirectURI, RedirectURISent: q.uriSent,
		Scopes: q.scopes, Resources: q.resources, Claims: q.claims.String(), State: q.state, Nonce: q.nonce, CodeChallenge: q.challenge,
		Authentication: oauth.Authentication{SID: session.SID(s), AuthTime: s.AuthTime, AMR: s.AMR, ACR: s.ACR},
		PushedID:       q.pushedID, CreatedAt: now, ExpiresAt: now.Add(a.Request),
	}
}

// issued is what the transaction made. Whatever must be signed is signed after it.
type issued struct {
	code   oauth.Secret
	token  *oauth.Token
	secret oauth.Secret // of token
}

// issue records what the person allows, in one transaction, and makes the answer.
// first, if it is not nil, runs at the beginning of the transaction.
func (a *Room) issue(ctx context.Context, req *oauth.AuthorizationRequest, client *oauth.Client, user *oauth.User,
	first func(context.Context, store.Store) error) ([]param, error) {
	var made *issued
	err := a.Store.InTx(ctx, func(ctx context.Context, tx store.Store) (err error) {
		made = nil // fn may run again
		if first != nil {
			if err := first(ctx, tx); err != nil {
				return err
			}
		}
		made, err = a.record(ctx, tx, req, client)
		return err
	})
	if err != nil {
		return nil, err
	}
	answer, err := a.answer(ctx, req, client, user, made)
	if err == nil {
		noteIssued(ctx, answer)
	}
	return answer, err
}

// noteIssued tells the observer what the answer hands out.
func noteIssued(ctx context.Context, answer []param) {
	grantType, kinds := oauth.GrantImplicit, make([]string, 0, 3)
	for _, p := range answer {
		switch p.name {
		case "code":
			grantType = oauth.GrantAuthorizationCode
			kinds = append(kinds, oauth.IssuedCode)
		case "access_token":
			kinds = append(kinds, oauth.IssuedAccess)
		case "id_token":
			kinds = append(kinds, oauth.IssuedID)
		}
	}
	peer.NoteGrantType(ctx, grantType)
	peer.NoteIssued(ctx, kinds...)
}

// record writes the grant and what comes of it.
func (a *Room) record(ctx context.Context, tx store.Store, req *oauth.AuthorizationRequest, client *oauth.Client) (*issued, error) {
	if err := a.usePushed(ctx, tx, req); err != nil {
		return nil, err
	}
	now := a.Now()
	g := &oauth.Grant{
		ID: mint.NewID(now), ClientID: client.ID, Subject: req.Subject, Scopes: req.Scopes, Resources: req.Resources,
		Authentication: req.Authentication, Claims: req.Claims, CreatedAt: now,
	}
	if err := tx.CreateGrant(ctx, g); err != nil {
		return nil, fmt.Errorf("store grant: %w", err)
	}
	if err := a.note(ctx, tx, g, client); err != nil {
		return nil, err
	}
	made := &issued{}
	if gives(req.ResponseType, oauth.ResponseTypeCode) {
		if err := a.makeCode(ctx, tx, req, g, made); err != nil {
			return nil, err
		}
	}
	if gives(req.ResponseType, oauth.ResponseTypeToken) {
		if err := a.makeToken(ctx, tx, req, g, made); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// usePushed uses a pushed request up, now that an authorization comes of it (RFC
// 9126 §4). Until then it could be loaded again and again.
func (a *Room) usePushed(ctx context.Context, tx store.Store, req *oauth.AuthorizationRequest) error {
	if req.PushedID == "" {
		return nil
	}
	err := tx.UsePushedRequest(ctx, req.PushedID, a.Now())
	if errors.Is(err, store.ErrUsed) || errors.Is(err, store.ErrNotFound) {
		return &oauth.Error{Code: oauth.InvalidRequestURI, Description: "The request_uri was used before. Push the request again."}
	}
	return err
}

// note remembers that the session signed the person in to a client that wants to
// hear of its end.
func (a *Room) note(ctx context.Context, tx store.Store, g *oauth.Grant, client *oauth.Client) error {
	err := session.Note(ctx, tx, client, g.Authentication.SID, g.Subject, g.Scopes, g.CreatedAt)
	if errors.Is(err, store.ErrUsed) { // somebody signed out at this very moment
		return &oauth.Error{Code: oauth.LoginRequired, Description: "The person has just signed out."}
	}
	return err
}

// makeCode: RFC 6749 §4.1.2.
func (a *Room) makeCode(ctx context.Context, tx store.Store, req *oauth.AuthorizationRequest, g *oauth.Grant, made *issued) error {
	drawn := a.Mint.Draw(mint.AuthorizationCode, g.CreatedAt)
	code := &oauth.AuthorizationCode{
		ID: drawn.ID, Hash: drawn.Hash, GrantID: g.ID, ClientID: g.ClientID, Subject: g.Subject, Scopes: g.Scopes,
		Resources: g.Resources, Nonce: req.Nonce, CodeChallenge: req.CodeChallenge,
		IssuedAt: g.CreatedAt, ExpiresAt: g.CreatedAt.Add(a.Code),
	}
	if req.RedirectURISent {
		code.RedirectURI = req.RedirectURI
	}
	if err := tx.CreateCode(ctx, code); err != nil {
		return fmt.Errorf("store code: %w", err)
	}
	made.code = drawn.Secret
	return nil
}

// makeToken: RFC 6749 §4.2.2. There is never a refresh token.
func (a *Room) makeToken(ctx context.Context, tx store.Store, req *oauth.AuthorizationRequest, g *oauth.Grant, made *issued) error {
	if a.OneTokenPerClient {
		if _, err := tx.RevokeGrants(ctx, g.Subject, g.ClientID, g.ID, g.CreatedAt); err != nil {
			return fmt.Errorf("revoke earlier grants: %w", err)
		}
	}
	drawn := a.Mint.Draw(mint.AccessToken, g.CreatedAt)
	made.secret = drawn.Secret
	made.token = &oauth.Token{
		ID: drawn.ID, Kind: oauth.AccessToken, Hash: drawn.Hash, GrantID: g.ID, ClientID: g.ClientID, Subject: g.Subject,
		Scopes: g.Scopes, Resources: g.Resources, IssuedAt: g.CreatedAt, ExpiresAt: g.CreatedAt.Add(a.AccessToken),
	}
	if err := tx.CreateToken(ctx, made.token); err != nil {
		return fmt.Errorf("store access token: %w", err)
	}
	e := a.event(ctx, oauth.EventTokenIssued, req, oauth.GrantImplicit)
	e.TokenID = drawn.ID
	if err := tx.RecordEvent(ctx, e); err != nil {
		return fmt.Errorf("record issue: %w", err)
	}
	return nil
}

// answer is the response (RFC 6749 §4.1.2, §4.2.2, OpenID Connect Core §3.2.2.5,
// §3.3.2.5).
func (a *Room) answer(ctx context.Context, req *oauth.AuthorizationRequest, client *oauth.Client, user *oauth.User, made *issued) ([]param, error) {
	var answer []param
	if made.code != "" {
		answer = append(answer, param{"code", string(made.code)})
	}
	var access string
	if made.token != nil {
		var err error
		if access, err = a.accessToken(ctx, client, req, made); err != nil {
			return nil, err
		}
		answer = append(answer, param{"access_token", access}, param{"token_type", "Bearer"},
			param{"expires_in", strconv.FormatInt(int64(a.AccessToken/time.Second), 10)})
		if len(req.Scopes) > 0 {
			answer = append(answer, param{"scope", oauth.ScopeString(req.Scopes)})
		}
	}
	if gives(req.ResponseType, oauth.ResponseTypeIDToken) {
		signed, err := a.OpenID.Sign(ctx, idtoken.Token{
			Client: client, User: user, Scopes: req.Scopes, Authentication: req.Authentication, Nonce: req.Nonce, Claims: req.Claims,
			AccessToken: access, Code: string(made.code), IncludeUserClaims: req.ResponseType == oauth.ResponseTypeIDToken,
		})
		if err != nil {
			return nil, fmt.Errorf("sign ID token: %w", err)
		}
		answer = append(answer, param{"id_token", signed})
	}
	return answer, nil
}

// accessToken is the token as the client gets it: a random string, or a JSON Web
// Token (RFC 9068).
func (a *Room) accessToken(ctx context.Context, client *oauth.Client, req *oauth.AuthorizationRequest, made *issued) (string, error) {
	if a.AccessTokens == nil || !a.Targets.JWT(client, made.token.Resources) {
		return string(made.secret), nil
	}
	signed, err := a.AccessTokens.Sign(ctx, made.token, client, req.Authentication)
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	return signed, nil
}

// event is about the person's answer to req.
func (a *Room) event(ctx context.Context, typ oauth.EventType, req *oauth.AuthorizationRequest, detail string) oauth.Event {
	now, from := a.Now(), peer.From(ctx)
	return oauth.Event{
		ID: mint.NewID(now), At: now, Type: typ, Actor: req.Subject, Subject: req.Subject, ClientID: req.ClientID,
		Network: from.Network(), RequestID: from.RequestID, Detail: detail,
	}
}
