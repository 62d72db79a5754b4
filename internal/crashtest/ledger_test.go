package crashtest

import (
	"context"
	"fmt"
	"maps"
	"sync"
)

// fact is something that the server has acknowledged and that can be asked for.
type fact struct {
	what string
	// alive asks the server whether it is so.
	alive func(ctx context.Context) (bool, error)
	// end says what is needed to end it; nil if nobody ends it.
	end func(ctx context.Context) error
}

// ledger is what the server has acknowledged, kept outside of it.
type ledger struct {
	mu      sync.Mutex
	alive   map[*fact]bool
	dead    map[*fact]bool
	unknown int // a request about it was cut off
}

func newLedger() *ledger { return &ledger{alive: map[*fact]bool{}, dead: map[*fact]bool{}} }

// holds: the server has said that it is so.
func (l *ledger) holds(f *fact) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.alive[f] = true
}

// take hands out one living fact that can be ended, of any kind or of one, and
// stops vouching for it until the outcome is known.
func (l *ledger) take(what ...string) *fact {
	l.mu.Lock()
	defer l.mu.Unlock()
	for f := range l.alive {
		for _, w := range what {
			if f.what == w {
				delete(l.alive, f)
				l.unknown++
				return f
			}
		}
	}
	return nil
}

// ended: the server has said that it is so no more.
func (l *ledger) ended(f *fact) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unknown--
	l.dead[f] = true
}

// copy is the ledger as it is now.
func (l *ledger) copy() *ledger {
	l.mu.Lock()
	defer l.mu.Unlock()
	return &ledger{alive: maps.Clone(l.alive), dead: maps.Clone(l.dead)}
}

// forgetEnded stops vouching for what somebody has begun to end since, as now knows.
func (l *ledger) forgetEnded(now *ledger) {
	maps.DeleteFunc(l.alive, func(f *fact, _ bool) bool { return !now.alive[f] })
}

// counts returns how many facts are vouched for as alive, dead and neither.
func (l *ledger) counts() (alive, dead, unknown int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.alive), len(l.dead), l.unknown
}

// verifiers is how many facts are asked for at once.
const verifiers = 16

// verify asks about every fact the ledger vouches for.
func (l *ledger) verify(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	type claim struct {
		*fact
		alive bool
	}
	claims, faults := make(chan claim), make(chan error, verifiers)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	for range verifiers {
		wg.Go(func() {
			for c := range claims {
				alive, err := c.fact.alive(ctx)
				switch {
				case err != nil:
					err = fmt.Errorf("%s: %w", c.what, err)
				case c.alive && !alive:
					err = fmt.Errorf("lost: %s was acknowledged and does not work", c.what)
				case !c.alive && alive:
					err = fmt.Errorf("revived: %s was ended and works", c.what)
				}
				if err != nil {
					faults <- err
					cancel()
					return
				}
			}
		})
	}
	send := func(all map[*fact]bool, alive bool) {
		for f := range all {
			select {
			case claims <- claim{f, alive}:
			case <-ctx.Done():
				return
			}
		}
	}
	send(l.alive, true)
	send(l.dead, false)
	close(claims)
	wg.Wait()
	select {
	case err := <-faults:
		return err
	default:
		return ctx.Err()
	}
}
