package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/valetkey/valetkey/internal/config"
)

func newConfig(env *Env) *cobra.Command {
	return group(&cobra.Command{Use: "config", Short: "The configuration"},
		newConfigPrint(env), newConfigValidate(env), newConfigDocs(env))
}

func newConfigPrint(env *Env) *cobra.Command {
	var (
		out    output
		origin bool
	)
	cmd := &cobra.Command{
		Use:   "print",
		Short: "Show every setting as it holds",
		Long: `Shows every setting as the server would have it from the file, the environment
and the flags. Secrets are masked.`,
		Args: args(),
	}
	cmd.Flags().BoolVar(&origin, "origin", false, "say where each value comes from")
	out.flag(cmd)
	s := newSettings(env, cmd, everySetting)
	cmd.RunE = func(*cobra.Command, []string) error {
		if err := out.check(); err != nil {
			return err
		}
		l, err := s.load()
		if err != nil {
			return err
		}
		head, rows := []string{"KEY", "VALUE"}, [][]string{}
		if origin {
			head = append(head, "ORIGIN")
		}
		for _, v := range l.Settings() {
			row := []string{v.Key, strings.Trim(v.Value, `"`), v.Origin}
			rows = append(rows, row[:len(head)])
		}
		return out.list(env, l.Settings(), head, rows)
	}
	return cmd
}

func newConfigValidate(env *Env) *cobra.Command {
	cmd := &cobra.Command{Use: "validate", Short: "Check the configuration without starting the server", Args: args()}
	s := newSettings(env, cmd, everySetting)
	cmd.RunE = func(*cobra.Command, []string) error {
		l, err := s.valid()
		if err != nil {
			return err
		}
		env.printf("The configuration of %s is sound.\n", l.Issuer)
		return nil
	}
	return cmd
}

func newConfigDocs(env *Env) *cobra.Command {
	return &cobra.Command{
		Use:   "docs",
		Short: "Print the reference of all settings, as Markdown",
		Args:  args(),
		RunE:  func(*cobra.Command, []string) error { return config.WriteDocs(env.Stdout) },
	}
}
