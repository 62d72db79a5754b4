package token

import (
	"context"
	"errors"
	"fmt"

	"github.com/valetkey/valetkey/grant"
	"github.com/valetkey/valetkey/internal/target"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Password is the resource owner password credentials grant (RFC 6749 §4.3).
// OAuth 2.1 dropped it; it is on offer only where the operator says so, to
// clients registered for it.
type Password struct {
	Verify  oauth.PasswordVerifier
	Scopes  *oauth.Scopes
	Targets *target.Targets
}

func (Password) GrantType() string { return oauth.GrantPassword }
func (Password) Params() []string  { return []string{"username", "password", "scope"} }

// Subject verifies the password, which takes long (RFC 6749 §4.3.2).
func (g Password) Subject(ctx context.Context, _ store.Store, r *grant.Request) (string, error) {
	for _, name := range []string{"username", "password"} {
		if r.Form[name] == "" {
			return "", refuse(oauth.InvalidRequest, "The parameter "+name+" is missing.")
		}
	}
	subject, err := g.Verify(ctx, r.Form["username"], oauth.Secret(r.Form["password"]))
	if errors.Is(err, oauth.ErrUserNotFound) {
		return "", refuse(oauth.InvalidGrant, "The user name and the password do not belong together.")
	}
	if err != nil {
		return "", fmt.Errorf("verify password: %w", err)
	}
	return subject, nil
}

// Grant records what the client was given with the password.
func (g Password) Grant(ctx context.Context, tx store.Store, r *grant.Request) (*grant.Issue, error) {
	if r.User == nil {
		return nil, errors.New("password verified for nobody")
	}
	scopes, err := g.Scopes.ForClient(r.Client, r.Form["scope"])
	if err != nil {
		return nil, err
	}
	resources, err := g.Targets.Read(r.Resources)
	if err != nil {
		return nil, err
	}
	id, err := newGrant(ctx, tx, r, scopes, resources)
	if err != nil {
		return nil, err
	}
	return &grant.Issue{
		Subject: r.User.Subject, Scopes: scopes, Resources: resources, GrantID: id,
		Refresh: r.Client.MayUse(oauth.GrantRefreshToken), Detail: oauth.GrantPassword,
	}, nil
}
