package doctor

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/internal/issuer"
	"github.com/valetkey/valetkey/internal/sqldb"
)

// checkDatabase: is it there?
func checkDatabase(v *visit) {
	kind, where, err := v.Config.Database()
	if err != nil {
		return // said by the configuration
	}
	if kind == config.SQLite {
		if fs := sqldb.NetworkFileSystem(where); fs != "" {
			v.problem("The database %s lies on a network file system (%s), where SQLite loses data: move it to a local disk, or use PostgreSQL.", where, fs)
		}
	} else {
		where = config.WithoutPassword(where)
	}
	if v.Unopened != nil {
		if errors.Is(v.Unopened, os.ErrNotExist) {
			if _, err := os.Stat(filepath.Dir(where)); err != nil {
				v.problem("The database %s cannot be made: there is no folder for it. Look at db (%s).", where, v.Config.Origin("db"))
				return
			}
			v.warn("There is no database %s yet. The server makes it when it starts; if there should be one, look at db (%s).", where, v.Config.Origin("db"))
			return
		}
		v.problem("The database %s cannot be used: %v. Look whether it runs, at its address and at who may connect.", where, v.Unopened)
		return
	}
	if v.DB != nil {
		v.ok("The database %s answers.", where)
	}
}

func checkDurability(v *visit) {
	broken, err := v.DB.Durability(v.ctx)
	if err != nil {
		v.problem("The settings of the database cannot be read: %v.", err)
		return
	}
	for _, b := range broken {
		v.problem("the database does not keep what it acknowledges: %s. A code may be redeemed twice, and what was revoked may live again.", b)
	}
	if len(broken) == 0 {
		v.ok("What the database acknowledges survives a power cut.")
	}
}

// one asks for one value.
func one[T any](v *visit, query string) (value T, err error) {
	err = v.DB.Pool().QueryRowContext(v.ctx, query).Scan(&value)
	return value, err
}

func checkSQLite(v *visit) {
	if v.DB.Dialect() != sqldb.SQLite {
		return
	}
	if err := v.DB.Check(v.ctx); err != nil {
		v.problem("%v.", err)
	}
	_, path, err := v.Config.Database()
	if err != nil {
		return
	}
	free, known := freeSpace(path)
	var size int64
	for _, part := range []string{"", "-wal"} {
		if info, err := os.Stat(path + part); err == nil {
			size += info.Size()
		}
	}
	const least = 256 << 20
	switch {
	case !known:
	case free < least:
		v.problem("There are %d MiB left on the disk of %s: when it is full, the server answers 503. Make room.", free>>20, path)
	case free < uint64(2*size):
		v.warn("There are %d MiB left on the disk of %s, which is %d MiB: a backup beside it, or VACUUM, needs as much again. Make room.", free>>20, path, size>>20)
	default:
		v.ok("The disk of %s has room.", path)
	}
}

// reading bounds how long the doctor reads through a database file.
const reading = time.Minute

func checkIntegrity(v *visit) {
	if v.DB.Dialect() != sqldb.SQLite {
		return
	}
	ctx, cancel := context.WithTimeout(v.ctx, reading)
	defer cancel()
	var answer string
	err := v.DB.Pool().QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&answer)
	switch {
	case ctx.Err() != nil:
		v.note("The database is too large to be read through within %v. \"valetkey backup\" checks the copy that it makes.", reading)
	case err != nil:
		v.problem("The database cannot be read through: %v. Restore a backup.", err)
	case answer != "ok":
		v.problem("The database is damaged: %s. Stop the server, keep the file, and restore a backup.", answer)
	default:
		v.ok("The database file is sound (quick_check).")
	}
}

// oldestPostgreSQL still gets corrections of its security.
const oldestPostgreSQL = 140000

