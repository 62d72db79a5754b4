package memstore

import (
	"context"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Purge implements [store.Store].
func (s *Store) Purge(ctx context.Context, dead, events time.Time, limit int) (n int, err error) {
	dead, events, limit = at(dead), at(events), max(limit, 1)
	before := func(t time.Time) bool { return !t.IsZero() && t.Before(dead) }
	err = s.do(ctx, func() error {
		n += dropWhere(s, s.tokens, limit, func(t *oauth.Token) bool {
			return before(t.ExpiresAt) || before(t.RevokedAt) && t.RotatedAt.IsZero() || before(s.revoked(t.GrantID))
		})
		n += dropWhere(s, s.codes, limit, func(c *oauth.AuthorizationCode) bool {
			return c.UsedAt.IsZero() && c.ExpiresAt.Before(dead) || c.ExpiresAt.Add(store.UsedCodeMemory).Before(dead)
		})
		n += dropWhere(s, s.requests, limit, func(r *oauth.AuthorizationRequest) bool { return r.ExpiresAt.Before(dead) })
		n += dropWhere(s, s.secrets, limit, func(c *oauth.ClientSecret) bool { return before(c.ExpiresAt) })
		n += dropWhere(s, s.events, limit, func(e *oauth.Event) bool { return e.At.Before(events) })

		busy := map[string]bool{}
		for _, t := range s.tokens {
			busy[t.GrantID] = true
		}
		for _, c := range s.codes {
			busy[c.GrantID] = true
		}
		n += dropWhere(s, s.grants, limit, func(g *oauth.Grant) bool {
			return !busy[g.ID] && (before(g.RevokedAt) || before(g.CreatedAt) && s.superseded(g))
		})
		return nil
	})
	return n, err
}

// superseded reports whether a newer live grant of the same subject and client
// covers all that g, which is live, remembers.
func (s *Store) superseded(g *oauth.Grant) bool {
	if !g.RevokedAt.IsZero() {
		return false
	}
	for _, newer := range s.grants {
		if newer.Subject == g.Subject && newer.ClientID == g.ClientID && newer.RevokedAt.IsZero() &&
			newer.CreatedAt.After(g.CreatedAt) && oauth.ContainsScopes(newer.Scopes, g.Scopes) {
			return true
		}
	}
	return false
}

// DeleteSubject implements [store.Store].
func (s *Store) DeleteSubject(ctx context.Context, subject string) error {
	return s.do(ctx, func() error {
		for id, c := range s.clients {
			if c.Owner == subject {
				s.deleteClient(id)
			}
		}
		dropWhere(s, s.requests, -1, func(r *oauth.AuthorizationRequest) bool { return r.Subject == subject })
		dropWhere(s, s.codes, -1, func(c *oauth.AuthorizationCode) bool { return c.Subject == subject })
		dropWhere(s, s.tokens, -1, func(t *oauth.Token) bool { return t.Subject == subject })
		dropWhere(s, s.grants, -1, func(g *oauth.Grant) bool { return g.Subject == subject })
		return nil
	})
}

// Ping implements [store.Store].
func (s *Store) Ping(ctx context.Context) error { return s.do(ctx, func() error { return nil }) }
