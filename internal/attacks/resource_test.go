package attacks

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/accounts"
)

// Protected resources, scopes, personal access tokens, the state of accounts.

func TestM71_EveryWayToCarryAToken(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	_, pat := s.pat(s.alice, "records:read")
	for _, token := range []string{pat, s.alice.flow(s.web).Access} {
		basic := func(pair string) []string {
			return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))}
		}
		ways := map[string][]string{
			"Bearer": {"Authorization", "Bearer " + token}, "bearer": {"Authorization", "bearer " + token}, "token": {"Authorization", "token " + token},
			"DPoP": {"Authorization", "DPoP " + token}, "name": basic(token + ":x-oauth-basic"), "password": basic("alice@web.test:" + token), "empty": basic(":" + token),
			"key": {"X-API-Key", token}, "access": {"X-Access-Token", token}, "cookie": {"Cookie", "access_token=" + token + "; vk_sid=" + token},
			"gitlab": {"PRIVATE-TOKEN", token}, "alone": {"Authorization", token},
		}
		for name, headers := range ways {
			for _, path := range []string{"/records/write", "/records/admin", "/api/v1/tokens", "/api/v1/applications"} {
				a := s.do("POST", path, "{}", append([]string{"Content-Type", "application/json"}, headers...)...)
				if a.StatusCode != http.StatusForbidden && a.StatusCode != http.StatusUnauthorized && a.StatusCode != http.StatusBadRequest {
					t.Errorf("%s at %s: %v", name, path, a)
				}
			}
			opens := strings.Contains(s.do("GET", "/records/read", "", headers...).body, theRecord)
			if want := strings.EqualFold(name, "bearer"); opens != want {
				t.Errorf("%s opens what the token may read: %v, want %v", name, opens, want)
			}
		}
		if a := s.do("POST", "/records/write?access_token="+token, "", "Content-Type", formType); a.StatusCode != http.StatusUnauthorized {
			t.Errorf("in the query: %v", a)
		}
		if a := s.do("POST", "/records/write", "access_token="+token, "Content-Type", formType); a.StatusCode != http.StatusForbidden && a.StatusCode != http.StatusUnauthorized {
			t.Errorf("in the body: %v", a)
		}
		if a := s.do("POST", "/records/write", "access_token="+token, "Content-Type", formType, "Authorization", "Bearer "+token); a.StatusCode != http.StatusForbidden && a.StatusCode != http.StatusBadRequest {
			t.Errorf("in the body and the header: %v", a)
		}
		if a := s.do("GET", "/records/read", "", "Authorization", "Bearer "+token, "Authorization", "Bearer "+token); a.StatusCode == http.StatusOK {
			t.Errorf("in two headers: %v", a)
		}
	}
}

