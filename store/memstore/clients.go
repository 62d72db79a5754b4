package memstore

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

func copyClient(c *oauth.Client) *oauth.Client {
	out := *c
	out.RedirectURIs, out.GrantTypes = list(c.RedirectURIs), list(c.GrantTypes)
	out.Scopes, out.DefaultScopes = list(c.Scopes), list(c.DefaultScopes)
	out.Metadata, _ = copyMetadata(c.Metadata) // what is in the store was copied before
	out.RefreshAt, out.CreatedAt, out.UpdatedAt = at(c.RefreshAt), at(c.CreatedAt), at(c.UpdatedAt)
	return &out
}

// copyMetadata keeps what JSON keeps of m, as a database does.
func copyMetadata(m oauth.ClientMetadata) (out oauth.ClientMetadata, err error) {
	if reflect.ValueOf(m).IsZero() {
		return out, nil
	}
	b, err := json.Marshal(m)
	if err != nil {
		return out, fmt.Errorf("memstore: client metadata: %w", err)
	}
	return out, json.Unmarshal(b, &out)
}

// newClient makes a row of c, unless it cannot be one or its fingerprint is
// another client's.
func (s *Store) newClient(c *oauth.Client) (*oauth.Client, error) {
	if _, err := copyMetadata(c.Metadata); err != nil {
		return nil, err
	}
	if old := s.byFingerprint(c.Fingerprint); old != nil && old.ID != c.ID {
		return nil, store.ErrExists
	}
	return copyClient(c), nil
}

func (s *Store) byFingerprint(fingerprint string) *oauth.Client {
	if fingerprint == "" {
		return nil
	}
	for _, c := range s.clients {
		if c.Fingerprint == fingerprint {
			return c
		}
	}
	return nil
}

// CreateClient implements [store.Clients].
func (s *Store) CreateClient(ctx context.Context, c *oauth.Client) error {
	return s.do(ctx, func() error {
		if s.clients[c.ID] != nil {
			return store.ErrExists
		}
		row, err := s.newClient(c)
		if err != nil {
			return err
		}
		put(s, s.clients, c.ID, row)
		return nil
	})
}

// Client implements [store.Clients].
func (s *Store) Client(ctx context.Context, id string) (out *oauth.Client, err error) {
	err = s.do(ctx, func() error {
		c := s.clients[id]
		if c == nil {
			return store.ErrNotFound
		}
		out = copyClient(c)
		return nil
	})
	return out, err
}

// ClientByFingerprint implements [store.Clients].
func (s *Store) ClientByFingerprint(ctx context.Context, fingerprint string) (out *oauth.Client, err error) {
	err = s.do(ctx, func() error {
		c := s.byFingerprint(fingerprint)
		if c == nil {
			return store.ErrNotFound
		}
		out = copyClient(c)
		return nil
	})
	return out, err
}

// UpdateClient implements [store.Clients].
func (s *Store) UpdateClient(ctx context.Context, c *oauth.Client) error {
	return s.do(ctx, func() error {
		old := s.clients[c.ID]
		if old == nil {
			return store.ErrNotFound
		}
		row, err := s.newClient(c)
		if err != nil {
			return err
		}
		row.CreatedAt = old.CreatedAt
		put(s, s.clients, c.ID, row)
		s.note(store.ClientChanged, c.ID)
		return nil
	})
}

// DeleteClient implements [store.Clients].
func (s *Store) DeleteClient(ctx context.Context, id string) error {
	return s.do(ctx, func() error {
		if s.clients[id] == nil {
			return store.ErrNotFound
		}
		s.deleteClient(id)
		return nil
	})
}

func (s *Store) deleteClient(id string) {
	drop(s, s.clients, id)
	s.note(store.ClientChanged, id)
	dropWhere(s, s.secrets, -1, func(r *oauth.ClientSecret) bool { return r.ClientID == id })
	dropWhere(s, s.requests, -1, func(r *oauth.AuthorizationRequest) bool { return r.ClientID == id })
	dropWhere(s, s.pushed, -1, func(r *oauth.PushedRequest) bool { return r.ClientID == id })
	dropWhere(s, s.devices, -1, func(r *oauth.DeviceCode) bool { return r.ClientID == id })
	dropWhere(s, s.signedIn, -1, func(r *oauth.SessionClient) bool { return r.ClientID == id })
	dropWhere(s, s.codes, -1, func(r *oauth.AuthorizationCode) bool { return r.ClientID == id })
	dropWhere(s, s.tokens, -1, func(r *oauth.Token) bool { return r.ClientID == id })
	dropWhere(s, s.grants, -1, func(r *oauth.Grant) bool { return r.ClientID == id })
}

