package admin_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// every page, with ids that exist.
func (s *site) paths() []string {
	c, t := s.client("Uploader"), s.token("nightly")
	return []string{
		"applications/", "applications/new/", "applications/" + c.ID + "/", "applications/" + c.ID + "/edit/", "applications/" + c.ID + "/reset/",
		"applications/" + c.ID + "/created/", "applications/" + c.ID + "/disable/", "applications/" + c.ID + "/delete/",
		"tokens/", "tokens/" + t.ID + "/", "tokens/" + t.ID + "/edit/", "tokens/" + t.ID + "/revoke/", "activity/",
	}
}

func TestParity59_AdministratorsOnly(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, path := range s.paths() {
		s.as("maria").get(path, http.StatusNotFound)
		s.as("ex").get(path, http.StatusNotFound)
		s.as("root").get(path, http.StatusOK)
		for _, who := range []string{"", "nobody"} {
			page, err := s.as(who).Open(s.url + "/admin/" + path)
			check(t, err)
			if page.Location == nil || page.Location.Query().Get("next") != "/id/admin/"+path || page.Location.Query().Get("reason") != "login" {
				t.Errorf("%q at %s is sent to %v", who, path, page.Location)
			}
		}
	}
	s.as("root").get("nothing/", http.StatusNotFound)
	s.as("root").get("applications/unknown/", http.StatusNotFound)
	s.as("root").get("tokens/unknown/", http.StatusNotFound)
}

// TestM73_BearerOpensNoPage: only a session does.
func TestM73_BearerOpensNoPage(t *testing.T) {
	t.Parallel()
	s := open(t)
	b := s.as("")
	b.Headers.Set("Authorization", "Bearer vk_pat_something")
	for _, path := range s.paths() {
		page, err := b.Open(s.url + "/admin/" + path)
		check(t, err)
		if page.Location == nil {
			t.Errorf("%s is answered %d to a bearer token", path, page.Status)
		}
	}
}

func TestFormsNeedFreshSignIn(t *testing.T) {
	t.Parallel()
	s := open(t)
	root := s.as("root")
	c := s.client("Uploader")
	form := root.get("applications/"+c.ID+"/delete/", http.StatusOK).Form()
	s.signed.Store(int64(time.Hour))
	root.get("applications/"+c.ID+"/", http.StatusOK)
	for _, path := range []string{"applications/new/", "applications/" + c.ID + "/edit/", "applications/" + c.ID + "/reset/", "applications/" + c.ID + "/delete/"} {
		page, err := root.Open(s.url + "/admin/" + path)
		check(t, err)
		if page.Location == nil || page.Location.Query().Get("reason") != "reauthenticate" || page.Location.Query().Get("next") != "/id/admin/"+path {
			t.Errorf("%s: %d to %v, want a fresh sign-in", path, page.Status, page.Location)
		}
	}
	page, err := root.Send(form)
	check(t, err)
	if page.Location == nil {
		t.Errorf("a stale session deletes: %d", page.Status)
	}
	if _, err := s.store.Client(t.Context(), c.ID); err != nil {
		t.Errorf("the application: %v", err)
	}
}

func TestParity59_Applications(t *testing.T) {
	t.Parallel()
	s := open(t)
	root := s.as("root")
	c := s.client("Uploader")
	s.client("Notebook")

	list := root.get("applications/", http.StatusOK)
	s.says(list, "Uploader", "Notebook", c.ID, "maria", "https://uploader.example", `aria-sort="descending"`)
	s.says(root.send(list.Form().Set("q", "upLOAD"), http.StatusOK), "Uploader", "!Notebook", `value="upLOAD"`)
	s.says(root.send(list.Form().Set("owner", "nobody"), http.StatusOK), "No application matches.")
	s.says(root.send(list.Form().Set("internal", "yes"), http.StatusOK), "!Uploader")

	s.says(root.get("applications/"+c.ID+"/", http.StatusOK), "Maria Example", "https://app.example/cb", "authorization_code", "PKCE required")
	edit := root.get("applications/"+c.ID+"/edit/", http.StatusOK)
	if f := edit.Form(); f.Values.Get("name") != "Uploader" || f.Values.Get("owner") != "maria" || f.Values.Get("redirect_uris") != "https://app.example/cb" || f.Method != "POST" {
		t.Errorf("the form holds %v", f.Values)
	}
	bad := root.send(edit.Form().Set("name", "").Set("owner", "nobody\x00"), http.StatusUnprocessableEntity)
	s.says(bad, "There is a problem", "There is no such user.")
	bad = root.send(edit.Form().Set("name", "").Set("redirect_uris", "http://app.example"), http.StatusUnprocessableEntity)
	s.says(bad, "Give it a name.", "Line 1: `http://app.example` must use https.")
	saved := root.send(edit.Form().Set("name", "Renamed").Set("scopes", "secret:scope").Set("default_scopes", "secret:scope").Set("first_party", "yes"), http.StatusOK)
	s.says(saved, "Your changes are saved.", "Renamed", "secret:scope", "first-party")
	got, err := s.store.Client(t.Context(), c.ID)
	check(t, err)
	if !got.FirstParty || got.Owner != "maria" || !slices.Equal(got.DefaultScopes, []string{"secret:scope"}) {
		t.Errorf("stored = %+v", got)
	}

	off := root.send(root.get("applications/"+c.ID+"/disable/", http.StatusOK).Form(), http.StatusOK)
	s.says(off, "The application is disabled.", "Enable")
	on := root.send(root.get("applications/"+c.ID+"/disable/", http.StatusOK).Form(), http.StatusOK)
	s.says(on, "The application is enabled.", "Disable")

	gone := root.send(root.get("applications/"+c.ID+"/delete/", http.StatusOK).Form(), http.StatusOK)
	s.says(gone, "The application is deleted.", "!Renamed")
	root.get("applications/"+c.ID+"/", http.StatusNotFound)
	s.says(root.get("activity/", http.StatusOK), "Application deleted", "Application changed", "root", "127.0.0.0/24")
}

