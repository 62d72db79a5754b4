package arch_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/valetkey/valetkey"
)

// source is the Go files of a package that are not tests.
type source struct {
	dir   string // below the root; "" is the root
	fset  *token.FileSet
	files []*ast.File
}

// packages parses every package of the module. Nested modules are not of it.
func packages(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		name := d.Name()
		if p != root && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata" || isFile(filepath.Join(p, "go.mod"))) {
			return fs.SkipDir
		}
		s, err := parse(p)
		if len(s.files) > 0 {
			out = append(out, s)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func parse(dir string) (source, error) {
	rel, err := filepath.Rel(root, dir)
	if err != nil {
		return source{}, err
	}
	s := source{dir: strings.TrimPrefix(filepath.ToSlash(rel), "."), fset: token.NewFileSet()}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return s, err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		f, err := parser.ParseFile(s.fset, filepath.Join(dir, e.Name()), nil, parser.ParseComments)
		if err != nil {
			return s, err
		}
		s.files = append(s.files, f)
	}
	return s, nil
}

func isFile(p string) bool {
	info, err := os.Stat(p)
	return err == nil && !info.IsDir()
}

// allowed expands the groups of a rule.
func (r rule) allowed() []string {
	var out []string
	for _, word := range strings.Fields(r.imports) {
		if list, ok := groups[word]; ok {
			out = append(out, strings.Fields(list)...)
			continue
		}
		out = append(out, word)
	}
	return out
}

func TestImports(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range packages(t) {
		seen[s.dir] = true
		r, ok := rules[s.dir]
		if !ok {
			t.Errorf("package %q has no rule: decide in rules_test.go what it may import", s.dir)
			continue
		}
		if r.testKit {
			continue
		}
		allowed := r.allowed()
		for _, f := range s.files {
			for _, spec := range f.Imports {
				target, _ := strconv.Unquote(spec.Path.Value)
				if why := refused(r, allowed, target); why != "" {
					t.Errorf("%s: package %q must not import %q: %s", s.fset.Position(spec.Pos()), s.dir, target, why)
				}
			}
		}
	}
	for dir := range rules {
		for _, target := range rules[dir].allowed() {
			if _, ok := rules[target]; !ok && target != "root" {
				t.Errorf("the rule of %q names %q, which has no rule", dir, target)
			}
		}
	}
	for _, must := range []string{"", "oauth", "store", "internal/guard"} {
		if !seen[must] {
			t.Errorf("package %q was not found: does the test look at the right place?", must)
		}
	}
}

// refused says why a package may not import target, or "".
func refused(r rule, allowed []string, target string) string {
	if target == module {
		target = module + "/root"
	}
	if own, ok := strings.CutPrefix(target, module+"/"); ok {
		if !slices.Contains(allowed, own) {
			return "its rule does not allow it"
		}
		return ""
	}
	first, _, _ := strings.Cut(target, "/")
	if !strings.Contains(first, ".") { // the standard library
		if target == "math/rand" || target == "math/rand/v2" {
			return "secrets are drawn from crypto/rand"
		}
		if target == "log" && !r.global {
			return "logs go to a *slog.Logger that is given"
		}
		return ""
	}
	for _, prefix := range strings.Fields(r.external) {
		if target == prefix || strings.HasPrefix(target, prefix+"/") {
			return ""
		}
	}
	return "its rule does not allow that module"
}

// forbidden names, by import path.
var forbidden = map[string][]string{
	"time":     {"Now", "Since", "Until"},
	"os":       {"Getenv", "LookupEnv", "Environ", "Exit", "Stdout", "Stderr"},
	"net/http": {"DefaultClient", "DefaultServeMux", "Get", "Post", "PostForm", "Head", "Handle", "HandleFunc", "ListenAndServe"},
	"log/slog": {"Debug", "Info", "Warn", "Error", "Log", "Default", "SetDefault"},
}

// TestNoGlobals: the clock is given, and nothing is taken from or left in the process.
func TestNoGlobals(t *testing.T) {
	t.Parallel()
	for _, s := range packages(t) {
		r := rules[s.dir]
		if r.testKit {
			continue
		}
		for _, f := range s.files {
			names := importNames(f)
			ast.Inspect(f, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				pkg, ok := sel.X.(*ast.Ident)
				if !ok || !slices.Contains(forbidden[names[pkg.Name]], sel.Sel.Name) {
					return true
				}
				isDefault := names[pkg.Name] == "time" || sel.Sel.Name == "Default"
				if isDefault && !r.entry || !isDefault && !r.global {
					t.Errorf("%s: %s.%s is not for package %q", s.fset.Position(sel.Pos()), pkg.Name, sel.Sel.Name, s.dir)
				}
				return true
			})
		}
	}
}

// importNames maps the names that a file uses to import paths.
func importNames(f *ast.File) map[string]string {
	out := map[string]string{}
	for _, spec := range f.Imports {
		target, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(target)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		out[name] = target
	}
	return out
}

// TestFilesAreShort: over 600 lines a file needs a reason, and has none so far.
func TestFilesAreShort(t *testing.T) {
	t.Parallel()
	for _, s := range packages(t) {
		for _, f := range s.files {
			if n := s.fset.File(f.Pos()).LineCount(); n > 600 {
				t.Errorf("%s has %d lines; take it apart", s.fset.Position(f.Pos()).Filename, n)
			}
		}
	}
}
