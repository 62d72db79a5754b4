// Package throttle lets each source do something so many times at once and then
// one more every so often: registrations from one network, documents fetched for it.
//
// A source is known by a hash, for strangers choose how long its name is. The
// memory is bounded; when it is full everything is forgotten, which lets somebody
// with very many networks through but nobody be shut out by them. Each server
// counts for itself.
package throttle

import (
	"crypto/sha256"
	"sync"
	"time"
)

// mostSources bounds the memory.
const mostSources = 50_000

// Requests is for what a client of which nobody can be sure asks to be kept for a
// short while: a request that it pushes, the codes of a device. The people behind
// one network who sign in to one application at the same time do not feel it.
func Requests(now func() time.Time) *Throttle { return New(600, 100*time.Millisecond, now) }

// Throttle counts by source. A source's count falls by one every refill.
type Throttle struct {
	burst  int
	refill time.Duration
	now    func() time.Time

	mu     sync.Mutex
	zeroAt map[[sha256.Size]byte]time.Time // when a source's count will be zero again
}

// New returns a throttle that lets burst through at once and then one every refill.
func New(burst int, refill time.Duration, now func() time.Time) *Throttle {
	return &Throttle{burst: burst, refill: refill, now: now, zeroAt: map[[sha256.Size]byte]time.Time{}}
}

// Take counts one for the source, unless it has had its share: then it is false.
func (t *Throttle) Take(source string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, key := t.now(), sha256.Sum256([]byte(source))
	zero := t.zeroAt[key]
	if zero.Before(now) {
		zero = now
	}
	if zero.Sub(now) > time.Duration(t.burst-1)*t.refill {
		return false
	}
	if len(t.zeroAt) >= mostSources {
		t.forget(now)
	}
	t.zeroAt[key] = zero.Add(t.refill)
	return true
}

// forget drops the sources that are at zero, or all of them if none is.
func (t *Throttle) forget(now time.Time) {
	for key, zero := range t.zeroAt {
		if !zero.After(now) {
			delete(t.zeroAt, key)
		}
	}
	if len(t.zeroAt) >= mostSources {
		clear(t.zeroAt)
	}
}
