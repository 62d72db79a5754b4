package parity_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/oauth"
)

// fill fills in the form of a new application.
func fill(f *browser.Form, name string) *browser.Form {
	return f.Set("name", name).Set("website", elsewhere).Set("redirect_uris", callback+"\r\n\r\n  "+elsewhere+"other  ")
}

// register makes an application at the settings page, and reads off its
// credentials as its developer would.
func (v *visitor) register(name, public string) (*application, *browser.Page) {
	v.s.t.Helper()
	f := fill(v.open(settings+"clients/new/").FormTo("/new/"), name)
	if public != "" {
		f.Set("public", public)
	}
	page := v.submit(f)
	c, err := v.s.store.Client(v.s.t.Context(), idOf(page))
	if err != nil {
		v.s.t.Fatalf("%v: %v", page, err)
	}
	return v.s.known(c, oauth.Secret(shownIn(page))), page
}

// TestParity14_SettingsOfAnApplication: it is registered, used, changed and
// deleted, all by the forms; wrong input saves nothing.
func TestParity14_SettingsOfAnApplication(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v := s.signIn()
		app, page := v.register("Foobar", "")
		if app.ClientSecret == "" || !page.Contains(app.ClientID) {
			t.Fatalf("no credentials: %v", page)
		}
		token := s.signIn().token(app)
		s.lives("of the new application", token.AccessToken, true)

		view := settings + "clients/" + app.ClientID + "/"
		for what, change := range map[string]func(*browser.Form){
			"no name":       func(f *browser.Form) { f.Set("name", " ") },
			"no website":    func(f *browser.Form) { f.Set("website", "") },
			"wrong address": func(f *browser.Form) { f.Set("redirect_uris", "http://app.example/") },
		} {
			f := v.open(view).FormTo(view).Set("description", "changed by mistake")
			change(f)
			if page := v.submit(f); page.Status != 422 || !page.Contains("There is a problem") || !page.Contains("changed by mistake") {
				t.Errorf("%s: %v", what, page)
			}
		}
		if page := v.submit(v.open(view).FormTo(view).Set("name", "Renamed").Set("client_id", "mine").Set("owner", "somebody")); page.Status != 200 || !page.Contains("Renamed") || page.Contains("by mistake") {
			t.Errorf("renamed: %v", page)
		}
		if c, err := s.store.Client(t.Context(), app.ClientID); err != nil || c.Owner != v.id || c.Name != "Renamed" || len(c.RedirectURIs) != 2 || c.RedirectURIs[1] != elsewhere+"other" {
			t.Errorf("saved: %+v, %v", c, err)
		}
		// The predecessor's button leads to a question now.
		page = v.submit(v.open(view).FormTo(view).Set("delete", "yes"))
		if f := page.FormTo("/delete/"); f == nil {
			t.Errorf("the old delete button: %v", page)
		} else if page = v.submit(f.Set("name", "Renamed")); page.URL.Path != settings || page.Contains("Renamed") {
			t.Errorf("deleted: %v", page)
		}
		s.lives("of the deleted application", token.AccessToken, false)
		if page = v.open(view); page.Status != 404 {
			t.Errorf("the page of the deleted application: %v", page)
		}
	})
}

// TestParity14_RedirectURIForm: the table of the predecessor's tests, at the form.
func TestParity14_RedirectURIForm(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v := s.signIn()
		for uri, ok := range map[string]bool{
			"example.org/": false, "http://": false, "http://example.org/": false,
			"https://example.org/": true, "https://localhost/": true, "http://127.0.0.1": true,
			// 13m: it took the first for localhost, and refused the last.
			"http://localhost:80@evil.com/cb": false, "https://example.org/#x": false, "http://[::1]/cb": true,
		} {
			f := fill(v.open(settings+"clients/new/").FormTo("/new/"), "Try "+uri).Set("redirect_uris", uri)
			page := v.submit(f)
			if want := map[bool]int{true: 200, false: 422}[ok]; page.Status != want || ok != (shownIn(page) != "") {
				t.Errorf("%s: got %v, want %d", uri, page, want)
			}
			if !ok && !page.Contains("Line 1: ") {
				t.Errorf("%s: no word about the line: %v", uri, page)
			}
		}
	})
}

