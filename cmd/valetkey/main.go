// Command valetkey is an OAuth 2 server. Package internal/cli is what it does;
// this file chooses the database drivers.
package main

import (
	"os"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/internal/cli"
)

func main() { os.Exit(cli.Main()) }
