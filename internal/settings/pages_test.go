package settings_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/manage"
)

func TestParity4_AnonymousIsSentToSignIn(t *testing.T) {
	t.Parallel()
	s := open(t)
	token, client := s.makeToken("maria", "one"), s.makeClient("maria", "App")
	for _, path := range []string{"", "clients/new/?name=x", "clients/" + client.ID + "/", "clients/" + client.ID + "/reset/", "tokens/new/", "tokens/" + token.ID + "/",
		"tokens/" + token.ID + "/revoke/", "tokens/" + token.ID + "/view/", "/account/settings/activity/"} {
		for _, who := range []string{"", "somebody-deleted"} {
			page := s.as(who).get(path, http.StatusFound)
			if !strings.HasPrefix(path, "/") {
				path = home + path
			}
			if got := page.Location.Query().Get("next"); got != path {
				t.Errorf("%s as %q: next is %q, want %q", path, who, got, path)
			}
		}
	}
	s.as("gone").get("", http.StatusForbidden)
}

func TestBearerTokensDoNotOpenPages(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, secret, err := s.desk.CreateToken(t.Context(), manage.Actor{Subject: "maria"}, manage.TokenInput{Name: "x", Scopes: []string{"user:email"}, ExpiresAt: s.clock().AddDate(0, 0, 1)})
	check(t, err)
	p := s.as("")
	p.Headers.Set("Authorization", "Bearer "+string(secret))
	if page := p.get("", http.StatusFound); page.Location == nil {
		t.Error("a bearer token opened the page")
	}
}

