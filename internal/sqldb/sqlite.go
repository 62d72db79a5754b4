package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// LockFile makes sure that one server at a time runs on the SQLite database at
// path. The lock is held on the file path-lock until release is called or the
// process ends, however it ends. Command-line tools that write beside a running
// server do not take it: SQLite keeps them apart by itself. A path on a network
// file system is refused: SQLite's locks do not hold there.
func LockFile(path string) (release func(), err error) {
	if kind := NetworkFileSystem(path); kind != "" {
		return nil, fmt.Errorf("the database %s lies on a network file system (%s), where SQLite loses data: move it to a local disk, or use PostgreSQL", path, kind)
	}
	name := path + "-lock"
	release, err = lock(name)
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("another Valetkey server is running on %s (it holds %s): stop it first, or give this one a database of its own", path, name)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return release, nil
}

// NetworkFileSystem returns the kind of network file system that the file at path
// lies on, or nothing: a local one, or one we cannot tell.
func NetworkFileSystem(path string) string { return networkFileSystem(filepath.Dir(path)) }

var errLocked = errors.New("locked by another process")

// Backup writes a copy of the SQLite database to a new file at path, as it was
// at one moment, while everybody goes on working. It refuses to overwrite.
func (db *DB) Backup(ctx context.Context, path string) (err error) {
	if db.dialect != SQLite {
		return fmt.Errorf("sqldb: backup: a %s database is backed up with its own tools, such as pg_dump", db.dialect)
	}
	// SQLite accepts an empty file, and so it is ours alone from the beginning.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("sqldb: backup: %w", err)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			os.Remove(path)
			err = fmt.Errorf("sqldb: backup: %w", err)
		}
	}()
	if _, err := db.pool.ExecContext(ctx, "VACUUM INTO $1", path); err != nil {
		return err
	}
	if err := f.Sync(); err != nil { // VACUUM INTO leaves that to us
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the directory entry of a new file durable, where the system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !os.IsPermission(err) {
		return err
	}
	return nil
}
