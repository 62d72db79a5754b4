package settings_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

var tokenInPage = regexp.MustCompile(`value="(vk_pat_[0-9A-Za-z]+)"`)

// secret is the token that the page shows, or "".
func secret(page *browser.Page) string {
	if m := tokenInPage.FindSubmatch(page.Body); m != nil {
		return string(m[1])
	}
	return ""
}

func (s *site) makeTokenView(id string) *oauth.Token {
	s.t.Helper()
	t, err := s.store.Token(s.t.Context(), id)
	check(s.t, err)
	return t
}

func TestParity50_TokenIsShownOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := s.as("maria")
	page := p.get("tokens/new/", http.StatusOK)
	s.text(page, "Create and edit deposits", "cannot be undone", "Read your e-mail address")
	s.noText(page, "secret:scope", `value="none"`, "came from a link")
	if strings.Contains(string(page.Body), `name="scopes" value="deposit:write" checked`) {
		t.Error("a scope is chosen beforehand")
	}
	form := page.Form().Set("name", "foobar").Set("scopes", "deposit:write", "user:email")
	if got := form.Values.Get("expires_in"); got != "30" {
		t.Errorf("expiration chosen beforehand: got %q, want 30", got)
	}
	page = p.send(form, http.StatusOK)
	shown := secret(page)
	if shown == "" || !strings.HasSuffix(page.URL.Path, "/created/") || strings.Contains(page.URL.String(), "vk_pat") {
		t.Fatalf("after the form: %s", page)
	}
	s.text(page, "You won’t see it again!", "Do not share it", "curl -H", "/oauth/ping")
	list := s.tokens("maria")
	if len(list) != 1 || list[0].Hash != oauth.HashSecret(oauth.Secret(shown)) {
		t.Fatalf("the token that is shown is not the token that was made")
	}
	if got, want := list[0].ExpiresAt, s.clock().AddDate(0, 0, 30); !got.Equal(want) {
		t.Errorf("expires: got %v, want %v", got, want)
	}
	page = p.get(page.URL.Path, http.StatusOK)
	s.text(page, "This token was shown already", "Regenerate")
	s.noText(page, shown)
	for _, path := range []string{"", "tokens/" + list[0].ID + "/"} {
		s.noText(p.get(path, http.StatusOK), shown)
	}
}

func TestSecretIsShownToItsSessionOnlyAndForFiveMinutes(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, tt := range []struct {
		name   string
		change func(*http.Request)
		wait   time.Duration
		want   bool
	}{
		{"at once", func(*http.Request) {}, 0, true},
		{"after five minutes", func(*http.Request) {}, 5 * time.Minute, false},
		{"in another session", func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "other", Value: "1"}) }, 0, false},
	} {
		form := s.as("maria").get("tokens/new/", http.StatusOK).Form().Set("name", tt.name).Set("scopes", "user:email")
		post, err := http.NewRequest("POST", s.url+home+"tokens/new/", strings.NewReader(form.Values.Encode()))
		check(t, err)
		post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		post.AddCookie(&http.Cookie{Name: "who", Value: "maria"})
		resp, err := http.DefaultTransport.RoundTrip(post)
		check(t, err)
		resp.Body.Close()
		if resp.StatusCode != http.StatusSeeOther || len(resp.Cookies()) != 1 {
			t.Fatalf("%s: got %d with %d cookies, want 303 with one", tt.name, resp.StatusCode, len(resp.Cookies()))
		}
		cookie := resp.Cookies()[0]
		if !cookie.HttpOnly || cookie.Path != resp.Header.Get("Location") || cookie.SameSite != http.SameSiteStrictMode || cookie.MaxAge != 300 || strings.Contains(cookie.Value, "vk_pat") {
			t.Errorf("cookie: %+v", cookie)
		}
		s.pass(tt.wait)
		get, err := http.NewRequest("GET", s.url+resp.Header.Get("Location"), nil)
		check(t, err)
		get.AddCookie(&http.Cookie{Name: "who", Value: "maria"})
		get.AddCookie(cookie)
		tt.change(get)
		resp, err = http.DefaultTransport.RoundTrip(get)
		check(t, err)
		body := readAll(t, resp)
		if got := strings.Contains(body, "vk_pat_"); got != tt.want {
			t.Errorf("%s: shown is %v, want %v", tt.name, got, tt.want)
		}
		if c := resp.Cookies(); len(c) != 1 || c[0].MaxAge >= 0 {
			t.Errorf("%s: the page does not delete the cookie: %v", tt.name, c)
		}
	}
}

