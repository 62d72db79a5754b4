package authorize_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

// Clients that want to hear of the end of a session are noted when they are
// signed in to, and a session that has ended signs nobody in to anything.
func TestL4_SessionsKnowTheirClients(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	uris := []string{"https://rp.test/cb"}
	back := e.AddClient(oauth.Client{ID: "back", RedirectURIs: uris, Profile: oauth.ProfileCertification, Metadata: oauth.ClientMetadata{BackchannelLogoutURI: "https://rp.test/back"}})
	front := e.AddClient(oauth.Client{ID: "front", RedirectURIs: uris, Profile: oauth.ProfileCertification, Metadata: oauth.ClientMetadata{FrontchannelLogoutURI: "https://rp.test/front"}})
	none := relyingParty(e)
	alice := e.SignIn("alice")
	alice.Session(func(s *oauth.Session) { s.SID = "sid" })
	for _, c := range []oauthtest.Party{back, front, none} {
		alice.Ask(c, signIn("code")...)
	}
	alice.Ask(back, signIn("code", "scope", "records:read")...) // no OpenID Connect
	rows, err := e.Store.SessionClients(t.Context(), "sid")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, row := range rows {
		ids = append(ids, row.ClientID)
		if row.Subject != "alice" || !row.ExpiresAt.After(e.Clock.Now()) {
			t.Errorf("got %+v", row)
		}
	}
	if !slices.Equal(ids, []string{"back", "front"}) {
		t.Errorf("the session signed in to %q", ids)
	}

	// A page that is open when the session ends.
	page := alice.Authorize(oauthtest.Request(back, signIn("code id_token", "prompt", "consent")...))
	if _, err := e.Store.EndSession(t.Context(), "sid", e.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	if got := landed(t, "by the page", alice.Answer(page, "yes"), "fragment"); got.Get("error") != "login_required" || got.Has("code") || got.Has("id_token") {
		t.Errorf("by the page: %v", got)
	}
	if got := landed(t, "without asking", alice.Authorize(oauthtest.Request(back, signIn("code", "prompt", "none")...)), "query"); got.Get("error") != "login_required" {
		t.Errorf("without asking: %v", got)
	}
	if n := count(t, e, "alice", "back"); n != 2 {
		t.Errorf("%d grants, want the 2 from before", n)
	}
	// What was rolled back can be answered again, and is refused again.
	if r := alice.Answer(page, "yes"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("answered once more: %d", r.StatusCode)
	}
}

func TestL6_SessionStateOnlyInOpenIDConnect(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	for name, tt := range map[string]struct {
		change []string
		want   bool
	}{
		"success": {signIn("code"), true}, "error": {signIn("code", "max_age", "x"), true},
		"plain OAuth": {signIn("code", "scope", "records:read"), false},
	} {
		back := landed(t, name, alice.Ask(rp, tt.change...), "query")
		if got := back.Get("session_state") != ""; got != tt.want {
			t.Errorf("%s: %v", name, back)
		}
	}
	back := landed(t, "nobody", e.Anonymous().Authorize(oauthtest.Request(rp, signIn("code", "prompt", "none")...)), "query")
	if back.Get("error") != "login_required" || back.Get("session_state") == "" {
		t.Errorf("nobody: %v", back)
	}
}
