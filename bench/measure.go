package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// scenario is one row of the table.
type scenario struct {
	name        string
	connections []int
	// worker prepares one connection and returns what it does again and again.
	worker func(n int) (step, error)
}

// step does one operation and reports what went wrong.
type step func() error

// result is what one measurement found.
type result struct {
	name          string
	connections   int
	operations    int
	errors        int
	lastError     error
	elapsed       time.Duration
	p50, p99      time.Duration
	cpu           time.Duration // of the server, all operations together
	memory, atMax int           // MiB resident now, and the most so far
}

const header = "row                                    c      rate/s   p50 ms   p99 ms  errors  CPU us/op  RSS MiB"

func (r result) String() string {
	perOp := float64(r.cpu.Microseconds()) / float64(max(r.operations, 1))
	line := fmt.Sprintf("%-36s %3d  %10.0f %8.2f %8.2f %7d %10.0f  %4d (max %d)", r.name, r.connections,
		float64(r.operations)/r.elapsed.Seconds(), milliseconds(r.p50), milliseconds(r.p99), r.errors, perOp, r.memory, r.atMax)
	if r.lastError != nil {
		line += "\n    last error: " + r.lastError.Error()
	}
	return line
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// measure runs a scenario on c connections: first to warm up, then counted.
func measure(ctx context.Context, s scenario, c int, o options, pid int) (result, error) {
	steps := make([]step, c)
	for i := range steps {
		var err error
		if steps[i], err = s.worker(i); err != nil {
			return result{}, err
		}
	}
	repeat(ctx, steps, o.warmUp)
	before, err := usage(pid)
	if err != nil {
		return result{}, err
	}
	start := time.Now()
	tallies := repeat(ctx, steps, o.duration)
	r := result{name: s.name, connections: c, elapsed: time.Since(start)}
	after, err := usage(pid)
	if err != nil {
		return result{}, err
	}
	r.cpu, r.memory, r.atMax = after.cpu-before.cpu, after.memory, after.memoryMax
	r.add(tallies)
	return r, ctx.Err()
}

// tally is what one connection counted.
type tally struct {
	latencies []time.Duration
	errors    int
	lastError error
}

// repeat runs every step on its own connection again and again for d.
func repeat(ctx context.Context, steps []step, d time.Duration) []tally {
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
			}
		})
	}
	wg.Wait()
	return tallies
}

// add sums up the connections.
func (r *result) add(tallies []tally) {
	var all []time.Duration
	for _, t := range tallies {
		all = append(all, t.latencies...)
		r.errors += t.errors
		if t.lastError != nil {
			r.lastError = t.lastError
		}
	}
	slices.Sort(all)
	r.operations, r.p50, r.p99 = len(all), quantile(all, 0.50), quantile(all, 0.99)
}

// quantile returns the smallest value that at least the share q of the sorted
// values does not exceed; zero if there are none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