func TestParity50_TokenFormSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.makeToken("maria", "taken")
	p := s.as("maria")
	for _, tt := range []struct {
		name   string
		change url.Values
		want   string
	}{
		{"no name", url.Values{"name": {" "}}, "Give it a name."},
		{"long name", url.Values{"name": {strings.Repeat("x", 41)}}, "The name must be less than 40 characters long."},
		{"taken name", url.Values{"name": {"taken"}}, "There is an active token of that name already."},
		{"no scope", url.Values{"scopes": nil}, "Choose at least one permission."},
		{"unknown scope", url.Values{"scopes": {"no:such"}}, "There is no scope"},
		{"internal scope", url.Values{"scopes": {"secret:scope"}}, "There is no scope"},
		{"no expiration", url.Values{"expires_in": {"none"}}, "Choose when the token expires."},
		{"no preset", url.Values{"expires_in": {"5"}}, "Choose when the token expires."},
		{"no date", url.Values{"expires_in": {"custom"}, "expires_at": {""}}, "Choose the last day"},
		{"past date", url.Values{"expires_in": {"custom"}, "expires_at": {"2020-01-01"}}, "must be in the future"},
		{"date too far", url.Values{"expires_in": {"custom"}, "expires_at": {"2030-01-01"}}, "at most 366 days"},
		{"bidi name", url.Values{"name": {"a\u202eb"}}, "must not hold control characters"},
	} {
		form := p.get("tokens/new/", http.StatusOK).Form().Set("name", "good").Set("description", "kept text").Set("scopes", "user:email")
		for k, v := range tt.change {
			form.Set(k, v...)
		}
		page := p.send(form, http.StatusUnprocessableEntity)
		s.text(page, "There is a problem", tt.want, "kept text")
		if len(s.tokens("maria")) != 1 {
			t.Fatalf("%s: a token was made", tt.name)
		}
	}
}

func TestTokenExpiryByDate(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := s.as("maria")
	form := p.get("tokens/new/", http.StatusOK).Form().Set("name", "x").Set("scopes", "user:email").Set("expires_in", "custom").Set("expires_at", "2026-12-23")
	p.send(form, http.StatusOK)
	if got, want := s.tokens("maria")[0].ExpiresAt, time.Date(2026, 12, 24, 0, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("expires: got %v, want %v", got, want)
	}
}

func TestTokenPolicyDecidesWhatIsOffered(t *testing.T) {
	t.Parallel()
	s := openAt(t, "", manage.Policy{PersonalTokenDefault: 14 * 24 * time.Hour, PersonalTokenMax: 60 * 24 * time.Hour, AllowNoExpiry: true, AllowNoScopes: true})
	p := s.as("maria")
	page := p.get("tokens/new/", http.StatusOK)
	s.text(page, `value="14" checked`, `value="60"`, `value="none"`, "public information only")
	s.noText(page, `value="90"`, `value="365"`)
	p.send(page.Form().Set("name", "x").Set("expires_in", "none"), http.StatusOK)
	if got := s.tokens("maria")[0]; !got.ExpiresAt.IsZero() || len(got.Scopes) != 0 {
		t.Errorf("got %v with %v, want a token without end and scopes", got.ExpiresAt, got.Scopes)
	}
}

func TestTokenFormIsPrefilledByLink(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := s.as("maria")
	page := p.get("tokens/new/?name=composer&description=for+it&scopes=user:email,no:such,secret:scope&expires_in=90&subject=eve", http.StatusOK)
	s.text(page, "These choices came from a link", `value="composer"`, `value="for it"`, `value="user:email" checked`, "no:such", "secret:scope", `value="90" checked`)
	s.noText(page, `value="deposit:write" checked`, "eve")
	if len(s.tokens("maria")) != 0 {
		t.Error("a link made a token")
	}
	page = p.get("tokens/new/?expires_in=11", http.StatusOK)
	s.text(page, `value="custom" checked`, `value="2026-12-04"`)
}

