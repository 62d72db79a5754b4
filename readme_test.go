package valetkey_test

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the files that tests compare with")

// The README shows the code of ExampleNew, so what it shows compiles and runs.
func TestReadmeShowsTheExample(t *testing.T) {
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, ok := strings.Cut(string(source), "func ExampleNew() {\n")
	if !ok {
		t.Fatal("example_test.go has no ExampleNew")
	}
	body, _, ok = strings.Cut(body, "\n\n\tfmt.Println(get(")
	if !ok {
		t.Fatal("ExampleNew does not end as this test expects")
	}
	want := "```go\n" + strings.ReplaceAll("\n"+body, "\n\t", "\n")[1:] + "\n```"

	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)(<!-- example: ExampleNew -->\n)```go\n.*?```")
	if !block.Match(readme) {
		t.Fatal("README.md has no block for ExampleNew")
	}
	now := block.ReplaceAllStringFunc(string(readme), func(old string) string {
		return block.FindStringSubmatch(old)[1] + want
	})
	if now == string(readme) {
		return
	}
	if !*update {
		t.Fatal("README.md does not show ExampleNew as it is; run go test . -update")
	}
	if err := os.WriteFile("README.md", []byte(now), 0o644); err != nil {
		t.Fatal(err)
	}
}
