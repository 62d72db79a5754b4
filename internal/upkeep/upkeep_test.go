package upkeep_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valetkey/valetkey/internal/upkeep"
)

// A sweep of so many rows, of which each step takes time.
type rows struct {
	left  int
	takes time.Duration
	steps []time.Time
	busy  *atomic.Int32
}

func (r *rows) step(_ context.Context, after string, limit int) (int, string, error) {
	if r.busy.Add(1) > 1 {
		return 0, "", errors.New("two steps at once")
	}
	defer r.busy.Add(-1)
	r.steps = append(r.steps, time.Now())
	time.Sleep(r.takes)
	n := min(r.left, limit)
	r.left -= n
	if n < limit {
		return n, "", nil
	}
	return n, after + "x", nil
}

func run(t *testing.T, d time.Duration, log *bytes.Buffer, sweeps ...upkeep.Sweep) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	(&upkeep.Upkeep{Sweeps: sweeps, Now: time.Now, Logger: slog.New(slog.NewTextHandler(log, nil))}).Run(ctx)
}

func TestRunGoesOnUntilTheEndAndRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		began := time.Now()
		r := &rows{left: 2*upkeep.Batch + 1, takes: 10 * time.Millisecond, busy: new(atomic.Int32)}
		run(t, upkeep.Rest+time.Second, &log, upkeep.Sweep{Name: "a", Rest: upkeep.Rest, Step: r.step})
		var got []string
		for _, at := range r.steps {
			got = append(got, at.Sub(began).String())
		}
		// 10 ms of work, 20 of pause; and once more after the rest
		if want := "0s 30ms 60ms 10.07s"; strings.Join(got, " ") != want {
			t.Errorf("got steps at %v, want %s", got, want)
		}
		if r.left != 0 || log.Len() > 0 {
			t.Errorf("got %d rows left and said %q", r.left, log.String())
		}
	})
}

func TestRunTakesOneStepAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var busy atomic.Int32
		var all []*rows
		var sweeps []upkeep.Sweep
		for i := range 5 {
			r := &rows{left: 10 * upkeep.Batch, takes: time.Millisecond, busy: &busy}
			all = append(all, r)
			sweeps = append(sweeps, upkeep.Sweep{Name: fmt.Sprint(i), Rest: time.Hour, Step: r.step})
		}
		run(t, time.Minute, &log, sweeps...)
		for i, r := range all {
			if r.left != 0 {
				t.Errorf("sweep %d: got %d rows left, want none", i, r.left)
			}
		}
		if log.Len() > 0 {
			t.Errorf("said %q", log.String())
		}
	})
}

func TestRunAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var afters []string
		step := func(_ context.Context, after string, limit int) (int, string, error) {
			afters = append(afters, after)
			switch len(afters) {
			case 1:
				return limit, "on", nil
			case 2:
				return 0, "", errors.New("the disk is full")
			}
			return 0, "", nil
		}
		run(t, 15*time.Second, &log, upkeep.Sweep{Name: "codes", Rest: upkeep.Rest, Step: step})
		if got := fmt.Sprintf("%q", afters); got != `["" "on" ""]` { // from the beginning, after the rest
			t.Errorf("got steps after %s", got)
		}
		if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), `sweep=codes error="the disk is full"`) {
			t.Errorf("said %q, want the sweep and the error, once", log.String())
		}
	})
}

func TestRunStopsInTheMiddle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		began := time.Now()
		waits := func(ctx context.Context, _ string, _ int) (int, string, error) {
			<-ctx.Done()
			return 0, "", ctx.Err()
		}
		run(t, time.Minute, &log, upkeep.Sweep{Name: "a", Rest: time.Hour, Step: waits}, upkeep.Sweep{Name: "b", Rest: time.Hour, Step: waits})
		if took := time.Since(began); took != time.Minute || log.Len() > 0 {
			t.Errorf("stopped after %s and said %q, want to stop at once and say nothing", took, log.String())
		}
	})
}
