// Package livetest runs the real valetkey program, for tests and measurements
// that must not know its insides: it builds the binary, gives it a directory, a
// database and a free loopback port, and starts, stops and kills it.
//
//	binary, err := livetest.Build(ctx, dir)
//	site, err := livetest.NewSite(ctx, binary, dir)
//	server, err := site.Start(ctx)
//	defer server.Stop()
//	out, err := site.Run(ctx, "", "client", "list", "-o", "json")
//
// [NewPostgres] is a PostgreSQL server of a test's own, that the test may kill, and
// [Site.Node] one more server on the same database.
//
// It ends only processes that it started.
package livetest
