package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// bench is one run over the whole table.
type bench struct {
	ctx    context.Context
	o      options
	dir    string
	binary string
	failed int
	sites  int
}

// table measures every row and returns how many had errors.
func table(ctx context.Context, o options) (failed int, err error) {
	dir, err := os.MkdirTemp("", "valetkey-bench-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	b := &bench{ctx: ctx, o: o, dir: dir}
	if b.binary, err = program(ctx, o, dir); err != nil {
		return 0, err
	}
	fmt.Printf("%s, %d CPUs, %s/%s, load and server on the same machine, SQLite synchronous=FULL; medians of %d rounds of %v in turns\n\n",
		runtime.Version(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, o.rounds, o.duration)
	fmt.Println(heading)
	for _, part := range []func() error{b.served, b.onPostgres, b.growth, b.pages, b.inProcess, b.resting} {
		if err := part(); err != nil {
			return b.failed, err
		}
	}
	return b.failed, nil
}

// program is the path of the program to measure.
func program(ctx context.Context, o options, dir string) (string, error) {
	if o.binary != "" {
		return filepath.Abs(o.binary)
	}
	path := filepath.Join(dir, "valetkey")
	_, err := build(ctx, path)
	return path, err
}

// directory is a fresh one for each site.
func (b *bench) directory() string {
	b.sites++
	return filepath.Join(b.dir, fmt.Sprintf("site%d", b.sites))
}

// run measures those of the rows that were asked for.
func (b *bench) run(rows ...row) error {
	for _, r := range rows {
		if !b.o.wants(r.name) {
			continue
		}
		m, err := r.measure(b.ctx, b.o)
		if err != nil {
			return err
		}
		fmt.Println(m)
		if m.errors() > 0 {
			b.failed++
		}
	}
	return nil
}

// wanted reports whether any row with one of these names was asked for.
func (b *bench) wanted(names ...string) bool {
	for _, n := range names {
		if b.o.wants(n) {
			return true
		}
	}
	return false
}

// served are the rows about machines that ask the program.
func (b *bench) served() (err error) {
	floor, err := startFloor(b.ctx, b.dir, "")
	if err != nil {
		return err
	}
	defer floor.stop()
	t, err := startFresh(b.ctx, b.binary, b.directory(), "", "VALETKEY_ACCESS_TOKEN_ALG=ES256")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	b.memory("memory: idle", t.pid, idleLimit)
	ready, hello := floor.get("/ready", `"issuer"`), floor.get("/hello", "ok")
	err = b.run(
		row{"discovery", 32, t.fetch("/.well-known/openid-configuration", `"issuer"`), ready, 0.85, 0},
		row{"JWKS", 32, t.fetch("/oauth/jwks", `"keys"`), ready, 0.85, 0},
		row{"token: opaque on SQLite", 1, t.token(t.service), floor.token("/token"), 0.60, 0},
		row{"token: opaque on SQLite", 32, t.token(t.service), floor.token("/token"), 0.60, 0},
		row{"token: opaque on SQLite", 128, t.token(t.service), floor.token("/token"), 0.60, 0},
	)
	if err != nil {
		return err
	}
	b.memory("memory: after c=128", t.pid, loadLimit)
	return b.run(
		row{"token: JWT ES256", 1, t.token(t.signed), floor.token("/token-es256"), 0.55, 0},
		row{"token: JWT ES256", 32, t.token(t.signed), floor.token("/token-es256"), 0.55, 0},
		row{"introspection: warm", 1, t.introspect(nil), hello, 0.50, 0},
		row{"introspection: warm", 32, t.introspect(nil), hello, 0.50, 0},
		row{"userinfo", 32, t.userInfo(), hello, 0, 9000},
		row{"refresh + ID token on SQLite", 1, t.refresh(), nil, 0, 0},
		row{"refresh + ID token on SQLite", 32, t.refresh(), nil, 0, 2500},
		row{"flow: consent remembered", 1, t.knownFlow(), nil, 0, 0},
		row{"flow: consent remembered", 32, t.knownFlow(), nil, 0, 900},
	)
}

// onPostgres are the rows about PostgreSQL, if there is one.
func (b *bench) onPostgres() (err error) {
	const name = "token: opaque on PostgreSQL"
	rows := []string{name, "refresh + ID token on PostgreSQL", "introspection: PostgreSQL"}
	if b.o.postgres == "" {
		fmt.Println("PostgreSQL: not measured; -postgres URL names one")
		return nil
	}
	if !b.wanted(rows...) {
		return nil
	}
	url, drop, err := freshDatabase(b.ctx, b.o.postgres)
	if err != nil {
		return err
	}
	defer drop()
	floor, err := startFloor(b.ctx, b.dir, url)
	if err != nil {
		return err
	}
	defer floor.stop()
	t, err := startFresh(b.ctx, b.binary, b.directory(), url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	return b.run(
		row{name, 1, t.token(t.service), floor.token("/token"), 0, 0},
		row{name, 32, t.token(t.service), floor.token("/token"), 0, 5000},
		row{name, 128, t.token(t.service), floor.token("/token"), 0, 0},
		row{rows[2], 32, t.introspect(nil), floor.introspect("/introspect", "/token"), 0, 0},
		row{rows[1], 32, t.refresh(), nil, 0, 2500},
	)
}

// growth is introspection that asks the database, in a small table and in a large one.
func (b *bench) growth() (err error) {
	const size = "row of a token"
	if !b.wanted(once, cold, large, size) {
		return nil
	}
	floor, err := startFloor(b.ctx, b.dir, "")
	if err != nil {
		return err
	}
	defer floor.stop()
	few, _, err := b.seededSite(10_000)
	if err != nil {
		return err
	}
	many, bytes, err := b.seededSite(b.o.rows)
	if err != nil {
		return err
	}
	b.figure(size, fmt.Sprintf("%.0f bytes with its indexes, of %d", bytes, b.o.rows), "<= 350 bytes", bytes <= 350)
	if err := b.uncached(few, many, floor); err != nil {
		return err
	}
	t, err := many.start()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	return b.run(row{once, 32, t.introspect(many.tokens), floor.introspect("/introspect", "/token"), 0.65, 0})
}

const (
	// The token is looked up in the database, and its client is in memory, as it is
	// with the floor.
	once = "introspection: token asked once"
	// Nothing is in memory: revocation_bound is 0.
	cold, large = "introspection: cold", "introspection: cold in a large table"
)

// uncached runs both with nothing in memory.
func (b *bench) uncached(few, many *seededSite, floor *child) (err error) {
	const nothing = "VALETKEY_REVOCATION_BOUND=0s"
	small, err := few.start(nothing)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, small.stop()) }()
	big, err := many.start(nothing)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, big.stop()) }()
	below := small.introspect(few.tokens)
	return b.run(
		row{cold, 32, small.introspect(few.tokens), floor.introspect("/introspect", "/token"), 0, 4000},
		row{large, 32, big.introspect(many.tokens), &below, 0.90, 0},
		row{large, 1, big.introspect(many.tokens), &below, 0.90, 0},
	)
}

