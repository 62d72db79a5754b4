// Command valetkey-otel is valetkey with traces: it sends a span for each request to
// the collector of tracing.otlp_endpoint, by OTLP over HTTP. Everything else is the
// same program.
package main

import (
	"os"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/internal/cli"
)

func main() { os.Exit(cli.MainWith(newTracer)) }
