package keyring_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/oauth"
)

func parse(t *testing.T, lines ...oauth.Secret) *keyring.Ring {
	t.Helper()
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(string(l) + "\n")
	}
	r, err := keyring.Parse(oauth.Secret(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := string(keyring.Line("a"))
	sample := "a:" + base64.StdEncoding.EncodeToString(make([]byte, 32))
	short := "a:" + base64.StdEncoding.EncodeToString([]byte("short"))
	for name, tt := range map[string]struct{ text, want string }{
		"nothing":  {"# only a comment\n\n", "no key"},
		"no colon": {"hello", "line 1"},
		"odd id":   {"a b:" + good[2:], "line 1"},
		"short":    {short, "not 32 bytes"},
		"sample":   {sample, "sample"},
		"not text": {"a:***", "not 32 bytes"},
		"id twice": {good + "\n" + string(keyring.Line("a")), "line 2"},
	} {
		_, err := keyring.Parse(oauth.Secret(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error is %v, want one with %q", name, err, tt.want)
		}
		if err != nil && len(tt.text) > 20 && strings.Contains(err.Error(), tt.text[10:20]) {
			t.Errorf("%s: the error shows the key: %v", name, err)
		}
	}
}

func TestSealOpensInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	r := parse(t, keyring.Line("one"))
	sealed := r.Seal([]byte("private"), "oauth_keys|sealed|k1")
	got, err := r.Open(sealed, "oauth_keys|sealed|k1")
	if err != nil || !bytes.Equal(got, []byte("private")) {
		t.Fatalf("Open = %q, %v", got, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"another row":  func() ([]byte, error) { return r.Open(sealed, "oauth_keys|sealed|k2") },
		"altered":      func() ([]byte, error) { return r.Open(sealed[:len(sealed)-2]+"AA", "oauth_keys|sealed|k1") },
		"another ring": func() ([]byte, error) { return parse(t, keyring.Line("one")).Open(sealed, "oauth_keys|sealed|k1") },
		"no such key":  func() ([]byte, error) { return parse(t, keyring.Line("two")).Open(sealed, "oauth_keys|sealed|k1") },
		"not sealed":   func() ([]byte, error) { return r.Open("private", "oauth_keys|sealed|k1") },
		"short nonce":  func() ([]byte, error) { return r.Open("v1.one.AA.AA", "oauth_keys|sealed|k1") },
	} {
		if plain, err := open(); !errors.Is(err, keyring.ErrSealed) {
			t.Errorf("%s: Open = %q, %v; want ErrSealed", name, plain, err)
		}
	}
}

func TestANewKeyInFrontSealsAndTheOldStillOpens(t *testing.T) {
	t.Parallel()
	one, two := keyring.Line("one"), keyring.Line("two")
	sealed := parse(t, one).Seal([]byte("x"), "p")
	both := parse(t, two, one)
	if got, err := both.Open(sealed, "p"); err != nil || string(got) != "x" {
		t.Errorf("Open = %q, %v", got, err)
	}
	if id, err := keyring.SealedBy(both.Seal([]byte("y"), "p")); err != nil || id != "two" {
		t.Errorf("the newest key is %q, %v; want two", id, err)
	}
	if got := both.KeyIDs(); len(got) != 2 || got[0] != "two" {
		t.Errorf("KeyIDs = %v", got)
	}
}

func TestDeriveSeparatesPurposes(t *testing.T) {
	t.Parallel()
	r := parse(t, keyring.Line("one"), keyring.Line("two"))
	a, b := r.Derive("a"), r.Derive("b")
	if len(a) != 2 || len(a[0]) != 32 || bytes.Equal(a[0], a[1]) || bytes.Equal(a[0], b[0]) {
		t.Errorf("Derive does not keep keys and purposes apart: %x %x", a, b)
	}
	if !bytes.Equal(a[0], r.Derive("a")[0]) {
		t.Error("Derive gave two keys for one purpose")
	}
}