// seededSite is an installation with tokens in it.
type seededSite struct {
	*target // not running
	tokens  []string
}

// seededSite makes one with n tokens, and tells how many bytes each takes.
func (b *bench) seededSite(n int) (*seededSite, float64, error) {
	site, err := newSite(b.ctx, b.binary, b.directory(), "")
	if err != nil {
		return nil, 0, err
	}
	t := &target{ctx: b.ctx, site: site}
	if err := t.register(); err != nil {
		return nil, 0, err
	}
	put, err := seed(b.ctx, databaseFile(site), t.service.ClientID, n)
	return &seededSite{t, put.tokens}, put.bytes, err
}

// start runs the program on it, with these settings besides.
func (s *seededSite) start(env ...string) (*target, error) {
	site := *s.site
	site.Env = append(slices.Clone(site.Env), env...)
	t, err := startTarget(s.ctx, &site)
	if err == nil {
		t.service = s.service
	}
	return t, err
}

// pages are the rows about people.
func (b *bench) pages() error {
	if !b.wanted("flow: pages and stubbed hash") {
		return nil
	}
	t, err := startHouse(b.ctx, b.binary, b.directory())
	if err != nil {
		return err
	}
	defer t.stop()
	return b.run(
		row{"flow: pages and stubbed hash", 1, t.wholeFlow(), nil, 0, 0},
		row{"flow: pages and stubbed hash", 8, t.wholeFlow(), nil, 0, 350},
		row{"flow: pages and stubbed hash", 32, t.wholeFlow(), nil, 0, 0},
	)
}

// figure prints a row that is not a rate.
func (b *bench) figure(name, value, goal string, met bool) {
	if b.o.wants(name) {
		fmt.Printf("%-36s      %-52s  goal %-28s %s\n", name, value, goal, yes(met))
	}
}
