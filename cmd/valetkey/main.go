// Command valetkey is an OAuth 2 server. Package internal/cli is what it does;
// this file chooses the database drivers, and brings a time zone database for
// machines that have none.
package main

import (
	"os"
	_ "time/tzdata"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/internal/cli"
)

func main() { os.Exit(cli.Main()) }