func TestM73_TokensDoNotReachPages(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	granted := s.alice.flow(s.web, "scope", "tokens:write tokens:read")
	patID, pat := s.pat(s.alice, "tokens:write")
	_, writer := s.pat(s.alice, "records:read", "tokens:write")
	waiting := s.alice.az(ask(s.web2)).form().Get("request")
	for _, token := range []string{pat, granted.Access} {
		as := []string{"Authorization", "Bearer " + token}
		for _, path := range []string{"/account/settings/applications/", "/account/settings/applications/tokens/new/", "/account/settings/profile/", "/account/settings/security/",
			"/account/settings/activity/", "/admin/applications/", "/admin/users/", "/oauth/authorize?" + ask(s.web2).Encode()} {
			if a := s.do("GET", path, "", as...); a.StatusCode != http.StatusFound || !strings.Contains(a.Header.Get("Location"), "/login/") {
				t.Errorf("%s with a token: %v, want the login page", path, a)
			}
		}
		consent := url.Values{"request": {waiting}, "confirm": {"yes"}}.Encode()
		s.do("POST", "/oauth/consent", consent, append(as, "Content-Type", formType)...).wantPage(t)
		a := s.do("POST", "/api/v1/tokens", `{"name":"n","scopes":["records:write"]}`, append(as, "Content-Type", "application/json")...)
		if a.StatusCode != http.StatusForbidden {
			t.Errorf("a token that makes more than itself: %v", a)
		}
		a = s.do("PATCH", "/api/v1/tokens/"+patID, `{"scopes":["tokens:write","records:write"]}`, append(as, "Content-Type", "application/json")...)
		if a.StatusCode < 400 {
			t.Errorf("a token that widens one: %v", a)
		}
		for _, path := range []string{"/regenerate", "/regenerate/"} {
			if a := s.do("POST", "/api/v1/tokens/"+patID+path, `{"expires_at":null}`, append(as, "Content-Type", "application/json")...); a.StatusCode == http.StatusOK {
				t.Errorf("a token without an end: %v", a)
			}
		}
	}
	// Whoever is signed in makes secrets only if they signed in lately.
	s.clock.Move(time.Hour)
	proof := s.alice.get("/account/settings/profile/").form().Get("authorized_token")
	if a := s.alice.do("POST", "/api/v1/tokens", `{"name":"n","scopes":["records:read"]}`, "Content-Type", "application/json", "X-CSRF-Token", proof); a.StatusCode != http.StatusForbidden {
		t.Errorf("an old session makes a token: %v", a)
	}
	if a := s.alice.get("/account/settings/applications/tokens/new/"); !strings.Contains(a.Header.Get("Location"), "/login/") {
		t.Errorf("an old session gets the form: %v", a)
	}
	soon := s.clock.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	a := s.do("POST", "/api/v1/tokens", `{"name":"n","scopes":["records:read"],"expires_at":"`+soon+`"}`, "Content-Type", "application/json", "Authorization", "Bearer "+writer)
	if a.StatusCode != http.StatusCreated {
		t.Errorf("the control: %v", a)
	}
	// Two sessions' proofs are not exchanged, and none is a token.
	if a := s.api(proof, "/records/read"); a.StatusCode != http.StatusUnauthorized {
		t.Errorf("a proof as a token: %v", a)
	}
}

func TestM75_DisabledIsDeadAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{password: true})
	s.root.signIn()
	everything := s.alice.collect()
	bystander := s.mallory.collect()
	owned, secret, err := s.desk.CreateApplication(t.Context(), s.actsAlice, appInput("Owned"))
	must(t, err)
	hers := &client{owned, string(secret)}
	throughHers := s.mallory.flow(hers)

	if a := s.root.post("/admin/users/"+s.alice.subject+"/disable/", url.Values{"confirm": {"yes"}}); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("disabling: %v", a)
	}
	if open := everything.open(); open != nil {
		t.Errorf("alice is disabled, and this is open: %v", open)
	}
	if s.reads(throughHers.Access) || s.tok(hers, refresh(throughHers.Refresh)).StatusCode == http.StatusOK {
		t.Error("an application of a disabled person works")
	}
	if a := s.alice.elsewhere().login(s.alice.password); a.StatusCode != http.StatusUnprocessableEntity || len(a.Cookies()) != 0 {
		t.Errorf("signing in: %v", a)
	}
	s.tok(s.legacy, url.Values{"grant_type": {"password"}, "username": {s.alice.email}, "password": {s.alice.password}}).want(t, 400, "invalid_grant")
	before := len(s.mailsTo(s.alice.email))
	s.mallory.elsewhere().post("/lost-password/", url.Values{"email": {s.alice.email}})
	s.mallory.elsewhere().post("/signup/", url.Values{"email": {s.alice.email}, "name": {"Alice"}})
	for _, m := range s.mailsTo(s.alice.email)[before:] {
		if strings.Contains(m.Text, "/reset-password/") || strings.Contains(m.Text, "/signup/") {
			t.Errorf("a disabled person is mailed a way in: %s", m.Text)
		}
	}
	if got, err := s.door.FindUser(t.Context(), s.alice.subject); err != nil || !got.Disabled {
		t.Errorf("signing in enabled the account: %+v, %v", got, err)
	}
	if s.reads(everything.pat) {
		t.Error("signing in brought the tokens back")
	}

	c := s.registerAs("doomed", webInput("https://doomed.test/cb"))
	got, code := s.mallory.flow(c), s.mallory.code(c)
	form := s.mallory.az(ask(c, "prompt", "consent"))
	if a := s.root.post("/admin/applications/doomed/disable/", s.root.get("/admin/applications/doomed/disable/").form()); a.StatusCode != http.StatusSeeOther {
		t.Fatalf("disabling the application: %v", a)
	}
	if s.reads(got.Access) || s.active(s.rs, got.Access) {
		t.Error("an access token of a disabled application is alive")
	}
	s.tok(c, refresh(got.Refresh)).want(t, 401, "invalid_client")
	s.tok(c, redeem(c, code)).want(t, 401, "invalid_client")
	s.mallory.consent(form, "yes").wantPage(t)
	s.mallory.az(ask(c)).wantPage(t)
	if a := s.rev(c, got.Access); a.StatusCode == http.StatusOK {
		t.Errorf("a disabled application revokes: %v", a)
	}
	if open := bystander.open(); len(open) != 18 {
		t.Errorf("of somebody else, %d things are open: %v", len(open), open)
	}
}

