// Package sqlstore keeps the engine's rows in SQLite or PostgreSQL through
// database/sql. It imports no driver: open the database with the one you like
// and hand it to [New].
//
//	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN("valetkey.db")) // modernc.org/sqlite
//	st := sqlstore.New(db, sqlstore.SQLite)
//	err = st.Migrate(ctx)
//
// One SQL text serves both databases; only the tables are declared for each
// (migrations/sqlite, migrations/postgres). Every statement that decides
// something decides by the rows it changed, never by a driver's error.
//
// On SQLite the writes of simultaneous callers share a transaction and are
// answered after it has reached the disk; see [SQLiteDSN] for the settings that
// this needs. A few connections are enough: eight, all kept open, serve well.
package sqlstore
