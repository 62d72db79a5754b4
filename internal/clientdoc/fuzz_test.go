package clientdoc

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzClientIDURL: what is taken for the URL of a document has one reading.
func FuzzClientIDURL(f *testing.F) {
	for _, seed := range []string{"https://app.test/x", "https://app.test", "https://app.test/../x", "https://a@b/x", "https://[::1]:80/%2e/x", "https://app.test/x?y#z", "HTTPS://app.test/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		u, err := parse(id)
		if err != nil {
			return
		}
		if !strings.HasPrefix(id, "https://") || u.User != nil || u.Fragment != "" || strings.Contains(id, "#") || u.Hostname() == "" || len(u.Path) < 2 {
			t.Fatalf("%q", id)
		}
		clean := u.JoinPath() // resolves dot segments
		if again, err := url.Parse(clean.String()); err != nil || again.Host != u.Host || strings.Contains(again.Path, "/../") {
			t.Fatalf("%q is cleaned to %q", id, clean)
		}
		if domain := (hosts{domains: []string{".test"}}); domain.holds(u.Hostname()) && !strings.HasSuffix(u.Hostname(), ".test") {
			t.Fatalf("%q", id)
		}
	})
}
