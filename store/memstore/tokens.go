package memstore

import (
	"context"
	"slices"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// copyToken copies a token as it stands: with the revocation of its grant.
func (s *Store) copyToken(t *oauth.Token) *oauth.Token {
	out := *t
	out.Scopes, out.Resources = list(t.Scopes), list(t.Resources)
	out.IssuedAt, out.ExpiresAt, out.RevokedAt = at(t.IssuedAt), at(t.ExpiresAt), at(t.RevokedAt)
	out.RotatedAt, out.LastUsedAt = at(t.RotatedAt), at(t.LastUsedAt)
	if out.RevokedAt.IsZero() {
		out.RevokedAt = s.revoked(t.GrantID)
	}
	return &out
}

// CreateToken implements [store.Tokens].
func (s *Store) CreateToken(ctx context.Context, t *oauth.Token) error {
	return s.do(ctx, func() error {
		if !s.parents(t.ClientID, t.GrantID, t.Subject) {
			return store.ErrNotFound
		}
		if s.tokens[t.ID] != nil {
			return store.ErrExists
		}
		row := s.copyToken(t)
		row.RevokedAt = at(t.RevokedAt)
		put(s, s.tokens, t.ID, row)
		return nil
	})
}

// Token implements [store.Tokens].
func (s *Store) Token(ctx context.Context, id string) (out *oauth.Token, err error) {
	err = s.do(ctx, func() error {
		t := s.tokens[id]
		if t == nil {
			return store.ErrNotFound
		}
		out = s.copyToken(t)
		return nil
	})
	return out, err
}

// editUnrevoked changes a token unless it or its grant is revoked.
func (s *Store) editUnrevoked(ctx context.Context, id string, change func(*oauth.Token)) error {
	return s.do(ctx, func() error {
		t := s.tokens[id]
		if t == nil || !s.copyToken(t).RevokedAt.IsZero() {
			return store.ErrNotFound
		}
		edit(s, s.tokens, id, change)
		s.noteToken(t)
		return nil
	})
}

// UpdateToken implements [store.Tokens].
func (s *Store) UpdateToken(ctx context.Context, t *oauth.Token) error {
	return s.editUnrevoked(ctx, t.ID, func(r *oauth.Token) {
		r.Name, r.Description, r.Scopes = t.Name, t.Description, list(t.Scopes)
	})
}

// ReplaceToken implements [store.Tokens].
func (s *Store) ReplaceToken(ctx context.Context, t *oauth.Token) error {
	return s.editUnrevoked(ctx, t.ID, func(r *oauth.Token) {
		r.Hash, r.Hint, r.IssuedAt, r.ExpiresAt = t.Hash, t.Hint, at(t.IssuedAt), at(t.ExpiresAt)
	})
}

// RotateToken implements [store.Tokens].
func (s *Store) RotateToken(ctx context.Context, id, successorID string, now time.Time) error {
	return s.do(ctx, func() error {
		t := s.tokens[id]
		switch {
		case t == nil || t.Kind != oauth.RefreshToken:
			return store.ErrNotFound
		case !t.RotatedAt.IsZero() || !s.copyToken(t).RevokedAt.IsZero():
			return store.ErrUsed
		case !t.LiveAt(at(now)):
			return store.ErrNotFound
		}
		edit(s, s.tokens, id, func(r *oauth.Token) { r.RotatedAt, r.SuccessorID = at(now), successorID })
		return nil
	})
}

// RevokeToken implements [store.Tokens].
func (s *Store) RevokeToken(ctx context.Context, id string, now time.Time) error {
	return s.do(ctx, func() error {
		t := s.tokens[id]
		if t == nil {
			return store.ErrNotFound
		}
		if t.RevokedAt.IsZero() {
			edit(s, s.tokens, id, func(r *oauth.Token) { r.RevokedAt = at(now) })
			s.noteToken(t)
		}
		return nil
	})
}

// RevokeAccessTokens implements [store.Tokens].
func (s *Store) RevokeAccessTokens(ctx context.Context, grantID string, now time.Time) error {
	return s.do(ctx, func() error {
		for id, t := range s.tokens {
			if t.GrantID == grantID && t.Kind == oauth.AccessToken && t.LiveAt(at(now)) {
				edit(s, s.tokens, id, func(r *oauth.Token) { r.RevokedAt = at(now) })
				s.noteToken(t)
			}
		}
		return nil
	})
}

// TouchToken implements [store.Tokens].
func (s *Store) TouchToken(ctx context.Context, id string, now time.Time, network string) error {
	return s.do(ctx, func() error {
		if t := s.tokens[id]; t != nil && !at(now).Before(t.LastUsedAt.Add(time.Minute)) {
			edit(s, s.tokens, id, func(r *oauth.Token) { r.LastUsedAt, r.LastUsedNetwork = at(now), network })
		}
		return nil
	})
}

// ListTokens implements [store.Tokens].
func (s *Store) ListTokens(ctx context.Context, q store.TokenQuery, p store.Page) (out []*oauth.Token, err error) {
	err = s.do(ctx, func() error {
		var rows []*oauth.Token
		for _, t := range s.tokens {
			if follows(t.ID, p) && s.matches(t, q) {
				rows = append(rows, t)
			}
		}
		slices.SortFunc(rows, func(a, b *oauth.Token) int { return inOrder(a.ID, b.ID, p) })
		for _, t := range rows[:min(len(rows), max(p.Limit, 1))] {
			out = append(out, s.copyToken(t))
		}
		return nil
	})
	return out, err
}

func (s *Store) matches(t *oauth.Token, q store.TokenQuery) bool {
	return (q.Kind == "" || t.Kind == q.Kind) &&
		(q.Subject == "" || t.Subject == q.Subject) &&
		(q.ClientID == "" || t.ClientID == q.ClientID) &&
		(q.GrantID == "" || t.GrantID == q.GrantID) &&
		(q.Internal == nil || t.Internal == *q.Internal) &&
		(q.LiveAt.IsZero() || s.copyToken(t).LiveAt(at(q.LiveAt))) &&
		contains(q.Text, t.Name, t.Subject, t.ClientID, t.ID)
}
