package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/livetest"
)

// The limits of memory, in MiB resident.
const idleLimit, loadLimit = 25, 80

func (b *bench) memory(name string, pid, limit int) {
	s, err := usage(pid)
	if err != nil {
		return
	}
	b.figure(name, fmt.Sprintf("%d MiB resident, at most %d so far", s.memory, s.memoryMax), fmt.Sprintf("<= %d MiB", limit), s.memory <= limit)
}

// inProcess is the guard in an API of the same process.
func (b *bench) inProcess() error {
	if !b.wanted("guard in process: warm", "guard in process: cold") {
		return nil
	}
	for _, c := range []struct {
		name      string
		configure func(*valetkey.Config)
		limit     time.Duration
		allocs    int64
	}{
		{"guard in process: warm", nil, 2 * time.Microsecond, 2},
		{"guard in process: cold", neverRemembers, 25 * time.Microsecond, 1 << 20},
	} {
		in, err := openInside(b.ctx, b.dir, fmt.Sprintf("inside%d", c.allocs), c.configure)
		if err != nil {
			return err
		}
		ops, err := in.operations(b.ctx)
		if err != nil {
			return err
		}
		for _, op := range ops {
			if op.name != "guard" {
				continue
			}
			r, err := op.benchmark()
			if err != nil {
				return err
			}
			goal := fmt.Sprintf("<= %v", c.limit)
			if c.allocs < 1<<20 {
				goal += fmt.Sprintf(", %d allocations", c.allocs)
			}
			b.figure(c.name, fmt.Sprintf("%d ns, %d allocations", r.NsPerOp(), r.AllocsPerOp()), goal,
				r.NsPerOp() <= c.limit.Nanoseconds() && r.AllocsPerOp() <= c.allocs)
		}
		in.close()
	}
	return nil
}

// resting are the rows about starting, sign-ins and size.
func (b *bench) resting() error {
	for _, part := range []func() error{b.starts, b.storm, b.size} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// starts is how long it takes from the command to the first answer.
func (b *bench) starts() error {
	const existing, first = "start: existing database", "start: first run"
	if !b.wanted(existing, first) {
		return nil
	}
	var firsts, others []time.Duration
	for range 5 {
		site, err := livetest.NewSite(b.ctx, b.binary, mustDir(b.directory()))
		if err != nil {
			return err
		}
		for _, to := range []*[]time.Duration{&firsts, &others} {
			began := time.Now()
			server, err := site.Start(b.ctx)
			if err != nil {
				return err
			}
			*to = append(*to, time.Since(began))
			if err := server.Stop(); err != nil {
				return err
			}
		}
	}
	for _, r := range []struct {
		name  string
		took  []time.Duration
		limit time.Duration
	}{{existing, others, 80 * time.Millisecond}, {first, firsts, 250 * time.Millisecond}} {
		m := median(r.took)
		b.figure(r.name, fmt.Sprintf("%.0f ms to the first answer, median of %d", milliseconds(m), len(r.took)), fmt.Sprintf("<= %v", r.limit), m <= r.limit)
	}
	return nil
}

func mustDir(dir string) string {
	if err := os.Mkdir(dir, 0o755); err != nil {
		panic(err)
	}
	return dir
}

// storm is signing in by password as fast as it goes, and introspection beside it.
func (b *bench) storm() (err error) {
	const login, beside = "login: argon2id", "introspection beside logins"
	if !b.wanted(login, beside) {
		return nil
	}
	floor, err := startFloor(b.ctx, b.dir, "")
	if err != nil {
		return err
	}
	defer floor.stop()
	t, err := startFresh(b.ctx, b.binary, b.directory(), "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	hash := floor.post("/hash", nil, "ok")
	if err := b.run(row{login, 4, t.login(), hash, 0.90, 0}); err != nil {
		return err
	}
	if b.o.wants(beside) {
		if err := b.besideLogins(beside, t); err != nil {
			return err
		}
	}
	b.memory("memory: after passwords", t.pid, loadLimit)
	return nil
}

// besideLogins measures introspection at a quiet pace, alone and while people sign in.
func (b *bench) besideLogins(name string, t *target) error {
	ctx, stop := context.WithCancel(b.ctx)
	defer stop()
	const connections, pause = 4, 5 * time.Millisecond
	ask := &player{side: new(t.introspect(nil))}
	if err := ask.connect(connections); err != nil {
		return err
	}
	var alone, beside []time.Duration
	for range b.o.rounds {
		alone = append(alone, quantile(sum(repeatAt(ctx, ask.steps, b.o.duration, pause)).latencies, 0.99))
		logins := &player{side: new(t.login())}
		if err := logins.connect(connections); err != nil {
			return err
		}
		done := make(chan []tally)
		go func() { done <- repeat(ctx, logins.steps, b.o.duration+200*time.Millisecond) }()
		time.Sleep(100 * time.Millisecond)
		asked := sum(repeatAt(ctx, ask.steps, b.o.duration, pause))
		signed := sum(<-done)
		beside = append(beside, quantile(asked.latencies, 0.99))
		if asked.errors+signed.errors > 0 {
			b.failed++
			fmt.Println("    errors beside logins:", asked.lastError, signed.lastError)
		}
	}
	before, now := median(alone), median(beside)
	b.figure(name, fmt.Sprintf("p99 %.2f ms, alone %.2f ms", milliseconds(now), milliseconds(before)), "<= 2 x alone", now <= 2*before)
	return nil
}

// size is that of the program, and without its symbols.
func (b *bench) size() error {
	const whole, stripped = "binary", "binary: stripped"
	if !b.wanted(whole) {
		return nil
	}
	small := filepath.Join(b.dir, "stripped")
	for _, r := range []struct {
		name, path string
		limit      float64
		flags      []string
	}{{whole, filepath.Join(b.dir, "whole"), 35, nil}, {stripped, small, 25, []string{"-ldflags=-s -w"}}} {
		megabytes, err := build(b.ctx, r.path, r.flags...)
		if err != nil {
			return err
		}
		b.figure(r.name, fmt.Sprintf("%.1f MB", megabytes), fmt.Sprintf("<= %.0f MB", r.limit), megabytes <= r.limit)
	}
	return nil
}

// build compiles the program as it is released, without cgo, and returns its size.
func build(ctx context.Context, path string, flags ...string) (megabytes float64, err error) {
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-o", path}, flags...), "./cmd/valetkey")...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("go build: %w\n%s", err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return float64(info.Size()) / 1e6, nil
}

// freshDatabase makes a PostgreSQL database beside the one of the URL.
func freshDatabase(ctx context.Context, source string) (fresh string, drop func(), err error) {
	conn, err := pgx.Connect(ctx, source)
	if err != nil {
		return "", nil, err
	}
	defer conn.Close(ctx)
	name := fmt.Sprintf("valetkey_bench_%d", time.Now().UnixNano())
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		return "", nil, err
	}
	config := conn.Config().Copy()
	drop = func() {
		if conn, err := pgx.ConnectConfig(context.WithoutCancel(ctx), config); err == nil {
			conn.Exec(context.WithoutCancel(ctx), "DROP DATABASE "+name+" WITH (FORCE)")
			conn.Close(context.WithoutCancel(ctx))
		}
	}
	u, err := url.Parse(source)
	if err != nil {
		return "", nil, err
	}
	u.Path = "/" + name
	return u.String(), drop, nil
}
