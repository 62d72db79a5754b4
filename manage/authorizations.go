package manage

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/valetkey/valetkey/internal/claims"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Authorization is everything a user allows one application: all live grants
// between the two, seen as one.
type Authorization struct {
	ID         string // of the newest live grant
	Client     *oauth.Client
	Scopes     []string  // what any of the grants allows, by name; also those whose claims it allows
	GrantedAt  time.Time // the oldest live grant
	LastUsedAt time.Time // zero: never
}

// Authorizations lists the applications that the actor has authorized, most
// recent authorization first. Internal clients are not shown.
func (d *Desk) Authorizations(ctx context.Context, a Actor) ([]Authorization, error) {
	if a.Subject == "" {
		return nil, nil
	}
	return d.authorizations(ctx, d.store, a.Subject, "")
}

// authorizations puts the live grants of subject together by client.
func (d *Desk) authorizations(ctx context.Context, s store.Store, subject, clientID string) ([]Authorization, error) {
	grants, err := s.LiveGrants(ctx, subject, clientID)
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	var out []Authorization
	for _, g := range grants { // newest first
		i, seen := at[g.ClientID]
		if !seen {
			c, err := s.Client(ctx, g.ClientID)
			if errors.Is(err, store.ErrNotFound) {
				continue // deleted since the grants were read
			}
			if err != nil {
				return nil, err
			}
			i = len(out)
			at[g.ClientID] = i
			out = append(out, Authorization{ID: g.ID, Client: c})
		}
		auth := &out[i]
		auth.Scopes = append(auth.Scopes, g.Scopes...)
		if asked, err := claims.ParseRequest(g.Claims); err == nil { // claims that were asked for one by one
			auth.Scopes = append(auth.Scopes, asked.Scopes()...)
		}
		auth.GrantedAt = g.CreatedAt
		if g.LastUsedAt.After(auth.LastUsedAt) {
			auth.LastUsedAt = g.LastUsedAt
		}
	}
	out = slices.DeleteFunc(out, func(auth Authorization) bool { return auth.Client.Internal })
	for i := range out {
		slices.Sort(out[i].Scopes)
		out[i].Scopes = slices.Compact(out[i].Scopes)
	}
	return out, nil
}

// Authorization returns one of them, by the id of any of its live grants.
// ErrNotFound.
func (d *Desk) Authorization(ctx context.Context, a Actor, id string) (*Authorization, error) {
	return d.authorization(ctx, d.store, a, id)
}

func (d *Desk) authorization(ctx context.Context, s store.Store, a Actor, id string) (*Authorization, error) {
	g, err := s.Grant(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, ErrNotFound
	case err != nil:
		return nil, err
	case !a.owns(g.Subject) || !g.RevokedAt.IsZero():
		return nil, ErrNotFound
	}
	list, err := d.authorizations(ctx, s, g.Subject, g.ClientID)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, ErrNotFound
	}
	return &list[0], nil
}

// RevokeAuthorization takes back everything the actor allows that application:
// all its grants, codes and tokens are dead when it returns. ErrNotFound.
func (d *Desk) RevokeAuthorization(ctx context.Context, a Actor, id string) error {
	return d.store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		auth, err := d.authorization(ctx, tx, a, id)
		if err != nil {
			return err
		}
		if _, err := tx.RevokeGrants(ctx, a.Subject, auth.Client.ID, "", d.now()); err != nil {
			return err
		}
		return d.record(ctx, tx, a, oauth.Event{Type: oauth.EventGrantRevoked, ClientID: auth.Client.ID, Detail: "revoked " + auth.Client.Name})
	})
}

// Activity lists what the actor did and what concerns them, newest first. For
// the command line, which is nobody, it is the whole audit trail.
func (d *Desk) Activity(ctx context.Context, a Actor, q EventQuery, p Page) ([]*oauth.Event, error) {
	if a.Subject == "" {
		return d.AuditTrail(ctx, a, q, p)
	}
	q.Involving = a.Subject
	return d.store.ListEvents(ctx, q, bounded(p))
}

// AuditTrail lists what everybody did, newest first unless p wants it the other
// way round. It is for administrators and the operator; for everybody else it is
// not there (ErrNotFound).
func (d *Desk) AuditTrail(ctx context.Context, a Actor, q EventQuery, p Page) ([]*oauth.Event, error) {
	if !a.all() {
		return nil, ErrNotFound
	}
	return d.store.ListEvents(ctx, q, bounded(p))
}
