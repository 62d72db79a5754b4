// Package nodes runs three real servers on one PostgreSQL database, and shows
// that it does not matter which of them answers.
//
// Whole flows go through with every request sent to another node: signing in,
// consent, codes and their replay, pushed requests, devices, refreshing, wrong
// passwords, signing out, rotated keys. What one node revokes is dead there when
// it answers, and on the others when the revocation bound has passed, although
// they answer from memory: that they do is seen by cutting them off from the
// database, by a proxy of the test, for a moment. Cut off for longer they refuse
// with 503 and let nobody in; the cut healed, they are back within two seconds.
// Two nodes that start at once on an empty database both serve. A command beside a
// server on SQLite is obeyed within the bound, too.
//
// VALETKEY_TEST_POSTGRES names the PostgreSQL server; without it most of this is
// skipped. There is nothing here but tests.
package nodes
