package scale

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// input is a row of a table of inputs: | name | 1,234 unit | … |
var input = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| ([0-9.,]+)")

// Inputs reads the tables of the page.
func Inputs(page []byte) (map[string]float64, error) {
	in := map[string]float64{}
	for _, m := range input.FindAllSubmatch(page, -1) {
		name := string(m[1])
		value, err := strconv.ParseFloat(strings.ReplaceAll(string(m[2]), ",", ""), 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if _, twice := in[name]; twice {
			return nil, fmt.Errorf("%s is there twice", name)
		}
		in[name] = value
	}
	return in, nil
}

// Write returns the page with its tables computed anew.
func Write(page []byte) ([]byte, error) {
	in, err := Inputs(page)
	if err != nil {
		return nil, err
	}
	for name, table := range map[string]string{"load": load(in), "servers": servers(in), "database": database(in), "bends": bends(in)} {
		begin, end := []byte("<!-- computed: "+name+" -->\n"), []byte("<!-- end -->\n")
		before, rest, ok := bytes.Cut(page, begin)
		_, after, closed := bytes.Cut(rest, end)
		if !ok || !closed {
			return nil, fmt.Errorf("the page has no place for the table %q", name)
		}
		page = bytes.Join([][]byte{before, begin, []byte(table), end, after}, nil)
	}
	return page, nil
}

var sizes = []float64{1e3, 1e6, 1e8}

// line is a row of a computed table.
type line struct {
	title string
	jwt   bool
	of    func(Need) string
}

func table(in map[string]float64, lines []line) string {
	var b strings.Builder
	b.WriteString("| users |")
	for _, u := range sizes {
		fmt.Fprintf(&b, " %s |", number(u))
	}
	b.WriteString("\n| --- | --: | --: | --: |\n")
	for _, l := range lines {
		fmt.Fprintf(&b, "| %s |", l.title)
		for _, u := range sizes {
			fmt.Fprintf(&b, " %s |", l.of(Compute(in, Site{Users: u, JWT: l.jwt})))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func load(in map[string]float64) string {
	return table(in, []line{
		{"sign-ins with a password, a second at the peak", false, func(n Need) string { return number(n.SignIns) }},
		{"code flows", false, func(n Need) string { return number(n.Flows) }},
		{"refreshes", false, func(n Need) string { return number(n.Refreshes) }},
		{"client credentials", false, func(n Need) string { return number(n.Machines) }},
		{"API calls, so introspections if tokens are opaque", false, func(n Need) string { return number(n.Introspections) }},
		{"the same with JWTs", true, func(n Need) string { return number(n.Introspections) }},
	})
}

func servers(in map[string]float64) string {
	return table(in, []line{
		{"cores for password hashes at the peak", false, func(n Need) string { return number(n.HashCores) }},
		{"cores for all else, opaque tokens", false, func(n Need) string { return number(n.ServerCores) }},
		{"cores for all else, JWTs", true, func(n Need) string { return number(n.ServerCores) }},
		{"nodes, opaque tokens", false, func(n Need) string { return number(n.Nodes) }},
		{"nodes, JWTs", true, func(n Need) string { return number(n.Nodes) }},
		{"memory to remember every live access token, in each node", false, func(n Need) string { return size(n.Cache) }},
		{"connections to PostgreSQL, opaque", false, func(n Need) string { return number(n.Connections) }},
		{"connections to PostgreSQL, JWTs", true, func(n Need) string { return number(n.Connections) }},
		{"looks for changes a second, opaque", false, func(n Need) string { return number(n.Polls) }},
	})
}

func database(in map[string]float64) string {
	return table(in, []line{
		{"commits a second at the peak", false, func(n Need) string { return number(n.Commits) }},
		{"flushes of the log a second, at most", false, func(n Need) string { return number(n.Flushes) }},
		{"WAL a second at the peak", false, func(n Need) string { return size(n.WAL) }},
		{"WAL a day", false, func(n Need) string { return size(n.WALDay) }},
		{"look-ups a second that memory does not answer", false, func(n Need) string { return number(n.Reads) }},
		{"cores of PostgreSQL, opaque tokens", false, func(n Need) string { return number(n.DatabaseCores) }},
		{"cores of PostgreSQL, JWTs", true, func(n Need) string { return number(n.DatabaseCores) }},
		{"live tokens, rows", false, func(n Need) string { return number(n.Tokens) }},
		{"tokens, grants, sessions: hot, wants to be in memory", false, func(n Need) string { return size(n.Live) }},
		{"accounts", false, func(n Need) string { return size(n.Accounts) }},
		{"audit rows", false, func(n Need) string { return number(n.Events) }},
		{"audit trail, cold", false, func(n Need) string { return size(n.Audit) }},
		{"expired rows to delete a second, all day", false, func(n Need) string { return number(n.Purges) }},
	})
}

func bends(in map[string]float64) string {
	var b strings.Builder
	b.WriteString("| what is used up | its limit | at users, opaque | at users, JWTs |\n| --- | --- | --: | --: |\n")
	for _, r := range []struct {
		what, limit string
		value       float64
		of          func(Need) float64
	}{
		{"one machine of two cores on SQLite: processors", fmt.Sprintf("%.0f %% of 2 cores", in["busy"]*100), in["busy"] * 2, func(n Need) float64 { return n.ServerCores + n.HashCores }},
		{"the same: the writer", fmt.Sprintf("half of `sqlite-commits`, %s a second", number(in["sqlite-commits"]/2)), in["sqlite-commits"] / 2, func(n Need) float64 { return n.Commits }},
		{"one PostgreSQL of two cores shared with its load: the writer", fmt.Sprintf("half of `postgres-commits`, %s a second", number(in["postgres-commits"]/2)), in["postgres-commits"] / 2, func(n Need) float64 { return n.Commits }},
		{"one large PostgreSQL: the writer", fmt.Sprintf("half of `large-commits`, %s a second", number(in["large-commits"]/2)), in["large-commits"] / 2, func(n Need) float64 { return n.Commits }},
		{"clean-up in batches", fmt.Sprintf("`purge-rate`, %s rows a second", number(in["purge-rate"])), in["purge-rate"], func(n Need) float64 { return n.Purges }},
		{"audit trail in one table", "1 TiB", 1 << 40, func(n Need) float64 { return n.Audit }},
		{"cache of a node", size(in["cache-limit"]), in["cache-limit"], func(n Need) float64 { return n.Cache }},
	} {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", r.what, r.limit, users(UsersUntil(in, false, r.value, r.of)), users(UsersUntil(in, true, r.value, r.of)))
	}
	return b.String()
}

func users(n float64) string {
	if math.IsInf(n, 1) {
		return "never"
	}
	return number(n)
}

// number rounds to two digits that mean something, and groups thousands.
func number(f float64) string {
	if f == 0 {
		return "0"
	}
	if f < 9.95 {
		if f < 0.01 {
			return "< 0.01"
		}
		return strconv.FormatFloat(f, 'g', 2, 64)
	}
	unit := math.Pow(10, math.Floor(math.Log10(f))-1)
	digits := strconv.FormatFloat(math.Round(f/unit)*unit, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func size(bytes float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	i := 0
	for ; bytes >= 1000 && i < len(units)-1; i++ {
		bytes /= 1024
	}
	return number(bytes) + " " + units[i]
}
