// Package store is the contract between the engine and whatever keeps its rows.
//
// A driver implements [Store]; package storetest proves that it does. Two are
// shipped: memstore (the reference, in memory) and sqlstore (SQLite and
// PostgreSQL).
//
// # What every driver promises
//
// Secrets. A store only ever sees hashes. It never hashes, draws or compares a
// secret; it returns the row found by its look-up id and the caller compares.
//
// Time. The caller passes the time; a store never reads a clock. Times are kept
// in UTC with microsecond precision; a zero time comes back as zero. Something
// that expires at t is alive before t and expired at t itself.
//
// Single use. A verb that consumes (UseCode, UseRequest, UsePushedRequest,
// ClaimDevice, SeenJTI, RotateToken) decides with one guarded statement: of any
// number of simultaneous callers exactly one succeeds and the others get
// [ErrUsed]. Look-ups never decide.
//
// Transactions. [Store.InTx] runs fn in one transaction. If fn returns nil
// everything it wrote is durable before InTx returns nil; if fn returns an error
// everything it wrote is undone and that error is returned. InTx inside InTx is
// the same transaction: only the outermost commits, and an inner error undoes
// nothing unless the outer fn returns it. A write outside InTx is a transaction
// of its own. fn must use the store or the context it is given, must not do
// input or output of its own, may be run on another goroutine, and may be run
// again from its beginning when the database asks for it: it sets anew what it
// leaves to its caller. A panic in it is undone and comes back as an error. If
// ctx ends before fn has begun, fn never runs and the context's error comes back.
//
// Parents. A client secret, request, pushed request, device code, session's
// client, grant, code or token that names a client or a grant which is not there
// is refused with [ErrNotFound], and so is a code, device code or token whose
// client or subject is not its grant's.
//
// Cascades. Deleting a client deletes its secrets, pending and pushed requests,
// device codes, sessions, grants, codes and tokens. Revoking a grant makes its
// codes, device codes and tokens dead in the same statement. Nothing that was
// revoked is ever alive again, and no session that has ended.
//
// Errors. [ErrNotFound], [ErrExists] and [ErrUsed] are the only errors that mean
// something; every other error is a fault. A fault that may be gone at the next try
// (the database is away, locked, full, read-only, too slow) wraps
// oauth.TemporarilyUnavailable, and so does a commit whose outcome is unknown: it is
// answered by 503, and never is nil returned for what may not be durable. Drivers
// wrap; callers use errors.Is.
//
// Values. Ids are opaque and compared byte for byte: case matters. Slices keep
// their order; an empty slice or map comes back as nil, and JSON without the
// white space between its parts. Texts are UTF-8 without NUL: a look-up by
// anything else finds nothing, and writing it is a fault; only RecordEvent, which
// must not be kept out by what a stranger sent, replaces it.
//
// Lists are pages in keyset order: see [Page].
package store
