// Package parity holds no code, only tests: they hold the whole server against
// what its predecessor Invenio-OAuth2Server did. docs/parity.md is the table of
// it, item by item, and names the test that proves each; a test here keeps table
// and tests together.
//
// Everything is real: HTTP over loopback, SQLite in a temporary directory, the
// bundled door of package accounts, a browser that fills in forms, and
// golang.org/x/oauth2 as the application. A site runs in one of two variants:
// with every switch off, or with valetkey.InvenioCompat, the preset for sites
// that move over. A test of an item with a switch runs in both.
package parity