// The form of a token does not offer what only an application can have; that of an
// application does.
func TestScopesForClientsOnlyAreNotOffered(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := s.as("maria")
	page := p.get("tokens/new/?scopes=openid,deposit:write", http.StatusOK)
	s.noText(page, `value="openid"`)
	s.text(page, `value="deposit:write" checked`)
	s.text(p.get("clients/new/", http.StatusOK), `value="openid"`)
}

func TestParity51_TokenIsRenamedAndNarrowed(t *testing.T) {
	t.Parallel()
	s := open(t)
	token := s.makeToken("maria", "before")
	p := s.as("maria")
	page := p.get("tokens/"+token.ID+"/", http.StatusOK)
	s.text(page, "before", "…"+token.Hint, "Regenerate", "Revoke")
	s.noText(page, "deposit:actions")
	page = p.send(page.Form().Set("name", "after").Set("scopes", "user:email"), http.StatusOK)
	s.text(page, "Your changes are saved.", "after", "<dd>never</dd>")
	if got := s.makeTokenView(token.ID); got.Name != "after" || len(got.Scopes) != 1 || got.Scopes[0] != "user:email" || got.Hash != token.Hash {
		t.Errorf("got %q with %v", got.Name, got.Scopes)
	}
	page = p.send(page.Form().Set("scopes", "user:email", "deposit:actions"), http.StatusUnprocessableEntity)
	s.text(page, "A token cannot be given more permissions")
	if got := s.makeTokenView(token.ID).Scopes; len(got) != 1 {
		t.Errorf("scopes after widening: %v", got)
	}
	// The predecessor's delete button leads to the question.
	page = p.send(page.Form().Set("delete", "yes"), http.StatusOK)
	s.text(page, "Revoke <bdi>after</bdi>?")
}

func TestTokenIsRegenerated(t *testing.T) {
	t.Parallel()
	s := open(t)
	token := s.makeToken("maria", "one")
	p := s.as("maria")
	page := p.get("tokens/"+token.ID+"/regenerate/", http.StatusOK)
	s.text(page, `value="30" checked`)
	page = p.send(page.Form().Set("expires_in", "7"), http.StatusOK)
	shown := secret(page)
	got := s.makeTokenView(token.ID)
	if shown == "" || got.Hash != oauth.HashSecret(oauth.Secret(shown)) || got.Hash == token.Hash {
		t.Error("the new value is not the one that is shown")
	}
	if want := s.clock().AddDate(0, 0, 7); got.Name != "one" || !got.ExpiresAt.Equal(want) {
		t.Errorf("got %q until %v, want one until %v", got.Name, got.ExpiresAt, want)
	}
	page = p.send(p.get("tokens/"+token.ID+"/regenerate/", http.StatusOK).Form().Set("expires_in", "never"), http.StatusUnprocessableEntity)
	s.text(page, "Choose when the token expires.")
}

func TestTokenIsRevoked(t *testing.T) {
	t.Parallel()
	s := open(t)
	token := s.makeToken("maria", "one")
	p := s.as("maria")
	page := p.send(p.get("tokens/"+token.ID+"/revoke/", http.StatusOK).Form(), http.StatusOK)
	s.text(page, `role="status"`, "The token is revoked")
	if s.makeTokenView(token.ID).RevokedAt.IsZero() {
		t.Error("the token is alive")
	}
	p.get("tokens/"+token.ID+"/", http.StatusNotFound)
}

// A form that is sent twice makes one thing, however close together.
func TestFormSentTwiceMakesOneToken(t *testing.T) {
	t.Parallel()
	s := open(t)
	form := s.as("maria").get("tokens/new/", http.StatusOK).Form().Set("name", "x").Set("scopes", "user:email")
	shown := make([]string, 8)
	var wg sync.WaitGroup
	for i := range shown {
		wg.Go(func() {
			page, err := s.as("maria").Send(form)
			if err != nil {
				t.Error(err)
				return
			}
			shown[i] = secret(page)
		})
	}
	wg.Wait()
	for _, got := range shown {
		if got == "" || got != shown[0] {
			t.Errorf("one answer shows %q, another %q; want the same", got, shown[0])
		}
	}
	if got := len(s.tokens("maria")); got != 1 {
		t.Errorf("got %d tokens, want 1", got)
	}
}

