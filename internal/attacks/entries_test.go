package attacks

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// Every entry of the list, M01 to M99 by twos, has a test here.
func TestEveryEntryHasATest(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*_test.go")
	must(t, err)
	there := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		for _, m := range regexp.MustCompile(`(?m)^func Test(M\d\d)_`).FindAllSubmatch(text, -1) {
			there[string(m[1])] = true
		}
	}
	for n := 1; n <= 99; n += 2 {
		if entry := fmt.Sprintf("M%02d", n); !there[entry] {
			t.Errorf("there is no test of %s", entry)
		}
	}
}
