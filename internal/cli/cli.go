package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// Env is what a command may touch of the world around it.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Environ        []string // NAME=value
	Now            func() time.Time
	// Program is how the person called us, for lines to paste. Empty: valetkey.
	Program string
	// NewTracer makes what sends traces to an OTLP endpoint. Nil: there is no tracing.
	NewTracer func(ctx context.Context, endpoint, version string) (Tracer, error)

	// lines reads Stdin: commands that ask twice must share one buffer.
	lines *bufio.Reader
}

// Main runs the command of this process and returns its exit code.
func Main() int { return MainWith(nil) }

// MainWith is Main with tracing.
func MainWith(newTracer func(ctx context.Context, endpoint, version string) (Tracer, error)) int {
	env := &Env{NewTracer: newTracer, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), Now: time.Now, Program: program(os.Args[0])}
	return Run(context.Background(), env, os.Args[1:])
}

// program is what to type to run us again. "go run" builds into a temporary
// directory, which is nothing to type.
func program(arg0 string) string {
	if strings.Contains(filepath.ToSlash(arg0), "/go-build") {
		return "go run ./cmd/valetkey"
	}
	return arg0
}

// Run runs one command and returns its exit code.
func Run(ctx context.Context, env *Env, args []string) int {
	env.lines = bufio.NewReader(env.Stdin)
	root := newRoot(env)
	root.SetArgs(args)
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	code := exitCode(err)
	fmt.Fprintf(env.Stderr, "%s: %s\n", cmd.CommandPath(), sentence(err))
	if u := (*usageError)(nil); errors.As(err, &u) {
		fmt.Fprintf(env.Stderr, "Usage: %s\nSee \"%s --help\".\n", cmd.UseLine(), cmd.CommandPath())
	}
	return code
}

func newRoot(env *Env) *cobra.Command {
	root := group(&cobra.Command{
		Use:   "valetkey",
		Short: "An OAuth 2 server",
		Long: `Valetkey is an OAuth 2 server: it gives a web app personal access tokens,
third-party applications, a consent page and a list of who may do what.

To try it:       valetkey dev
To run it:       valetkey init --issuer https://id.example.org
                 valetkey serve`,
		SilenceErrors: true,
		SilenceUsage:  true,
	},
		newServe(env), newDev(env), newInit(env),
		newUser(env), newClient(env), newToken(env), newScope(env),
		newKey(env), newSecret(env), newFlow(env), newJWT(env),
		newMigrate(env), newBackup(env), newDoctor(env), newConfig(env), newVersion(env),
	)
	// A group is of no use alone: its help names the use with a command only.
	const both, either = "{{if .HasAvailableSubCommands}}\n  {{.CommandPath}} [command]{{end}}",
		"{{if and .HasAvailableSubCommands (not (index .Annotations `group`))}}\n  {{.CommandPath}} COMMAND{{end}}"
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), both, either, 1))
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.SetHelpCommand(newHelp(root))
	root.CompletionOptions.HiddenDefaultCmd = false
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			group(c)
			c.Short = "Print the completion script of a shell"
		}
	}
	return root
}

// group makes cmd a command that only holds others: alone it shows its help,
// and a word it does not know is an error with the nearest one it does.
func group(cmd *cobra.Command, commands ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(commands...)
	cmd.Use += " COMMAND"
	cmd.DisableFlagsInUseLine = true
	cmd.Annotations = map[string]string{"group": "yes"}
	cmd.Args = cobra.ArbitraryArgs
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			cmd.SetOut(cmd.ErrOrStderr())
			cmd.Help()
			return errHelp
		}
		return noCommand(cmd, args[0])
	}
	return cmd
}

// noCommand says that word is no command of the group, and which is near.
func noCommand(group *cobra.Command, word string) error {
	near := group.SuggestionsFor(word)
	if len(near) == 0 {
		return usagef("there is no command %q", word)
	}
	best := near[max(0, slices.IndexFunc(near, func(name string) bool { return strings.HasPrefix(name, word) }))]
	return usagef("there is no command %q; did you mean %q?", word, best)
}

// newHelp is "valetkey help COMMAND", which unlike cobra's own does not explain
// everything to whoever mistypes one word.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]...",
		Short: "Help about any command",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return noCommand(cmd, rest[0])
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}

// args wants exactly the named arguments.
func args(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, given []string) error {
		if len(given) < len(names) {
			return usagef("%s is missing", names[len(given)])
		}
		if len(given) > len(names) {
			return usagef("%q is one word too many", given[len(names)])
		}
		return nil
	}
}

// lookup returns a variable of the environment.
func (e *Env) lookup(name string) string {
	for _, pair := range e.Environ {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

func (e *Env) printf(format string, args ...any) { fmt.Fprintf(e.Stdout, format, args...) }
