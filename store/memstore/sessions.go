package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// session remembers that a session has ended, whether it had clients or not.
type session struct{ expires, ended time.Time }

// pairKey is the key of a session's client; no id has a NUL in it.
func pairKey(sid, clientID string) string { return sid + "\x00" + clientID }

func copySessionClient(c *oauth.SessionClient) *oauth.SessionClient {
	out := *c
	out.ExpiresAt, out.EndedAt, out.RetryAt = at(c.ExpiresAt), at(c.EndedAt), at(c.RetryAt)
	return &out
}

// AddSessionClient implements [store.Sessions].
func (s *Store) AddSessionClient(ctx context.Context, c *oauth.SessionClient) error {
	row, key := copySessionClient(c), pairKey(c.SID, c.ClientID)
	return s.do(ctx, func() error {
		if s.clients[c.ClientID] == nil {
			return store.ErrNotFound
		}
		now := session{expires: row.ExpiresAt}
		if old := s.sessions[c.SID]; old != nil {
			if !old.ended.IsZero() {
				return store.ErrUsed
			}
			now.expires = later(now.expires, old.expires)
		}
		if old := s.signedIn[key]; old != nil {
			if !old.EndedAt.IsZero() {
				return store.ErrUsed
			}
			until := later(row.ExpiresAt, old.ExpiresAt)
			row = copySessionClient(old)
			row.ExpiresAt = until
		}
		put(s, s.sessions, c.SID, &now)
		put(s, s.signedIn, key, row)
		return nil
	})
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// SessionClients implements [store.Sessions].
func (s *Store) SessionClients(ctx context.Context, sid string) (out []*oauth.SessionClient, err error) {
	err = s.do(ctx, func() error {
		for _, c := range s.signedIn {
			if c.SID == sid {
				out = append(out, copySessionClient(c))
			}
		}
		slices.SortFunc(out, func(a, b *oauth.SessionClient) int { return cmp.Compare(a.ClientID, b.ClientID) })
		return nil
	})
	return out, err
}

// EndSession implements [store.Sessions].
func (s *Store) EndSession(ctx context.Context, sid string, now time.Time) (n int, err error) {
	now = at(now)
	err = s.do(ctx, func() error {
		row := session{expires: now.Add(store.EndedSessionMemory), ended: now}
		if old := s.sessions[sid]; old != nil {
			row.expires = later(row.expires, old.expires)
			if !old.ended.IsZero() {
				row.ended = old.ended
			}
		}
		put(s, s.sessions, sid, &row)
		for key, c := range s.signedIn {
			if c.SID == sid && c.EndedAt.IsZero() {
				edit(s, s.signedIn, key, func(r *oauth.SessionClient) { r.EndedAt, r.RetryAt = now, now })
				n++
			}
		}
		return nil
	})
	return n, err
}

// DueLogouts implements [store.Sessions].
func (s *Store) DueLogouts(ctx context.Context, now time.Time, limit int) (out []*oauth.SessionClient, err error) {
	err = s.do(ctx, func() error {
		for _, c := range s.signedIn {
			if !c.EndedAt.IsZero() && !c.RetryAt.After(at(now)) {
				out = append(out, copySessionClient(c))
			}
		}
		slices.SortFunc(out, func(a, b *oauth.SessionClient) int {
			return cmp.Or(a.RetryAt.Compare(b.RetryAt), cmp.Compare(a.SID, b.SID), cmp.Compare(a.ClientID, b.ClientID))
		})
		out = out[:min(len(out), max(limit, 1))]
		return nil
	})
	return out, err
}

// RetryLogout implements [store.Sessions].
func (s *Store) RetryLogout(ctx context.Context, sid, clientID string, retry time.Time) error {
	key := pairKey(sid, clientID)
	return s.do(ctx, func() error {
		if s.signedIn[key] == nil {
			return store.ErrNotFound
		}
		edit(s, s.signedIn, key, func(r *oauth.SessionClient) { r.Attempts, r.RetryAt = r.Attempts+1, at(retry) })
		return nil
	})
}

// DeleteSessionClient implements [store.Sessions].
func (s *Store) DeleteSessionClient(ctx context.Context, sid, clientID string) error {
	key := pairKey(sid, clientID)
	return s.do(ctx, func() error {
		if s.signedIn[key] == nil {
			return store.ErrNotFound
		}
		drop(s, s.signedIn, key)
		return nil
	})
}
