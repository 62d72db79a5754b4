package attacks

import (
	"net/http"
	"strings"
	"testing"
)

// wantPage checks a refusal that is shown by the server itself and sends nobody
// anywhere.
func (a answer) wantPage(t *testing.T, markers ...string) {
	t.Helper()
	if a.StatusCode < 400 || a.StatusCode > 499 || a.Header.Get("Location") != "" || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
		t.Errorf("got %v, want a page that refuses", a)
	}
	for _, m := range markers {
		if strings.Contains(a.body, m) {
			t.Errorf("the page holds %q as it came", m)
		}
	}
}

// wantError checks a refusal that is told to the client.
func (a answer) wantError(t *testing.T, s *site, c *client, code string) {
	t.Helper()
	q := a.callback()
	if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), c.RedirectURIs[0]+"?") ||
		q.Get("error") != code || q.Get("iss") != s.url || q.Has("code") {
		t.Errorf("got %v, want a redirect to %s with %s", a, c.ID, code)
	}
}

// want checks status and error of a machine endpoint.
func (a tokens) want(t *testing.T, status int, code string) {
	t.Helper()
	if a.StatusCode != status || a.Error != code {
		t.Errorf("got %v, want %d %s", a, status, code)
	}
}

// sent checks that a code went to the client's own redirect URI.
func (a answer) sent(t *testing.T, c *client) string {
	t.Helper()
	code := a.callback().Get("code")
	registered, _, _ := strings.Cut(c.RedirectURIs[0], "?")
	if code == "" || !strings.HasPrefix(a.Header.Get("Location"), registered+"?") {
		t.Errorf("got %v, want a code for %s", a, c.ID)
	}
	return code
}
