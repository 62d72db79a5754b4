package faults

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/internal/livetest"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// faultTime is how long a fault lasts in which answers take their time, longer than
// they may; where they are quick a quarter of it is enough.
func faultTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("VALETKEY_FAULT_TIME")
	if text == "" {
		return 8 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("VALETKEY_FAULT_TIME: %v", err)
	}
	return d
}

// program is built once for all tests.
var program = struct {
	once sync.Once
	path string
	err  error
}{}

func TestMain(m *testing.M) {
	code := m.Run()
	if program.path != "" {
		os.RemoveAll(filepath.Dir(program.path))
	}
	os.Exit(code)
}

// binary returns the program, or skips the test where there is no time for it.
func binary(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("breaks things below the real program and waits")
	}
	program.once.Do(func() {
		dir, err := os.MkdirTemp("", "valetkey-faults")
		if err != nil {
			program.err = err
			return
		}
		program.path, program.err = livetest.Build(context.Background(), dir)
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return program.path
}

// start runs a server on the database, with further settings, and traffic for it.
func start(t *testing.T, dir, db string, env ...string) (*livetest.Server, *traffic) {
	t.Helper()
	site, err := livetest.NewSiteOn(t.Context(), binary(t), dir, db)
	if err != nil {
		t.Fatal(err)
	}
	site.Env = append(site.Env, env...)
	server, err := site.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
		log := server.Log()
		if strings.Contains(log, "panic") || strings.Contains(log, "malformed") {
			t.Errorf("the server's log:\n%.10000s", log)
		}
		for line := range strings.Lines(log) {
			if strings.Contains(line, "request failed") && !strings.Contains(line, "temporarily_unavailable") && !strings.Contains(line, "deadline exceeded") {
				t.Errorf("the server took for its own mistake: %s", line)
				break
			}
		}
	})
	v, err := newTraffic(t.Context(), site)
	if err != nil {
		t.Fatalf("%v\n%s", err, server.Log())
	}
	return server, v
}

// Another process writes and does not stop.
func TestSQLiteLocked(t *testing.T) {
	t.Parallel()
	_, v := start(t, t.TempDir(), "")
	db := openSQLite(t, v.site.Dir)
	var lock *sql.Tx
	v.through(t, func() (err error) { lock, err = db.Begin(); return err }, faultTime(t), func() error { return lock.Rollback() })
	for _, w := range v.workers {
		if w.name == "introspect" && w.unavailable.Load() > 0 {
			t.Error("readers were held up by the writer")
		}
	}
	v.verify(t)
	sound(t, db)
}

// The disk is full: a small file system, filled up.
func TestSQLiteDiskFull(t *testing.T) {
	t.Parallel()
	binary(t)
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=16m"); err != nil {
		t.Skipf("no small file system can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	_, v := start(t, dir, "")
	ballast := filepath.Join(dir, "ballast")
	fill := func() error {
		f, err := os.Create(ballast)
		if err != nil {
			return err
		}
		defer f.Close()
		for chunk := make([]byte, 4096); ; {
			if _, err := f.Write(chunk); errors.Is(err, unix.ENOSPC) {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
	v.through(t, fill, faultTime(t)/4, func() error { return os.Remove(ballast) })
	v.verify(t)
	sound(t, openSQLite(t, dir))
}

// Every write to the disk fails: the server may not make a file larger than it is.
func TestSQLiteDiskRefusesWrites(t *testing.T) {
	t.Parallel()
	server, v := start(t, t.TempDir(), "")
	limit := func(bytes uint64) error {
		var old unix.Rlimit
		if err := unix.Prlimit(server.PID, unix.RLIMIT_FSIZE, nil, &old); err != nil {
			return err
		}
		old.Cur = bytes
		return unix.Prlimit(server.PID, unix.RLIMIT_FSIZE, &old, nil)
	}
	if err := limit(unix.RLIM_INFINITY); err != nil {
		t.Skipf("another process cannot be limited here: %v", err)
	}
	v.through(t, func() error { return limit(0) }, faultTime(t)/4, func() error { return limit(unix.RLIM_INFINITY) })
	v.verify(t)
	sound(t, openSQLite(t, v.site.Dir))
}

func openSQLite(t *testing.T, dir string) *sql.DB {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.db"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the site has not one database but %v (%v)", files, err)
	}
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(files[0]))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// sound asks SQLite whether the file is whole.
func sound(t *testing.T, db *sql.DB) {
	t.Helper()
	var answer string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&answer); err != nil || answer != "ok" {
		t.Errorf("integrity_check: %s (%v)", answer, err)
	}
}

func postgres(t *testing.T) *livetest.Postgres {
	t.Helper()
	binary(t)
	p, err := livetest.NewPostgres(t.Context())
	if errors.Is(err, livetest.ErrNoPostgres) {
		livetest.Lacking(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Remove() })
	return p
}

func TestPostgresPaused(t *testing.T) {
	t.Parallel()
	p := postgres(t)
	_, v := start(t, t.TempDir(), p.URL)
	v.through(t, func() error { p.Pause(); return nil }, faultTime(t), func() error { p.Resume(); return nil })
	v.verify(t)
}

func TestPostgresKilled(t *testing.T) {
	t.Parallel()
	p := postgres(t)
	_, v := start(t, t.TempDir(), p.URL)
	v.through(t, func() error { p.Kill(); return nil }, faultTime(t)/4, func() error { return p.Start(t.Context()) })
	v.verify(t)
}

func TestPostgresReadOnly(t *testing.T) {
	t.Parallel()
	p := postgres(t)
	_, v := start(t, t.TempDir(), p.URL)
	set := func(value string) error {
		if _, err := p.SQL(t.Context(), "ALTER SYSTEM SET default_transaction_read_only = "+value); err != nil {
			return err
		}
		_, err := p.SQL(t.Context(), "SELECT pg_reload_conf()")
		return err
	}
	v.through(t, func() error { return set("on") }, faultTime(t)/4, func() error { return set("off") })
	v.verify(t)
}

// The primary dies and its synchronous standby takes its place; the server knows both.
func TestPostgresFailover(t *testing.T) {
	t.Parallel()
	primary := postgres(t)
	standby, err := primary.Standby(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { standby.Remove() })
	_, v := start(t, t.TempDir(), both(t, primary.URL, standby.URL))
	v.through(t, func() error { primary.Kill(); return nil }, faultTime(t)/4, func() error { return standby.Promote(t.Context()) })
	v.verify(t)
}

// both is the URL of two servers of which one may be written to.
func both(t *testing.T, a, b string) string {
	t.Helper()
	u, err := url.Parse(a)
	if err != nil {
		t.Fatal(err)
	}
	second, err := url.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := net.SplitHostPort(second.Host); err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	query.Set("target_session_attrs", "read-write")
	return fmt.Sprintf("%s://%s@%s,%s%s?%s", u.Scheme, u.User, u.Host, second.Host, u.Path, query.Encode())
}
