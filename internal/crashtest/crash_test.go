package crashtest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/livetest"
)

const (
	defaultCycles = 3
	shortestLife  = 150 * time.Millisecond
	longestLife   = 900 * time.Millisecond
	// enough cycles let every worker finish something on any machine.
	enough = 20
	// recovery is how soon the server must work again once its database does.
	recovery = 2 * time.Second
)

func TestKilledServerKeepsItsWord(t *testing.T) {
	t.Parallel()
	killAgain(t, 1, onSQLite, (*load).killServer)
}

func TestKilledServerKeepsItsWordOnPostgreSQL(t *testing.T) {
	t.Parallel()
	killAgain(t, 3, onPostgreSQL, (*load).killServer)
}

func TestKilledPostgreSQLKeepsItsWord(t *testing.T) {
	t.Parallel()
	killAgain(t, 5, onPostgreSQL, (*load).killDatabase)
}

// killAgain works, kills and verifies, one share of the cycles.
func killAgain(t *testing.T, share int, prepare func(*testing.T, context.Context) *load, kill func(*load, context.Context) error) {
	if testing.Short() {
		t.Skip("builds and kills the real program")
	}
	cycles := max(1, int(number(t, "VALETKEY_CRASH_CYCLES", defaultCycles))/share)
	seed := uint64(number(t, "VALETKEY_CRASH_SEED", time.Now().UnixNano()))
	random := rand.New(rand.NewPCG(seed, uint64(share)))
	t.Logf("%d cycles, VALETKEY_CRASH_SEED=%d", cycles, seed)

	ctx := t.Context()
	load := prepare(t, ctx)
	for cycle := range cycles {
		load.runUntilKilled(t, ctx, shortestLife+time.Duration(random.Int64N(int64(longestLife-shortestLife))), kill)
		err := load.verify(ctx)
		if err != nil || t.Failed() {
			t.Fatalf("cycle %d: %v\nserver log:\n%s", cycle, err, load.server.Log())
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
	t.Logf("after %d kills: %d facts alive, %d ended, %d cut off; %v, and %d sign-ins had to wait", cycles, alive, dead, unknown, load.work(), load.throttled.Load())
	for name, n := range load.work() {
		if n == 0 && cycles >= enough {
			t.Errorf("the load never got to do: %s", name)
		}
	}
}

// killServer kills the server and starts it again.
func (l *load) killServer(ctx context.Context) (err error) {
	l.server.Kill()
	l.server, err = l.site.Start(ctx)
	return err
}

// killDatabase kills PostgreSQL, starts it again, and waits for the server, which
// has to find back by itself.
func (l *load) killDatabase(ctx context.Context) error {
	l.postgres.Kill()
	if err := l.postgres.Start(ctx); err != nil {
		return err
	}
	late := time.Now().Add(recovery)
	for {
		_, err := l.send(ctx, http.MethodGet, "/readyz", "", "", func(*http.Request) {})
		if err == nil || time.Now().After(late) {
			return err
		}
		time.Sleep(pause)
	}
}

// runUntilKilled lets the workers work for the given time, then kills under them
// and waits until every worker has noticed.
func (l *load) runUntilKilled(t *testing.T, ctx context.Context, life time.Duration, kill func(*load, context.Context) error) {
	t.Helper()
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	var killed atomic.Bool
	faults := make(chan error, len(l.workers))
	for _, w := range l.workers {
		wg.Go(func() {
			for working.Err() == nil {
				err := w.do(working)
				var operator *operatorError
				switch {
				case err == nil:
					w.done.Add(1)
					continue
				case cutOff(err), working.Err() != nil && errors.Is(err, context.Canceled),
					killed.Load() && (unavailable(err) || errors.As(err, &operator)):
				default:
					faults <- fmt.Errorf("%s: %w", w.name, err)
				}
				return // something is gone
			}
		})
	}
	time.Sleep(life)
	killed.Store(true)
	if err := kill(l, ctx); err != nil {
		t.Fatalf("after the kill: %v\nserver log:\n%s", err, l.server.Log())
	}
	cancel()
	wg.Wait()
	close(faults)
	for err := range faults {
		t.Errorf("a wrong answer: %v", err)
	}
}

// verify holds the restarted server to everything that was acknowledged.
func (l *load) verify(ctx context.Context) error {
	if err := l.ledger.verify(ctx); err != nil {
		return err
	}
	for _, chain := range l.chains {
		if err := chain.verify(ctx); err != nil {
			return err
		}
	}
	if err := l.setting.verify(ctx); err != nil {
		return err
	}
	if err := l.signed.verify(ctx, l); err != nil {
		return err
	}
	return l.sound(ctx)
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

func onSQLite(t *testing.T, ctx context.Context) *load {
	t.Helper()
	return prepare(t, ctx, nil)
}

func onPostgreSQL(t *testing.T, ctx context.Context) *load {
	t.Helper()
	p, err := livetest.NewPostgres(ctx)
	if errors.Is(err, livetest.ErrNoPostgres) {
		livetest.Lacking(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Remove() })
	return prepare(t, ctx, p)
}

// program builds the program once.
var program = sync.OnceValues(func() (string, error) {
	return livetest.Build(context.Background(), scratch)
})

// scratch is where the program is built.
var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "valetkey-crash"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(scratch)
	os.Exit(code)
}

// prepare makes a site and sets up the workers.
func prepare(t *testing.T, ctx context.Context, p *livetest.Postgres) *load {
	t.Helper()
	binary, err := program()
	if err != nil {
		t.Fatal(err)
	}
	l := &load{postgres: p, ledger: newLedger()}
	db := ""
	if p != nil {
		db = p.URL
	}
	if l.site, err = livetest.NewSiteOn(ctx, binary, t.TempDir(), db); err != nil {
		t.Fatal(err)
	}
	l.site.Env = append(l.site.Env, "VALETKEY_PERSONAL_TOKENS_MAX_PER_USER=1000000", "VALETKEY_REGISTRATION_MODE=token", "VALETKEY_SERVER_TRUSTED_PROXIES=127.0.0.0/8")
	if l.server, err = l.site.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.server.Kill() })
	if err := l.populate(ctx); err != nil {
		t.Fatalf("%v\nserver log:\n%s", err, l.server.Log())
	}
	return l
}
