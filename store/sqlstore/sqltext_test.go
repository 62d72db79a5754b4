package sqlstore_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/store/sqlstore"
)

// sqlConstants returns the value of every constant of the package whose name
// begins with sql, so that none can be forgotten.
func sqlConstants(t *testing.T) map[string]string {
	t.Helper()
	exprs := map[string]ast.Expr{}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		tree, err := parser.ParseFile(token.NewFileSet(), f.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if spec, ok := n.(*ast.ValueSpec); ok {
				for i, name := range spec.Names {
					if i < len(spec.Values) {
						exprs[name.Name] = spec.Values[i]
					}
				}
			}
			return true
		})
	}
	var eval func(e ast.Expr) string
	eval = func(e ast.Expr) string {
		switch e := e.(type) {
		case *ast.BasicLit:
			s, err := strconv.Unquote(e.Value)
			if err != nil {
				t.Fatal(err)
			}
			return s
		case *ast.BinaryExpr:
			return eval(e.X) + eval(e.Y)
		case *ast.Ident:
			return eval(exprs[e.Name])
		}
		t.Fatalf("a SQL constant is made of a %T", e)
		return ""
	}
	out := map[string]string{}
	for name, e := range exprs {
		if strings.HasPrefix(name, "sql") {
			out[name] = eval(e)
		}
	}
	if len(out) < 50 {
		t.Fatalf("found only %d SQL constants", len(out))
	}
	return out
}

func prepareAll(t *testing.T, st *sqlstore.Store) {
	for name, text := range sqlConstants(t) {
		stmt, err := st.DB().Pool().PrepareContext(t.Context(), text)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
			continue
		}
		stmt.Close()
	}
}

func TestSQLTextSQLite(t *testing.T) {
	t.Parallel()
	prepareAll(t, openSQLite(t))
}

func TestSQLTextPostgreSQL(t *testing.T) {
	t.Parallel()
	prepareAll(t, openPostgres(t))
}

// A statement that looks through a whole big table would be slow only in
// production. Those that may are named here.
func TestSQLTextUsesIndexes(t *testing.T) {
	t.Parallel()
	st := openSQLite(t)
	// Lists begin with the newest row and stop at the limit, and some tables are
	// small. What is walked has a limit of its own inside.
	may := map[string]string{
		"sqlListClients": "oauth_clients", "sqlEvents": "oauth_events", "sqlTokens": "t", "sqlPurgeEvents": "oauth_events",
		"sqlSigningKeys": "oauth_keys", "sqlSupersededGrants": "g", "sqlUnusedClients": "c",
		"sqlDeleteRequestsOf": "oauth_requests", "sqlPurgeKeys": "oauth_keys",
		"sqlSealedSecrets": "oauth_client_secrets USING INDEX oauth_client_secrets_sealed", // all of the few there are
	}
	for name, text := range sqlConstants(t) {
		args := []any{}
		for i := 1; strings.Contains(text, fmt.Sprintf("$%d", i)); i++ {
			args = append(args, 1)
		}
		rows, err := st.DB().Pool().QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for rows.Next() {
			var a, b, c any
			var detail string
			if err := rows.Scan(&a, &b, &c, &detail); err != nil {
				t.Fatal(err)
			}
			if table, scan := strings.CutPrefix(detail, "SCAN "); scan && table != may[name] && table != "CONSTANT ROW" && table != "oldest" && table != "overdue" {
				t.Errorf("%s: %s\n%s", name, detail, text)
			}
		}
		rows.Close()
	}
}

// Two declarations of the tables must not drift apart.
func TestTablesAreTheSame(t *testing.T) {
	t.Parallel()
	got, want := columns(t, "migrations/postgres"), columns(t, "migrations/sqlite")
	if !slices.Equal(got, want) {
		t.Errorf("PostgreSQL has\n%s\nSQLite has\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(want) < 150 {
		t.Errorf("found only %d columns", len(want))
	}
}

var (
	tableLine  = regexp.MustCompile(`^CREATE TABLE (\w+)`)
	alterLine  = regexp.MustCompile(`^ALTER TABLE (\w+) ADD COLUMN (\w+) `)
	columnLine = regexp.MustCompile(`^\t([a-z_]+)\s.*?( NOT NULL| REFERENCES .*CASCADE)?`)
	indexLine  = regexp.MustCompile(`^CREATE (?:UNIQUE )?INDEX .*`)
)

// columns lists table.column with what it may hold, and the indexes, of every migration in dir.
func columns(t *testing.T, dir string) []string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		text, err := os.ReadFile(dir + "/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		table := ""
		for line := range strings.Lines(string(text)) {
			if m := tableLine.FindStringSubmatch(line); m != nil {
				table = m[1]
			} else if m := alterLine.FindStringSubmatch(line); m != nil {
				out = append(out, fmt.Sprintf("%s %s.%s null=%v", f.Name(), m[1], m[2], !strings.Contains(line, "NOT NULL")))
			} else if m := columnLine.FindStringSubmatch(line); m != nil {
				out = append(out, fmt.Sprintf("%s %s.%s null=%v parent=%v", f.Name(), table, m[1],
					!strings.Contains(line, "NOT NULL"), strings.Contains(line, "REFERENCES")))
			} else if m := indexLine.FindString(line); m != "" {
				out = append(out, m)
			}
		}
	}
	slices.Sort(out)
	return out
}
