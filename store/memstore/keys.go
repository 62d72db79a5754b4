package memstore

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

func copyKey(k *store.SigningKey) *store.SigningKey {
	out := *k
	out.Public = append([]byte(nil), k.Public...)
	out.CreatedAt, out.ActiveAt, out.RetiredAt, out.ExpiresAt = at(k.CreatedAt), at(k.ActiveAt), at(k.RetiredAt), at(k.ExpiresAt)
	return &out
}

// CreateKey implements [store.Keys].
func (s *Store) CreateKey(ctx context.Context, k *store.SigningKey) error {
	return s.do(ctx, func() error {
		if s.keys[k.ID] != nil || k.State != store.KeyRetiring && s.keyIn(k.State, k.Algorithm) {
			return store.ErrExists
		}
		put(s, s.keys, k.ID, copyKey(k))
		return nil
	})
}

// keyIn reports whether a key of the algorithm is in the state.
func (s *Store) keyIn(state store.KeyState, algorithm string) bool {
	for _, k := range s.keys {
		if k.State == state && k.Algorithm == algorithm {
			return true
		}
	}
	return false
}

// SigningKeys implements [store.Keys].
func (s *Store) SigningKeys(ctx context.Context) (out []*store.SigningKey, err error) {
	err = s.do(ctx, func() error {
		for _, k := range s.keys {
			out = append(out, copyKey(k))
		}
		slices.SortFunc(out, func(a, b *store.SigningKey) int {
			return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
		})
		return nil
	})
	return out, err
}

// RetireKey implements [store.Keys].
func (s *Store) RetireKey(ctx context.Context, id string, now, expires time.Time) error {
	return s.do(ctx, func() error {
		k := s.keys[id]
		switch {
		case k == nil:
			return store.ErrNotFound
		case k.State != store.KeyActive:
			return store.ErrUsed
		}
		edit(s, s.keys, id, func(r *store.SigningKey) {
			r.State, r.RetiredAt, r.ExpiresAt = store.KeyRetiring, at(now), at(expires)
		})
		return nil
	})
}

// ActivateKey implements [store.Keys].
func (s *Store) ActivateKey(ctx context.Context, id string, now time.Time) error {
	return s.do(ctx, func() error {
		k := s.keys[id]
		switch {
		case k == nil:
			return store.ErrNotFound
		case k.State != store.KeyNext || s.keyIn(store.KeyActive, k.Algorithm):
			return store.ErrUsed
		}
		edit(s, s.keys, id, func(r *store.SigningKey) { r.State, r.ActiveAt = store.KeyActive, at(now) })
		return nil
	})
}

// ResealKey implements [store.Keys].
func (s *Store) ResealKey(ctx context.Context, id, old, sealed string) error {
	return s.do(ctx, func() error {
		k := s.keys[id]
		switch {
		case k == nil:
			return store.ErrNotFound
		case k.Sealed != old:
			return store.ErrUsed
		}
		edit(s, s.keys, id, func(r *store.SigningKey) { r.Sealed = sealed })
		return nil
	})
}

// RecordEvent implements [oauth.Recorder].
func (s *Store) RecordEvent(ctx context.Context, e oauth.Event) error {
	return s.do(ctx, func() error {
		if s.events[e.ID] != nil {
			return store.ErrExists
		}
		e.At = at(e.At)
		for _, f := range []*string{&e.Actor, &e.Subject, &e.ClientID, &e.TokenID, &e.Network, &e.RequestID, &e.Detail} {
			*f = strings.ToValidUTF8(strings.ReplaceAll(*f, "\x00", "\uFFFD"), "\uFFFD")
		}
		put(s, s.events, e.ID, &e)
		return nil
	})
}

// ListEvents implements [store.Events].
func (s *Store) ListEvents(ctx context.Context, q store.EventQuery, p store.Page) (out []*oauth.Event, err error) {
	err = s.do(ctx, func() error {
		for _, e := range s.events {
			if follows(e.ID, p) &&
				(q.Involving == "" || e.Actor == q.Involving || e.Subject == q.Involving) &&
				(q.ClientID == "" || e.ClientID == q.ClientID) &&
				(q.Type == "" || e.Type == q.Type) {
				row := *e
				out = append(out, &row)
			}
		}
		slices.SortFunc(out, func(a, b *oauth.Event) int { return inOrder(a.ID, b.ID, p) })
		out = out[:min(len(out), max(p.Limit, 1))]
		return nil
	})
	return out, err
}
