package crashtest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/internal/livetest"
	"github.com/valetkey/valetkey/store/sqlstore"
)

const (
	defaultCycles = 3
	shortestLife  = 150 * time.Millisecond
	longestLife   = 900 * time.Millisecond
)

func TestKilledServerKeepsItsWord(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and kills the real program")
	}
	cycles := int(number(t, "VALETKEY_CRASH_CYCLES", defaultCycles))
	seed := uint64(number(t, "VALETKEY_CRASH_SEED", time.Now().UnixNano()))
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("%d cycles, VALETKEY_CRASH_SEED=%d", cycles, seed)

	ctx := t.Context()
	load := prepare(t, ctx)
	for cycle := range cycles {
		load.runUntilKilled(t, ctx, shortestLife+time.Duration(random.Int64N(int64(longestLife-shortestLife))))
		server, err := load.site.Start(ctx)
		if err != nil {
			t.Fatalf("cycle %d: the server does not start again: %v", cycle, err)
		}
		load.server = server
		if err := load.verify(ctx); err != nil {
			t.Fatalf("cycle %d: %v\nserver log:\n%s", cycle, err, server.Log())
		}
	}
	if err := load.server.Stop(); err != nil {
		t.Error(err)
	}
	for _, sign := range []string{"panic", "malformed", "disk image"} {
		if strings.Contains(load.server.Log(), sign) {
			t.Errorf("the server's log speaks of %q:\n%s", sign, load.server.Log())
		}
	}
	alive, dead, unknown := load.ledger.counts()
	t.Logf("after %d kills: %d tokens alive, %d dead, %d cut off; %v", cycles, alive, dead, unknown, load.work())
	for name, n := range load.work() {
		if n == 0 {
			t.Errorf("the load never got to do: %s", name)
		}
	}
}

// runUntilKilled lets the workers work for the given time, then kills the
// server under them and waits until every worker has noticed.
func (l *load) runUntilKilled(t *testing.T, ctx context.Context, life time.Duration) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	faults := make(chan error, len(l.workers))
	for _, w := range l.workers {
		wg.Go(func() {
			for ctx.Err() == nil {
				if err := w.do(ctx); err != nil {
					if !cutOff(err) {
						faults <- fmt.Errorf("%s: %w", w.name, err)
					}
					return // the server is gone
				}
				w.done.Add(1)
			}
		})
	}
	time.Sleep(life)
	l.server.Kill()
	cancel()
	wg.Wait()
	close(faults)
	for err := range faults {
		t.Errorf("before the kill, %v", err)
	}
}

// cutOff tells whether the connection broke; any other error is an answer that a
// server in good health does not give.
func cutOff(err error) bool {
	var unsent *url.Error
	var broken net.Error
	return errors.As(err, &unsent) || errors.As(err, &broken) || errors.Is(err, io.ErrUnexpectedEOF)
}

// verify holds the restarted server to everything that was acknowledged.
func (l *load) verify(ctx context.Context) error {
	if err := l.ledger.verify(func(token string) (bool, error) { return l.alive(ctx, token) }); err != nil {
		return err
	}
	for _, chain := range l.chains {
		if err := chain.verify(ctx); err != nil {
			return err
		}
	}
	return l.sound(ctx)
}

// sound asks SQLite whether the database file is whole.
func (l *load) sound(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(l.site.Dir, "*.db"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("the site has not one database but %v (%v)", files, err)
	}
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(files[0]))
	if err != nil {
		return err
	}
	defer db.Close()
	var integrity string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&integrity); err != nil || integrity != "ok" {
		return fmt.Errorf("integrity_check: %s (%v)", integrity, err)
	}
	orphans, err := db.QueryContext(ctx, "PRAGMA foreign_key_check")
	if err != nil {
		return err
	}
	defer orphans.Close()
	if orphans.Next() {
		return errors.New("foreign_key_check found orphans")
	}
	return orphans.Err()
}

// verify asks about every token the ledger vouches for.
func (l *ledger) verify(alive func(string) (bool, error)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for token, what := range l.alive {
		ok, err := alive(token)
		if err != nil {
			return err
		}
		if !ok {
			return fmt.Errorf("lost: %s was handed out and does not work", what)
		}
	}
	for token, what := range l.dead {
		ok, err := alive(token)
		if err != nil {
			return err
		}
		if ok {
			return fmt.Errorf("revived: %s was revoked and works", what)
		}
	}
	return nil
}

// number reads a number from the environment.
func number(t *testing.T, name string, otherwise int64) int64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// prepare builds the program, makes a site, and sets up the workers.
func prepare(t *testing.T, ctx context.Context) *load {
	t.Helper()
	dir := t.TempDir()
	binary, err := livetest.Build(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	site, err := livetest.NewSite(ctx, binary, dir)
	if err != nil {
		t.Fatal(err)
	}
	site.Env = append(site.Env, "VALETKEY_PERSONAL_TOKENS_MAX_PER_USER=1000000")
	l := &load{site: site, ledger: newLedger()}
	if l.server, err = site.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.server.Kill() })
	if err := l.populate(ctx); err != nil {
		t.Fatalf("%v\nserver log:\n%s", err, l.server.Log())
	}
	return l
}