func TestOperatorClients(t *testing.T) {
	t.Parallel()
	s := open(t)
	root := s.as("root")
	form := root.get("applications/new/", http.StatusOK).Form()
	bad := root.send(form.Set("name", "Portal").Set("website", "https://portal.example").Set("redirect_uris", "https://portal.example/cb").Set("id", "a b"), http.StatusUnprocessableEntity)
	s.says(bad, "A client id is one to 255 letters", `value="Portal"`)
	made := root.send(form.Set("id", "portal").Set("internal", "yes"), http.StatusOK)
	s.says(made, "You won’t see it again!", "vk_cs_")
	if !strings.HasSuffix(made.URL.Path, "/admin/applications/portal/created/") {
		t.Errorf("the secret is shown at %s", made.URL)
	}
	s.says(root.get("applications/portal/created/", http.StatusOK), "has been", "!vk_cs_")
	c, err := s.store.Client(t.Context(), "portal")
	check(t, err)
	if c.Owner != "" || !c.Internal || c.FirstParty {
		t.Errorf("stored = %+v", c)
	}
	reset := root.get("applications/portal/reset/", http.StatusOK).Form()
	root.send(reset.Set("keep_old", "9999"), http.StatusUnprocessableEntity)
	root.send(reset.Set("keep_old", "soon"), http.StatusUnprocessableEntity)
	s.says(root.send(reset.Set("keep_old", "24"), http.StatusOK), "vk_cs_")
	if secrets, err := s.store.ClientSecrets(t.Context(), "portal"); err != nil || len(secrets) != 2 || secrets[0].ExpiresAt.IsZero() {
		t.Errorf("secrets = %v, %v", secrets, err)
	}

	public := root.get("applications/new/", http.StatusOK).Form()
	page := root.send(public.Set("name", "App").Set("type", "browser").Set("website", "https://a.example").Set("redirect_uris", "https://a.example/cb").Set("owner", "maria"), http.StatusOK)
	s.says(page, "The application is registered.", "none: it is public")
	id := strings.Split(page.URL.Path, "/")[4]
	root.get("applications/"+id+"/reset/", http.StatusForbidden)
}

