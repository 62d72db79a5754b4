package attacks

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// More that works once, whoever asks at the same time.

// A device code that was allowed is redeemed by one of the crowd.
func TestRaceDeviceCode(t *testing.T) { onBoth(t, testRaceDeviceCode) }

func testRaceDeviceCode(t *testing.T, s *site) {
	s.alice.signIn()
	tv := s.registerAs("tv", manage.ApplicationInput{Type: oauth.NativeApplication, Name: "TV", Website: "https://tv.test",
		GrantTypes: []string{oauth.GrantDeviceCode, oauth.GrantRefreshToken}})
	tracks := s.warm(crowd)
	for range rounds {
		d := s.deviceBegins(tv, "records:read")
		if a := s.alice.answersDevice(s.alice.typesCode(d.User), "yes"); a.StatusCode != http.StatusOK {
			t.Fatalf("alice allows: %v", a)
		}
		poll := url.Values{"grant_type": {oauth.GrantDeviceCode}, "device_code": {d.Device}}
		answers := s.race(tracks, repeated(crowd, func(int) *http.Request { return s.machineRequest(tv, "/oauth/token", poll) }))
		won := winner(t, answers)
		got := tally(t, answers)
		if got["invalid_grant"]+got["slow_down"] != crowd-1 {
			t.Errorf("got %v, want 63 refusals", got)
		}
		// Who had the code besides the device is not known, as with other codes.
		if n := s.count("SELECT count(*) FROM oauth_tokens WHERE kind = 'refresh' AND id = $1", id(won.Refresh)); n != 1 {
			t.Errorf("%d refresh tokens, want 1", n)
		}
		if got["invalid_grant"] > 0 && s.reads(won.Access) {
			t.Error("a device code was used twice, and its tokens live")
		}
		s.clock.Move(time.Minute)
	}
}

// A pushed request becomes one code.
func TestRacePushedRequest(t *testing.T) { onBoth(t, testRacePushedRequest) }

func testRacePushedRequest(t *testing.T, s *site) {
	s.alice.signIn()
	s.alice.flow(s.web) // consent is known from now on
	tracks := s.warm(crowd)
	for range rounds {
		pushed := s.as(s.web, "/oauth/par", ask(s.web))
		uri := pushed.answer.pushed(t)
		codes := s.count("SELECT count(*) FROM oauth_codes")
		answers := s.race(tracks, repeated(crowd, func(int) *http.Request {
			return s.alice.pageRequest("/oauth/authorize?" + url.Values{"client_id": {s.web.ID}, "request_uri": {uri}}.Encode())
		}))
		sent := 0
		for _, a := range answers {
			if a.callback().Has("code") {
				sent++
			} else if a.callback() == nil {
				a.wantPage(t)
			}
		}
		if n := s.count("SELECT count(*) FROM oauth_codes") - codes; sent != 1 || n != 1 {
			t.Errorf("%d answers with a code, %d codes; want one", sent, n)
		}
	}
}

// An assertion authenticates once (RFC 7523 §3).
func TestRaceAssertion(t *testing.T) { onBoth(t, testRaceAssertion) }

func testRaceAssertion(t *testing.T, s *site) {
	key := oauthtest.NewSigner(t, "ES256", "k")
	s.change(s.m2m, func(c *oauth.Client) {
		c.AuthMethod, c.Metadata.JWKS = oauth.AuthPrivateKeyJWT, oauthtest.JWKS(t, key)
	})
	tracks := s.warm(crowd)
	for range rounds {
		once := s.asserted(s.m2m, key, nil)
		answers := s.race(tracks, repeated(crowd, func(int) *http.Request { return s.machineRequest(nil, "/oauth/token", once) }))
		won := winner(t, answers)
		if got := tally(t, answers); got["invalid_client"]+got["slow_down"] != crowd-1 { // so many failures look like guesses
			t.Errorf("got %v, want 63 refusals", got)
		}
		if !s.reads(won.Access) {
			t.Error("the one token is dead")
		}
		s.clock.Move(2 * time.Minute)
	}
}

