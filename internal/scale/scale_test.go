package scale

import (
	"bytes"
	"flag"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "compute the tables of docs/scale.md anew")

const file = "../../docs/scale.md"

// TestPage runs before the others, which read what it may write.
func TestPage(t *testing.T) {
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Write(page)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(page, want) {
		t.Error("the tables of docs/scale.md are not what its inputs give: go test ./internal/scale -update")
	}
}

// TestEveryInputIsUsed: one that nothing is computed from would be a claim for its
// own sake, and one that is missing would silently be zero.
func TestEveryInputIsUsed(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	in, err := Inputs(page)
	if err != nil {
		t.Fatal(err)
	}
	var code []byte
	for _, name := range []string{"model.go", "page.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, text...)
	}
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`in\["([a-z-]+)"\]`).FindAllSubmatch(code, -1) {
		used[string(m[1])] = true
	}
	given, wanted := slices.Sorted(maps.Keys(in)), slices.Sorted(maps.Keys(used))
	if !slices.Equal(given, wanted) {
		t.Errorf("inputs of the page %q\nused by the model %q", given, wanted)
	}
}

func TestModel(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	in, err := Inputs(page)
	if err != nil {
		t.Fatal(err)
	}
	in = maps.Clone(in)
	in["active"], in["peak"], in["refreshes"] = 0.5, 2, 8
	n := Compute(in, Site{Users: 86400})
	if n.Refreshes != 8 { // half of them, eight times, twice as often at the peak
		t.Errorf("got %v refreshes a second, want 8", n.Refreshes)
	}
	if jwt := Compute(in, Site{Users: 86400, JWT: true}); jwt.Introspections != 0 || n.Introspections == 0 || jwt.ServerCores >= n.ServerCores {
		t.Errorf("JWTs do not spare introspection: %+v against %+v", jwt, n)
	}
	limit := Compute(in, Site{Users: 3e6}).Commits
	if got := UsersUntil(in, false, limit, func(n Need) float64 { return n.Commits }); math.Abs(got-3e6) > 1 {
		t.Errorf("the commits of 3,000,000 users are said to be those of %v", got)
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for f, want := range map[float64]string{0: "0", 0.001: "< 0.01", 0.123: "0.12", 1.26: "1.3", 9.97: "10", 123: "120", 45678: "46,000", 1e8: "100,000,000"} {
		if got := number(f); got != want {
			t.Errorf("%v: got %s, want %s", f, got, want)
		}
	}
	for b, want := range map[float64]string{512: "510 B", 2048: "2 KiB", 3 << 30: "3 GiB"} {
		if got := size(b); got != want {
			t.Errorf("%v bytes: got %s, want %s", b, got, want)
		}
	}
}
