package memstore

import (
	"context"
	"slices"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Purge implements [store.Store].
func (s *Store) Purge(ctx context.Context, h store.Horizon, limit int) (n int, err error) {
	dead, events, keys, registrations, limit := at(h.Dead), at(h.Events), at(h.Keys), at(h.Registrations), max(limit, 1)
	before := func(t time.Time) bool { return !t.IsZero() && t.Before(dead) }
	err = s.do(ctx, func() error {
		n += dropWhere(s, s.tokens, limit, func(t *oauth.Token) bool {
			return before(t.ExpiresAt) || before(t.RevokedAt) && t.RotatedAt.IsZero() || before(s.revoked(t.GrantID))
		})
		n += dropWhere(s, s.codes, limit, func(c *oauth.AuthorizationCode) bool {
			return c.UsedAt.IsZero() && c.ExpiresAt.Before(dead) || c.ExpiresAt.Add(store.UsedCodeMemory).Before(dead)
		})
		n += dropWhere(s, s.requests, limit, func(r *oauth.AuthorizationRequest) bool { return r.ExpiresAt.Before(dead) })
		n += dropWhere(s, s.pushed, limit, func(r *oauth.PushedRequest) bool {
			return r.ExpiresAt.Add(store.PushedRequestMemory).Before(dead)
		})
		n += dropWhere(s, s.devices, limit, func(d *oauth.DeviceCode) bool { return d.ExpiresAt.Before(dead) })
		n += dropWhere(s, s.replays, limit, func(until *time.Time) bool { return until.Before(dead) })
		n += dropWhere(s, s.signedIn, limit, func(c *oauth.SessionClient) bool {
			return c.EndedAt.IsZero() && c.ExpiresAt.Before(dead)
		})
		n += s.purgeSessions(dead, limit)
		n += dropWhere(s, s.secrets, limit, func(c *oauth.ClientSecret) bool { return before(c.ExpiresAt) })
		n += dropWhere(s, s.events, limit, func(e *oauth.Event) bool { return e.At.Before(events) })
		n += dropWhere(s, s.keys, limit, func(k *store.SigningKey) bool {
			return !k.ExpiresAt.IsZero() && k.ExpiresAt.Before(keys)
		})

		busy := map[string]bool{}
		for _, t := range s.tokens {
			busy[t.GrantID] = true
		}
		for _, c := range s.codes {
			busy[c.GrantID] = true
		}
		for _, d := range s.devices {
			busy[d.GrantID] = true
		}
		n += dropWhere(s, s.grants, limit, func(g *oauth.Grant) bool {
			return !busy[g.ID] && (before(g.RevokedAt) || before(g.CreatedAt) && s.superseded(g))
		})
		n += s.purgeRegistrations(registrations, limit)
		s.purgeChanges(dead)
		return nil
	})
	return n, err
}

// purgeSessions forgets sessions that have no clients left.
func (s *Store) purgeSessions(dead time.Time, limit int) (n int) {
	busy := map[string]bool{}
	for _, c := range s.signedIn {
		busy[c.SID] = true
	}
	for sid, row := range s.sessions {
		if n < limit && !busy[sid] && row.expires.Before(dead) {
			drop(s, s.sessions, sid)
			n++
		}
	}
	return n
}

// purgeRegistrations deletes clients that registered themselves and were never
// used, or not for long.
func (s *Store) purgeRegistrations(before time.Time, limit int) (n int) {
	used := map[string]bool{}
	for _, g := range s.grants {
		used[g.ClientID] = true
	}
	for _, t := range s.tokens {
		if t.Kind != oauth.RegistrationToken {
			used[t.ClientID] = true
		}
	}
	for id, c := range s.clients {
		if n < limit && !used[id] && c.Registration == oauth.RegisteredDynamically && c.UpdatedAt.Before(before) {
			s.deleteClient(id)
			n++
		}
	}
	return n
}

// superseded reports whether a newer live grant of the same subject and client
// covers all that g, which is live, remembers.
func (s *Store) superseded(g *oauth.Grant) bool {
	if !g.RevokedAt.IsZero() {
		return false
	}
	for _, newer := range s.grants {
		if newer.Subject == g.Subject && newer.ClientID == g.ClientID && newer.RevokedAt.IsZero() &&
			newer.CreatedAt.After(g.CreatedAt) && oauth.ContainsScopes(newer.Scopes, g.Scopes) &&
			slices.Equal(newer.Resources, g.Resources) && newer.Claims == g.Claims {
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
		dropWhere(s, s.devices, -1, func(d *oauth.DeviceCode) bool { return d.Subject == subject })
		dropWhere(s, s.signedIn, -1, func(c *oauth.SessionClient) bool { return c.Subject == subject && c.EndedAt.IsZero() })
		dropWhere(s, s.codes, -1, func(c *oauth.AuthorizationCode) bool { return c.Subject == subject })
		dropWhere(s, s.tokens, -1, func(t *oauth.Token) bool { return t.Subject == subject })
		dropWhere(s, s.grants, -1, func(g *oauth.Grant) bool { return g.Subject == subject })
		s.note(store.SubjectChanged, subject)
		return nil
	})
}

// Ping implements [store.Store].
func (s *Store) Ping(ctx context.Context) error { return s.do(ctx, func() error { return nil }) }
