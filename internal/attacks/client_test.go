package attacks

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// Client authentication and registration.

func TestM47_RegisteredMethodIsTheOnlyOne(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	code := s.alice.code(s.web)
	post := func(c *client, more ...string) tokens {
		t.Helper()
		return s.do("POST", "/oauth/token", with(redeem(s.web, code, "client_id", c.ID), more).Encode(), "Content-Type", formType).tokens(t)
	}
	basic := func(id, secret string, more ...string) tokens {
		t.Helper()
		_, headers := authenticated(&client{&oauth.Client{ID: id, AuthMethod: oauth.AuthBasic}, secret}, nil)
		return s.do("POST", "/oauth/token", with(redeem(s.web, code), more).Encode(), headers...).tokens(t)
	}
	for name, got := range map[string]tokens{
		"the secret in the body":       post(s.web, "client_secret", s.web.secret),
		"no secret":                    post(s.web),
		"a wrong secret in the body":   post(s.web, "client_secret", s.web2.secret),
		"a wrong secret":               basic("web", s.web2.secret),
		"an empty secret":              basic("web", ""),
		"a token as the secret":        basic("web", code),
		"a public client with secret":  post(s.spa, "client_secret", "anything"),
		"a public client with Basic":   basic("spa", "anything"),
		"a public client, empty Basic": basic("spa", ""),
		"another case":                 basic("WEB", s.web.secret),
		"a client that is not there":   basic("nobody", s.web.secret),
	} {
		got.want(t, 401, "invalid_client")
		if got.Request.Header.Get("Authorization") != "" && !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Basic") {
			t.Errorf("%s: no challenge: %v", name, got.Header)
		}
		if t.Failed() {
			t.Fatalf("that was %s", name)
		}
	}
	basic("web", s.web.secret, "client_secret", s.web.secret).want(t, 400, "invalid_request")
	basic("web", s.web.secret, "client_id", "web2").want(t, 400, "invalid_request")
	inURL := s.do("POST", "/oauth/token?client_id=web&client_secret="+s.web.secret, redeem(s.web, code).Encode(), "Content-Type", formType).tokens(t)
	if inURL.StatusCode < 400 {
		t.Errorf("the secret in the URL: %v", inURL)
	}
	basic("web", s.web.secret).want(t, 200, "")
}

// What was replaced or has expired proves nothing. Keys are in signed_test.go.
func TestM53_OldSecretsStop(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"records:read"}}
	old := *s.m2m
	s.tok(&old, form).want(t, 200, "")
	next, err := s.desk.RotateSecret(t.Context(), s.operator, "m2m", time.Hour)
	must(t, err)
	fresh := client{old.Client, string(next)}
	s.tok(&old, form).want(t, 200, "")
	s.clock.Move(time.Hour)
	s.tok(&old, form).want(t, 401, "invalid_client")
	got := s.tok(&fresh, form)
	got.want(t, 200, "")
	if !s.reads(got.Access) {
		t.Error("the control is dead")
	}
	last, err := s.desk.RotateSecret(t.Context(), s.operator, "m2m", 0)
	must(t, err)
	s.tok(&fresh, form).want(t, 401, "invalid_client")
	s.tok(&client{old.Client, s.rs.secret}, form).want(t, 401, "invalid_client")
	s.tok(&client{old.Client, string(last)}, form).want(t, 200, "")
}

func TestM55_FormsSayOnlyWhatTheyMay(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	s.mallory.signIn()
	const path = "/account/settings/applications/clients/new/"
	form := s.mallory.get(path).form()
	for name, value := range map[string]string{"name": "Extra", "website": "https://evil.test/", "redirect_uris": "https://evil.test/cb",
		"user_id": s.alice.subject, "owner": s.alice.subject, "id": "web3", "client_id": "web3", "is_confidential": "1", "is_internal": "1", "internal": "true",
		"first_party": "true", "skip_authorization": "1", "disabled": "false", "default_scopes": "records:write"} {
		form.Set(name, value)
	}
	if a := s.mallory.post(path, form); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("the form: %v", a)
	}
	list, err := s.desk.Applications(t.Context(), s.actsMal, manage.ApplicationQuery{}, manage.Page{Limit: 10})
	must(t, err)
	if len(list) != 1 {
		t.Fatalf("mallory has %d applications, want 1", len(list))
	}
	c := list[0]
	if c.Owner != s.mallory.subject || c.ID == "web3" || c.FirstParty || c.Internal || len(c.DefaultScopes) > 0 {
		t.Errorf("the form made %+v", c)
	}
	hers, _, err := s.desk.CreateApplication(t.Context(), s.actsAlice, manage.ApplicationInput{Type: oauth.WebApplication, Name: "Hers", Website: "https://web.test/", RedirectURIs: []string{"https://web.test/cb"}})
	must(t, err)
	mine := "/account/settings/applications/clients/" + hers.ID + "/"
	for _, a := range []answer{s.mallory.get(mine), s.mallory.post(mine, form), s.mallory.get(mine + "reset/"), s.mallory.post(mine+"reset/", url.Values{"reset": {"yes"}}),
		s.mallory.post(mine+"delete/", url.Values{"name": {"Hers"}}), s.mallory.get(mine + "created/")} {
		if a.StatusCode != http.StatusNotFound {
			t.Errorf("mallory at alice's application: %v", a)
		}
	}

	// Internal scopes cannot be chosen, by any form.
	form = s.mallory.get(path).form()
	for name, value := range map[string]string{"name": "Scoped", "website": "https://evil.test/", "redirect_uris": "https://evil.test/cb", "scopes": "root:everything"} {
		form.Set(name, value)
	}
	if a := s.mallory.post(path, form); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("an internal scope for an application: %v", a)
	}
	token := s.mallory.get("/account/settings/applications/tokens/new/").form()
	token.Set("name", "Scoped")
	token["scopes"] = []string{"root:everything"}
	if a := s.mallory.post("/account/settings/applications/tokens/new/", token); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("an internal scope for a token: %v", a)
	}
	s.mallory.az(ask(s.web, "scope", "root:everything")).wantError(t, s, s.web, "invalid_scope")

	// A token makes no token that is more than itself.
	_, few := s.pat(s.mallory, "tokens:write", "tokens:read")
	create := func(body string) answer {
		return s.do("POST", "/api/v1/tokens", body, "Content-Type", "application/json", "Authorization", "Bearer "+few)
	}
	for _, body := range []string{`{"name":"more","scopes":["records:write"]}`, `{"name":"more","scopes":["tokens:write","records:read"]}`,
		`{"name":"more","scopes":["root:everything"]}`, `{"name":"more","scopes":["tokens:write"],"subject":"` + s.alice.subject + `"}`,
		`{"name":"more","scopes":["tokens:write"],"internal":true}`, `{"name":"more","scopes":["tokens:read"],"Scopes":["records:write"]}`,
		`{"name":"more","scopes":["tokens:read"],"scopes":["records:write"]}`, `{"name":"more","scopes":["tokens:write"],"expires_at":null}`} {
		if a := create(body); a.StatusCode < 400 || a.StatusCode > 499 {
			t.Errorf("%s: %v", body, a)
		}
	}
	soon := s.clock.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	if a := create(`{"name":"as much","scopes":["tokens:read"],"expires_at":"` + soon + `"}`); a.StatusCode != http.StatusCreated {
		t.Errorf("the control: %v", a)
	}
}
