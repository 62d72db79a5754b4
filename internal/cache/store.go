package cache

import (
	"context"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Store returns the store underneath as everybody must write to it: what a
// transaction has changed is forgotten before its InTx returns. Reading by it
// remembers nothing.
func (m *Cache) Store() store.Store {
	if m.cfg.Bound <= 0 {
		return m.cfg.Store
	}
	return writer{m.cfg.Store, m, nil}
}

// writer notes what the verbs change.
type writer struct {
	store.Store
	cache *Cache
	open  *noted // of the transaction that this is the view of
}

// noted is what one transaction has changed. A function that is run again notes
// it again.
type noted struct{ changes []store.Change }

// notedKey finds what the transaction of a context has changed.
type notedKey struct{ *Cache }

func inTx(ctx context.Context, m *Cache) bool {
	n, _ := ctx.Value(notedKey{m}).(*noted)
	return n != nil
}

func (w writer) transaction(ctx context.Context) *noted {
	if w.open != nil {
		return w.open
	}
	n, _ := ctx.Value(notedKey{w.cache}).(*noted)
	return n
}

// InTx implements [store.Store]. Whatever the outcome, which may be unknown, what
// was touched is forgotten.
func (w writer) InTx(ctx context.Context, fn func(ctx context.Context, tx store.Store) error) error {
	n := w.transaction(ctx)
	if n == nil {
		n = new(noted)
		ctx = context.WithValue(ctx, notedKey{w.cache}, n)
		defer func() { w.cache.Forget(n.changes...) }()
	}
	return w.Store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		return fn(ctx, writer{tx, w.cache, n})
	})
}

// changed is called when a verb has run: it forgets, or leaves that to the end of
// the transaction.
func (w writer) changed(ctx context.Context, kind store.ChangeKind, id string) {
	c := store.Change{Kind: kind, ID: id}
	if n := w.transaction(ctx); n != nil {
		n.changes = append(n.changes, c)
		return
	}
	w.cache.Forget(c)
}

func (w writer) UpdateClient(ctx context.Context, c *oauth.Client) error {
	defer w.changed(ctx, store.ClientChanged, c.ID)
	return w.Store.UpdateClient(ctx, c)
}

func (w writer) DeleteClient(ctx context.Context, id string) error {
	defer w.changed(ctx, store.ClientChanged, id)
	return w.Store.DeleteClient(ctx, id)
}

func (w writer) CreateClientSecret(ctx context.Context, s *oauth.ClientSecret) error {
	defer w.changed(ctx, store.ClientChanged, s.ClientID)
	return w.Store.CreateClientSecret(ctx, s)
}

// ResealClientSecret does not say whose secret it is; resealing is rare.
func (w writer) ResealClientSecret(ctx context.Context, id, old, sealed string) error {
	defer w.changed(ctx, store.EverythingChanged, "")
	return w.Store.ResealClientSecret(ctx, id, old, sealed)
}

func (w writer) ExpireClientSecrets(ctx context.Context, clientID, except string, at time.Time) error {
	defer w.changed(ctx, store.ClientChanged, clientID)
	return w.Store.ExpireClientSecrets(ctx, clientID, except, at)
}

func (w writer) RevokeGrant(ctx context.Context, id string, now time.Time) error {
	defer w.changed(ctx, store.GrantChanged, id)
	return w.Store.RevokeGrant(ctx, id, now)
}

// RevokeGrants does not say which; all that the subject has is looked up anew.
func (w writer) RevokeGrants(ctx context.Context, subject, clientID, except string, now time.Time) (int, error) {
	defer w.changed(ctx, store.SubjectChanged, subject)
	return w.Store.RevokeGrants(ctx, subject, clientID, except, now)
}

func (w writer) UpdateToken(ctx context.Context, t *oauth.Token) error {
	defer w.changed(ctx, store.TokenChanged, t.ID)
	return w.Store.UpdateToken(ctx, t)
}

func (w writer) ReplaceToken(ctx context.Context, t *oauth.Token) error {
	defer w.changed(ctx, store.TokenChanged, t.ID)
	return w.Store.ReplaceToken(ctx, t)
}

func (w writer) RevokeToken(ctx context.Context, id string, now time.Time) error {
	defer w.changed(ctx, store.TokenChanged, id)
	return w.Store.RevokeToken(ctx, id, now)
}

// RevokeAccessTokens: refresh tokens of the grant live on, and are not kept.
func (w writer) RevokeAccessTokens(ctx context.Context, grantID string, now time.Time) error {
	defer w.changed(ctx, store.GrantChanged, grantID)
	return w.Store.RevokeAccessTokens(ctx, grantID, now)
}

func (w writer) DeleteSubject(ctx context.Context, subject string) error {
	// The clients it owns go with it, and who they are is not said.
	defer w.changed(ctx, store.EverythingChanged, "")
	return w.Store.DeleteSubject(ctx, subject)
}
