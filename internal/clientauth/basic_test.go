package clientauth

import (
	"encoding/base64"
	"net/url"
	"testing"
)

func FuzzBasic(f *testing.F) {
	for _, seed := range []string{"", "Basic", "Basic ", "Basic eDp5", "basic eDp5", "Basic eDp5=", "Bearer x", "Basic  eDp5", "Basic eDp5\n", "Basic JTo="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		id, secret, ok := parseBasic(header)
		if !ok {
			return
		}
		if id == "" || !clean(id) || !clean(secret) {
			t.Fatalf("%q: id %q, secret %q", header, id, secret)
		}
		printed := "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
		id2, secret2, ok := parseBasic(printed)
		if !ok || id2 != id || secret2 != secret {
			t.Fatalf("%q: printed and parsed again: %q %q %v", header, id2, secret2, ok)
		}
	})
}