func checkPostgreSQL(v *visit) {
	if v.DB.Dialect() != sqldb.PostgreSQL {
		return
	}
	var (
		version, most, reserved, used int
		encoding, isolation           string
		ssl, standby                  bool
	)
	err := v.DB.Pool().QueryRowContext(v.ctx, `SELECT current_setting('server_version_num')::int, current_setting('max_connections')::int,
		current_setting('superuser_reserved_connections')::int, (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
		current_setting('server_encoding'), current_setting('default_transaction_isolation'),
		coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false), pg_is_in_recovery()`).
		Scan(&version, &most, &reserved, &used, &encoding, &isolation, &ssl, &standby)
	if err != nil {
		v.problem("PostgreSQL does not tell about itself: %v.", err)
		return
	}
	if version < oldestPostgreSQL {
		v.warn("PostgreSQL %d gets no corrections any more. Upgrade it.", version/10000)
	}
	if encoding != "UTF8" {
		v.problem("The database has the encoding %s, in which names are lost. Make one with ENCODING 'UTF8'.", encoding)
	}
	if isolation != "read committed" {
		v.warn("default_transaction_isolation is %s. The server is made and tested for read committed; set it for its role: ALTER ROLE … SET default_transaction_isolation TO 'read committed'.", isolation)
	}
	if standby {
		v.problem("This PostgreSQL is a standby and takes no writes. Name the primary in db, or several hosts with target_session_attrs=read-write.")
	}
	if u, err := url.Parse(v.Config.DB); err == nil && !ssl && remote(u) {
		v.warn("The connection to PostgreSQL at %s is not encrypted. Add sslmode=verify-full to db.", u.Host)
	}
	switch room := most - reserved; {
	case v.Connections > room:
		v.problem("A server opens up to %d connections and PostgreSQL accepts %d (max_connections %d, of which %d are reserved). Lower pool_max_conns in db or raise max_connections.", v.Connections, room, most, reserved)
	case v.Connections*2 > room:
		v.note("A server opens up to %d connections and PostgreSQL accepts %d: a second server would not find enough (docs/postgresql.md).", v.Connections, room)
	default:
		v.ok("PostgreSQL %d accepts %d connections, %d are open; %d servers with %d each find room.", version/10000, room, used, room/v.Connections, v.Connections)
	}
}

// remote reports whether the database is reached over a network.
func remote(u *url.URL) bool {
	host := u.Hostname()
	return host != "" && !issuer.Loopback(host) && !strings.HasPrefix(u.Query().Get("host"), "/")
}

// checkArchive: what can be known of backups from here.
func checkArchive(v *visit) {
	if v.DB.Dialect() != sqldb.PostgreSQL {
		return
	}
	mode, err := one[string](v, "SHOW archive_mode")
	if err != nil {
		return
	}
	if mode == "off" {
		v.note("PostgreSQL does not archive its WAL (archive_mode is off): a lost disk takes with it what came after the last dump.")
		return
	}
	var done, failed sql.NullTime
	if err := v.DB.Pool().QueryRowContext(v.ctx, "SELECT last_archived_time, last_failed_time FROM pg_stat_archiver").Scan(&done, &failed); err != nil {
		return // only some may look
	}
	switch {
	case failed.Valid && failed.Time.After(done.Time):
		v.problem("PostgreSQL fails to archive its WAL since %s: the disk fills up, and backups end there. See its log.", failed.Time.UTC().Format(time.DateTime))
	case !done.Valid:
		v.note("PostgreSQL has not archived any WAL yet.")
	default:
		v.ok("PostgreSQL archived WAL last %s ago.", days(v.Now().Sub(done.Time)))
	}
}

func checkDatabaseClock(v *visit) {
	if v.DB.Dialect() != sqldb.PostgreSQL {
		return // it has none
	}
	seconds, err := one[float64](v, "SELECT extract(epoch FROM clock_timestamp())::float8")
	if err != nil {
		v.problem("The database does not say what time it is: %v.", err)
		return
	}
	whole, part := math.Modf(seconds)
	v.difference("The clock of the database", time.Unix(int64(whole), int64(part*1e9)))
}

func checkMigrations(v *visit) {
	for _, line := range v.Lines {
		names, err := v.DB.Pending(v.ctx, line)
		switch {
		case err != nil:
			v.problem("The tables of %s do not fit this program: %v.", line.Name, err)
		case len(names) > 0:
			v.problem("The tables of %s are older than this program: %s is missing. Run \"valetkey migrate up\", or start the server, which does it too.", line.Name, strings.Join(names, ", "))
		}
	}
	if len(v.found) == 0 {
		v.ok("The tables are up to date.")
	}
}

// checkWriting writes a row and takes it away.
func checkWriting(v *visit) {
	for _, line := range v.Lines {
		if names, err := v.DB.Pending(v.ctx, line); err != nil || len(names) > 0 {
			return // there may be no table to write to; the check before said so
		}
	}
	if err := v.Ping(v.ctx); err != nil {
		v.problem("The database cannot be written to: %v. Look at the rights of its file and folder, at the disk, and whether it is a standby.", err)
		return
	}
	v.ok("The database can be written to.")
}
