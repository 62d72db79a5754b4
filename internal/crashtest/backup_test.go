package crashtest

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// R13: copies that are made while everybody works hold everything that was
// acknowledged before, nothing by half, and a server can be started on them.

func TestBackupUnderLoad(t *testing.T) {
	t.Parallel()
	backUp(t, onSQLite(t, t.Context()), func(ctx context.Context, l *load, name string) error {
		_, err := l.site.Run(ctx, "", "backup", name)
		return err
	}, func(_ context.Context, l *load, name string) (string, error) {
		return "sqlite:" + filepath.Join(l.site.Dir, name), nil
	})
}

// With PostgreSQL's own tools, as docs/postgresql.md tells it.
func TestBackupOfPostgreSQLUnderLoad(t *testing.T) {
	t.Parallel()
	l := onPostgreSQL(t, t.Context())
	run := func(ctx context.Context, name string, args ...string) error {
		if out, err := l.postgres.Command(ctx, name, args...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", name, err, out)
		}
		return nil
	}
	backUp(t, l, func(ctx context.Context, l *load, name string) error {
		return run(ctx, "pg_dump", "--format=custom", "--file="+filepath.Join(l.postgres.Dir, name), l.postgres.URL)
	}, func(ctx context.Context, l *load, name string) (string, error) {
		database := strings.TrimSuffix(name, ".db")
		if err := run(ctx, "createdb", "--maintenance-db="+l.postgres.URL, database); err != nil {
			return "", err
		}
		url := strings.Replace(l.postgres.URL, "/postgres?", "/"+database+"?", 1)
		return url, run(ctx, "pg_restore", "--exit-on-error", "--dbname="+url, filepath.Join(l.postgres.Dir, name))
	})
}

const copies = 3

// backUp makes copies under load, and then starts a server on each.
func backUp(t *testing.T, l *load, copy func(context.Context, *load, string) error, restore func(context.Context, *load, string) (db string, err error)) {
	if testing.Short() {
		t.Skip("runs the real program")
	}
	ctx := t.Context()
	known := make([]*ledger, copies)
	working, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	for _, w := range l.workers {
		wg.Go(func() {
			for working.Err() == nil {
				if err := w.do(working); err != nil {
					if working.Err() == nil {
						t.Errorf("%s: %v", w.name, err)
					}
					return
				}
				w.done.Add(1)
			}
		})
	}
	for n := range copies {
		time.Sleep(longestLife / 2)
		known[n] = l.ledger.copy()
		if err := copy(ctx, l, fmt.Sprintf("copy%d.db", n)); err != nil {
			t.Error(err)
		}
	}
	time.Sleep(shortestLife)
	cancel()
	wg.Wait()
	l.server.Kill()
	if t.Failed() {
		return
	}

	for n, known := range known {
		known.forgetEnded(l.ledger)
		alive, dead, _ := known.counts()
		db, err := restore(ctx, l, fmt.Sprintf("copy%d.db", n))
		if err != nil {
			t.Fatal(err)
		}
		site := *l.site
		site.Env = append(site.Env[:len(site.Env):len(site.Env)], "VALETKEY_DB="+db)
		server, err := site.Start(ctx)
		if err != nil {
			t.Fatalf("a server on copy %d: %v", n, err)
		}
		l.server = server // for the end of the test
		if err := known.verify(ctx); err != nil {
			t.Errorf("copy %d: %v", n, err)
		}
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
		rows, err := openDatabase(db)
		if err != nil {
			t.Fatal(err)
		}
		if err := sound(ctx, rows, l.postgres == nil); err != nil {
			t.Errorf("copy %d: %v", n, err)
		}
		rows.Close()
		t.Logf("copy %d: %d facts alive, %d ended", n, alive, dead)
		if alive == 0 || dead == 0 {
			t.Errorf("copy %d shows nothing", n)
		}
	}
}