// Copies of one program that register at once become one client.
func TestRaceRegistration(t *testing.T) { onBothWith(t, options{server: open}, testRaceRegistration) }

func testRaceRegistration(t *testing.T, s *site) {
	tracks := s.warm(crowd)
	for round := range rounds {
		doc := `{"client_name":"Copies ` + string(rune('0'+round)) + `","redirect_uris":["https://copies.test/cb"],"token_endpoint_auth_method":"none"}`
		clients := s.count("SELECT count(*) FROM oauth_clients")
		answers := s.race(tracks, repeated(crowd, func(int) *http.Request {
			return s.request("POST", "/oauth/register", doc, "Content-Type", "application/json")
		}))
		ids := map[string]bool{}
		for _, a := range answers {
			ids[s.enrolled(a).ID] = true
		}
		if n := s.count("SELECT count(*) FROM oauth_clients") - clients; len(ids) != 1 || n != 1 {
			t.Errorf("the crowd was told of %d clients, and %d were made; want one", len(ids), n)
		}
	}
}

// A person signs out while their browser still asks for codes. The session is over.
func TestRaceLogoutAndAuthorize(t *testing.T) { onBoth(t, testRaceLogoutAndAuthorize) }

func testRaceLogoutAndAuthorize(t *testing.T, s *site) {
	tracks := s.warm(crowd)
	for range rounds {
		s.alice.signIn()
		s.alice.flow(s.web)
		old := *s.alice
		cookies := old.cookies()
		answers := s.race(tracks, repeated(crowd, func(i int) *http.Request {
			if i%8 == 3 {
				return old.formRequest("/logout/", url.Values{})
			}
			return old.pageRequest("/oauth/authorize?" + ask(s.web).Encode())
		}))
		for i, a := range answers {
			if a.StatusCode >= 400 && i%8 != 3 {
				t.Errorf("answered %v", a)
			}
		}
		for range 4 { // whichever server it meets
			if a := s.do("GET", "/account/settings/profile/", "", "Cookie", cookies); a.StatusCode == http.StatusOK {
				t.Fatal("the session is alive")
			}
			if a := s.do("GET", "/oauth/authorize?"+ask(s.web).Encode(), "", "Cookie", cookies); a.callback().Has("code") {
				t.Fatal("the session still gets codes")
			}
		}
		s.clock.Move(time.Minute)
	}
}

// Administrators who demote each other at once leave one.
func TestRaceAdministrators(t *testing.T) { onBoth(t, testRaceAdministrators) }

func testRaceAdministrators(t *testing.T, s *site) {
	tracks := s.warm(crowd)
	s.root.signIn()
	for round, action := range []string{"withdraw-admin", "disable", "delete"} {
		other := s.join("admin"+string(rune('0'+round))+"@web.test", "Admin", true).signIn()
		both := []*person{s.root, other}
		answers := s.race(tracks, repeated(crowd, func(i int) *http.Request {
			return both[i%2].formRequest("/admin/users/"+both[1-i%2].subject+"/"+action+"/", url.Values{"confirm": {"yes"}})
		}))
		left := s.count("SELECT count(*) FROM accounts_accounts WHERE admin AND NOT disabled")
		if left != 1 {
			t.Fatalf("%s: %d administrators are left, want 1: %v", action, left, tally(t, answers))
		}
		if !s.root.isAdmin() {
			s.root = other
		}
		s.clock.Move(time.Minute)
	}
}

func (p *person) isAdmin() bool {
	a, err := p.s.door.FindUser(p.s.t.Context(), p.subject)
	return err == nil && a.Admin && !a.Disabled
}

// pushed is the request_uri of an answer of /oauth/par (RFC 9126 §2.2).
func (a answer) pushed(t *testing.T) string {
	t.Helper()
	var made struct {
		URI string `json:"request_uri"`
	}
	if err := json.Unmarshal([]byte(a.body), &made); err != nil || made.URI == "" {
		t.Fatalf("not pushed: %v", a)
	}
	return made.URI
}

// pageRequest asks for a page in the person's browser, to be raced.
func (p *person) pageRequest(path string) *http.Request {
	return p.s.request("GET", path, "", "Cookie", p.cookies())
}
