package resource

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

// maxCached bounds the tokens in a cache.
const maxCached = 10_000

// cache remembers whom live tokens stand for. It remembers no decision: scopes
// are compared anew on every request. Its keys are hashes, so that a memory dump
// holds no token, and each verifier has a cache of its own, so that two servers
// cannot be taken for each other.
type cache struct {
	ttl time.Duration
	now func() time.Time

	mu      sync.Mutex
	entries map[oauth.Hash]cached
}

type cached struct {
	principal oauth.Principal
	until     time.Time
}

func newCache(ttl time.Duration, now func() time.Time) *cache {
	return &cache{ttl: ttl, now: now, entries: map[oauth.Hash]cached{}}
}

// wrap returns a Verifier that calls verify for tokens that are not in the
// cache. verify says when the token expires; refusals and faults are not kept.
func (c *cache) wrap(verify func(context.Context, oauth.Secret) (*oauth.Principal, time.Time, error)) Verifier {
	return func(ctx context.Context, token oauth.Secret) (*oauth.Principal, error) {
		key := oauth.HashSecret(token)
		if p, ok := c.find(key); ok {
			return p, nil
		}
		asked := c.now() // before asking, so that the bound on staleness holds
		p, expires, err := verify(ctx, token)
		if err != nil {
			return nil, err
		}
		until := asked.Add(c.ttl)
		if !expires.IsZero() && expires.Before(until) {
			until = expires
		}
		c.keep(key, cached{principal: copied(p), until: until})
		return p, nil
	}
}

func (c *cache) find(key oauth.Hash) (*oauth.Principal, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if !ok {
		return nil, false
	}
	if !c.now().Before(e.until) {
		delete(c.entries, key)
		return nil, false
	}
	p := copied(&e.principal)
	return &p, true
}

func (c *cache) keep(key oauth.Hash, e cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= maxCached {
		c.makeRoom()
	}
	c.entries[key] = e
}

// makeRoom drops what is stale, or else any eighth of the entries, so that a
// full cache is not walked over for every token.
func (c *cache) makeRoom() {
	now := c.now()
	for key, e := range c.entries {
		if !now.Before(e.until) {
			delete(c.entries, key)
		}
	}
	for key := range c.entries {
		if len(c.entries) <= maxCached-maxCached/8 {
			return
		}
		delete(c.entries, key)
	}
}

// copied protects the cache from handlers that change their principal.
func copied(p *oauth.Principal) oauth.Principal {
	out := *p
	out.Scopes = slices.Clone(p.Scopes)
	return out
}
