package memstore

import (
	"context"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

func copyDevice(d *oauth.DeviceCode) *oauth.DeviceCode {
	out := *d
	out.Scopes, out.Resources = list(d.Scopes), list(d.Resources)
	out.Interval = d.Interval.Truncate(time.Microsecond)
	out.IssuedAt, out.ExpiresAt, out.PolledAt = at(d.IssuedAt), at(d.ExpiresAt), at(d.PolledAt)
	out.DeniedAt, out.UsedAt = at(d.DeniedAt), at(d.UsedAt)
	return &out
}

// CreateDeviceCode implements [store.Devices].
func (s *Store) CreateDeviceCode(ctx context.Context, d *oauth.DeviceCode) error {
	return s.do(ctx, func() error {
		if s.clients[d.ClientID] == nil || d.GrantID != "" && !s.parents(d.ClientID, d.GrantID, d.Subject) {
			return store.ErrNotFound
		}
		if s.devices[d.ID] != nil || s.byUserCode(d.UserCode) != nil {
			return store.ErrExists
		}
		put(s, s.devices, d.ID, copyDevice(d))
		return nil
	})
}

func (s *Store) byUserCode(userCode string) *oauth.DeviceCode {
	for _, d := range s.devices {
		if d.UserCode == userCode {
			return d
		}
	}
	return nil
}

// DeviceCode implements [store.Devices].
func (s *Store) DeviceCode(ctx context.Context, id string) (*oauth.DeviceCode, error) {
	return s.device(ctx, func() *oauth.DeviceCode { return s.devices[id] })
}

// DeviceCodeByUserCode implements [store.Devices].
func (s *Store) DeviceCodeByUserCode(ctx context.Context, userCode string) (*oauth.DeviceCode, error) {
	return s.device(ctx, func() *oauth.DeviceCode { return s.byUserCode(userCode) })
}

func (s *Store) device(ctx context.Context, find func() *oauth.DeviceCode) (out *oauth.DeviceCode, err error) {
	err = s.do(ctx, func() error {
		d := find()
		if d == nil {
			return store.ErrNotFound
		}
		out = copyDevice(d)
		return nil
	})
	return out, err
}

// ApproveDeviceCode implements [store.Devices].
func (s *Store) ApproveDeviceCode(ctx context.Context, id, grantID string, now time.Time) error {
	return s.answer(ctx, id, now, func(d *oauth.DeviceCode) error {
		g := s.grants[grantID]
		if g == nil || g.ClientID != d.ClientID {
			return store.ErrNotFound
		}
		edit(s, s.devices, id, func(r *oauth.DeviceCode) { r.GrantID, r.Subject = g.ID, g.Subject })
		return nil
	})
}

// DenyDeviceCode implements [store.Devices].
func (s *Store) DenyDeviceCode(ctx context.Context, id string, now time.Time) error {
	return s.answer(ctx, id, now, func(*oauth.DeviceCode) error {
		edit(s, s.devices, id, func(r *oauth.DeviceCode) { r.DeniedAt = at(now) })
		return nil
	})
}

// answer runs fn with a code that nobody has answered.
func (s *Store) answer(ctx context.Context, id string, now time.Time, fn func(*oauth.DeviceCode) error) error {
	return s.do(ctx, func() error {
		d := s.devices[id]
		switch {
		case d == nil:
			return store.ErrNotFound
		case d.GrantID != "" || !d.DeniedAt.IsZero():
			return store.ErrUsed
		case !at(now).Before(d.ExpiresAt):
			return store.ErrNotFound
		}
		return fn(d)
	})
}

// PollDeviceCode implements [store.Devices].
func (s *Store) PollDeviceCode(ctx context.Context, id string, now time.Time, interval time.Duration) error {
	return s.do(ctx, func() error {
		if s.devices[id] == nil {
			return store.ErrNotFound
		}
		edit(s, s.devices, id, func(r *oauth.DeviceCode) {
			r.PolledAt, r.Interval = at(now), interval.Truncate(time.Microsecond)
		})
		return nil
	})
}

// ClaimDevice implements [store.Devices].
func (s *Store) ClaimDevice(ctx context.Context, id string, now time.Time) error {
	return s.do(ctx, func() error {
		d := s.devices[id]
		switch {
		case d == nil:
			return store.ErrNotFound
		case !d.UsedAt.IsZero() || !s.revoked(d.GrantID).IsZero():
			return store.ErrUsed
		case !at(now).Before(d.ExpiresAt) || d.GrantID == "" || !d.DeniedAt.IsZero():
			return store.ErrNotFound
		}
		edit(s, s.devices, id, func(r *oauth.DeviceCode) { r.UsedAt = at(now) })
		return nil
	})
}
