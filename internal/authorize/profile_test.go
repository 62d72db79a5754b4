package authorize_test

import (
	"testing"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

// A client's own profile wins over the server's, in both directions.
func TestB14_ProfileDecidesOnPKCE(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		server, client oauth.Profile
		optional       bool
	}{
		{"", "", false},
		{"", oauth.ProfileCertification, true},
		{oauth.ProfileCertification, "", true},
		{oauth.ProfileCertification, oauth.ProfileDefault, false},
		{oauth.ProfileCertification, oauth.ProfileCertification, true},
	} {
		e := oauthtest.New(t, oauthtest.Options{Configure: func(c *valetkey.Config) { c.Profile = tt.server }})
		web := e.AddClient(oauth.Client{AuthMethod: oauth.AuthBasic, RedirectURIs: []string{"https://web.test/cb"}, RequirePKCE: true, Profile: tt.client,
			GrantTypes: []string{oauth.GrantAuthorizationCode}})
		page := e.SignIn("alice").Authorize(oauthtest.Request(web, "code_challenge", "", "code_challenge_method", ""))
		if asked := page.StatusCode == 200; asked != tt.optional {
			t.Errorf("server %q, client %q: %d %s", tt.server, tt.client, page.StatusCode, page.Header.Get("Location"))
		}
	}
}
