package admin_test

import (
	"strings"
	"testing"

	"github.com/valetkey/valetkey/oauth"
)

// TestClientWhoseIDIsAURL: its pages have addresses that lead to them, and what its
// document says is shown and not changed.
func TestClientWhoseIDIsAURL(t *testing.T) {
	t.Parallel()
	s := open(t)
	c := &oauth.Client{ID: "https://agent.example/client.json?a=b", Name: "Agent", Type: oauth.BrowserApplication, AuthMethod: oauth.AuthNone,
		Registration: oauth.RegisteredByDocument, RefreshAt: start, Metadata: oauth.ClientMetadata{TermsURI: "https://agent.example/terms"},
		RedirectURIs: []string{"https://agent.example/cb"}, GrantTypes: []string{oauth.GrantAuthorizationCode}}
	check(t, s.store.CreateClient(t.Context(), c))
	root := s.as("root")
	list := root.get("applications/", 200)
	s.says(list, "Agent", "document")
	page, err := root.Open(strings.TrimSuffix(s.url, "/id") + link(t, string(list.Body), "client.json"))
	check(t, err)
	s.says(page, "Agent", c.ID, "tos_uri", "https://agent.example/terms", "!>Change<")
	disable, err := root.Open(strings.TrimSuffix(s.url, "/id") + link(t, string(page.Body), "/disable/"))
	check(t, err)
	root.send(disable.FormTo("/disable/"), 200)
	if now, err := s.store.Client(t.Context(), c.ID); err != nil || !now.Disabled {
		t.Errorf("client %+v, %v", now, err)
	}
}

// link is the first link of a page that holds part, at the site.
func link(t *testing.T, body, part string) string {
	t.Helper()
	for rest := body; ; {
		i := strings.Index(rest, `href="`)
		if i < 0 {
			t.Fatalf("no link with %q in %s", part, body)
		}
		rest = rest[i+len(`href="`):]
		if href, _, _ := strings.Cut(rest, `"`); strings.Contains(href, part) {
			return href
		}
	}
}
