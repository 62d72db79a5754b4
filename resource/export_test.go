package resource

import (
	"context"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

// MaxCached is maxCached.
const MaxCached = maxCached

// TestCache is a cache whose size can be seen.
type TestCache struct {
	Verify Verifier
	cache  *cache
}

// Len is the number of entries.
func (c TestCache) Len() int { return len(c.cache.entries) }

// CacheForTest wraps verify in a cache.
func CacheForTest(ttl time.Duration, now func() time.Time, verify func(context.Context, oauth.Secret) (*oauth.Principal, time.Time, error)) TestCache {
	c := newCache(ttl, now)
	return TestCache{Verify: c.wrap(verify), cache: c}
}
