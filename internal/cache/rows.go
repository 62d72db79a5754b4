package cache

import (
	"context"
	"reflect"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// What of each kind of row is kept, and what makes it forgotten.

func (m *Cache) keepToken(_ string, t *oauth.Token, now time.Time) (of [4]place, keep bool) {
	s := &m.stamps
	return [4]place{
			s.place(store.TokenChanged, t.ID), s.place(store.GrantChanged, t.GrantID),
			s.place(store.ClientChanged, t.ClientID), s.place(store.SubjectChanged, t.Subject),
		},
		(t.Kind == oauth.AccessToken || t.Kind == oauth.PersonalToken) && t.LiveAt(now)
}

func (m *Cache) keepClient(_ string, c *oauth.Client, _ time.Time) ([4]place, bool) {
	return [4]place{m.stamps.place(store.ClientChanged, c.ID)}, !c.Disabled
}

func (m *Cache) loadSecrets(ctx context.Context, clientID string) (*Secrets, error) {
	list, err := m.cfg.Store.ClientSecrets(ctx, clientID)
	return &Secrets{list}, err
}

func (m *Cache) keepSecrets(clientID string, s *Secrets, _ time.Time) (of [4]place, keep bool) {
	return [4]place{m.stamps.place(store.ClientChanged, clientID)}, len(s.List) > 0
}

func (m *Cache) keepGrant(_ string, g *oauth.Grant, _ time.Time) ([4]place, bool) {
	s := &m.stamps
	return [4]place{
		s.place(store.GrantChanged, g.ID), s.place(store.ClientChanged, g.ClientID), s.place(store.SubjectChanged, g.Subject),
	}, g.RevokedAt.IsZero()
}

// loadUser copies what the host returned, which is the host's own.
func (m *Cache) loadUser(ctx context.Context, subject string) (*oauth.User, error) {
	u, err := m.cfg.Users.User(ctx, subject)
	if err != nil {
		return nil, err
	}
	mine := *u
	return &mine, nil
}

func (m *Cache) keepUser(subject string, u *oauth.User, _ time.Time) ([4]place, bool) {
	return [4]place{m.stamps.place(store.SubjectChanged, subject)}, !u.Disabled
}

// weigh estimates the bytes of a value and of what it points to.
func weigh(v reflect.Value) int {
	return int(v.Type().Size()) + beyond(v)
}

var timeType = reflect.TypeFor[time.Time]()

// beyond is what a value points to.
func beyond(v reflect.Value) (n int) {
	switch v.Kind() {
	case reflect.String:
		n = v.Len()
	case reflect.Pointer:
		if !v.IsNil() {
			n = weigh(v.Elem())
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return v.Cap()
		}
		for i := range v.Len() {
			n += weigh(v.Index(i))
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			n += weigh(i.Key()) + weigh(i.Value())
		}
	case reflect.Interface:
		if !v.IsNil() {
			n = weigh(v.Elem())
		}
	case reflect.Struct:
		if v.Type() == timeType {
			return 0
		}
		for i := range v.NumField() {
			n += beyond(v.Field(i))
		}
	}
	return n
}