func TestParity59_Tokens(t *testing.T) {
	t.Parallel()
	s := open(t)
	root := s.as("root")
	c, personal := s.client("Uploader"), s.token("nightly")
	access := &oauth.Token{ID: "accessToken00000000000", Kind: oauth.AccessToken, ClientID: c.ID, Subject: "maria", Scopes: []string{"deposit:write"}, IssuedAt: start, ExpiresAt: start.Add(time.Hour)}
	check(t, s.store.CreateToken(t.Context(), access))

	list := root.get("tokens/", http.StatusOK)
	s.says(list, "nightly", access.ID, "maria", c.ID)
	s.says(root.send(list.Form().Set("kind", "access"), http.StatusOK), access.ID, "!nightly")
	s.says(root.send(list.Form().Set("q", "NIGHT"), http.StatusOK), "nightly", "!"+access.ID)
	s.says(root.send(list.Form().Set("subject", "root"), http.StatusOK), "No token matches.")
	s.says(root.send(list.Form().Set("client", c.ID), http.StatusOK), access.ID, "!nightly")

	s.says(root.get("tokens/"+access.ID+"/", http.StatusOK), "Maria Example", "Uploader", "!/edit/")
	root.get("tokens/"+access.ID+"/edit/", http.StatusNotFound)
	edit := root.get("tokens/"+personal.ID+"/edit/", http.StatusOK).Form()
	s.says(root.send(edit.Set("name", strings.Repeat("x", 41)), http.StatusUnprocessableEntity), "The name must be less than 40 characters long.")
	s.says(root.send(edit.Set("name", "x").Set("scopes", "deposit:write", "secret:scope"), http.StatusUnprocessableEntity), "cannot be given more permissions")
	s.says(root.send(edit.Set("name", "renamed").Set("scopes", "deposit:write"), http.StatusOK), "Your changes are saved.", "renamed", "!user:email")

	for _, id := range []string{access.ID, personal.ID} {
		s.says(root.send(root.get("tokens/"+id+"/revoke/", http.StatusOK).Form(), http.StatusOK), "The token is revoked.", "!/revoke/")
		if row, err := s.store.Token(t.Context(), id); err != nil || row.RevokedAt.IsZero() {
			t.Errorf("token %s: %+v, %v", id, row, err)
		}
	}
	s.says(root.get("tokens/", http.StatusOK), "No token matches.")
	s.says(root.get("tokens/?state=revoked", http.StatusOK), "renamed", access.ID)
	s.says(root.get("activity/?type=token.revoked", http.StatusOK), "revoked one access token", "revoked the personal access token renamed")
}

// TestParity59_SortAndPage: every page of every order, by the links alone.
func TestParity59_SortAndPage(t *testing.T) {
	t.Parallel()
	s := open(t)
	root := s.as("root")
	var created []string
	for i := range 120 {
		c := s.client(fmt.Sprintf("App%03d", (i*7)%120))
		created = append(created, c.ID)
	}
	names := slices.Clone(created)
	slices.SortFunc(names, func(a, b string) int {
		return strings.Compare(s.find(a).Name, s.find(b).Name)
	})
	reverse := func(ids []string) []string { out := slices.Clone(ids); slices.Reverse(out); return out }
	for query, want := range map[string][]string{"": reverse(created), "?sort=-created": reverse(created), "?sort=created": created, "?sort=name": names, "?sort=-name": reverse(names)} {
		var got []string
		page := root.get("applications/"+query, http.StatusOK)
		for n := 1; ; n++ {
			for _, part := range strings.Split(string(page.Body), `<td data-label="Client ID"><code><bdi>`)[1:] {
				got = append(got, part[:22])
			}
			if n == 1 == page.Contains(`rel="prev"`) {
				t.Errorf("%s, page %d: link to the first page: %v", query, n, n == 1)
			}
			_, rest, more := strings.Cut(string(page.Body), `<a rel="next" href="`)
			if !more || n > 5 {
				break
			}
			href, _, _ := strings.Cut(rest, `"`)
			var err error
			page, err = root.Open(strings.TrimSuffix(s.url, "/id") + strings.ReplaceAll(href, "&amp;", "&"))
			check(t, err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %d rows, want %d in the right order", query, len(got), len(want))
		}
	}
	s.says(root.get("applications/?sort=name&q=App", http.StatusOK), `aria-sort="ascending"><a href="/id/admin/applications/?q=App&amp;sort=-name">Name`, `Created</a>`, "Next page")
	s.says(root.get("activity/?sort=when", http.StatusOK), `aria-sort="ascending"`, "Newer")
	s.says(root.get("activity/", http.StatusOK), `aria-sort="descending"`, "Older")
}

func (s *site) find(id string) *oauth.Client {
	s.t.Helper()
	c, err := s.store.Client(s.t.Context(), id)
	check(s.t, err)
	return c
}

// TestM93_AddressesAreParsed: forged cursors, orders and filters list nothing,
// say so, and are no fault.
func TestM93_AddressesAreParsed(t *testing.T) {
	t.Parallel()
	s := open(t)
	root := s.as("root")
	s.client("Uploader")
	for _, query := range []string{
		"sort=secret", "sort=name%20DESC", "sort=--name", "after=%27%20OR%201=1--", "after=%00", "after=%ff", "after=" + strings.Repeat("a", 300),
		"q=%00", "q=a;b", "q=%zz", "owner=a%0ab", "internal=maybe",
	} {
		s.says(root.get("applications/?"+query, http.StatusBadRequest), "Search again.", "!Uploader")
	}
	for _, query := range []string{"kind=all", "state=dead", "sort=name"} {
		s.says(root.get("tokens/?"+query, http.StatusBadRequest), "Search again.")
	}
	root.get("activity/?type=x", http.StatusBadRequest)
	s.says(root.get("applications/?after=unknown", http.StatusOK), "!Uploader")
	s.says(root.get("applications/?q=%25&unknown=1", http.StatusOK), "!unknown")
}

// TestM69_NoPageTellsASecret: neither the secret nor its hash.
func TestM69_NoPageTellsASecret(t *testing.T) {
	t.Parallel()
	s := open(t)
	c, clientSecret, err := s.desk.CreateApplication(t.Context(), manage.Actor{Subject: "maria"}, manage.ApplicationInput{
		Name: "X", Website: "https://x.example", RedirectURIs: []string{"https://x.example/cb"}})
	check(t, err)
	token, tokenSecret, err := s.desk.CreateToken(t.Context(), manage.Actor{Subject: "maria"}, manage.TokenInput{
		Name: "x", Scopes: []string{"deposit:write"}, ExpiresAt: s.clock().Add(time.Hour)})
	check(t, err)
	for _, path := range []string{
		"applications/", "applications/" + c.ID + "/", "applications/" + c.ID + "/edit/", "applications/" + c.ID + "/reset/", "applications/" + c.ID + "/created/",
		"applications/" + c.ID + "/delete/", "tokens/?state=all", "tokens/" + token.ID + "/", "tokens/" + token.ID + "/edit/", "tokens/" + token.ID + "/revoke/", "activity/",
	} {
		page := s.as("root").get(path, http.StatusOK)
		for _, secret := range []oauth.Secret{clientSecret, tokenSecret} {
			hash := oauth.HashSecret(secret)
			s.says(page, "!"+string(secret), "!"+string(secret[len(secret)-10:]), "!"+fmt.Sprintf("%x", hash[:6]))
		}
		if got := page.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control = %q", path, got)
		}
	}
}

