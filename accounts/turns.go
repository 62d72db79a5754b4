package accounts

import (
	"context"
	"runtime"
	"sync"

	"github.com/valetkey/valetkey/internal/overload"
)

// turns bounds how many attempts are under way, from being counted until their
// success has been taken back. Without it a crowd that all know the right
// password would be counted before the first of them is through, and throttled
// like a crowd of guessers.
type turns struct {
	all  *overload.Class // attempts at whatever account
	each overload.Limits // attempts under one key at a time

	mu   sync.Mutex
	keys map[string]*turnstile // those in use
}

// turnstile is the turns of one key.
type turnstile struct {
	turn  *overload.Class
	users int // who is in it or waits for it
}

// newTurns: attempts that write and attempts that hash keep each other company,
// so there are twice as many as there are cores, and still few beside
// networkLimit. Under one key there are fewer than an account has for free.
func newTurns() *turns {
	all, each := overload.Hashing(), overload.Hashing()
	all.InFlight = min(2*runtime.GOMAXPROCS(0), networkLimit.Free/2)
	each.InFlight = strangerLimit.Free - 1
	return &turns{all: overload.New("sign-in", all), each: each, keys: map[string]*turnstile{}}
}

// take waits for a turn under the key; the caller calls leave when the attempt is
// over. It is refused, as temporarily_unavailable, if that takes too long or if
// too many wait already.
func (t *turns) take(ctx context.Context, key string) (leave func(), err error) {
	s := t.join(key)
	if err := s.turn.Enter(ctx); err != nil {
		t.part(key, s)
		return nil, err
	}
	if err := t.all.Enter(ctx); err != nil {
		s.turn.Leave()
		t.part(key, s)
		return nil, err
	}
	return func() {
		t.all.Leave()
		s.turn.Leave()
		t.part(key, s)
	}, nil
}

func (t *turns) join(key string) *turnstile {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.keys[key]
	if s == nil {
		s = &turnstile{turn: overload.New("", t.each)}
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
