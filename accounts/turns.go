package accounts

import (
	"context"
	"runtime"
	"sync"
	"time"
)

// turns bounds how many attempts are under way, from being counted until their
// success has been taken back. Without it a crowd that all know the right
// password would be counted before the first of them is through, and throttled
// like a crowd of guessers.
type turns struct {
	all  chan struct{} // attempts at whatever account
	each int           // attempts under one key at a time

	mu   sync.Mutex
	keys map[string]*turnstile // those in use
}

// turnstile is the turns of one key.
type turnstile struct {
	slots chan struct{}
	users int // who is in it or waits for it
}

// newTurns: attempts that write and attempts that hash keep each other company,
// so there are twice as many as there are cores, and still few beside
// networkLimit. Under one key there are fewer than an account has for free.
func newTurns() *turns {
	all := min(2*runtime.GOMAXPROCS(0), networkLimit.Free/2)
	return &turns{all: make(chan struct{}, all), each: strangerLimit.Free - 1, keys: map[string]*turnstile{}}
}

// take waits for a turn under the key; the caller calls leave when the attempt is
// over. errBusy if it takes longer than hashWait.
func (t *turns) take(ctx context.Context, key string) (leave func(), err error) {
	s := t.join(key)
	timer := time.NewTimer(hashWait)
	defer timer.Stop()
	if err := wait(ctx, timer, s.slots); err != nil {
		t.part(key, s)
		return nil, err
	}
	if err := wait(ctx, timer, t.all); err != nil {
		<-s.slots
		t.part(key, s)
		return nil, err
	}
	return func() {
		<-t.all
		<-s.slots
		t.part(key, s)
	}, nil
}

func (t *turns) join(key string) *turnstile {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.keys[key]
	if s == nil {
		s = &turnstile{slots: make(chan struct{}, t.each)}
		t.keys[key] = s
	}
	s.users++
	return s
}

func (t *turns) part(key string, s *turnstile) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.users--; s.users == 0 {
		delete(t.keys, key)
	}
}

// wait puts a token into slots before the timer fires.
func wait(ctx context.Context, timer *time.Timer, slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-timer.C:
		return errBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}