// TestParity14_SecretReset: the new secret works and is shown once, the old one
// does not.
func TestParity14_SecretReset(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v := s.signIn()
		app, _ := v.register("Foobar", "")
		old := app.ClientSecret
		reset := settings + "clients/" + app.ClientID + "/reset/"
		if page := v.submit(v.open(reset).Form().Press("reset", "no")); shownIn(page) != "" {
			t.Error("reset=no made a new secret")
		}
		page := v.submit(v.open(reset).Form())
		fresh := shownIn(page)
		if fresh == "" || fresh == old {
			t.Fatalf("no new secret: %v", page)
		}
		token := form("grant_type", "refresh_token", "refresh_token", "x")
		for what, tt := range map[string]struct {
			secret string
			status int
		}{"old": {old, 401}, "new": {fresh, 400}} {
			if r := s.send("POST", "/oauth/token", token, "Authorization", basic(app.ClientID, tt.secret)); r.StatusCode != tt.status {
				t.Errorf("%s secret: got %d, want %d", what, r.StatusCode, tt.status)
			}
		}
		for _, path := range []string{page.URL.Path, settings + "clients/" + app.ClientID + "/"} {
			if again := v.open(path); again.Contains(fresh) || again.Contains(old) {
				t.Errorf("%s shows a secret again", path)
			}
		}
	})
}

// TestParity14_SettingsOfAToken: made, renamed, narrowed and revoked by the forms.
func TestParity14_SettingsOfAToken(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v := s.signIn()
		long := strings.Repeat("n", 41)
		if page := v.submit(v.open(settings+"tokens/new/").FormTo("/new/").Set("name", long).Set("scopes", "test:scope")); page.Status != 422 || !page.Contains("The name must be less than 40 characters long.") {
			t.Errorf("41 characters: %v", page)
		}
		page := v.submit(v.open(settings+"tokens/new/").FormTo("/new/").Set("name", "one").Set("scopes", "test:scope", "records:read"))
		secret, view := shownIn(page), settings+"tokens/"+idOf(page)+"/"
		if !page.Contains("You won’t see it again!") || !page.Contains("Do not share it") {
			t.Errorf("the page with the token lacks its warnings: %v", page)
		}
		for _, path := range []string{page.URL.Path, view, settings} {
			if page := v.open(path); page.Contains(secret) {
				t.Errorf("%s shows the token again", path)
			}
		}
		if page = v.submit(v.open(view).FormTo(view).Set("name", "two").Set("scopes", "records:read")); page.Status != 200 || !page.Contains("two") {
			t.Errorf("changed: %v", page)
		}
		s.call("/things/read", secret).is(t, "kept scope", 200, "")
		s.call("/oauth/info", secret).is(t, "scope taken away", 403, "insufficient_scope")
		page = v.submit(v.open(view).FormTo(view).Set("delete", "yes"))
		if f := page.FormTo("/revoke/"); f == nil {
			t.Fatalf("the old delete button: %v", page)
		} else if page = v.submit(f); page.URL.Path != settings {
			t.Errorf("revoked: %v", page)
		}
		s.lives("revoked", secret, false)
	})
}

// TestParity13l_TokensAreNotSilentlyLeftAsTheyWere: what the form says about
// scopes is done or refused; and there is no hidden client behind a token that
// could be left over.
func TestParity13l_TokensAreNotSilentlyLeftAsTheyWere(t *testing.T) {
	bothOwn(t, options{}, func(t *testing.T, s *site) {
		v := s.signIn()
		secret := v.personalToken("t", "records:read", "test:scope")
		var id string
		s.must(s.db.QueryRow("SELECT id FROM oauth_tokens").Scan(&id))
		view := settings + "tokens/" + id + "/"
		v.submit(v.open(view).FormTo(view).Set("scopes", "records:read"))
		s.call("/oauth/info", secret).is(t, "narrowed", 403, "insufficient_scope")
		if page := v.submit(v.open(view).FormTo(view).Set("scopes", "records:read", "records:write")); page.Status != 422 {
			t.Errorf("widened: %v", page)
		}
		v.submit(v.open(view + "revoke/").Form())
		var clients int
		s.must(s.db.QueryRow("SELECT count(*) FROM oauth_clients").Scan(&clients))
		if clients != 0 {
			t.Errorf("%d clients are left over", clients)
		}
	})
}

// TestParity14_RevokingAnAuthorization removes all tokens of the application,
// and only the person's own.
func TestParity14_RevokingAnAuthorization(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app, v, other := s.application(s.person()), s.signIn(), s.signIn()
		token, theirs := v.token(app), other.token(app)
		id := authorizationID(v.open(settings).Body)
		view := v.open(settings + "tokens/" + id + "/view/")
		if !view.Contains("Call the test endpoints") || !view.Contains("/tokens/"+id+"/revoke/") {
			t.Errorf("permissions: %v", view)
		}
		if page := other.open(settings + "tokens/" + id + "/view/"); page.Status != 404 {
			t.Errorf("somebody else's view: %v", page)
		}
		if page := v.submit(v.open(settings + "tokens/" + id + "/revoke/").Form()); page.URL.Path != settings || page.Contains("/view/") {
			t.Errorf("revoked: %v", page)
		}
		s.lives("its token", token.AccessToken, false)
		app.refresh(token.RefreshToken).is(t, "its refresh token", 400, "invalid_grant")
		s.lives("another person's", theirs.AccessToken, true)
	})
}

