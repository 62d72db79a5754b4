package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// row is one line of the table: an operation of ours, and the floor below it.
type row struct {
	name        string
	connections int
	ours        side
	floor       *side // nil: there is none
	// want is what performance.md asks for: of the floor's rate, or else a rate
	// on a machine like the one of its figures. Zero: nothing is asked.
	ofFloor, rate float64
}

// side is something that serves, and an operation on it.
type side struct {
	pid int
	// connect prepares one connection and returns what it does again and again.
	connect func(n int) (step, error)
}

// step does one operation and reports what went wrong.
type step func() error

// measured is what a row came to: medians over the rounds.
type measured struct {
	row         row
	ours, floor sample
	ratio       float64
}

// sample is what one side of a row did.
type sample struct {
	rate     float64 // operations a second
	cpu      float64 // microseconds of the server for one operation
	p50, p99 time.Duration
	errors   int
	last     error // the last of them
}

const heading = "row                                   c     goal      ours/s   floor/s  ratio   CPU us  floor    p50 ms   p99 ms  errors  met"

func (m measured) String() string {
	r := m.row
	goal, floor, ratio, floorCPU := "", "", "", ""
	switch {
	case r.ofFloor > 0:
		goal = fmt.Sprintf(">= %.2f", r.ofFloor)
	case r.rate > 0:
		goal = fmt.Sprintf("%.0f/s", r.rate)
	}
	if r.floor != nil {
		floor, ratio, floorCPU = fmt.Sprintf("%.0f", m.floor.rate), fmt.Sprintf("%.2f", m.ratio), fmt.Sprintf("%.0f", m.floor.cpu)
	}
	line := fmt.Sprintf("%-36s %3d  %8s  %8.0f  %8s  %5s  %7.0f  %5s  %8.2f %8.2f  %6d  %s", r.name, r.connections, goal,
		m.ours.rate, floor, ratio, m.ours.cpu, floorCPU, milliseconds(m.ours.p50), milliseconds(m.ours.p99), m.errors(), m.met())
	for _, s := range []sample{m.ours, m.floor} {
		if s.last != nil {
			line += "\n    last error: " + s.last.Error()
		}
	}
	return line
}

func (m measured) errors() int { return m.ours.errors + m.floor.errors }

// met says whether the goal is reached; a row with errors reaches none.
func (m measured) met() string {
	switch {
	case m.errors() > 0:
		return "NO"
	case m.row.ofFloor > 0:
		return yes(m.ratio >= m.row.ofFloor)
	case m.row.rate > 0:
		return yes(m.ours.rate >= m.row.rate)
	}
	return "-"
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// measure runs the two sides in turns: a warm-up of each, then the rounds. Every
// other round begins with the other side.
func (r row) measure(ctx context.Context, o options) (measured, error) {
	sides := []*player{{side: &r.ours}}
	if r.floor != nil {
		sides = append(sides, &player{side: r.floor})
	}
	for _, p := range sides {
		if err := p.connect(r.connections); err != nil {
			return measured{}, fmt.Errorf("%s with %d connections: %w", r.name, r.connections, err)
		}
		repeat(ctx, p.steps, o.duration/3)
	}
	for range o.rounds {
		for _, p := range sides {
			s, err := p.play(ctx, o.duration)
			if err != nil {
				return measured{}, fmt.Errorf("%s: %w", r.name, err)
			}
			p.samples = append(p.samples, s)
		}
		slices.Reverse(sides)
	}
	if o.rounds%2 == 1 {
		slices.Reverse(sides)
	}
	m := measured{row: r, ours: middle(sides[0].samples)}
	if r.floor != nil {
		m.floor = middle(sides[1].samples)
		var ratios []float64
		for i, s := range sides[0].samples {
			ratios = append(ratios, s.rate/max(sides[1].samples[i].rate, 1))
		}
		m.ratio = median(ratios)
	}
	return m, ctx.Err()
}

// player is a side at work.
type player struct {
	*side
	steps   []step
	samples []sample
}

func (p *player) connect(c int) error {
	for n := range c {
		s, err := p.side.connect(n)
		if err != nil {
			return err
		}
		p.steps = append(p.steps, s)
	}
	return nil
}

// play runs one round.
func (p *player) play(ctx context.Context, d time.Duration) (sample, error) {
	before, err := usage(p.pid)
	if err != nil {
		return sample{}, err
	}
	start := time.Now()
	t := sum(repeat(ctx, p.steps, d))
	took := time.Since(start)
	after, err := usage(p.pid)
	if err != nil {
		return sample{}, err
	}
	n := float64(max(len(t.latencies), 1))
	return sample{
		rate: float64(len(t.latencies)) / took.Seconds(), cpu: float64((after.cpu - before.cpu).Microseconds()) / n,
		p50: quantile(t.latencies, 0.50), p99: quantile(t.latencies, 0.99), errors: t.errors, last: t.lastError,
	}, nil
}

// middle is the median of each figure; errors add up.
func middle(samples []sample) sample {
	var out sample
	var rates, cpus []float64
	var p50s, p99s []time.Duration
	for _, s := range samples {
		rates, cpus = append(rates, s.rate), append(cpus, s.cpu)
		p50s, p99s = append(p50s, s.p50), append(p99s, s.p99)
		out.errors += s.errors
		if s.last != nil {
			out.last = s.last
		}
	}
	out.rate, out.cpu, out.p50, out.p99 = median(rates), median(cpus), median(p50s), median(p99s)
	return out
}

// median is the middle of the values, the lower one of two; zero of none.
func median[T float64 | time.Duration](values []T) T {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}
