// Package arch holds the house to its plan. Its tests say which package may
// import which, what code may not touch (a clock of its own, the environment,
// a global log), that every exported name is documented, and that the public
// surface changes only on purpose: testdata/api.txt at the root lists it, and
// `go test ./internal/arch -update` rewrites the list.
package arch
