package settings_test

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

func readAll(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	check(t, err)
	return string(body)
}

var secretInPage = regexp.MustCompile(`value="(vk_cs_[0-9A-Za-z]+)"`)

func clientSecret(page *browser.Page) string {
	if m := secretInPage.FindSubmatch(page.Body); m != nil {
		return string(m[1])
	}
	return ""
}

// secretWorks reports whether the secret is one of the client's live ones.
func (s *site) secretWorks(id, secret string) bool {
	s.t.Helper()
	list, err := s.store.ClientSecrets(s.t.Context(), id)
	check(s.t, err)
	for _, cs := range list {
		if cs.Hash == oauth.HashSecret(oauth.Secret(secret)) && (cs.ExpiresAt.IsZero() || s.clock().Before(cs.ExpiresAt)) {
			return true
		}
	}
	return false
}

func newApp(p *person) *browser.Form {
	return p.get("clients/new/", http.StatusOK).Form().Set("name", "foobar-app").Set("website", "http://127.0.0.1:5100/").
		Set("redirect_uris", "http://127.0.0.1:5100/authorized\r\n\r\n  https://app.example/cb  ")
}

func TestParity48_ApplicationIsRegistered(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := s.as("maria")
	page := p.send(newApp(p), http.StatusOK)
	shown := clientSecret(page)
	list := s.clients("maria")
	if len(list) != 1 || shown == "" || !s.secretWorks(list[0].ID, shown) {
		t.Fatalf("after the form there are %d applications, and the page is\n%s", len(list), page.Body)
	}
	c := list[0]
	s.text(page, c.ID, "CLIENT_SECRET="+shown, "You won’t see it again!")
	if c.Public() || len(c.RedirectURIs) != 2 || c.RedirectURIs[1] != "https://app.example/cb" {
		t.Errorf("got %+v", c)
	}
	page = p.get(page.URL.Path, http.StatusOK)
	s.text(page, "This secret was shown already")
	s.noText(page, shown)
	page = p.get("clients/"+c.ID+"/", http.StatusOK)
	s.noText(page, shown)
	s.text(page, c.ID, s.url+"/oauth/authorize", s.url+"/oauth/token", s.url+"/oauth/revoke", "authorization_code", "refresh_token", "Example request",
		"oauth2.Config", "curl "+s.url+"/oauth/token", "…"+shown[len(shown)-4:])
}

func TestParity46_TypesOfApplications(t *testing.T) {
	t.Parallel()
	s := openAt(t, "", manage.Policy{LegacyGrants: true})
	p := s.as("maria")
	for _, tt := range []struct {
		typ, redirect string
		change        url.Values
		public        bool
		grants        string
	}{
		{"web", "https://app.example/cb", nil, false, "authorization_code refresh_token"},
		{"web", "https://app.example/cb", url.Values{"public": {"yes"}}, true, "authorization_code refresh_token"},
		{"web", "https://app.example/cb", url.Values{"grant_types": {"authorization_code", "client_credentials"}}, false, "authorization_code client_credentials"},
		{"browser", "https://app.example/cb", nil, true, "authorization_code refresh_token"},
		{"native", "com.example.app:/cb", nil, true, "authorization_code refresh_token"},
		{"service", "", nil, false, "client_credentials"},
		{"legacy", "https://app.example/cb", url.Values{"public": {"yes"}, "grant_types": {"implicit"}}, true, "implicit"},
	} {
		form := newApp(p).Set("type", tt.typ).Set("website", "https://app.example/").Set("redirect_uris", tt.redirect)
		for k, v := range tt.change {
			form.Set(k, v...)
		}
		page := p.send(form, http.StatusOK)
		c := s.clients("maria")[0]
		if string(c.Type) != tt.typ || c.Public() != tt.public || strings.Join(c.GrantTypes, " ") != tt.grants {
			t.Errorf("%s %v: got %s, public %v, %v", tt.typ, tt.change, c.Type, c.Public(), c.GrantTypes)
		}
		if got := clientSecret(page) != ""; got == tt.public {
			t.Errorf("%s %v: a secret is shown: %v", tt.typ, tt.change, got)
		}
		s.pass(time.Second)
	}
}

