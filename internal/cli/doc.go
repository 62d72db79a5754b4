// Package cli is the valetkey command: one file for each command, and a few for
// what they share.
//
//   - settings.go reads the configuration, house.go builds from it everything
//     that a command works with: the store, the accounts, the server;
//   - serve.go and dev.go run a server; both go through house.go, handler.go
//     (routes, health, access log) and run.go (listen, drain, stop);
//   - the other commands work beside a running server, on the same database;
//   - output.go prints tables and JSON, ask.go reads secrets and confirmations,
//     exit.go turns an error into a sentence and an exit code.
//
// # Exit codes
//
//	0  it is done
//	2  the command or the configuration is wrong
//	3  what it names does not exist
//	4  it is refused, and nothing was changed
//	5  something it needs is not available: the database, the port
//	6  valetkey doctor found a problem
//
// Secrets come from standard input or a file, never from arguments, which other
// people on the machine can see.
//
// The package imports no database driver; cmd/valetkey does.
package cli
