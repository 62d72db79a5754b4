// Package crashtest kills the real server in the middle of its work and checks
// that nothing it had acknowledged is lost or undone.
//
// Several workers keep a "valetkey serve" busy: client credentials,
// authorization code flows, refreshes, personal access tokens made through the
// REST API, revocations. At a random moment the process gets SIGKILL. After the
// restart every token whose issue was acknowledged works, every token whose
// revocation was acknowledged is dead, and a refresh that was cut off is either
// fully there or fully absent: repeating it succeeds. What was revoked in
// earlier cycles is checked again in every later one.
//
// go test runs a few cycles; VALETKEY_CRASH_CYCLES sets how many. A failing run
// prints its seed, and VALETKEY_CRASH_SEED repeats the moments of its kills.
//
// There is nothing here but tests.
package crashtest
