package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

// DatabaseKind is the kind of database that the setting db names.
type DatabaseKind string

const (
	SQLite     DatabaseKind = "sqlite"
	PostgreSQL DatabaseKind = "postgres"
)

// Database reads the setting db: the path of a SQLite file, or a PostgreSQL URL.
func (c *Config) Database() (DatabaseKind, string, error) {
	if strings.HasPrefix(c.DB, "postgres://") || strings.HasPrefix(c.DB, "postgresql://") {
		u, err := url.Parse(c.DB)
		if err != nil { // its own words would repeat the password
			return "", "", errors.New("the URL of the PostgreSQL database cannot be read; characters such as @, / and % in the password must be percent-encoded")
		}
		if strings.Trim(u.Path, "/") == "" {
			return "", "", fmt.Errorf("%q names no database: write postgres://user@host/database", u.Redacted())
		}
		return PostgreSQL, c.DB, nil
	}
	path, ok := strings.CutPrefix(c.DB, "sqlite:")
	if !ok || path == "" {
		return "", "", fmt.Errorf("%q is neither sqlite:PATH, for example sqlite:valetkey.db, nor postgres://user@host/database", c.DB)
	}
	if strings.ContainsAny(path, "?#%") {
		return "", "", fmt.Errorf("%q: the path must not hold the characters ?, # and %%", c.DB)
	}
	return SQLite, filepath.Clean(path), nil
}

// WithoutPassword is a database URL as it may be shown.
func WithoutPassword(db string) string {
	u, err := url.Parse(db)
	if err != nil {
		return "postgres://…"
	}
	query := u.Query()
	if query.Has("password") {
		query.Set("password", "xxxxx")
		u.RawQuery = query.Encode()
	}
	return u.Redacted()
}

// ConnectWithin bounds how long a PostgreSQL URL's driver tries to connect to each
// of its hosts, unless the URL says so itself.
func ConnectWithin(db string, seconds int) (string, error) {
	u, err := url.Parse(db)
	if err != nil {
		return "", errors.New("the URL of the database cannot be read")
	}
	query := u.Query()
	if query.Has("connect_timeout") {
		return db, nil
	}
	query.Set("connect_timeout", strconv.Itoa(seconds))
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// poolParam is the parameter of a PostgreSQL URL that bounds the connections, as
// pgx spells it.
const poolParam = "pool_max_conns"

// PoolSize takes pool_max_conns out of a PostgreSQL URL, which its driver does not
// know. Without it the size is usual.
func PoolSize(db string, usual int) (string, int, error) {
	u, err := url.Parse(db)
	if err != nil {
		return "", 0, errors.New("the URL of the database cannot be read")
	}
	query := u.Query()
	if !query.Has(poolParam) {
		return db, usual, nil
	}
	n, err := strconv.Atoi(query.Get(poolParam))
	if err != nil || n < 2 || n > 1000 {
		return "", 0, fmt.Errorf("%s=%s is not a number of connections from 2 to 1000", poolParam, query.Get(poolParam))
	}
	query.Del(poolParam)
	u.RawQuery = query.Encode()
	return u.String(), n, nil
}
