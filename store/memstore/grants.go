package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

func copyGrant(g *oauth.Grant) *oauth.Grant {
	out := *g
	out.Scopes, out.Resources, out.Authentication = list(g.Scopes), list(g.Resources), copyAuthentication(g.Authentication)
	out.CreatedAt, out.RevokedAt, out.LastUsedAt = at(g.CreatedAt), at(g.RevokedAt), at(g.LastUsedAt)
	return &out
}

func copyAuthentication(a oauth.Authentication) oauth.Authentication {
	a.AuthTime, a.AMR = at(a.AuthTime), list(a.AMR)
	return a
}

// CreateGrant implements [store.Grants].
func (s *Store) CreateGrant(ctx context.Context, g *oauth.Grant) error {
	return s.do(ctx, func() error {
		if s.clients[g.ClientID] == nil {
			return store.ErrNotFound
		}
		if s.grants[g.ID] != nil {
			return store.ErrExists
		}
		put(s, s.grants, g.ID, copyGrant(g))
		return nil
	})
}

// Grant implements [store.Grants].
func (s *Store) Grant(ctx context.Context, id string) (out *oauth.Grant, err error) {
	err = s.do(ctx, func() error {
		g := s.grants[id]
		if g == nil {
			return store.ErrNotFound
		}
		out = copyGrant(g)
		return nil
	})
	return out, err
}

// LiveGrants implements [store.Grants].
func (s *Store) LiveGrants(ctx context.Context, subject, clientID string) (out []*oauth.Grant, err error) {
	err = s.do(ctx, func() error {
		for _, g := range s.grants {
			if g.Subject == subject && g.RevokedAt.IsZero() && (clientID == "" || g.ClientID == clientID) {
				out = append(out, copyGrant(g))
			}
		}
		slices.SortFunc(out, func(a, b *oauth.Grant) int {
			return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
		})
		return nil
	})
	return out, err
}

// RevokeGrant implements [store.Grants].
func (s *Store) RevokeGrant(ctx context.Context, id string, now time.Time) error {
	return s.do(ctx, func() error {
		g := s.grants[id]
		if g == nil {
			return store.ErrNotFound
		}
		if g.RevokedAt.IsZero() {
			edit(s, s.grants, id, func(r *oauth.Grant) { r.RevokedAt = at(now) })
			s.note(store.GrantChanged, id)
		}
		return nil
	})
}

// RevokeGrants implements [store.Grants].
func (s *Store) RevokeGrants(ctx context.Context, subject, clientID, except string, now time.Time) (n int, err error) {
	err = s.do(ctx, func() error {
		for id, g := range s.grants {
			if g.Subject == subject && g.ClientID == clientID && id != except && g.RevokedAt.IsZero() {
				edit(s, s.grants, id, func(r *oauth.Grant) { r.RevokedAt = at(now) })
				s.note(store.GrantChanged, id)
				n++
			}
		}
		for id, t := range s.tokens {
			if t.GrantID == "" && t.Subject == subject && t.ClientID == clientID && t.RevokedAt.IsZero() {
				edit(s, s.tokens, id, func(r *oauth.Token) { r.RevokedAt = at(now) })
				s.noteToken(t)
			}
		}
		return nil
	})
	return n, err
}

// TouchGrant implements [store.Grants].
func (s *Store) TouchGrant(ctx context.Context, id string, now time.Time) error {
	return s.do(ctx, func() error {
		if g := s.grants[id]; g != nil && !at(now).Before(g.LastUsedAt.Add(time.Minute)) {
			edit(s, s.grants, id, func(r *oauth.Grant) { r.LastUsedAt = at(now) })
		}
		return nil
	})
}

// CountGrants implements [store.Grants].
func (s *Store) CountGrants(ctx context.Context, clientID string) (n int, err error) {
	err = s.do(ctx, func() error {
		subjects := map[string]bool{}
		for _, g := range s.grants {
			if g.ClientID == clientID && g.RevokedAt.IsZero() {
				subjects[g.Subject] = true
			}
		}
		n = len(subjects)
		return nil
	})
	return n, err
}

// revoked returns when the grant was revoked; zero: not, or there is no such grant.
func (s *Store) revoked(grantID string) time.Time {
	if g := s.grants[grantID]; g != nil {
		return g.RevokedAt
	}
	return time.Time{}
}

// parents reports whether the client and the grant that a row names exist, and
// belong together.
func (s *Store) parents(clientID, grantID, subject string) bool {
	if grantID == "" {
		return clientID == "" || s.clients[clientID] != nil
	}
	g := s.grants[grantID]
	return g != nil && g.ClientID == clientID && g.Subject == subject
}

func copyCode(c *oauth.AuthorizationCode) *oauth.AuthorizationCode {
	out := *c
	out.Scopes, out.Resources = list(c.Scopes), list(c.Resources)
	out.IssuedAt, out.ExpiresAt, out.UsedAt = at(c.IssuedAt), at(c.ExpiresAt), at(c.UsedAt)
	return &out
}

// CreateCode implements [store.Codes].
func (s *Store) CreateCode(ctx context.Context, c *oauth.AuthorizationCode) error {
	return s.do(ctx, func() error {
		if c.GrantID == "" || !s.parents(c.ClientID, c.GrantID, c.Subject) {
			return store.ErrNotFound
		}
		if s.codes[c.ID] != nil {
			return store.ErrExists
		}
		put(s, s.codes, c.ID, copyCode(c))
		return nil
	})
}

// Code implements [store.Codes].
func (s *Store) Code(ctx context.Context, id string) (out *oauth.AuthorizationCode, err error) {
	err = s.do(ctx, func() error {
		c := s.codes[id]
		if c == nil {
			return store.ErrNotFound
		}
		out = copyCode(c)
		return nil
	})
	return out, err
}

// UseCode implements [store.Codes].
func (s *Store) UseCode(ctx context.Context, id string, now time.Time) error {
	return s.do(ctx, func() error {
		c := s.codes[id]
		switch {
		case c == nil:
			return store.ErrNotFound
		case !c.UsedAt.IsZero() || !s.revoked(c.GrantID).IsZero():
			return store.ErrUsed
		case !at(now).Before(c.ExpiresAt):
			return store.ErrNotFound
		}
		edit(s, s.codes, id, func(r *oauth.AuthorizationCode) { r.UsedAt = at(now) })
		return nil
	})
}