func TestParity47_ApplicationFormSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := s.as("maria")
	for _, tt := range []struct{ field, value, want string }{
		{"name", "", "Give it a name."},
		{"name", strings.Repeat("x", 61), "at most 60 characters"},
		{"website", "", "Give the address"},
		{"website", "javascript:alert(1)", "website"},
		{"redirect_uris", "", "Give at least one redirect URI."},
		{"redirect_uris", "example.org/", "Line 1:"},
		{"redirect_uris", "https://ok.example/\nhttp://example.org/", "Line 2:"},
		{"redirect_uris", "http://localhost:80@evil.com/cb", "Line 1:"},
		{"redirect_uris", "https://app.example/#x", "Line 1:"},
		{"type", "", "What kind"},
		{"type", "legacy", "switched off"},
		{"grant_types", "password", "password"},
		{"scopes", "secret:scope", "There is no scope"},
		{"auth_method", "private_key_jwt", "client_secret_basic"},
	} {
		if tt.field == "type" && tt.value == "" {
			continue // the desk's default
		}
		page := p.send(newApp(p).Set("description", "kept text").Set(tt.field, tt.value), http.StatusUnprocessableEntity)
		s.text(page, "There is a problem", tt.want, "kept text", `href="#`+tt.field+`"`, `id="`+tt.field+`"`)
		if len(s.clients("maria")) != 0 {
			t.Fatalf("%s=%s: an application was registered", tt.field, tt.value)
		}
	}
}

func TestParity49_ApplicationIsChanged(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := s.as("maria")
	p.send(newApp(p), http.StatusOK)
	c := s.clients("maria")[0]
	page := p.get("clients/"+c.ID+"/", http.StatusOK)
	// Sent as it is, the form changes nothing.
	page = p.send(page.Form(), http.StatusOK)
	s.text(page, "Your changes are saved.")
	after := s.clients("maria")[0]
	after.UpdatedAt = c.UpdatedAt
	if after.Name != c.Name || after.Website != c.Website || strings.Join(after.RedirectURIs, " ") != strings.Join(c.RedirectURIs, " ") ||
		after.Type != c.Type || after.AuthMethod != c.AuthMethod || after.RequirePKCE != c.RequirePKCE || strings.Join(after.GrantTypes, " ") != strings.Join(c.GrantTypes, " ") {
		t.Errorf("got %+v, want %+v", after, c)
	}
	p.send(page.Form().Set("name", "New name").Set("auth_method", "client_secret_post").Set("require_pkce", "no").Set("type", "service"), http.StatusOK)
	after = s.clients("maria")[0]
	if after.Name != "New name" || after.AuthMethod != oauth.AuthPost || after.RequirePKCE || after.Type != oauth.WebApplication {
		t.Errorf("got %+v", after)
	}
	page = p.send(page.Form().Set("redirect_uris", "nonsense"), http.StatusUnprocessableEntity)
	s.text(page, "There is a problem", "nonsense")
	if s.clients("maria")[0].RedirectURIs[0] == "nonsense" {
		t.Error("a refused change was saved")
	}
}

func TestParity49_ApplicationIsDeleted(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := s.as("maria")
	client := s.makeClient("maria", "My  App")
	_, token := s.authorize("eve", client, "user:email")
	page := p.get("clients/"+client.ID+"/", http.StatusOK)
	s.text(page, "1 person has")
	page = p.send(page.Form().Set("delete", "Delete"), http.StatusOK) // the predecessor's button
	s.text(page, "One person has authorized it")
	page = p.send(page.Form().Set("name", "Another"), http.StatusUnprocessableEntity)
	s.text(page, "That is not the application’s name.")
	page = p.send(page.Form().Set("name", "My App"), http.StatusOK)
	s.text(page, "The application is deleted.")
	if len(s.clients("maria")) != 0 {
		t.Error("the application is there")
	}
	if _, err := s.store.Token(t.Context(), token.ID); err == nil {
		t.Error("its tokens are there")
	}
}

func TestParity48_SecretIsReset(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := s.as("maria")
	first := clientSecret(p.send(newApp(p), http.StatusOK))
	c := s.clients("maria")[0]
	reset := "clients/" + c.ID + "/reset/"

	p.send(p.get(reset, http.StatusOK).Form().Set("reset", "no"), http.StatusOK)
	if !s.secretWorks(c.ID, first) {
		t.Error("a reset that was not asked for killed the secret")
	}
	second := clientSecret(p.send(p.get(reset, http.StatusOK).Form().Set("keep_old", "1"), http.StatusOK))
	if !s.secretWorks(c.ID, first) || !s.secretWorks(c.ID, second) || first == second {
		t.Error("both secrets should work for an hour")
	}
	third := clientSecret(p.send(p.get(reset, http.StatusOK).Form(), http.StatusOK))
	if s.secretWorks(c.ID, first) || s.secretWorks(c.ID, second) || !s.secretWorks(c.ID, third) {
		t.Error("the old secrets should be dead and the new one alive")
	}
	page := p.send(p.get(reset, http.StatusOK).Form().Set("keep_old", "100000"), http.StatusUnprocessableEntity)
	s.text(page, "There is a problem")
	page = p.send(p.get(reset, http.StatusOK).Form().Set("keep_old", "8000"), http.StatusUnprocessableEntity)
	s.text(page, "at most 30 days")
	if !s.secretWorks(c.ID, third) {
		t.Error("a refused reset killed the secret")
	}
}

