package metrics_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/valetkey/valetkey/internal/metrics"
	"github.com/valetkey/valetkey/oauth"
)

var update = flag.Bool("update", false, "rewrite the table of docs/operations.md")

// real is what a server says of which every metric has a value.
func real(t *testing.T) string {
	m := metrics.New()
	w := m.Watcher(time.Now)
	w.Statement(0, nil)
	w.Transaction(0, 1, nil)
	m.Ask(all(time.Now))
	m.Request(t.Context(), oauth.Observation{Method: "GET", Route: "/", Status: 200, Code: oauth.InvalidGrant, GrantType: "x", Issued: []string{"x"}, Introspected: "x", SignIn: "x"})
	return read(m)
}

// used are the metrics in an expression, and the labels that are asked of each.
var used = regexp.MustCompile(`\b((?:valetkey|go|process)_[a-z0-9_]+)(?:\{([^}]*)\})?`)

// check compares an expression with what there is.
func check(t *testing.T, where, expr, text string) {
	t.Helper()
	for _, m := range used.FindAllStringSubmatch(expr, -1) {
		name := m[1]
		if !strings.Contains(text, "\n"+name+" ") && !strings.Contains(text, "\n"+name+"{") {
			t.Errorf("%s: there is no %s", where, name)
			continue
		}
		for pair := range strings.SplitSeq(m[2], ",") {
			label, _, _ := strings.Cut(pair, "=")
			label = strings.TrimRight(label, "!~")
			if label == "" || label == "instance" || label == "job" {
				continue // Prometheus adds them
			}
			if !regexp.MustCompile(`(?m)^` + name + `\{(?:[^}]*,)?` + label + `="`).MatchString(text) {
				t.Errorf("%s: %s has no label %s", where, name, label)
			}
		}
	}
	for _, m := range regexp.MustCompile(`by \(([^)]*)\)`).FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(m[1], ",") {
			label = strings.TrimSpace(label)
			if label != "instance" && !strings.Contains(text, label+`="`) {
				t.Errorf("%s: nothing has a label %s", where, label)
			}
		}
	}
	if !used.MatchString(expr) && !strings.HasPrefix(expr, "up{") {
		t.Errorf("%s: %q asks for none of our metrics", where, expr)
	}
}

type alerts struct {
	Groups []struct {
		Rules []struct {
			Alert, Expr, For string
			Labels           struct{ Severity string }
			Annotations      struct{ Summary string }
		}
	}
}

const (
	alertsFile    = "../../deploy/prometheus/alerts.yaml"
	dashboardFile = "../../deploy/grafana/valetkey.json"
	operations    = "../../docs/operations.md"
)

func file(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	text, manual := "\n"+real(t), string(file(t, operations))
	var a alerts
	if err := yaml.Unmarshal(file(t, alertsFile), &a); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, g := range a.Groups {
		for _, r := range g.Rules {
			n++
			check(t, r.Alert, r.Expr, text)
			if r.For == "" || r.Labels.Severity == "" || r.Annotations.Summary == "" {
				t.Errorf("%s is incomplete: %+v", r.Alert, r)
			}
			if !strings.Contains(manual, "### "+r.Alert+"\n") {
				t.Errorf("docs/operations.md does not say what to do about %s", r.Alert)
			}
		}
	}
	if n < 8 {
		t.Errorf("%d alerts", n)
	}
}

func TestDashboard(t *testing.T) {
	t.Parallel()
	text := "\n" + real(t)
	var d struct {
		Panels []struct {
			Title, Type string
			Targets     []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(file(t, dashboardFile), &d); err != nil {
		t.Fatal(err)
	}
	var everything strings.Builder
	for _, p := range d.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			check(t, p.Title, target.Expr, text)
			everything.WriteString(target.Expr + "\n")
		}
	}
	for _, f := range metrics.Families() {
		if !strings.Contains(everything.String(), f.Name) && !slices.Contains([]string{"valetkey_source_errors_total", "valetkey_cache_entries"}, f.Name) {
			t.Errorf("%s is not on the dashboard", f.Name)
		}
	}
}

const begin, end = "<!-- metrics: go test ./internal/metrics -update -->\n", "<!-- end of metrics -->\n"

func TestManual(t *testing.T) {
	t.Parallel()
	var table strings.Builder
	table.WriteString(begin + "| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for _, f := range metrics.Families() {
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", f.Name, f.Type, strings.Join(f.Labels, ", "), f.Help)
	}
	table.WriteString(end)
	text := string(file(t, operations))
	from, to := strings.Index(text, begin), strings.Index(text, end)
	if from < 0 || to < from {
		t.Fatal("docs/operations.md has no place for the table")
	}
	want := text[:from] + table.String() + text[to+len(end):]
	if text == want {
		return
	}
	if !*update {
		t.Fatal("docs/operations.md is not what Families says: go test ./internal/metrics -update")
	}
	if err := os.WriteFile(operations, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}