func TestParity3_RoutesAndMethods(t *testing.T) {
	t.Parallel()
	s := open(t)
	token, client := s.makeToken("maria", "one"), s.makeClient("maria", "App")
	grant, _ := s.authorize("maria", client, "user:email")
	p := s.as("maria")
	for _, path := range []string{"", "clients/new/", "clients/" + client.ID + "/", "clients/" + client.ID + "/reset/", "clients/" + client.ID + "/delete/",
		"clients/" + client.ID + "/created/", "tokens/new/", "tokens/" + token.ID + "/", "tokens/" + token.ID + "/created/", "tokens/" + token.ID + "/regenerate/",
		"tokens/" + token.ID + "/revoke/", "tokens/" + grant.ID + "/revoke/", "tokens/" + grant.ID + "/view/", "/account/settings/activity/"} {
		page := p.get(path, http.StatusOK)
		for name, want := range map[string]string{"Cache-Control": "no-store", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Content-Type": "text/html; charset=utf-8"} {
			if got := page.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
	}
	for _, path := range []string{"nothing/", "clients/", "clients/" + client.ID + "/nothing/", "tokens/nothing/", "/account/settings/activity/nothing"} {
		p.get(path, http.StatusNotFound)
	}
	page := s.as("").get("/account/settings/elsewhere/", http.StatusNotFound)
	s.text(page, "There is no such page")
	for _, method := range []string{"PUT", "PATCH", "DELETE", "OPTIONS", "post"} {
		req, err := http.NewRequest(method, s.url+home+"tokens/"+token.ID+"/revoke/", nil)
		check(t, err)
		req.AddCookie(&http.Cookie{Name: "who", Value: "maria"})
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		resp, err := http.DefaultTransport.RoundTrip(req)
		check(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD, POST" {
			t.Errorf("%s: got %d, Allow %q", method, resp.StatusCode, resp.Header.Get("Allow"))
		}
	}
	if got := len(s.tokens("maria")); got != 1 {
		t.Errorf("after all of this maria has %d tokens, want 1", got)
	}
}

// Somebody else's and nobody's are the same: not there.
func TestParity5_NotYoursIsNotThere(t *testing.T) {
	t.Parallel()
	s := open(t)
	token, client := s.makeToken("maria", "one"), s.makeClient("maria", "App")
	grant, access := s.authorize("maria", client, "user:email")
	paths := []string{"clients/nobody/", "tokens/nobody/", "tokens/nobody/revoke/", "tokens/nobody/view/",
		"clients/" + client.ID + "/", "clients/" + client.ID + "/reset/", "clients/" + client.ID + "/delete/", "clients/" + client.ID + "/created/",
		"tokens/" + token.ID + "/", "tokens/" + token.ID + "/revoke/", "tokens/" + token.ID + "/regenerate/", "tokens/" + token.ID + "/created/",
		"tokens/" + grant.ID + "/view/", "tokens/" + grant.ID + "/revoke/"}
	for _, who := range []string{"eve", "ada"} { // an administrator is a person like any other here
		p := s.as(who)
		p.Headers.Set("Sec-Fetch-Site", "same-origin")
		for _, path := range paths {
			p.get(path, http.StatusNotFound)
			if strings.HasSuffix(path, "/created/") || strings.HasSuffix(path, "/view/") {
				continue
			}
			form := p.get("clients/new/", http.StatusOK).Form()
			form.Action, _ = url.Parse(s.url + home + path)
			form.Set("reset", "yes").Set("name", "App").Set("expires_in", "7")
			p.send(form, http.StatusNotFound)
		}
	}
	p := s.as("maria")
	// Each id has its own pages: a personal token is not viewed as an authorization, an access token not at all.
	for _, path := range []string{"tokens/" + token.ID + "/view/", "tokens/" + grant.ID + "/", "tokens/" + access.ID + "/", "tokens/" + access.ID + "/revoke/"} {
		p.get(path, http.StatusNotFound)
	}
	if len(s.tokens("maria")) != 1 || len(s.clients("maria")) != 1 {
		t.Error("somebody else's request changed something")
	}
}

func TestParity45_ThreePanelsWithEmptyStates(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := s.as("maria")
	page := p.get("", http.StatusOK)
	s.text(page, "Developer applications", "New application", "Personal access tokens", "New token", "Authorized applications", "You have none yet", "You have allowed none")
	if first, second, third := strings.Index(string(page.Body), "clients-title"), strings.Index(string(page.Body), "tokens-title"), strings.Index(string(page.Body), "authorizations-title"); first > second || second > third {
		t.Error("the panels are not in the predecessor's order")
	}
	s.makeToken("maria", "nightly export")
	s.authorize("maria", s.makeClient("eve", "Eve's App"), "deposit:write")
	s.makeClient("maria", "Maria's App")
	page = p.get("", http.StatusOK)
	s.text(page, "nightly export", "expires", "never used", "deposit:write", "Maria&#39;s App", "Eve&#39;s App", "by the user <bdi>eve</bdi>")
	s.noText(s.as("eve").get("", http.StatusOK), "nightly export", "Maria&#39;s App")
}

func TestParity53_AuthorizedApplicationIsRevoked(t *testing.T) {
	t.Parallel()
	s := open(t)
	client := s.makeClient("eve", "Uploader")
	first, access := s.authorize("maria", client, "deposit:write")
	s.pass(time.Second)
	second, _ := s.authorize("maria", client, "user:email")
	others, otherAccess := s.authorize("ada", client, "user:email")
	p := s.as("maria")
	page := p.get("tokens/"+second.ID+"/view/", http.StatusOK)
	s.text(page, "Create and edit deposits", "Read your e-mail address", "Uploader", "/tokens/"+second.ID+"/revoke/")
	page = p.get("tokens/"+second.ID+"/revoke/", http.StatusOK)
	if g, err := s.store.Grant(t.Context(), second.ID); err != nil || !g.RevokedAt.IsZero() {
		t.Fatalf("after GET the grant is revoked at %v, %v; want: not", g.RevokedAt, err)
	}
	page = p.send(page.Form(), http.StatusOK)
	s.text(page, "The access is revoked", "You have allowed none")
	for _, id := range []string{first.ID, second.ID} {
		if g, err := s.store.Grant(t.Context(), id); err != nil || g.RevokedAt.IsZero() {
			t.Errorf("grant %s is alive, %v", id, err)
		}
	}
	if token, err := s.store.Token(t.Context(), access.ID); err != nil || token.RevokedAt.IsZero() {
		t.Errorf("the access token is alive, %v", err)
	}
	if g, err := s.store.Grant(t.Context(), others.ID); err != nil || !g.RevokedAt.IsZero() {
		t.Errorf("somebody else's grant was revoked, %v", err)
	}
	if token, err := s.store.Token(t.Context(), otherAccess.ID); err != nil || !token.RevokedAt.IsZero() {
		t.Errorf("somebody else's token was revoked, %v", err)
	}
}

func TestActivityShowsWhatHappened(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.makeToken("maria", "nightly export")
	page := s.as("maria").get("/account/settings/activity/", http.StatusOK)
	s.text(page, "Token issued", "nightly export")
	s.noText(s.as("eve").get("/account/settings/activity/", http.StatusOK), "nightly export")
}

// Everything also works where the issuer has a path.
func TestPathOfTheIssuer(t *testing.T) {
	t.Parallel()
	s := openAt(t, "/auth/idp", manage.Policy{})
	p := s.as("maria")
	form := p.get("tokens/new/", http.StatusOK).Form().Set("name", "x").Set("scopes", "user:email")
	page := p.send(form, http.StatusOK)
	s.text(page, "vk_pat_", s.url+"/oauth/ping")
	for _, link := range []string{`href="/account`, `action="/account`, `href="/assets`, `src="/assets`, `href="/logout`} {
		s.noText(page, link)
	}
}

// The predecessor revoked by GET; here no GET changes anything.
func TestParity13c_GetChangesNothing(t *testing.T) {
	t.Parallel()
	s := open(t)
	token, client := s.makeToken("maria", "one"), s.makeClient("maria", "App")
	grant, _ := s.authorize("maria", client, "user:email")
	p := s.as("maria")
	for _, path := range []string{"tokens/" + token.ID + "/revoke/?confirm=yes", "tokens/" + grant.ID + "/revoke/", "clients/" + client.ID + "/delete/?name=App&delete=yes",
		"clients/" + client.ID + "/reset/?reset=yes", "clients/" + client.ID + "/?delete=yes", "tokens/" + token.ID + "/regenerate/?expires_in=7"} {
		p.get(path, http.StatusOK)
	}
	if after := s.makeTokenView(token.ID); after.Hash != token.Hash || !after.RevokedAt.IsZero() {
		t.Error("GET changed the token")
	}
	if g, err := s.store.Grant(t.Context(), grant.ID); err != nil || !g.RevokedAt.IsZero() {
		t.Error("GET revoked the grant")
	}
	if len(s.clients("maria")) != 1 {
		t.Error("GET deleted the application")
	}
}
