package memstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// more is what the next step of a sweep goes on from: what went is no longer
// there to be passed over.
const more = "more"

// Purge implements [store.Store]. Even the sweeps that walk take one step.
func (s *Store) Purge(ctx context.Context, sweep store.Sweep, h store.Horizon, _ string, limit int) (n int, next string, err error) {
	limit = max(limit, 1)
	err = s.do(ctx, func() (err error) {
		n, err = s.purge(sweep, h, limit)
		return err
	})
	if err == nil && n >= limit {
		next = more
	}
	return n, next, err
}

func (s *Store) purge(sweep store.Sweep, h store.Horizon, limit int) (int, error) {
	dead := at(h.Dead)
	before := func(t time.Time) bool { return !t.IsZero() && t.Before(dead) }
	switch sweep {
	case store.ExpiredTokens:
		return dropWhere(s, s.tokens, limit, func(t *oauth.Token) bool { return before(t.ExpiresAt) }), nil
	case store.RevokedTokens:
		return dropWhere(s, s.tokens, limit, func(t *oauth.Token) bool { return before(t.RevokedAt) && t.RotatedAt.IsZero() }), nil
	case store.RotatedTokens:
		return dropWhere(s, s.tokens, limit, func(t *oauth.Token) bool {
			return t.ExpiresAt.IsZero() && !t.RotatedAt.IsZero() && before(t.RotatedAt.Add(store.RotatedTokenMemory))
		}), nil
	case store.TokensOfGrants:
		return dropWhere(s, s.tokens, limit, func(t *oauth.Token) bool { return before(s.revoked(t.GrantID)) }), nil
	case store.ExpiredCodes:
		return dropWhere(s, s.codes, limit, func(c *oauth.AuthorizationCode) bool {
			return c.ExpiresAt.Add(store.CodeMemory).Before(dead)
		}), nil
	case store.OldRequests:
		return dropWhere(s, s.requests, limit, func(r *oauth.AuthorizationRequest) bool { return r.ExpiresAt.Before(dead) }), nil
	case store.PushedRequests:
		return dropWhere(s, s.pushed, limit, func(r *oauth.PushedRequest) bool {
			return r.ExpiresAt.Add(store.PushedRequestMemory).Before(dead)
		}), nil
	case store.DeviceCodes:
		return dropWhere(s, s.devices, limit, func(d *oauth.DeviceCode) bool { return d.ExpiresAt.Before(dead) }), nil
	case store.OldReplays:
		return dropWhere(s, s.replays, limit, func(until *time.Time) bool { return until.Before(dead) }), nil
	case store.SessionClients:
		return dropWhere(s, s.signedIn, limit, func(c *oauth.SessionClient) bool {
			return c.EndedAt.IsZero() && c.ExpiresAt.Before(dead)
		}), nil
	case store.OldSessions:
		return s.purgeSessions(dead, limit), nil
	case store.ClientSecrets:
		return dropWhere(s, s.secrets, limit, func(c *oauth.ClientSecret) bool { return before(c.ExpiresAt) }), nil
	case store.OldEvents:
		return dropWhere(s, s.events, limit, func(e *oauth.Event) bool { return e.At.Before(at(h.Events)) }), nil
	case store.RetiredKeys:
		return dropWhere(s, s.keys, limit, func(k *store.SigningKey) bool {
			return !k.ExpiresAt.IsZero() && k.ExpiresAt.Before(at(h.Keys))
		}), nil
	case store.OldChanges:
		return s.purgeChanges(dead), nil
	case store.RevokedGrants:
		busy := map[string]bool{}
		s.markGrantsOfTokens(busy)
		gone := map[string]bool{}
		n := dropWhere(s, s.grants, limit, func(g *oauth.Grant) bool {
			gone[g.ID] = before(g.RevokedAt) && !busy[g.ID]
			return gone[g.ID]
		})
		dropWhere(s, s.codes, -1, func(c *oauth.AuthorizationCode) bool { return gone[c.GrantID] })
		dropWhere(s, s.devices, -1, func(d *oauth.DeviceCode) bool { return gone[d.GrantID] })
		return n, nil
	case store.SupersededGrants:
		busy := s.busyGrants()
		return dropWhere(s, s.grants, limit, func(g *oauth.Grant) bool {
			return before(g.CreatedAt) && !busy[g.ID] && s.superseded(g)
		}), nil
	case store.UnusedClients:
		return s.purgeRegistrations(at(h.Registrations), limit), nil
	}
	return 0, fmt.Errorf("memstore: no sweep is called %q", sweep)
}

// busyGrants are those that something is left of.
func (s *Store) busyGrants() map[string]bool {
	busy := map[string]bool{}
	s.markGrantsOfTokens(busy)
	for _, c := range s.codes {
		busy[c.GrantID] = true
	}
	for _, d := range s.devices {
		busy[d.GrantID] = true
	}
	return busy
}

func (s *Store) markGrantsOfTokens(busy map[string]bool) {
	for _, t := range s.tokens {
		busy[t.GrantID] = true
	}
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

// superseded reports whether a later live grant remembers the same as g.
func (s *Store) superseded(g *oauth.Grant) bool {
	if !g.RevokedAt.IsZero() {
		return false
	}
	for _, later := range s.grants {
		if later.ID > g.ID && later.Subject == g.Subject && later.ClientID == g.ClientID && later.RevokedAt.IsZero() &&
			slices.Equal(later.Scopes, g.Scopes) && slices.Equal(later.Resources, g.Resources) && later.Claims == g.Claims {
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