// TestM55_ExtraFieldsAreIgnored: a form says what its page asks for.
func TestM55_ExtraFieldsAreIgnored(t *testing.T) {
	t.Parallel()
	s := open(t)
	root := s.as("root")
	c, token := s.client("Uploader"), s.token("nightly")
	form := root.get("applications/"+c.ID+"/edit/", http.StatusOK).Form()
	root.send(form.Set("id", "chosen").Set("disabled", "yes").Set("client_secret", "x").Set("created_at", "0"), http.StatusOK)
	if got := s.find(c.ID); got.Disabled || !got.CreatedAt.Equal(c.CreatedAt) {
		t.Errorf("stored = %+v", got)
	}
	edit := root.get("tokens/"+token.ID+"/edit/", http.StatusOK).Form()
	root.send(edit.Set("subject", "root").Set("expires_at", "2099-01-01").Set("internal", "yes").Set("kind", "access"), http.StatusOK)
	got, err := s.store.Token(t.Context(), token.ID)
	check(t, err)
	if got.Subject != "maria" || !got.ExpiresAt.Equal(token.ExpiresAt) || got.Internal || got.Kind != oauth.PersonalToken {
		t.Errorf("stored = %+v", got)
	}
}

func TestGetAndForeignFormsChangeNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	c, token := s.client("Uploader"), s.token("nightly")
	root := s.as("root")
	events := func() int {
		rows, err := s.desk.AuditTrail(t.Context(), manage.Actor{Operator: true}, manage.EventQuery{}, manage.Page{Limit: 100})
		check(t, err)
		return len(rows)
	}
	before := events()
	for _, path := range []string{"applications/" + c.ID + "/delete/", "applications/" + c.ID + "/disable/", "applications/" + c.ID + "/reset/", "tokens/" + token.ID + "/revoke/"} {
		form := root.get(path, http.StatusOK).Form()
		if form.Method != "POST" || !strings.HasSuffix(form.Action.Path, "/admin/"+path) || form.Values.Get("authorized_token") == "" {
			t.Errorf("%s: form %s %s with %v", path, form.Method, form.Action, form.Values)
		}
		req, err := http.NewRequest("POST", s.url+"/admin/"+path, strings.NewReader(url.Values{"disabled": {"yes"}, "keep_old": {"0"}}.Encode()))
		check(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Cookie", "who=root")
		req.Header.Set("Origin", "https://evil.example")
		resp, err := http.DefaultClient.Do(req)
		check(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s from another site: status %d, want 403", path, resp.StatusCode)
		}
	}
	if after := events(); after != before {
		t.Errorf("%d events, want %d", after, before)
	}
	req, err := http.NewRequest("PUT", s.url+"/admin/applications/", nil)
	check(t, err)
	req.Header.Set("Cookie", "who=root")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := http.DefaultClient.Do(req)
	check(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("PUT: status %d, Allow %q", resp.StatusCode, resp.Header.Get("Allow"))
	}
}
