package parity_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTable: docs/parity.md has a row for every item, every test it names is in
// the tree, and every test of an item is named.
func TestTable(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "parity.md"))
	if err != nil {
		t.Fatal(err)
	}
	testName := regexp.MustCompile("`(TestParity[0-9A-Za-z_]+)`")
	proved := map[string]bool{} // items with a row that names a test
	named := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		names := testName.FindAllStringSubmatch(line, -1)
		for _, m := range names {
			named[m[1]] = true
		}
		if cells := strings.Split(line, "|"); len(cells) == 6 && len(names) > 0 {
			proved[strings.TrimSpace(cells[1])] = true
		}
	}
	var items []string
	for n := 1; n <= 65; n++ {
		items = append(items, fmt.Sprint(n))
	}
	for letter := 'a'; letter <= 'q'; letter++ {
		items = append(items, "13"+string(letter))
	}
	for _, item := range items {
		if !proved[item] {
			t.Errorf("item %s has no row that names a test", item)
		}
	}
	exists := parityTests(t, root)
	for name := range named {
		if !exists[name] {
			t.Errorf("docs/parity.md names %s, which is not in the tree", name)
		}
	}
	for name := range exists {
		if !named[name] {
			t.Errorf("docs/parity.md does not name %s", name)
		}
	}
}

// parityTests finds the test functions of items in the whole tree.
func parityTests(t *testing.T, root string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == "node_modules" || d.Name() == ".git":
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(source), "func TestParity") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "TestParity") {
				found[f.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
