// Package sqldb is one SQL database as Valetkey uses it: the dialect, one way
// to write, many ways to read, and migrations. It imports no driver; whoever
// opens the database chooses one.
//
// # Writing
//
// [DB.Write] runs a function in a transaction and returns when what it wrote
// will survive the power cord. The context it hands to the function carries the
// transaction: [DB.Read] and [DB.Write] with that context join it.
//
// On SQLite only one transaction can write at a time and each commit waits for
// the disk, so Write commits in groups. Callers queue; a goroutine that lives
// only while somebody waits takes them in order, at most 256 at once, runs their
// functions in one transaction, commits, and answers all. If one fails, all are
// undone and run once more, each under a savepoint, so that it fails alone; a
// commit that fails fails all. There is no timer: while one group waits for the
// disk the next one gathers.
//
// On PostgreSQL each call is a transaction of its own, run again a few times,
// after pauses that differ, when the server has undone it because of others: a
// serialization failure, a deadlock, or a row that others inserted or deleted
// between two looks.
//
// A write of one statement needs no BEGIN and COMMIT of its own there: [DB.WriteOne].
//
// The function therefore must not do input or output of its own, may run on
// another goroutine, may run more than once, and must set what it returns to
// its caller anew each time. A panic in it becomes an error.
//
// # Cancelling
//
// A caller whose context ends while it still waits in the queue gets the
// context's error and its function never runs. On SQLite a function that has
// begun runs to its end; on PostgreSQL its statements end with the context and
// are undone. A commit, once begun, is waited for, so that a caller knows whether
// its write happened. Only when the database has said nothing for 45 seconds
// after the caller's time was up is the caller told that the outcome is unknown;
// the function may still be running then.
//
// # Faults
//
// What the database cannot do now, because it is away, locked, full, read-only or
// too slow, wraps oauth.TemporarilyUnavailable: see [Fault]. At most 4096 callers
// wait to write; more are refused at once.
//
// # Migrations
//
// [DB.Migrate] brings one [Line] of numbered SQL files up to date: forward
// only, each file in a transaction of its own together with the row that
// records it, safe when several nodes start at once. A file that changed after
// it was applied is refused, and so is a schema newer than the program.
package sqldb
