package arch_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/printer"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata/api.txt")

const snapshot = root + "/testdata/api.txt"

// maxRoot is how many names the root package may export.
const maxRoot = 25

// TestAPI compares every exported name of the public packages with the
// snapshot, so that the surface never changes unseen.
func TestAPI(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	for _, s := range packages(t) {
		if !public(s.dir) {
			continue
		}
		lines := surface(s)
		slices.Sort(lines)
		name := strings.TrimSuffix("valetkey/"+s.dir, "/")
		for _, line := range lines {
			fmt.Fprintf(&got, "%s: %s\n", name, line)
		}
	}
	if *update {
		if err := os.WriteFile(snapshot, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	have, had := strings.Split(got.String(), "\n"), strings.Split(string(want), "\n")
	for _, line := range have {
		if !slices.Contains(had, line) {
			t.Errorf("new: %s", line)
		}
	}
	for _, line := range had {
		if !slices.Contains(have, line) {
			t.Errorf("gone: %s", line)
		}
	}
	if t.Failed() {
		t.Log("if that is meant: go test ./internal/arch -update")
	}
}

func TestRootIsSmall(t *testing.T) {
	t.Parallel()
	s, err := parse(root)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, line := range surface(s) {
		if !strings.HasPrefix(line, "field ") && !strings.HasPrefix(line, "method ") {
			n++
		}
	}
	if n > maxRoot {
		t.Errorf("the root package exports %d names, want at most %d", n, maxRoot)
	}
}

// TestDocumented: every package says what it is for, every exported name what it does.
func TestDocumented(t *testing.T) {
	t.Parallel()
	for _, s := range packages(t) {
		if !slices.ContainsFunc(s.files, func(f *ast.File) bool { return f.Doc.Text() != "" }) {
			t.Errorf("package %q has no package comment", s.dir)
		}
		if !public(s.dir) {
			continue
		}
		each(s, func(n name) {
			if !n.documented {
				t.Errorf("%s: %s is not documented", s.fset.Position(n.pos), n.text)
			}
		})
	}
}

// public packages are those that other modules can import and would want to.
func public(dir string) bool {
	for _, private := range []string{"internal/", "cmd/", "examples/", "bench", "e2e", "tools"} {
		if strings.HasPrefix(dir, private) {
			return false
		}
	}
	return true
}

func surface(s source) []string {
	var out []string
	each(s, func(n name) { out = append(out, n.text) })
	return out
}

// name is an exported name as the snapshot shows it.
type name struct {
	text       string
	pos        token.Pos
	documented bool
}

// each visits the exported names of a package: constants, variables, functions,
// types, their fields and methods.
func each(s source, visit func(name)) {
	show := func(n any) string {
		var b bytes.Buffer
		printer.Fprint(&b, s.fset, n)
		return strings.Join(strings.Fields(b.String()), " ")
	}
	for _, f := range s.files {
		for _, decl := range f.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				eachFunc(d, show, visit)
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					eachSpec(d, spec, show, visit)
				}
			}
		}
	}
}

// wellKnown methods do what the standard library says they do.
var wellKnown = []string{"Error", "Is", "Unwrap", "String", "GoString", "LogValue", "MarshalJSON", "MarshalText"}

func eachFunc(d *ast.FuncDecl, show func(any) string, visit func(name)) {
	if !d.Name.IsExported() {
		return
	}
	text := "func " + d.Name.Name
	said := d.Doc.Text() != ""
	if d.Recv != nil {
		said = said || slices.Contains(wellKnown, d.Name.Name)
		recv := show(d.Recv.List[0].Type)
		if !ast.IsExported(strings.TrimLeft(recv, "*")) {
			return
		}
		text = "method (" + recv + ") " + d.Name.Name
	}
	visit(name{text + strings.TrimPrefix(show(d.Type), "func"), d.Pos(), said})
}

func eachSpec(d *ast.GenDecl, spec ast.Spec, show func(any) string, visit func(name)) {
	switch sp := spec.(type) {
	case *ast.ValueSpec:
		said := d.Doc.Text() != "" || sp.Doc.Text() != "" || sp.Comment.Text() != ""
		for i, id := range sp.Names {
			if !id.IsExported() {
				continue
			}
			text := d.Tok.String() + " " + id.Name
			if sp.Type != nil {
				text += " " + show(sp.Type)
			}
			if d.Tok == token.CONST && i < len(sp.Values) {
				text += " = " + show(sp.Values[i])
			}
			// A typed constant in a block explains itself by its type and value.
			visit(name{text, id.Pos(), said || d.Tok == token.CONST && sp.Type != nil})
		}
	case *ast.TypeSpec:
		if sp.Name.IsExported() {
			eachType(d, sp, show, visit)
		}
	}
}

func eachType(d *ast.GenDecl, sp *ast.TypeSpec, show func(any) string, visit func(name)) {
	said := d.Doc.Text() != "" || sp.Doc.Text() != "" || sp.Comment.Text() != ""
	text := "type " + sp.Name.Name
	if sp.Assign.IsValid() {
		text += " ="
	}
	switch typ := sp.Type.(type) {
	case *ast.StructType:
		visit(name{text + " struct", sp.Pos(), said})
		eachField(sp.Name.Name, "field ", typ.Fields, show, visit)
	case *ast.InterfaceType:
		visit(name{text + " interface", sp.Pos(), said})
		eachField(sp.Name.Name, "method ", typ.Methods, show, visit)
	default:
		visit(name{text + " " + show(typ), sp.Pos(), said})
	}
}

// eachField visits struct fields, which a name and a type may explain, and
// interface methods, which need words.
func eachField(of, what string, list *ast.FieldList, show func(any) string, visit func(name)) {
	for _, f := range list.List {
		said := what == "field " || len(f.Names) == 0 || f.Doc.Text() != "" || f.Comment.Text() != ""
		if len(f.Names) == 0 {
			visit(name{what + of + " embeds " + show(f.Type), f.Pos(), said})
		}
		for _, id := range f.Names {
			if id.IsExported() {
				visit(name{what + of + "." + id.Name + " " + show(f.Type), id.Pos(), said})
			}
		}
	}
}