// TestParity13c_RevocationByGetOnlyAsks: looking at any page that could end
// something changes nothing.
func TestParity13c_RevocationByGetOnlyAsks(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v := s.signIn()
		app, _ := v.register("Foobar", "")
		token, personal := v.token(app), v.personalToken("t", "test:scope")
		page := v.open(settings)
		var own string
		for _, part := range strings.Split(string(page.Body), `href="`) {
			if path, _, _ := strings.Cut(part, `"`); strings.HasSuffix(path, "/revoke/") {
				own = path
				v.open(path)
			}
		}
		if own == "" {
			t.Fatal("there is nothing to revoke")
		}
		v.open(settings + "clients/" + app.ClientID + "/delete/")
		v.open(settings + "clients/" + app.ClientID + "/reset/")
		v.open(settings + "clients/" + app.ClientID + "/reset/?reset=yes")
		v.open("/logout/")
		s.lives("the application's", token.AccessToken, true)
		s.lives("the person's own", personal, true)
		app.refresh(token.RefreshToken).is(t, "with the secret it had", 200, "")
		if page := v.open(settings); page.Status != 200 || page.URL.Path != settings {
			t.Errorf("signed out by looking: %v", page)
		}
	})
}

// TestParity14_AdminPages: an administrator finds, changes and deletes
// everybody's applications and tokens; for others there are no such pages.
func TestParity14_AdminPages(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		owner, root := s.signIn(), s.signIn(admin)
		app, _ := owner.register("Findable", "")
		token := owner.token(app)
		for _, path := range []string{"/admin/applications/", "/admin/tokens/", "/admin/activity/", "/admin/users/"} {
			if page := owner.open(path); page.Status != 404 {
				t.Errorf("%s for everybody: %v", path, page)
			}
			if page := root.open(path); page.Status != 200 {
				t.Errorf("%s for an administrator: %v", path, page)
			}
		}
		if page := root.open("/admin/applications/?q=" + app.ClientID); !page.Contains("Findable") {
			t.Errorf("search: %v", page)
		}
		if page := root.open("/admin/tokens/?client=" + app.ClientID); !page.Contains(app.ClientID) {
			t.Errorf("tokens: %v", page)
		}
		view := "/admin/applications/" + app.ClientID + "/"
		if page := root.submit(root.open(view+"edit/").Form().Set("name", "Changed")); page.Status != 200 || !page.Contains("Changed") {
			t.Errorf("changed: %v", page)
		}
		if page := root.submit(root.open(view+"delete/").Form().Set("name", "Changed")); page.Status != 200 {
			t.Errorf("deleted: %v", page)
		}
		s.lives("of the application that was deleted", token.AccessToken, false)
	})
}

// TestParity63_PagesSayTheirLanguage: every page says
// its language, and each has a title of its own.
func TestParity63_PagesSayTheirLanguage(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app, v := s.application(s.person()), s.signIn()
		titles := map[string]string{}
		for _, path := range []string{settings, settings + "clients/new/", settings + "tokens/new/", "/account/settings/security/", "/oauth/errors", app.request(), "/logout/"} {
			page := v.open(path)
			if !page.Contains(`<html lang="en"`) || !page.Contains("<main") {
				t.Errorf("%s: no language or no main part", path)
			}
			_, rest, _ := strings.Cut(string(page.Body), "<title>")
			title, _, _ := strings.Cut(rest, "</title>")
			if other, taken := titles[title]; taken || title == "" {
				t.Errorf("%s has the title %q of %s", path, title, other)
			}
			titles[title] = path
		}
	})
}

// TestParity64_TheFormSaysWhichKindIsForWhom: the four cases of the
// documentation are explained where the choice is made.
func TestParity64_TheFormSaysWhichKindIsForWhom(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		page := s.signIn().open(settings + "clients/new/")
		for typ, words := range map[string]string{
			"web": "a server that can keep a secret", "browser": "single-page application", "native": "own device", "service": "without a person",
		} {
			if !page.Contains(`value="`+typ+`"`) || !page.Contains(words) {
				t.Errorf("%s is not explained", typ)
			}
		}
		if got := page.Contains(`value="legacy"`); got != s.compat {
			t.Errorf("legacy applications on offer: %v, want %v", got, s.compat)
		}
	})
}

// TestParity46_ConfidentialUnlessPublic: the choice that the predecessor's form
// had, and what follows from it.
func TestParity46_ConfidentialUnlessPublic(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v := s.signIn()
		keeps, _ := v.register("keeps a secret", "")
		none, page := v.register("keeps none", "yes")
		if keeps.ClientSecret == "" || none.ClientSecret != "" || !none.public {
			t.Errorf("secrets: %v and %v", keeps.ClientSecret != "", none.ClientSecret != "")
		}
		if page.Status != http.StatusOK || !page.Contains("public") {
			t.Errorf("the page of the public one: %v", page)
		}
		s.lives("of the public one", v.token(none).AccessToken, true)
	})
}
