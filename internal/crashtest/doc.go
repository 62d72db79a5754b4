// Package crashtest kills the real server in the middle of its work, or the
// database below it, and checks that nothing it had acknowledged is lost or
// undone.
//
// Several workers keep a "valetkey serve" busy: client credentials, sign-ins,
// consent, authorization code flows, refreshes, devices, personal access tokens
// made through the REST API, registrations, changes of settings, rotations of the
// signing keys, revocations, sign-outs. At a random moment a process gets SIGKILL:
//
//   - the server, on SQLite;
//   - the server, on PostgreSQL;
//   - every process of PostgreSQL, while the server stays. It must answer 503 then,
//     nothing else, and recover by itself.
//
// Afterwards every fact that was acknowledged is true: what was issued works, what
// was revoked is dead, a session that was ended stays ended, ID tokens verify, a
// setting has its last value, and a refresh that was cut off is either fully there
// or fully absent: repeating it succeeds. What was revoked in earlier cycles is
// checked again in every later one. In the tables, each access token has one entry
// of the audit trail and each entry its token, no rotation is there by half, and
// the file is whole.
//
// Another test reads a trace of the system calls: between the last write to a
// SQLite file and the reply that promises it, the disk was waited for. A third
// copies the database while the load runs, and restores the copy. A fourth lets 64
// requests race against two servers on one PostgreSQL.
//
// go test runs a few cycles; VALETKEY_CRASH_CYCLES sets how many on SQLite, a
// third and a fifth of it are the others. A failing run prints its seed, and
// VALETKEY_CRASH_SEED repeats the moments of its kills.
//
// There is nothing here but tests.
package crashtest
