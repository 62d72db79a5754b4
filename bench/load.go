package main

import (
	"context"
	"slices"
	"sync"
	"time"
)

// tally is what one connection counted.
type tally struct {
	latencies []time.Duration
	errors    int
	lastError error
}

// repeat runs every step on its own connection again and again for d.
func repeat(ctx context.Context, steps []step, d time.Duration) []tally {
	return repeatAt(ctx, steps, d, 0)
}

// repeatAt is repeat with a pause after each step.
func repeatAt(ctx context.Context, steps []step, d, pause time.Duration) []tally {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	tallies := make([]tally, len(steps))
	var wg sync.WaitGroup
	for i, do := range steps {
		wg.Go(func() {
			for t := &tallies[i]; ctx.Err() == nil; {
				start := time.Now()
				if err := do(); err != nil {
					t.errors++
					t.lastError = err
					if t.errors >= 100 {
						return // it will not get better
					}
					continue
				}
				t.latencies = append(t.latencies, time.Since(start))
				if pause > 0 {
					time.Sleep(pause)
				}
			}
		})
	}
	wg.Wait()
	return tallies
}

// sum adds up the connections and sorts the latencies.
func sum(tallies []tally) tally {
	var all tally
	for _, t := range tallies {
		all.latencies = append(all.latencies, t.latencies...)
		all.errors += t.errors
		if t.lastError != nil {
			all.lastError = t.lastError
		}
	}
	slices.Sort(all.latencies)
	return all
}

// quantile returns the smallest value that at least the share q of the sorted
// values does not exceed; zero if there are none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
