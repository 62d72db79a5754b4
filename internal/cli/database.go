package cli

import (
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// database is where the configuration says that the rows are.
type database struct {
	dialect sqlstore.Dialect
	source  string // SQLite: the path of the file. PostgreSQL: the URL
	name    string // for people; without a password
}

// databaseOf reads the setting db.
func databaseOf(l *config.Loaded) (database, error) {
	kind, source, err := l.Database()
	if err != nil {
		return database{}, &config.Error{Where: "db (" + l.Origin("db") + ")", Err: err}
	}
	if kind == config.PostgreSQL {
		return database{sqlstore.PostgreSQL, source, config.WithoutPassword(source)}, nil
	}
	return database{sqlstore.SQLite, source, source}, nil
}

func (d database) String() string { return d.name }

// What one process asks of the database at once; other requests wait their turn.
const (
	// sqliteConnections is enough for two cores: reads run beside each other.
	sqliteConnections = 8
	// postgresConnections leaves room for several nodes below PostgreSQL's usual
	// hundred. pool_max_conns in the URL says otherwise.
	postgresConnections = 20
	// connectSeconds: a host that does not answer must leave a request the time to
	// try the next. connect_timeout in the URL says otherwise.
	connectSeconds = 3
	// connectionLife lets a balancer before the database move connections, and
	// ends those that a firewall has forgotten.
	connectionLife = time.Hour
	// idleLife gives back what a quiet server does not use. A connection that is
	// used anew after a second is asked first whether it still stands, by pgx.
	idleLife = 15 * time.Minute
)

// open opens the pool. It keeps its connections: database/sql would keep two
// and open every other anew, which costs more than most of what is asked of it.
func (d database) open() (*sql.DB, error) {
	driver := "sqlite"
	if d.dialect == sqlstore.PostgreSQL {
		driver = "pgx"
	}
	source, connections, err := d.driver()
	if err != nil {
		return nil, err
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, unavailablef("the database %s cannot be opened: %w", d, err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	if d.dialect != sqlstore.SQLite {
		db.SetConnMaxLifetime(connectionLife)
		db.SetConnMaxIdleTime(idleLife)
	}
	return db, nil
}

// driver is what the driver is told, and the size of the pool.
func (d database) driver() (source string, connections int, err error) {
	if d.dialect == sqlstore.SQLite {
		return sqlstore.SQLiteDSN(d.source), sqliteConnections, nil
	}
	if source, connections, err = config.PoolSize(d.source, postgresConnections); err != nil {
		return "", 0, invalidf("db: %w", err)
	}
	if source, err = config.ConnectWithin(source, connectSeconds); err != nil {
		return "", 0, invalidf("db: %w", err)
	}
	return source, connections, nil
}

// missing reports whether the database has still to be made. Only a file can be:
// an operator makes a PostgreSQL database, with its owner and its encoding.
func (d database) missing() (bool, error) {
	if d.dialect != sqlstore.SQLite {
		return false, nil
	}
	_, err := os.Stat(d.source)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, err
}

// private makes an empty file that only we may read, where the database is a
// file: what is in it is hashed, but e-mail addresses are not.
func (d database) private() error {
	if d.dialect != sqlstore.SQLite {
		return nil
	}
	f, err := os.OpenFile(d.source, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return unavailablef("the database cannot be made: %w", err)
	}
	return f.Close()
}

// lock keeps a second server off a database file. On PostgreSQL any number of
// servers may work at once.
func (d database) lock() (unlock func(), err error) {
	if d.dialect != sqlstore.SQLite {
		return func() {}, nil
	}
	if unlock, err = sqldb.LockFile(d.source); err != nil {
		return nil, unavailablef("%w", err)
	}
	return unlock, nil
}