func TestPublicApplicationHasNoSecretToReset(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := s.as("maria")
	page := p.send(newApp(p).Set("type", "native"), http.StatusOK)
	s.text(page, "The application is registered.", "it has no secret")
	s.noText(page, "Reset client secret")
	p.get("clients/"+s.clients("maria")[0].ID+"/reset/", http.StatusForbidden)
}

// What others typed into an application can do nothing on anybody's pages.
func TestM15_HostileTextIsHarmless(t *testing.T) {
	t.Parallel()
	s := open(t)
	hostile := &oauth.Client{
		ID: "hostile", Type: oauth.WebApplication, Owner: "maria", AuthMethod: oauth.AuthNone, GrantTypes: []string{oauth.GrantAuthorizationCode}, CreatedAt: s.clock(),
		Name:        "<img src=x onerror=alert(1)>{{7*7}}\u202e\u2066\nline" + strings.Repeat("x", 10_000),
		Description: `"><script>alert(2)</script>`, Website: "javascript:alert(3)", RedirectURIs: []string{"https://app.example/'\"><script>alert(4)</script>"},
	}
	check(t, s.store.CreateClient(t.Context(), hostile)) // past the desk, which would refuse it
	grant, _ := s.authorize("maria", hostile, "user:email")
	p := s.as("maria")
	for _, path := range []string{"", "clients/hostile/", "clients/hostile/delete/", "clients/hostile/created/", "tokens/" + grant.ID + "/view/", "tokens/" + grant.ID + "/revoke/"} {
		page := p.get(path, http.StatusOK)
		s.noText(page, "<img src=x", "<script>alert", `href="javascript:`, strings.Repeat("x", 1000)+"</bdi>")
		s.text(page, "&lt;img src=x onerror=alert(1)&gt;{{7*7}}")
		if path != "clients/hostile/" { // whose owner edits the text as it is
			s.noText(page, "\u202e", "\u2066")
		}
	}
	// The desk refuses it in the first place.
	for _, name := range []string{"a\u202eb", "a\nb", "a\x00b", strings.Repeat("x", 61)} {
		p.send(newApp(p).Set("name", name), http.StatusUnprocessableEntity)
	}
	page := p.get("tokens/new/?name="+url.QueryEscape(`"><script>alert(5)</script>`)+"&scopes="+url.QueryEscape("<script>alert(6)</script>"), http.StatusOK)
	s.noText(page, "<script>alert")
}

// What the form of an application does not show it does not change, but for
// default scopes that would lie outside of the scopes.
func TestFormKeepsWhatItDoesNotShow(t *testing.T) {
	t.Parallel()
	s := open(t)
	operator := manage.Actor{Operator: true}
	c := s.makeClient("maria", "Uploader")
	_, err := s.desk.EditApplication(t.Context(), operator, c.ID, func(c oauth.Client) manage.ApplicationInput {
		return manage.ApplicationInput{Name: c.Name, Website: c.Website, RedirectURIs: c.RedirectURIs,
			Scopes: []string{"deposit:actions", "deposit:write", "secret:scope"}, DefaultScopes: []string{"deposit:write", "deposit:actions"}}
	})
	if err != nil {
		t.Fatal(err)
	}
	p := s.as("maria")
	save := func(scopes ...string) *oauth.Client {
		t.Helper()
		page := p.send(p.get("clients/"+c.ID+"/", http.StatusOK).Form().Set("scopes", scopes...), http.StatusOK)
		s.text(page, "Your changes are saved.")
		return s.clients("maria")[0]
	}
	for _, scopes := range [][]string{{"deposit:actions", "deposit:write"}, {"deposit:actions"}} {
		got := save(scopes...)
		if want := append(slices.Clone(scopes), "secret:scope"); !slices.Equal(got.Scopes, want) {
			t.Errorf("scopes %v, want %v", got.Scopes, want)
		}
		if len(got.DefaultScopes) != len(scopes) || !oauth.ContainsScopes(scopes, got.DefaultScopes) {
			t.Errorf("with scopes %v the default scopes are %v", got.Scopes, got.DefaultScopes)
		}
	}
}
