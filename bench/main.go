// Command bench measures Valetkey on the machine at hand. It builds the
// program, gives it a fresh SQLite database in durable mode (synchronous=FULL)
// on loopback, and prints for each kind of request the rate, the median and the
// 99th percentile of the latency, the errors, and what the server process spent:
// CPU microseconds per request and resident memory.
//
// Beside these rows it prints floors: the least code over net/http that does
// the same job on the same machine in the same run. Rates differ from machine
// to machine and from minute to minute; the ratio to the floor and the CPU time
// per request are what can be compared.
//
//	go run .                       every row, about two and a half minutes
//	go run . -short                every row for a moment, to see that it works
//	go run . -only token,introspect -duration 10s
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	duration time.Duration // each row at each number of connections
	warmUp   time.Duration
	only     []string // rows whose name starts with one of these; empty: all
	short    bool
	binary   string // program to measure; empty: build it
}

func main() {
	if len(os.Args) == 4 && os.Args[1] == floorArgument {
		fmt.Fprintln(os.Stderr, serveFloor(os.Args[2], os.Args[3]))
		os.Exit(1)
	}
	o := parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	failed, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	if err != nil || failed > 0 {
		stop()
		os.Exit(1)
	}
}

func parse() options {
	var o options
	var only string
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "how long each row is measured")
	flag.DurationVar(&o.warmUp, "warmup", time.Second, "how long each row runs before that")
	flag.StringVar(&only, "only", "", "comma-separated beginnings of row names; empty: all rows")
	flag.BoolVar(&o.short, "short", false, "measure each row for half a second only")
	flag.StringVar(&o.binary, "binary", "", "program to measure; empty: build it from this tree")
	flag.Parse()
	if o.short {
		o.duration, o.warmUp = 500*time.Millisecond, 100*time.Millisecond
	}
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	return o
}

// wants reports whether the row of that name was asked for.
func (o options) wants(name string) bool {
	return len(o.only) == 0 || slices.ContainsFunc(o.only, func(p string) bool { return strings.HasPrefix(name, p) })
}

// run measures every row and returns how many of them had errors.
func run(ctx context.Context, o options) (failed int, err error) {
	dir, err := os.MkdirTemp("", "valetkey-bench-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)

	fmt.Printf("%s, %d CPUs, %s/%s, load and server on the same machine, SQLite synchronous=FULL\n\n",
		runtime.Version(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	fmt.Println(header)
	floor, err := startFloor(ctx, dir)
	if err != nil {
		return 0, err
	}
	n, err := rows(ctx, o, floorScenarios(floor), floor.pid)
	floor.stop()
	if err != nil {
		return n, err
	}
	t, err := startTarget(ctx, dir, o.binary)
	if err != nil {
		return n, err
	}
	m, err := rows(ctx, o, t.scenarios(), t.server.PID)
	if stopErr := t.server.Stop(); err == nil {
		err = stopErr
	}
	return n + m, err
}

// rows measures scenarios one after the other and prints a line for each.
func rows(ctx context.Context, o options, list []scenario, pid int) (failed int, err error) {
	for _, s := range list {
		if !o.wants(s.name) {
			continue
		}
		for _, c := range s.connections {
			r, err := measure(ctx, s, c, o, pid)
			if err != nil {
				return failed, fmt.Errorf("%s with %d connections: %w", s.name, c, err)
			}
			fmt.Println(r)
			if r.errors > 0 {
				failed++
			}
		}
	}
	return failed, nil
}
