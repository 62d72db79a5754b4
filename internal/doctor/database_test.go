package doctor_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/doctor"
	"github.com/valetkey/valetkey/store/sqlstore"
)

func TestMissingMigrations(t *testing.T) {
	t.Parallel()
	s := site(t)
	path := filepath.Join(t.TempDir(), "empty.db")
	s.Config.DB = "sqlite:" + path
	with(s, open(t, "sqlite", sqlstore.SQLiteDSN(path), sqlstore.SQLite))
	wants(t, s.Examine(t.Context()), doctor.Problem, "migrations", `Run "valetkey migrate up"`)
}

func TestReadOnlyDatabase(t *testing.T) {
	t.Parallel()
	s := site(t)
	onSQLite(t, s, func(path string) string {
		return "file:" + path + "?mode=ro&_pragma=foreign_keys(ON)&_pragma=synchronous(FULL)"
	})
	wants(t, s.Examine(t.Context()), doctor.Problem, "writing", "cannot be written to")
}

func TestSettingsOfSQLite(t *testing.T) {
	t.Parallel()
	s := site(t)
	onSQLite(t, s, func(path string) string { return "file:" + path + "?_pragma=synchronous(OFF)" })
	found := s.AtStart(t.Context())
	wants(t, found, doctor.Problem, "durability", "synchronous is 0")
	wants(t, found, doctor.Problem, "sqlite", "without foreign keys")
}

func TestDamagedDatabase(t *testing.T) {
	t.Parallel()
	s := site(t)
	store := onSQLite(t, s, nil)
	path := strings.TrimPrefix(s.Config.DB, "sqlite:")
	if _, err := store.DB().Pool().Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	if err := store.DB().Pool().Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	for at := int64(5 * page); at < info.Size(); at += 3 * page {
		if _, err := f.WriteAt([]byte(strings.Repeat("x", 200)), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	with(s, open(t, "sqlite", sqlstore.SQLiteDSN(path), sqlstore.SQLite))
	found := s.Examine(context.WithoutCancel(t.Context()))
	for _, f := range found {
		if f.Check == "integrity" && f.Severity == doctor.Problem {
			return
		}
	}
	t.Errorf("the damage is not seen: %s", listed(found))
}

func TestFilesThatOthersRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys")
	if err := os.WriteFile(keys, []byte("2026:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]doctor.Severity{0o600: doctor.OK, 0o640: doctor.Warning, 0o604: doctor.Problem} {
		if err := os.Chmod(keys, mode); err != nil {
			t.Fatal(err)
		}
		s := site(t, "keyring-file="+keys)
		found := s.Examine(t.Context())
		wants(t, found, want, "secret files", "")
		if strings.Contains(listed(found), "AAECAw") {
			t.Errorf("a secret is told: %s", listed(found))
		}
	}
}

func TestPostgreSQL(t *testing.T) {
	t.Parallel()
	url := os.Getenv("VALETKEY_TEST_POSTGRES")
	if url == "" {
		t.Skip("VALETKEY_TEST_POSTGRES names no PostgreSQL server to test on")
	}
	s := site(t)
	s.Now = time.Now
	examine := func(options string, connections int) []doctor.Finding {
		s.Config.DB = url + options
		with(s, open(t, "pgx", url+options, sqlstore.PostgreSQL))
		s.Lines, s.Connections = nil, connections
		s.Ping = func(ctx context.Context) error {
			_, err := s.DB.Pool().ExecContext(ctx, "CREATE TEMPORARY TABLE doctor_ping ()")
			return err
		}
		return s.Examine(t.Context())
	}
	more := "&"
	if !strings.Contains(url, "?") {
		more = "?"
	}
	found := examine("", 20)
	wants(t, found, doctor.OK, "durability", "survives")
	wants(t, found, doctor.OK, "clock of the database", "agrees")
	wants(t, found, doctor.OK, "postgresql", "accepts")
	wants(t, examine(more+"options=-csynchronous_commit%3Doff", 20), doctor.Problem, "durability", "synchronous_commit is off")
	wants(t, examine(more+"default_transaction_isolation=serializable", 20), doctor.Warning, "postgresql", "default_transaction_isolation is serializable")
	wants(t, examine("", 1000), doctor.Problem, "postgresql", "Lower pool_max_conns")
	s.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	wants(t, examine("", 20), doctor.Problem, "clock of the database", "ahead of")
}
