package upkeep

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/valetkey/valetkey/store"
)

const (
	// Batch is how many rows one step deletes, or looks at.
	Batch = 250
	// Rest is how long a sweep that came to its end rests.
	Rest = 10 * time.Second
	// LongRest is for sweeps that look at rows that may stay.
	LongRest = time.Hour

	// share is how many times as long as a step its pause is.
	share = 2
	// shortest and longest are what a pause may be: without the first a step that
	// took no time would have no pause, without the second one long wait for a
	// database would become a much longer one.
	shortest = time.Millisecond
	longest  = time.Second
)

// Sweep deletes one kind of row, step by step.
type Sweep struct {
	Name string
	Rest time.Duration // from the end of the sweep to its next beginning
	// Step deletes at most limit rows and returns how many went. next is empty at
	// the end of the sweep, else the after of the next step.
	Step func(ctx context.Context, after string, limit int) (n int, next string, err error)
}

// Of returns the sweeps of a store. The horizon is asked for at each step.
func Of(st store.Store, horizon func() store.Horizon) []Sweep {
	var out []Sweep
	for _, kind := range store.Sweeps() {
		rest := Rest
		if kind.Walks() {
			rest = LongRest
		}
		out = append(out, Sweep{Name: string(kind), Rest: rest, Step: func(ctx context.Context, after string, limit int) (int, string, error) {
			return st.Purge(ctx, kind, horizon(), after, limit)
		}})
	}
	return out
}

// Upkeep runs sweeps.
type Upkeep struct {
	Sweeps []Sweep
	Now    func() time.Time // measures how long steps take
	Logger *slog.Logger
}

// Run sweeps until ctx is done, and returns when no step is under way.
func (u *Upkeep) Run(ctx context.Context) {
	turn := make(chan struct{}, 1) // one step at a time, whoever's
	var all sync.WaitGroup
	defer all.Wait()
	for _, s := range u.Sweeps {
		all.Go(func() { u.run(ctx, s, turn) })
	}
}

func (u *Upkeep) run(ctx context.Context, s Sweep, turn chan struct{}) {
	after := ""
	for {
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			return
		}
		began := u.Now()
		_, next, err := s.Step(ctx, after, Batch)
		took := u.Now().Sub(began)
		if err != nil {
			next = ""
			if ctx.Err() == nil {
				u.Logger.ErrorContext(ctx, "expired rows could not be deleted", "sweep", s.Name, "error", err)
			}
		}
		after = next
		if after != "" {
			sleep(ctx, min(max(share*took, shortest), longest)) // nobody else's turn either
		}
		<-turn
		if after == "" {
			sleep(ctx, s.Rest)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// Once takes every sweep to its end without pauses, for tests and programs that
// have nobody else to think of. It returns how many rows went.
func Once(ctx context.Context, sweeps []Sweep) (int, error) {
	total := 0
	for _, s := range sweeps {
		for after, first := "", true; first || after != ""; first = false {
			n, next, err := s.Step(ctx, after, Batch)
			total += n
			if err != nil {
				return total, err
			}
			after = next
		}
	}
	return total, nil
}
