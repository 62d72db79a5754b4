package memstore

import (
	"context"
	"maps"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

func copyRequest(r *oauth.AuthorizationRequest) *oauth.AuthorizationRequest {
	out := *r
	out.Scopes, out.Resources, out.Authentication = list(r.Scopes), list(r.Resources), copyAuthentication(r.Authentication)
	out.CreatedAt, out.ExpiresAt, out.UsedAt = at(r.CreatedAt), at(r.ExpiresAt), at(r.UsedAt)
	return &out
}

// CreateRequest implements [store.Requests].
func (s *Store) CreateRequest(ctx context.Context, r *oauth.AuthorizationRequest) error {
	return s.do(ctx, func() error {
		if s.clients[r.ClientID] == nil {
			return store.ErrNotFound
		}
		if s.requests[r.ID] != nil {
			return store.ErrExists
		}
		put(s, s.requests, r.ID, copyRequest(r))
		return nil
	})
}

// Request implements [store.Requests].
func (s *Store) Request(ctx context.Context, id string) (out *oauth.AuthorizationRequest, err error) {
	err = s.do(ctx, func() error {
		r := s.requests[id]
		if r == nil {
			return store.ErrNotFound
		}
		out = copyRequest(r)
		return nil
	})
	return out, err
}

// UseRequest implements [store.Requests].
func (s *Store) UseRequest(ctx context.Context, id string, now time.Time) error {
	return s.do(ctx, func() error {
		r := s.requests[id]
		switch {
		case r == nil:
			return store.ErrNotFound
		case !r.UsedAt.IsZero():
			return store.ErrUsed
		case !at(now).Before(r.ExpiresAt):
			return store.ErrNotFound
		}
		edit(s, s.requests, id, func(r *oauth.AuthorizationRequest) { r.UsedAt = at(now) })
		return nil
	})
}

func copyPushed(r *oauth.PushedRequest) *oauth.PushedRequest {
	out := *r
	out.Form = nil
	if len(r.Form) > 0 {
		out.Form = maps.Clone(r.Form)
	}
	out.Resources = list(r.Resources)
	out.CreatedAt, out.ExpiresAt, out.UsedAt = at(r.CreatedAt), at(r.ExpiresAt), at(r.UsedAt)
	return &out
}

// CreatePushedRequest implements [store.Requests].
func (s *Store) CreatePushedRequest(ctx context.Context, r *oauth.PushedRequest) error {
	return s.do(ctx, func() error {
		if s.clients[r.ClientID] == nil {
			return store.ErrNotFound
		}
		if s.pushed[r.ID] != nil {
			return store.ErrExists
		}
		put(s, s.pushed, r.ID, copyPushed(r))
		return nil
	})
}

// PushedRequest implements [store.Requests].
func (s *Store) PushedRequest(ctx context.Context, id string) (out *oauth.PushedRequest, err error) {
	err = s.do(ctx, func() error {
		r := s.pushed[id]
		if r == nil {
			return store.ErrNotFound
		}
		out = copyPushed(r)
		return nil
	})
	return out, err
}

// UsePushedRequest implements [store.Requests].
func (s *Store) UsePushedRequest(ctx context.Context, id string, now time.Time) error {
	return s.do(ctx, func() error {
		r := s.pushed[id]
		switch {
		case r == nil:
			return store.ErrNotFound
		case !r.UsedAt.IsZero():
			return store.ErrUsed
		}
		edit(s, s.pushed, id, func(r *oauth.PushedRequest) { r.UsedAt = at(now) })
		return nil
	})
}

// SeenJTI implements [store.Replays].
func (s *Store) SeenJTI(ctx context.Context, key string, now, expires time.Time) error {
	expires = at(expires)
	return s.do(ctx, func() error {
		if until := s.replays[key]; until != nil && at(now).Before(*until) {
			return store.ErrUsed
		}
		put(s, s.replays, key, &expires)
		return nil
	})
}
