package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/valetkey/valetkey/internal/sqldb"
)

// migrationJSON is one step of the schema as the commands print it.
type migrationJSON struct {
	Line    string `json:"line"`
	Name    string `json:"name"`
	Applied bool   `json:"applied"`
}

func newMigrate(env *Env) *cobra.Command {
	return group(&cobra.Command{Use: "migrate", Short: "The tables of the database"}, newMigrateStatus(env), newMigrateUp(env))
}

func (h *house) lines() []sqldb.Line { return []sqldb.Line{h.store.Line(), h.people.Line()} }

func newMigrateStatus(env *Env) *cobra.Command {
	var out output
	cmd := &cobra.Command{Use: "status", Short: "Show which steps are done", Args: args()}
	out.flag(cmd)
	s := beside(env, cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := out.check(); err != nil {
			return err
		}
		l, err := s.load()
		if err != nil {
			return err
		}
		h, err := openExisting(env, l)
		if err != nil {
			return err
		}
		defer h.close()
		items, rows := []migrationJSON{}, [][]string{}
		for _, line := range h.lines() {
			all, err := h.store.DB().Status(cmd.Context(), line)
			if err != nil {
				return unavailablef("%w", err)
			}
			for _, m := range all {
				items = append(items, migrationJSON{line.Name, m.Name, m.Applied})
				rows = append(rows, []string{line.Name, m.Name, yesNo(m.Applied)})
			}
		}
		return out.list(env, items, []string{"LINE", "STEP", "DONE"}, rows)
	}
	return cmd
}

func newMigrateUp(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring the database up to date",
		Long: `Brings the database up to date, or makes it. The server does the same when it
starts; to go back, restore a backup ("valetkey backup").`,
		Args: args(),
	}
	s := beside(env, cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		l, err := s.load()
		if err != nil {
			return err
		}
		h, err := openStore(env, l)
		if err != nil {
			return err
		}
		defer h.close()
		if err := h.database.private(); err != nil {
			return err
		}
		var done []string
		for _, line := range h.lines() {
			names, err := h.store.DB().Pending(cmd.Context(), line)
			if err == nil {
				_, err = h.store.DB().Migrate(cmd.Context(), line)
			}
			if err != nil {
				return unavailablef("%w", err)
			}
			done = append(done, names...)
		}
		if len(done) == 0 {
			env.printf("The database is up to date.\n")
			return nil
		}
		env.printf("Done: %s.\n", strings.Join(done, ", "))
		return nil
	}
	return cmd
}
