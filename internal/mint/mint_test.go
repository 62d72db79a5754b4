package mint_test

import (
	"errors"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newMint(t testing.TB) *mint.Mint {
	t.Helper()
	m, err := mint.New("vk", [][]byte{[]byte("0123456789abcdef0123456789abcdef")})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDrawnSecretHasThePublishedForm(t *testing.T) {
	t.Parallel()
	m := newMint(t)
	form := regexp.MustCompile(`^vk_(at|rt|pat|ac|cs|dc|it|rg)_[0-9A-Za-z]{58}$`)
	for _, kind := range []mint.Kind{mint.AccessToken, mint.RefreshToken, mint.PersonalToken, mint.AuthorizationCode, mint.ClientSecret, mint.InitialToken, mint.RegistrationToken, mint.DeviceCode} {
		d := m.Draw(kind, noon)
		if !form.MatchString(string(d.Secret)) {
			t.Errorf("%s: %q does not match %s", kind, string(d.Secret), form)
		}
		if got := string(d.Secret[len(d.Secret)-4:]); got != d.Hint {
			t.Errorf("%s: hint is %q, want %q", kind, d.Hint, got)
		}
		p, err := m.Parse(d.Secret, kind)
		if err != nil || p.ID != d.ID || !p.Hash.Equal(d.Hash) || p.Kind != kind {
			t.Errorf("%s: Parse = %+v, %v; want id %s", kind, p, err, d.ID)
		}
	}
}

func TestOneKindNeverPassesForAnother(t *testing.T) {
	t.Parallel()
	m := newMint(t)
	d := m.Draw(mint.RefreshToken, noon)
	if _, err := m.Parse(d.Secret, mint.AccessToken, mint.PersonalToken); !errors.Is(err, mint.ErrMalformed) {
		t.Errorf("a refresh token parsed as another kind: %v", err)
	}
	renamed := oauth.Secret(strings.Replace(string(d.Secret), "_rt_", "_at_", 1))
	if _, err := m.Parse(renamed, mint.AccessToken); !errors.Is(err, mint.ErrMalformed) {
		t.Errorf("a renamed refresh token parsed as an access token: %v", err)
	}
}

// Attack M65: a truncated or altered token was still taken.
func TestM65_OnlyTheExactStringParses(t *testing.T) {
	t.Parallel()
	m := newMint(t)
	s := string(m.Draw(mint.AccessToken, noon).Secret)
	var altered []string
	for i := range len(s) {
		altered = append(altered, s[:i], s[i+1:], s[:i]+s[i+1:])
		for bit := range 8 {
			b := []byte(s)
			b[i] ^= 1 << bit
			altered = append(altered, string(b))
		}
	}
	for _, tail := range []string{"=", "\x00", " ", "\n", "%00", "A"} {
		altered = append(altered, s+tail, tail+s)
	}
	altered = append(altered, strings.ToUpper(s), strings.ToLower(s))
	for _, a := range altered {
		if a == s {
			continue
		}
		if p, err := m.Parse(oauth.Secret(a), mint.AccessToken); err == nil && p.Hash.Equal(oauth.HashSecret(oauth.Secret(s))) {
			t.Errorf("%q is taken for %q", a, s)
		} else if err == nil {
			t.Errorf("%q parses although it was never minted", a)
		}
	}
	if _, err := m.Parse(oauth.Secret(s), mint.AccessToken); err != nil {
		t.Errorf("control: the token itself does not parse: %v", err)
	}
}

func TestIDsSortByTime(t *testing.T) {
	t.Parallel()
	before := mint.NewID(noon)
	for i := 1; i < 2000; i++ {
		at := noon.Add(time.Duration(i) * 37 * time.Hour)
		id := mint.NewID(at)
		if len(id) != 22 || id <= before {
			t.Fatalf("id of %v is %q, which does not sort after %q", at, id, before)
		}
		before = id
	}
}

func TestSuccessorIsDerivedAndKnownAgain(t *testing.T) {
	t.Parallel()
	oldKey, newKey := []byte("old-old-old-old-old-old-old-old-"), []byte("new-new-new-new-new-new-new-new-")
	before, err := mint.New("vk", [][]byte{oldKey})
	if err != nil {
		t.Fatal(err)
	}
	after, err := mint.New("vk", [][]byte{newKey, oldKey})
	if err != nil {
		t.Fatal(err)
	}
	old := before.Draw(mint.RefreshToken, noon)
	id := mint.NewID(noon)
	s := before.Successor(old.Secret, id)
	if again := before.Successor(old.Secret, id); again.Secret != s.Secret {
		t.Error("the same old token and id gave two successors")
	}
	if other := before.Successor(old.Secret, mint.NewID(noon)); other.Secret == s.Secret {
		t.Error("two ids gave the same successor")
	}
	if got, ok := after.KnownSuccessor(old.Secret, id, s.Hash); !ok || got.Secret != s.Secret {
		t.Error("after a new key was put in front, the successor is not known any more")
	}
	if _, ok := after.KnownSuccessor("another token", id, s.Hash); ok {
		t.Error("another old token is taken for the predecessor")
	}
}

// RFC 6749 §10.10: at least 128 bits that cannot be guessed.
func TestT10_SecretsAreRandom(t *testing.T) {
	t.Parallel()
	m := newMint(t)
	const n = 10_000
	seen := map[string]bool{}
	var counts [128]float64
	for range n {
		d := m.Draw(mint.AccessToken, noon)
		random := string(d.Secret[len("vk_at_")+22 : len(d.Secret)-6])
		if seen[random] {
			t.Fatalf("the random part %q was drawn twice", random)
		}
		seen[random] = true
		for _, c := range random[2:] {
			counts[c]++
		}
	}
	var bits float64
	for _, c := range counts {
		if c > 0 {
			p := c / (n * 28)
			bits -= p * math.Log2(p)
		}
	}
	if total := bits * 28; total < 160 {
		t.Errorf("28 of the 30 random characters carry %.1f bits, want at least 160", total)
	}
}

func TestNewRefusesOddPrefixes(t *testing.T) {
	t.Parallel()
	for _, brand := range []string{"", "VK", "v_k", "vk-", "elevenchars1", "vé"} {
		if _, err := mint.New(brand, [][]byte{{1}}); err == nil {
			t.Errorf("prefix %q was accepted", brand)
		}
	}
	if _, err := mint.New("vk", nil); err == nil {
		t.Error("a mint without a successor key was accepted")
	}
}

func FuzzParse(f *testing.F) {
	m := newMint(f)
	for _, kind := range []mint.Kind{mint.AccessToken, mint.PersonalToken} {
		f.Add(string(m.Draw(kind, noon).Secret))
	}
	for _, s := range []string{"", "vk_at_", "vk_at_" + strings.Repeat("0", 58), strings.Repeat(".", 1<<16)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := m.Parse(oauth.Secret(s), mint.AccessToken, mint.PersonalToken)
		if err != nil {
			return
		}
		if !strings.HasPrefix(s, "vk_"+string(p.Kind)+"_"+p.ID) || p.Hash != oauth.HashSecret(oauth.Secret(s)) {
			t.Errorf("Parse(%q) = %+v", s, p)
		}
	})
}

func BenchmarkDraw(b *testing.B) {
	m := newMint(b)
	for b.Loop() {
		m.Draw(mint.AccessToken, noon)
	}
}

func BenchmarkParse(b *testing.B) {
	m := newMint(b)
	s := m.Draw(mint.AccessToken, noon).Secret
	for b.Loop() {
		if _, err := m.Parse(s, mint.AccessToken); err != nil {
			b.Fatal(err)
		}
	}
}