// A refused form is put right and sent again with the same id.
func TestRefusedFormCanBeSentAgain(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := s.as("maria")
	form := p.get("tokens/new/", http.StatusOK).Form().Set("name", "x").Set("scopes")
	p.send(form, http.StatusUnprocessableEntity)
	p.send(form.Set("scopes", "user:email"), http.StatusOK)
	if got := len(s.tokens("maria")); got != 1 {
		t.Errorf("got %d tokens, want 1", got)
	}
}

func TestSensitiveThingsNeedAFreshSignIn(t *testing.T) {
	t.Parallel()
	s := open(t)
	token, client := s.makeToken("maria", "one"), s.makeClient("maria", "App")
	p := s.as("maria")
	before := map[string]*browser.Form{}
	paths := []string{"tokens/new/", "tokens/" + token.ID + "/regenerate/", "clients/new/", "clients/" + client.ID + "/reset/", "clients/" + client.ID + "/delete/"}
	for _, path := range paths {
		before[path] = p.get(path, http.StatusOK).Form()
	}
	s.pass(15 * time.Minute)
	for _, path := range paths {
		page := p.get(path, http.StatusFound)
		if got := page.Location.Query(); got.Get("reason") != string(oauth.LoginAgain) || got.Get("next") != home+path {
			t.Errorf("GET %s: sent to %s", path, page.Location)
		}
		form := before[path].Set("name", "typed & kept").Set("scopes", "user:email").Set("reset", "yes")
		page = p.send(form, http.StatusFound)
		next := page.Location.Query().Get("next")
		if page.Location.Query().Get("reason") != string(oauth.LoginAgain) || !strings.HasPrefix(next, home+path) {
			t.Errorf("POST %s: sent to %s", path, page.Location)
		}
		if strings.HasSuffix(path, "new/") && (!strings.Contains(next, "name=typed+%26+kept") || strings.Contains(next, "authorized_token") || strings.Contains(next, "form_id")) {
			t.Errorf("POST %s: comes back to %s", path, next)
		}
	}
	for _, path := range []string{"", "tokens/" + token.ID + "/", "clients/" + client.ID + "/"} {
		p.get(path, http.StatusOK) // looking needs no fresh sign-in
	}
	if len(s.tokens("maria")) != 1 || len(s.clients("maria")) != 1 || s.makeTokenView(token.ID).Hash != token.Hash {
		t.Error("something changed without a fresh sign-in")
	}
}

// More fields than the form has change nothing.
func TestM55_ExtraFieldsAreIgnored(t *testing.T) {
	t.Parallel()
	s := open(t)
	p := s.as("maria")
	extra := func(f *browser.Form) *browser.Form {
		for _, name := range []string{"subject", "user_id", "owner", "is_internal", "internal", "first_party", "skip_authorization", "id", "client_id", "is_confidential", "hash", "secret", "scopes[]"} {
			f.Set(name, "eve")
		}
		return f
	}
	p.send(extra(p.get("tokens/new/", http.StatusOK).Form().Set("name", "x").Set("scopes", "user:email")), http.StatusOK)
	p.send(extra(p.get("clients/new/", http.StatusOK).Form().Set("name", "App").Set("website", "https://app.example/").Set("redirect_uris", "https://app.example/cb")), http.StatusOK)
	if len(s.tokens("eve")) != 0 || len(s.clients("eve")) != 0 {
		t.Error("something was made for somebody else")
	}
	tokens, clients := s.tokens("maria"), s.clients("maria")
	if len(tokens) != 1 || len(tokens[0].Scopes) != 1 || tokens[0].Internal {
		t.Errorf("tokens: %+v", tokens)
	}
	if len(clients) != 1 || clients[0].FirstParty || clients[0].Internal || clients[0].Public() || clients[0].ID == "eve" || clients[0].Owner != "maria" {
		t.Fatalf("clients: %+v", clients)
	}
	p.send(extra(p.get("clients/"+clients[0].ID+"/", http.StatusOK).Form()), http.StatusOK)
	if after := s.clients("maria"); len(after) != 1 || after[0].FirstParty || after[0].Owner != "maria" {
		t.Errorf("after an update: %+v", after)
	}
}
