// Command bench measures Valetkey on the machine at hand, beside floors: the
// least code over net/http that does a job like it, in the same run. It needs
// no other product and no service; PostgreSQL is measured if it is told of one.
//
//	go run .                        every row, a few minutes
//	go run . -postgres URL          with the rows about PostgreSQL
//	go run . -only token,discovery  rows whose name begins so
//	go run . -short                 what noise cannot blur, against budgets.json
//	go run . -short -update         write budgets.json anew
//
// Rates differ from machine to machine and from minute to minute. A floor and
// what it is held against are therefore measured in turns, and what is printed
// are medians over the rounds, and the median of the ratios of each round.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// options are the flags.
type options struct {
	duration time.Duration // one round of one row
	rounds   int
	only     []string // rows whose name starts with one of these; empty: all
	short    bool
	update   bool
	binary   string // program to measure; empty: build it
	postgres string // URL of a database where databases may be made; empty: none
	rows     int    // tokens in the large database
}

func main() {
	if len(os.Args) > 2 && children[os.Args[1]] != nil {
		fmt.Fprintln(os.Stderr, children[os.Args[1]](os.Args[2:]))
		os.Exit(1)
	}
	o := parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	measure := table
	if o.short {
		measure = short
	}
	failed, err := measure(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	if err != nil || failed > 0 {
		stop()
		os.Exit(1)
	}
}

// children are what this program is started again as, each in a process of its
// own so that its CPU time can be told from the load's.
var children = map[string]func(args []string) error{
	floorArgument: serveFloor,
	houseArgument: serveHouse,
}

func parse() options {
	var o options
	var only string
	flag.DurationVar(&o.duration, "duration", 1500*time.Millisecond, "how long one round of one row is measured")
	flag.IntVar(&o.rounds, "rounds", 3, "how many rounds; what is printed are medians")
	flag.StringVar(&only, "only", "", "comma-separated beginnings of row names; empty: all rows")
	flag.BoolVar(&o.short, "short", false, "check costs against budgets.json instead, in less than a minute")
	flag.BoolVar(&o.update, "update", false, "with -short: write budgets.json anew")
	flag.StringVar(&o.binary, "binary", "", "program to measure; empty: build it from this tree")
	flag.StringVar(&o.postgres, "postgres", os.Getenv("VALETKEY_TEST_POSTGRES"), "`URL` of a PostgreSQL where databases may be made (VALETKEY_TEST_POSTGRES)")
	flag.IntVar(&o.rows, "rows", 1_000_000, "tokens in the large database")
	flag.Parse()
	if only != "" {
		o.only = strings.Split(only, ",")
	}
	return o
}

// wants reports whether the row of that name was asked for.
func (o options) wants(name string) bool {
	return len(o.only) == 0 || slices.ContainsFunc(o.only, func(p string) bool { return strings.HasPrefix(name, p) })
}
