package mint_test

import (
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/mint"
)

// Every letter is as likely as any other at every place (RFC 8628 §6.1).
func TestE1_UserCodes(t *testing.T) {
	t.Parallel()
	const n = 40_000
	var seen [mint.UserCodeLen]map[byte]int
	for i := range seen {
		seen[i] = map[byte]int{}
	}
	codes := map[string]bool{}
	for range n {
		code := mint.NewUserCode()
		if len(code) != mint.UserCodeLen || strings.Trim(code, mint.UserCodeAlphabet) != "" {
			t.Fatalf("got %q", code)
		}
		codes[code] = true
		for i := range code {
			seen[i][code[i]]++
		}
	}
	if len(codes) < n-2 { // 34 bits: a pair in 40 000 has a chance of 3 %
		t.Errorf("only %d of %d codes differ", len(codes), n)
	}
	for i, counts := range seen {
		for _, letter := range []byte(mint.UserCodeAlphabet) {
			// 2000 are expected, with a deviation of 44.
			if c := counts[letter]; c < 1700 || c > 2300 {
				t.Errorf("place %d has %c %d times in %d codes", i, letter, c, n)
			}
		}
	}
}

func TestDrawnAt(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{noon, noon.Add(123 * time.Millisecond), time.UnixMilli(0).UTC(), time.Date(2199, 1, 1, 0, 0, 0, 0, time.UTC)} {
		if got := mint.DrawnAt(mint.NewID(at)); !got.Equal(at) {
			t.Errorf("got %v, want %v", got, at)
		}
	}
	if got := mint.DrawnAt(""); !got.Equal(time.UnixMilli(0)) {
		t.Errorf("no id: got %v", got)
	}
}
