package cli

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"github.com/valetkey/valetkey/store/sqlstore"
)

func newBackup(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the database while the server goes on",
		Long: `Writes a consistent copy of the database to a new file and checks it. The server
may run meanwhile. The secret keys are not in it: keep a copy of their file too,
but not in the same place. A PostgreSQL database is copied with pg_dump.`,
		Args: args("FILE"),
	}
	s := beside(env, cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		l, err := s.load()
		if err != nil {
			return err
		}
		h, err := openExisting(env, l)
		if err != nil {
			return err
		}
		defer h.close()
		if h.database.dialect != sqlstore.SQLite {
			return invalidf("this copies a SQLite database; PostgreSQL has its own tools for it, and the server may run meanwhile: pg_dump --format=custom --file=%s '%s', or a base backup with archived WAL to go back to any moment (docs/postgresql.md)", args[0], h.database)
		}
		err = h.store.DB().Backup(cmd.Context(), args[0])
		var file *fs.PathError
		switch {
		case errors.Is(err, fs.ErrExist):
			return refusedf("%s is there already and stays as it is", args[0])
		case errors.As(err, &file):
			return unavailablef("the copy cannot be written: %w", file)
		case err != nil:
			return unavailablef("%w", err)
		}
		if err := verifyBackup(cmd.Context(), args[0]); err != nil {
			return unavailablef("the copy %s is not sound: %w", args[0], err)
		}
		env.printf("%s is a copy of %s.\n", args[0], h.database)
		return nil
	}
	return cmd
}

// verifyBackup reads the whole copy.
func verifyBackup(ctx context.Context, path string) error {
	file, _, _ := strings.Cut(sqlstore.SQLiteDSN(path), "?") // the settings are those of a writer
	db, err := sql.Open("sqlite", file+"?mode=ro")
	if err != nil {
		return err
	}
	defer db.Close()
	var answer string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&answer); err != nil {
		return err
	}
	if answer != "ok" {
		return fmt.Errorf("integrity check: %s", answer)
	}
	return nil
}