// ListClients implements [store.Clients].
func (s *Store) ListClients(ctx context.Context, q store.ClientQuery, p store.Page) (out []*oauth.Client, err error) {
	err = s.do(ctx, func() error {
		var rows []*oauth.Client
		for _, c := range s.clients {
			if q.Owner != "" && c.Owner != q.Owner ||
				q.Registration != nil && c.Registration != *q.Registration ||
				q.Internal != nil && c.Internal != *q.Internal ||
				!contains(q.Text, c.Name, c.Website, c.ID) {
				continue
			}
			rows = append(rows, c)
		}
		// The client named by After must hold its place even where q leaves it out.
		if after := s.clients[p.After]; after != nil && !slices.Contains(rows, after) {
			rows = append(rows, after)
		}
		slices.SortFunc(rows, func(a, b *oauth.Client) int {
			if q.ByName {
				return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
			}
			return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(b.ID, a.ID))
		})
		if p.Reverse {
			slices.Reverse(rows)
		}
		for _, c := range cut(rows, p, func(c *oauth.Client) string { return c.ID }) {
			out = append(out, copyClient(c))
		}
		return nil
	})
	return out, err
}

// contains reports whether any field has text as a part, letting ASCII letters
// match in either case.
func contains(text string, fields ...string) bool {
	return slices.ContainsFunc(fields, func(f string) bool { return strings.Contains(lower(f), lower(text)) })
}

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func copySecret(s *oauth.ClientSecret) *oauth.ClientSecret {
	out := *s
	out.CreatedAt, out.ExpiresAt, out.LastUsedAt = at(s.CreatedAt), at(s.ExpiresAt), at(s.LastUsedAt)
	return &out
}

// CreateClientSecret implements [store.Clients].
func (s *Store) CreateClientSecret(ctx context.Context, secret *oauth.ClientSecret) error {
	return s.do(ctx, func() error {
		if s.clients[secret.ClientID] == nil {
			return store.ErrNotFound
		}
		if s.secrets[secret.ID] != nil {
			return store.ErrExists
		}
		put(s, s.secrets, secret.ID, copySecret(secret))
		s.note(store.ClientChanged, secret.ClientID)
		return nil
	})
}

// ClientSecrets implements [store.Clients].
func (s *Store) ClientSecrets(ctx context.Context, clientID string) (out []*oauth.ClientSecret, err error) {
	err = s.do(ctx, func() error {
		for _, secret := range s.secrets {
			if secret.ClientID == clientID {
				out = append(out, copySecret(secret))
			}
		}
		slices.SortFunc(out, func(a, b *oauth.ClientSecret) int {
			return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
		})
		return nil
	})
	return out, err
}

// TouchClientSecret implements [store.Clients].
func (s *Store) TouchClientSecret(ctx context.Context, id string, now time.Time) error {
	return s.do(ctx, func() error {
		if c := s.secrets[id]; c != nil && !at(now).Before(c.LastUsedAt.Add(time.Minute)) {
			edit(s, s.secrets, id, func(r *oauth.ClientSecret) { r.LastUsedAt = at(now) })
		}
		return nil
	})
}

// SealedSecrets implements [store.Clients].
func (s *Store) SealedSecrets(ctx context.Context) ([]*oauth.ClientSecret, error) {
	var out []*oauth.ClientSecret
	err := s.do(ctx, func() error {
		for _, secret := range s.secrets {
			if secret.Sealed != "" {
				out = append(out, copySecret(secret))
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b *oauth.ClientSecret) int { return strings.Compare(a.ID, b.ID) })
	return out, err
}

// ResealClientSecret implements [store.Clients].
func (s *Store) ResealClientSecret(ctx context.Context, id, old, sealed string) error {
	return s.do(ctx, func() error {
		switch c := s.secrets[id]; {
		case c == nil:
			return store.ErrNotFound
		case c.Sealed != old:
			return store.ErrUsed
		}
		edit(s, s.secrets, id, func(r *oauth.ClientSecret) { r.Sealed = sealed })
		s.note(store.ClientChanged, s.secrets[id].ClientID)
		return nil
	})
}

// ExpireClientSecrets implements [store.Clients].
func (s *Store) ExpireClientSecrets(ctx context.Context, clientID, except string, expires time.Time) error {
	expires = at(expires)
	return s.do(ctx, func() error {
		for id, secret := range s.secrets {
			if secret.ClientID == clientID && id != except && (secret.ExpiresAt.IsZero() || secret.ExpiresAt.After(expires)) {
				edit(s, s.secrets, id, func(r *oauth.ClientSecret) { r.ExpiresAt = expires })
				s.note(store.ClientChanged, clientID)
			}
		}
		return nil
	})
}
