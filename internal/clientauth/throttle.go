package clientauth

import (
	"sync"
	"time"
)

const (
	// burst wrong secrets are let through at once, then one every refill. A
	// generated secret holds 178 random bits, so this is there to keep noise out
	// of the audit trail rather than to protect the secret.
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
	// zeroAt says of each source when its count will be zero again.
	zeroAt map[string]time.Time
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, zeroAt: map[string]time.Time{}}
}

// over reports whether the source has failed too often.
func (t *throttle) over(source string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.zeroAt[source].Sub(t.now()) > (burst-1)*refill
}

// add counts a failure.
func (t *throttle) add(source string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if len(t.zeroAt) >= mostSources {
		t.forget(now)
	}
	zero := t.zeroAt[source]
	if zero.Before(now) {
		zero = now
	}
	t.zeroAt[source] = zero.Add(refill)
}

// forget drops the sources that are at zero, or all of them if none is.
func (t *throttle) forget(now time.Time) {
	for source, zero := range t.zeroAt {
		if !zero.After(now) {
			delete(t.zeroAt, source)
		}
	}
	if len(t.zeroAt) >= mostSources {
		clear(t.zeroAt)
	}
}
