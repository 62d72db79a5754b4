package token

import (
	"context"
	"fmt"
	"slices"

	"github.com/valetkey/valetkey/grant"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/target"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// ClientCredentials is the client credentials grant (RFC 6749 §4.4): the client
// acts for itself. There is never a refresh token (§4.4.3).
type ClientCredentials struct {
	Scopes  *oauth.Scopes
	Targets *target.Targets
	// AsOwner makes the token act for the user who registered the client, as the
	// predecessor did, instead of for the client.
	AsOwner bool
}

func (ClientCredentials) GrantType() string { return oauth.GrantClientCredentials }
func (ClientCredentials) Params() []string  { return []string{"scope"} }

// Subject is nobody, or the client's owner.
func (g ClientCredentials) Subject(_ context.Context, _ store.Store, r *grant.Request) (string, error) {
	if g.AsOwner {
		return r.Client.Owner, nil
	}
	return "", nil
}

// Grant reads the scope (RFC 6749 §4.4.2); the client has authenticated already.
func (g ClientCredentials) Grant(ctx context.Context, tx store.Store, r *grant.Request) (*grant.Issue, error) {
	scopes, err := g.Scopes.ForClient(r.Client, r.Form["scope"])
	if err != nil {
		return nil, err
	}
	resources, err := g.Targets.Read(r.Resources)
	if err != nil {
		return nil, err
	}
	issue := &grant.Issue{Subject: r.Client.ID, Scopes: scopes, Resources: resources, Detail: oauth.GrantClientCredentials}
	if r.User == nil {
		return issue, nil
	}
	issue.Subject = r.User.Subject
	issue.GrantID, err = ownGrant(ctx, tx, r, scopes, resources)
	return issue, err
}

// ownGrant returns the owner's grant of exactly these scopes and resources to the
// client, made now if there is none: programs ask for tokens often, and one grant
// is enough.
func ownGrant(ctx context.Context, tx store.Store, r *grant.Request, scopes, resources []string) (string, error) {
	grants, err := tx.LiveGrants(ctx, r.User.Subject, r.Client.ID)
	if err != nil {
		return "", fmt.Errorf("look up grants: %w", err)
	}
	for _, g := range grants {
		if slices.Equal(g.Scopes, scopes) && slices.Equal(g.Resources, resources) {
			return g.ID, nil
		}
	}
	return newGrant(ctx, tx, r, scopes, resources)
}

func newGrant(ctx context.Context, tx store.Store, r *grant.Request, scopes, resources []string) (string, error) {
	g := &oauth.Grant{
		ID: mint.NewID(r.Now), ClientID: r.Client.ID, Subject: r.User.Subject, Scopes: scopes, Resources: resources, CreatedAt: r.Now,
	}
	if err := tx.CreateGrant(ctx, g); err != nil {
		return "", fmt.Errorf("store grant: %w", err)
	}
	return g.ID, nil
}
