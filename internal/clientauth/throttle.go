package clientauth

import (
	"crypto/sha256"
	"sync"
	"time"
)

const (
	// burst wrong secrets are let through at once, then one every refill. A
	// generated secret holds 178 random bits, so this is there to keep noise out
	// of the audit trail, not to protect the secret: a right one is always taken.
	burst  = 30
	refill = 2 * time.Second
	// mostSources bounds the memory; beyond it everything is forgotten.
	mostSources = 50_000
)

// throttle counts failures by source. A source's count falls by one every
// refill, so it is forgotten burst*refill after its last failure.
type throttle struct {
	now func() time.Time

	mu sync.Mutex
	// zeroAt says of each source when its count will be zero again. It knows them
	// by their hash, for a stranger chooses how long a client id is.
	zeroAt map[[sha256.Size]byte]time.Time
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, zeroAt: map[[sha256.Size]byte]time.Time{}}
}

// over reports whether the source has failed too often.
func (t *throttle) over(source string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.zeroAt[sha256.Sum256([]byte(source))].Sub(t.now()) > (burst-1)*refill
}

// add counts a failure.
func (t *throttle) add(source string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, key := t.now(), sha256.Sum256([]byte(source))
	if len(t.zeroAt) >= mostSources {
		t.forget(now)
	}
	zero := t.zeroAt[key]
	if zero.Before(now) {
		zero = now
	}
	t.zeroAt[key] = zero.Add(refill)
}

// forget drops the sources that are at zero, or all of them if none is.
func (t *throttle) forget(now time.Time) {
	for key, zero := range t.zeroAt {
		if !zero.After(now) {
			delete(t.zeroAt, key)
		}
	}
	if len(t.zeroAt) >= mostSources {
		clear(t.zeroAt)
	}
}
