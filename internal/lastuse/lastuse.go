// Package lastuse records when tokens, grants and client secrets were last
// used, at most once a minute each. The request that uses one does not wait for
// that, and a failure to record does not fail the request.
package lastuse

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/valetkey/valetkey/store"
)

const (
	every   = time.Minute
	timeout = 10 * time.Second
	// maxMemo bounds the memory of uses; one that is forgotten is recorded once more.
	maxMemo = 10_000
	// maxWrites bounds the writes under way. A use beyond it is not recorded;
	// the next one will be.
	maxWrites = 4
)

// Recorder records uses. It is safe for concurrent use.
type Recorder struct {
	now    func() time.Time
	logger *slog.Logger
	slots  chan struct{}
	busy   sync.WaitGroup

	mu   sync.Mutex
	memo map[string]time.Time // by id: when a use was last recorded
}

// New returns a recorder. A nil logger drops the warnings about what could not
// be recorded.
func New(now func() time.Time, l *slog.Logger) *Recorder {
	if l == nil {
		l = slog.New(slog.DiscardHandler)
	}
	return &Recorder{now: now, logger: l, slots: make(chan struct{}, maxWrites), memo: map[string]time.Time{}}
}

// Recent reports whether a use was recorded in the minute before: then Record
// would do nothing.
func (r *Recorder) Recent(id string) bool {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	last, seen := r.memo[id]
	return seen && now.Sub(last) < every
}

// Record notes that what has this id is used now, and calls write in the
// background unless a use was recorded in the minute before. Ids of different
// kinds must differ.
func (r *Recorder) Record(ctx context.Context, id string, write func(ctx context.Context, now time.Time) error) {
	now := r.now()
	if !r.due(id, now) {
		return
	}
	r.busy.Go(func() {
		defer func() { <-r.slots }()
		// The use is a fact even if the client has hung up by now.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		if err := write(ctx, now); err != nil && !errors.Is(err, store.ErrNotFound) {
			r.logger.WarnContext(ctx, "a last use could not be recorded", "error", err)
		}
	})
}

// Wait blocks until the uses seen so far are recorded, for shutdown and tests.
func (r *Recorder) Wait() { r.busy.Wait() }

// due takes a slot and remembers the use, unless one was recorded within the
// minute or all slots are taken.
func (r *Recorder) due(id string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, seen := r.memo[id]; seen && now.Sub(last) < every {
		return false
	}
	select {
	case r.slots <- struct{}{}:
	default:
		return false
	}
	if len(r.memo) >= maxMemo {
		r.forget(now)
	}
	r.memo[id] = now
	return true
}

// forget drops what is no longer of use; if that is not much, everything.
func (r *Recorder) forget(now time.Time) {
	for id, last := range r.memo {
		if now.Sub(last) >= every {
			delete(r.memo, id)
		}
	}
	if len(r.memo) > maxMemo/2 {
		clear(r.memo)
	}
}
