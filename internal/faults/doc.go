// Package faults breaks what the real server stands on, while it is at work, and
// checks that it says so and goes on by itself.
//
// Clients ask for tokens, refresh, revoke, introspect, and look at pages without a
// pause. Meanwhile the database is locked, its disk is full or refuses to be
// written; PostgreSQL is paused, killed, read-only, or gives way to its standby.
// What cannot be done is answered by 503 with Retry-After and by nothing else;
// /healthz says yes all the time, /readyz no until the repair; after it everybody
// is served again without a restart. In the end every token whose issue was
// acknowledged is alive, every one whose revocation was is dead, and every chain of
// refresh tokens goes on.
//
// Other tests restart the server under clients that keep their connections, send it
// more than it can do, let more people sign in than it can verify passwords of, and
// keep it at work for long. They print what they measured; what is asserted does not
// depend on the machine.
//
// VALETKEY_FAULT_TIME sets how long a fault lasts: longer than a request may take,
// by default. VALETKEY_RESTARTS, VALETKEY_OVERLOAD_TIME and VALETKEY_SOAK set how
// often and how long the others go on.
//
// There is nothing here but tests.
package faults