// There is no login elsewhere whose addresses could be linked, but people sign
// up with addresses: one that looks like alice's is not hers.
func TestM79_AddressesThatLookAlike(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	alike := []string{"ALICE@WEB.TEST", " alice@web.test ", "alice＠web.test", "a@b@web.test", "alice@web.test.", "alice@wеb.test", "alice@web.test\nbcc:x@evil.test",
		"alice@web.test,mallory@evil.test", "<alice@web.test>", "\"alice\"@web.test", "alice%40web.test", "alice@web.test\x00"}
	accountsBefore := s.count("SELECT count(*) FROM accounts_accounts")
	for _, email := range alike {
		s.clock.Move(2 * time.Minute)
		before := len(s.mailsTo(s.alice.email))
		s.mallory.elsewhere().post("/signup/", url.Values{"email": {email}, "name": {"Alice"}})
		for _, m := range s.mailsTo(s.alice.email)[before:] {
			if strings.Contains(m.Text, "/signup/") {
				t.Errorf("%q may sign up for an account that exists: %s", email, m.Text)
			}
		}
		if _, err := s.door.CreateUser(t.Context(), newUser(email)); err == nil {
			t.Errorf("there is a second account, %q", email)
		}
		if a := s.mallory.elsewhere().post("/lost-password/", url.Values{"email": {email}}); a.StatusCode >= 500 {
			t.Errorf("%q: %v", email, a)
		}
	}
	s.door.Wait()
	s.mails.mu.Lock()
	for _, m := range s.mails.mails {
		if strings.ContainsAny(m.To, "\r\n, ") || strings.Contains(m.To, "evil") {
			t.Errorf("a mail went to %q", m.To)
		}
	}
	s.mails.mu.Unlock()
	if after := s.count("SELECT count(*) FROM accounts_accounts"); after != accountsBefore {
		t.Errorf("%d accounts were made", after-accountsBefore)
	}
	// An account is made by who opens the mail, and for that address only.
	carol := s.alice.elsewhere()
	s.clock.Move(time.Hour)
	carol.post("/signup/", url.Values{"email": {"carol@web.test"}, "name": {"Carol"}})
	mails := s.mailsTo("carol@web.test")
	if len(mails) != 1 {
		t.Fatalf("carol got %d mails", len(mails))
	}
	carol.email, carol.password = "carol@web.test", "the long passphrase of Carol"
	if a := carol.post(linkIn(s, mails[0].Text), url.Values{"password": {carol.password}, "email": {s.alice.email}}); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the control: %v", a)
	}
	if a := carol.elsewhere().login(carol.password); a.StatusCode != http.StatusSeeOther {
		t.Errorf("the control signs in: %v", a)
	}
	s.alice.signIn()
}

func newUser(email string) accounts.NewUser {
	return accounts.NewUser{Email: email, Password: "the long passphrase of nobody"}
}
