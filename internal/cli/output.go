package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// output is the -o flag of commands that print things.
type output struct{ format string }

func (o *output) flag(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&o.format, "output", "o", "table", "`FORMAT`: table or json")
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

func (o *output) json() bool { return o.format == "json" }

func (o *output) check() error {
	if o.format != "table" && o.format != "json" {
		return usagef("--output is %q; it is table or json", o.format)
	}
	return nil
}

// list prints rows as a table, or items as JSON. An empty table says so on
// standard error, so that scripts see nothing.
func (o *output) list(env *Env, items any, head []string, rows [][]string) error {
	if o.json() {
		return o.one(env, items)
	}
	if len(rows) == 0 {
		fmt.Fprintln(env.Stderr, "There are none.")
		return nil
	}
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(head, "\t"))
	for _, row := range rows {
		for i := range row {
			row[i] = printable(row[i])
		}
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
	return w.Flush()
}

// one prints v as JSON.
func (o *output) one(env *Env, v any) error {
	enc := json.NewEncoder(env.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// printable keeps control characters, which a name may hold, off the terminal.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, s)
	if s == "" {
		return "-"
	}
	return s
}

// date prints a time for people; otherwise is what to say for none.
func date(t time.Time, otherwise string) string {
	if t.IsZero() {
		return otherwise
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// stamp is a time in JSON; nil for none.
func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Microsecond) // as the database has it
	return &t
}

// list makes nil an empty JSON array.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// every collects a list that comes in pages of size rows: page gives those after
// the row of that id.
func every[T any](size int, page func(after string) ([]T, error), id func(T) string) ([]T, error) {
	var all []T
	for after := ""; ; {
		rows, err := page(after)
		all = append(all, rows...)
		if err != nil || len(rows) < size {
			return all, err
		}
		after = id(rows[len(rows)-1])
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
