package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// budgetFile lies beside this program's source, where it is run.
const budgetFile = "budgets.json"

// budgets are what operations may cost: figures that noise hardly blurs. Keys are
// "what: operation".
type budgets map[string]float64

// headroom is how much more than its budget a figure may be before the check
// fails. CPU is told as a multiple of what the floor's constant answer costs the
// same machine in the same minute; it still wavers.
var headroom = map[string]float64{
	"CPU, in constant answers": 2,
	"allocations":              1.15,
	"statements":               1,
	"commits":                  1,
	"bytes of a row":           1.02,
	"megabytes":                1.02,
}

// beside is what the server's own housekeeping may add meanwhile to what one
// operation asks of the database; a statement more would add a whole one.
const beside = 0.3

// looks is how often an operation is counted. What runs beside it can only add to
// a count, so the least is the operation's own.
const looks = 3

// least keeps the smaller of two looks at a figure.
func (got budgets) least(k string, v float64) {
	if before, seen := got[k]; !seen || v < before {
		got[k] = v
	}
}

// key names a figure.
func key(what, operation string) string { return what + ": " + operation }

// short measures what has a budget and returns how many figures are over theirs.
func short(ctx context.Context, o options) (over int, err error) {
	dir, err := os.MkdirTemp("", "valetkey-bench-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	got := budgets{}
	for _, part := range []func(context.Context, options, string, budgets) error{counts, processor, rowBytes, sizes} {
		if err := part(ctx, o, dir, got); err != nil {
			return 0, err
		}
	}
	if o.update {
		return 0, got.write(budgetFile)
	}
	want, err := readBudgets(budgetFile)
	if err != nil {
		return 0, err
	}
	lines, over := got.against(want)
	for _, line := range lines {
		fmt.Println(line)
	}
	return over, nil
}

// against compares with the budgets: a line for each figure, and how many are over.
func (got budgets) against(want budgets) (lines []string, over int) {
	for _, k := range slices.Sorted(maps.Keys(got)) {
		what, _, _ := strings.Cut(k, ": ")
		budget, known := want[k]
		limit := budget * headroom[what]
		if what == "statements" || what == "commits" {
			limit += beside
		}
		switch {
		case !known:
			over++
			lines = append(lines, fmt.Sprintf("NEW  %s: %.2f has no budget: record it with -short -update", k, got[k]))
		case got[k] > limit+0.005: // what is recorded was rounded
			over++
			lines = append(lines, fmt.Sprintf("OVER %s: measured %.2f, the budget is %.2f and the limit %.2f", k, got[k], budget, limit))
		default:
			lines = append(lines, fmt.Sprintf("ok   %s: %.2f of %.2f", k, got[k], budget))
		}
	}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if _, measured := got[k]; !measured {
			over++
			lines = append(lines, fmt.Sprintf("GONE %s has a budget and was not measured", k))
		}
	}
	return lines, over
}

func readBudgets(file string) (b budgets, err error) {
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &b)
	}
	if err != nil {
		return nil, fmt.Errorf("budgets: %w", err)
	}
	return b, nil
}

func (got budgets) write(file string) error {
	for k, v := range got {
		digits := 100. // say enough
		if strings.HasPrefix(k, "statements") || strings.HasPrefix(k, "commits") {
			digits = 1
		}
		got[k] = math.Round(v*digits) / digits
	}
	text, err := json.MarshalIndent(got, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// counts counts allocations, statements and commits of operations in process,
// one after the other: a group of one.
func counts(ctx context.Context, _ options, dir string, got budgets) error {
	in, err := openInside(ctx, dir, "counted", nil)
	if err != nil {
		return err
	}
	defer in.close()
	ops, err := in.operations(ctx)
	if err != nil {
		return err
	}
	for _, op := range ops {
		for range looks {
			c, err := op.count(200)
			if err != nil {
				return err
			}
			got.least(key("allocations", op.name), c.Allocations)
			got.least(key("statements", op.name), c.Statements)
			got.least(key("commits", op.name), c.Commits)
		}
	}
	return nil
}

// processor is what operations cost the running program.
func processor(ctx context.Context, o options, dir string, got budgets) (err error) {
	binary, err := program(ctx, o, dir)
	if err != nil {
		return err
	}
	floor, err := startFloor(ctx, dir, "")
	if err != nil {
		return err
	}
	defer floor.stop()
	t, err := startFresh(ctx, binary, filepath.Join(dir, "site"), "", "VALETKEY_ACCESS_TOKEN_ALG=ES256")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.stop()) }()
	o.duration, o.rounds = 600*time.Millisecond, 3
	for _, r := range []row{
		{name: "token, opaque", connections: 32, ours: t.token(t.service)},
		{name: "token, JWT ES256", connections: 32, ours: t.token(t.signed)},
		{name: "introspection", connections: 32, ours: t.introspect(nil)},
		{name: "userinfo", connections: 32, ours: t.userInfo()},
		{name: "refresh and ID token", connections: 8, ours: t.refresh()},
		{name: "discovery", connections: 32, ours: t.fetch("/.well-known/openid-configuration", `"issuer"`)},
	} {
		r.floor = floor.get("/hello", "ok")
		m, err := r.measure(ctx, o)
		if err != nil {
			return err
		}
		if m.errors() > 0 {
			return fmt.Errorf("%s: %d errors, the last: %w", r.name, m.errors(), cmp.Or(m.ours.last, m.floor.last))
		}
		got[key("CPU, in constant answers", r.name)] = m.ours.cpu / m.floor.cpu
	}
	return nil
}

// rowBytes is how much a token grows the database.
func rowBytes(ctx context.Context, o options, dir string, got budgets) error {
	in, err := openInside(ctx, dir, "rows", nil)
	if err != nil {
		return err
	}
	in.close()
	put, err := seed(ctx, filepath.Join(dir, "rows.db"), floorClient+strings.Repeat("0", 22-len(floorClient)), 50_000)
	got[key("bytes of a row", "token")] = put.bytes
	return err
}

// sizes are those of the program.
func sizes(ctx context.Context, _ options, dir string, got budgets) (err error) {
	if got[key("megabytes", "binary")], err = build(ctx, filepath.Join(dir, "whole")); err != nil {
		return err
	}
	got[key("megabytes", "binary: stripped")], err = build(ctx, filepath.Join(dir, "stripped"), "-ldflags=-s -w")
	return err
}
