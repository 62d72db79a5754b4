package authorize_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

const records, archive = "https://records.test/api", "https://archive.test"

// withResources knows two resources beside itself.
func withResources(t *testing.T) *oauthtest.Engine {
	t.Helper()
	return oauthtest.New(t, oauthtest.Options{OpenID: true, Implicit: true, Configure: func(c *valetkey.Config) {
		c.Resources = []oauth.Resource{{URI: records, Name: "The records"}, {URI: archive, Format: oauth.FormatJWT}}
	}})
}

// forResources is a request for them.
func forResources(c oauthtest.Party, resources ...string) url.Values {
	v := oauthtest.Request(c)
	v["resource"] = resources
	return v
}

func TestBearer5_ResourcesAtTheAuthorizationEndpoint(t *testing.T) {
	t.Parallel()
	e := withResources(t)
	web, alice := e.Web(), e.SignIn("alice")
	for name, bad := range map[string][]string{
		"unknown": {"https://evil.test"}, "relative": {"/api"}, "with a fragment": {records + "#x"}, "one of two": {records, "https://evil.test"},
	} {
		wantError(t, name, alice.Authorize(forResources(web, bad...)), "https://web.test/cb", "invalid_target", "xyz")
	}
	page := alice.Authorize(forResources(web, "HTTPS://Records.test/api/", archive))
	for _, want := range []string{"Where it will use this", "The records", archive} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if code := alice.Answer(page, "yes").Callback().Get("code"); code == "" {
		t.Error("no code")
	}
	grants, err := e.Store.LiveGrants(context.Background(), "alice", web.ID)
	if err != nil || len(grants) != 1 || !slices.Equal(grants[0].Resources, []string{records, archive}) {
		t.Errorf("the grant is %+v, %v", grants, err)
	}
}

// What was allowed for one resource was not allowed for another.
func TestM19_OtherResourcesAreAskedFor(t *testing.T) {
	t.Parallel()
	e := withResources(t)
	web, alice := e.Web(), e.SignIn("alice")
	alice.Answer(alice.Authorize(forResources(web, records, archive)), "yes")
	for name, tt := range map[string]struct {
		resources []string
		asked     bool
	}{
		"the same":    {[]string{archive, records}, false},
		"one of them": {[]string{records}, false},
		"none":        {nil, true},
		"the server":  {[]string{oauthtest.Issuer}, true},
		"one more":    {[]string{records, archive, oauthtest.Issuer}, true},
	} {
		if got := alice.Authorize(forResources(web, tt.resources...)).RequestID() != ""; got != tt.asked {
			t.Errorf("%s: asked %v, want %v", name, got, tt.asked)
		}
	}
	silent := forResources(web, oauthtest.Issuer)
	silent.Set("prompt", "none")
	wantError(t, "silently", alice.Authorize(silent), "https://web.test/cb", "consent_required", "xyz")
}

func TestM45_TokensOfTheFrontChannel(t *testing.T) {
	t.Parallel()
	e := withResources(t)
	web, alice := e.Web(), e.SignIn("alice")
	for resource, jwt := range map[string]bool{records: false, archive: true} {
		params := forResources(web, resource)
		params.Set("response_type", "token")
		r := alice.Authorize(params)
		if r.RequestID() != "" {
			r = alice.Answer(r, "yes")
		}
		_, _, back := r.Landing()
		token := back.Get("access_token")
		if got := strings.Count(token, ".") == 2; token == "" || got != jwt {
			t.Fatalf("%s: the token is %q", resource, token)
		}
		if jwt && e.Claims(token)["aud"] != resource {
			t.Errorf("%s: aud is %v", resource, e.Claims(token)["aud"])
		}
		if !e.Active(web, token) {
			t.Errorf("%s: the token is dead", resource)
		}
	}
}
