package attacks

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"
)

// Exact outcomes of many at once.

// One code, redeemed by a crowd: one gets tokens, and since others had the code
// too, the tokens are dead a moment later.
func TestM37_CodeRedeemedByACrowd(t *testing.T) { onBoth(t, testM37_CodeRedeemedByACrowd) }

func testM37_CodeRedeemedByACrowd(t *testing.T, s *site) {
	s.alice.signIn()
	tracks := s.warm(crowd)
	bystander := s.alice.flow(s.web)
	for range rounds {
		for _, c := range []*client{s.web, s.spa} {
			code := s.alice.code(c)
			answers := s.race(tracks, repeated(crowd, func(int) *http.Request { return s.machineRequest(c, "/oauth/token", redeem(c, code)) }))
			won := winner(t, answers)
			if got := tally(t, answers); got["invalid_grant"] != crowd-1 {
				t.Errorf("%s: %v, want 63 times invalid_grant", c.ID, got)
			}
			if s.active(s.rs, won.Access) || s.active(s.web, won.Refresh) || s.reads(won.Access) {
				t.Errorf("%s: the tokens of a code that others had are alive", c.ID)
			}
			if n := s.count("SELECT count(*) FROM oauth_tokens WHERE client_id = 'spa' AND revoked_at IS NULL"); n != 0 {
				t.Errorf("%d tokens are alive in the database", n)
			}
		}
	}
	if !s.active(s.rs, bystander.Access) {
		t.Error("another authorization of alice died with them")
	}
}

// A crowd that has the code and nothing else neither gets tokens nor kills those
// of the one that may have them.
func TestM37_OneRightAmongManyWrong(t *testing.T) { onBoth(t, testM37_OneRightAmongManyWrong) }

func testM37_OneRightAmongManyWrong(t *testing.T, s *site) {
	s.alice.signIn()
	tracks := s.warm(crowd)
	for round := range rounds {
		code, right := s.alice.code(s.web), (round*29+7)%crowd
		wrong := &client{s.web.Client, s.web2.secret}
		requests := repeated(crowd, func(i int) *http.Request {
			switch {
			case i == right:
				return s.machineRequest(s.web, "/oauth/token", redeem(s.web, code))
			case i%4 == 0:
				return s.machineRequest(s.web2, "/oauth/token", redeem(s.web, code))
			case i%4 == 1 && i < 12: // few, or the client is told to slow down
				return s.machineRequest(wrong, "/oauth/token", redeem(s.web, code))
			case i%4 == 2:
				return s.machineRequest(s.web, "/oauth/token", redeem(s.web, code, "redirect_uri", "https://evil.test/cb"))
			}
			return s.machineRequest(s.web, "/oauth/token", redeem(s.web, code, "code_verifier", "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong"))
		})
		answers := s.race(tracks, requests)
		won := winner(t, answers)
		if got := tally(t, answers); got["invalid_grant"]+got["invalid_client"] != crowd-1 {
			t.Errorf("got %v, want 63 refusals", got)
		}
		if !s.reads(won.Access) || !s.active(s.web, won.Refresh) {
			t.Error("who had less than the client killed its tokens")
		}
		s.clock.Move(time.Minute)
	}
}

// A refresh token that a crowd uses at once, as a client with many threads does,
// has one successor.
func TestRaceRefreshWithGrace(t *testing.T) { onBoth(t, testRaceRefreshWithGrace) }

func testRaceRefreshWithGrace(t *testing.T, s *site) {
	s.alice.signIn()
	tracks := s.warm(crowd)
	for range rounds {
		first := s.alice.flow(s.spa)
		answers := s.race(tracks, repeated(crowd, func(int) *http.Request { return s.machineRequest(s.spa, "/oauth/token", refresh(first.Refresh)) }))
		var successors []string
		for _, a := range answers {
			if got := a.tokens(t); got.StatusCode != http.StatusOK || !s.reads(got.Access) {
				t.Fatalf("got %v, want 64 times a live token", got)
			} else if !slices.Contains(successors, got.Refresh) {
				successors = append(successors, got.Refresh)
			}
		}
		if len(successors) != 1 || successors[0] == first.Refresh {
			t.Fatalf("there are %d successors, want 1", len(successors))
		}
		if n := s.count("SELECT count(*) FROM oauth_tokens WHERE kind = 'refresh' AND revoked_at IS NULL AND rotated_at IS NULL AND grant_id = (SELECT grant_id FROM oauth_tokens WHERE id = $1)", id(successors[0])); n != 1 {
			t.Errorf("%d refresh tokens are alive, want 1", n)
		}
		// Once the time to repeat is over, the old one is a theft, and ends them all.
		s.clock.Move(time.Minute)
		members := answers
		answers = s.race(tracks, repeated(crowd, func(int) *http.Request { return s.machineRequest(s.spa, "/oauth/token", refresh(first.Refresh)) }))
		if got := tally(t, answers); got["invalid_grant"] != crowd {
			t.Errorf("the old token by a crowd: %v, want 64 times invalid_grant", got)
		}
		s.tok(s.spa, refresh(successors[0])).want(t, 400, "invalid_grant")
		if s.reads(first.Access) || s.reads(members[0].tokens(t).Access) || s.reads(members[crowd-1].tokens(t).Access) {
			t.Error("an access token of the family is alive")
		}
	}
}

// id is the look-up id inside a token.
func id(token string) string {
	rest := token[len(token)-58:]
	return rest[:22]
}

// A consent form that is sent many times over makes one grant and one code.
func TestRaceConsent(t *testing.T) { onBoth(t, testRaceConsent) }

func testRaceConsent(t *testing.T, s *site) {
	s.alice.signIn()
	tracks := s.warm(crowd)
	for range rounds {
		form := s.alice.az(ask(s.web, "prompt", "consent")).form()
		form.Set("confirm", "yes")
		grants, codes := s.count("SELECT count(*) FROM oauth_grants"), s.count("SELECT count(*) FROM oauth_codes")
		answers := s.race(tracks, repeated(crowd, func(int) *http.Request { return s.alice.formRequest("/oauth/consent", form) }))
		sent := 0
		for _, a := range answers {
			if a.callback().Has("code") {
				sent++
				a.sent(t, s.web)
			} else {
				a.wantPage(t)
			}
		}
		if g, c := s.count("SELECT count(*) FROM oauth_grants")-grants, s.count("SELECT count(*) FROM oauth_codes")-codes; sent != 1 || g != 1 || c != 1 {
			t.Errorf("%d answers with a code, %d grants, %d codes; want one of each", sent, g, c)
		}
	}
}

// Yes and no at once: one of them holds.
func TestRaceConsentYesAndNo(t *testing.T) { onBoth(t, testRaceConsentYesAndNo) }

func testRaceConsentYesAndNo(t *testing.T, s *site) {
	s.alice.signIn()
	tracks := s.warm(crowd)
	for range rounds {
		form := s.alice.az(ask(s.web, "prompt", "consent")).form()
		answers := s.race(tracks, repeated(crowd, func(i int) *http.Request {
			form.Set("confirm", []string{"yes", "no"}[i%2])
			return s.alice.formRequest("/oauth/consent", form)
		}))
		told := 0
		for _, a := range answers {
			if q := a.callback(); q != nil {
				told++
				if q.Has("code") == (q.Get("error") == "access_denied") {
					t.Errorf("the client was told %v", q)
				}
			}
		}
		if told != 1 {
			t.Errorf("the client was told %d times, want once", told)
		}
	}
}

func TestRaceResetLink(t *testing.T) { onBoth(t, testRaceResetLink) }

func testRaceResetLink(t *testing.T, s *site) {
	tracks := s.warm(crowd)
	for round := range rounds {
		link := s.resetLink(s.alice)
		password := func(i int) string {
			return "passphrase of round " + string(rune('a'+round)) + " number " + string(rune('0'+i))
		}
		answers := s.race(tracks, repeated(crowd, func(i int) *http.Request {
			return s.alice.formRequest(link, url.Values{"password": {password(i)}})
		}))
		won := -1
		for i, a := range answers {
			switch {
			case a.StatusCode == http.StatusSeeOther && won < 0:
				won = i
			case a.StatusCode == http.StatusSeeOther:
				t.Errorf("the link was used twice")
			case a.StatusCode != http.StatusGone:
				t.Errorf("got %v, want 410", a)
			}
		}
		if won < 0 {
			t.Fatal("nobody could use the link")
		}
		s.alice.password = password(won)
		s.alice.elsewhere().signIn()
		if a := s.alice.elsewhere().login(password((won + 1) % crowd)); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("a password that lost the race: %v", a)
		}
		s.clock.Move(20 * time.Minute)
	}
}

// resetLink asks for a link and returns its path.
func (s *site) resetLink(p *person) string {
	s.t.Helper()
	if a := p.elsewhere().post("/lost-password/", url.Values{"email": {p.email}}); a.StatusCode != http.StatusSeeOther {
		s.t.Fatalf("asking for a link: %v", a)
	}
	mails := s.mailsTo(p.email)
	if len(mails) == 0 {
		s.t.Fatal("no mail")
	}
	return linkIn(s, mails[len(mails)-1].Text)
}

// Whatever comes first, what was revoked is dead.
func TestRaceRevokeAndRefresh(t *testing.T) { onBoth(t, testRaceRevokeAndRefresh) }

func testRaceRevokeAndRefresh(t *testing.T, s *site) {
	s.alice.signIn()
	tracks := s.warm(crowd)
	for range rounds {
		for _, c := range []*client{s.spa, s.web} {
			first := s.alice.flow(c)
			answers := s.race(tracks, repeated(crowd, func(i int) *http.Request {
				if i%8 == 3 {
					return s.machineRequest(c, "/oauth/revoke", url.Values{"token": {first.Refresh}})
				}
				return s.machineRequest(c, "/oauth/token", refresh(first.Refresh))
			}))
			s.wantDead(c, append(all(t, answers), first))
		}
	}
}

// The person withdraws on the settings page while the client refreshes.
func TestRaceWithdrawAndRefresh(t *testing.T) { onBoth(t, testRaceWithdrawAndRefresh) }

func testRaceWithdrawAndRefresh(t *testing.T, s *site) {
	s.alice.signIn()
	tracks := s.warm(crowd)
	for range rounds {
		first := s.alice.flow(s.spa)
		granted, err := s.desk.Authorizations(t.Context(), s.actsAlice)
		must(t, err)
		if len(granted) != 1 {
			t.Fatalf("alice allows %d applications, want 1", len(granted))
		}
		path := "/account/settings/applications/tokens/" + granted[0].ID + "/revoke/"
		answers := s.race(tracks, repeated(crowd, func(i int) *http.Request {
			if i == crowd/2 {
				return s.alice.formRequest(path, url.Values{"confirm": {"yes"}})
			}
			return s.machineRequest(s.spa, "/oauth/token", refresh(first.Refresh))
		}))
		s.wantDead(s.spa, append(all(t, answers), first))
	}
}

// all are the answers that hold tokens.
func all(t *testing.T, answers []answer) (out []tokens) {
	t.Helper()
	for _, a := range answers {
		if a.StatusCode == http.StatusOK {
			out = append(out, a.tokens(t))
		} else if a.StatusCode != http.StatusBadRequest && a.StatusCode != http.StatusSeeOther && a.StatusCode != http.StatusUnauthorized {
			t.Errorf("answered %v", a)
		}
	}
	return out
}

// wantDead checks that none of the tokens opens anything.
func (s *site) wantDead(c *client, list []tokens) {
	s.t.Helper()
	for _, got := range list {
		if got.Access != "" && (s.reads(got.Access) || s.active(s.rs, got.Access)) {
			s.t.Fatalf("%s: an access token is alive", c.ID)
		}
		if got.Refresh != "" {
			s.tok(c, refresh(got.Refresh)).want(s.t, 400, "invalid_grant")
		}
	}
}

// A person is disabled while everything of theirs is in use. Then nothing of it
// works, and what was made in the middle does not either.
func TestRaceDisableAndEverything(t *testing.T) { onBoth(t, testRaceDisableAndEverything) }

func testRaceDisableAndEverything(t *testing.T, s *site) {
	tracks := s.warm(crowd)
	s.root.signIn()
	for round := range rounds {
		victim := s.join("victim"+string(rune('0'+round))+"@web.test", "Victim", false)
		k := victim.collect()
		loginForm := url.Values{"username": {victim.email}, "password": {victim.password}}
		form := url.Values{"request": {k.request}, "confirm": {"yes"}}
		proof := victim.get("/account/settings/applications/tokens/new/").form()
		proof.Set("name", "made in the race")
		proof["scopes"] = []string{"records:read"}
		proof.Del("form_id")
		answers := s.race(tracks, repeated(crowd, func(i int) *http.Request {
			switch i % 8 {
			case 0:
				return s.machineRequest(s.spa, "/oauth/token", refresh(k.spa.Refresh))
			case 1:
				return s.machineRequest(s.web, "/oauth/token", refresh(k.refresh))
			case 2:
				return victim.elsewhere().formRequest("/login/", loginForm)
			case 3:
				return victim.formRequest("/account/settings/applications/tokens/new/", proof)
			case 4:
				if i == 4 {
					return s.machineRequest(s.web, "/oauth/token", redeem(s.web, k.code))
				}
				return victim.formRequest("/oauth/consent", form)
			case 5:
				if i == 37 {
					return s.root.formRequest("/admin/users/"+victim.subject+"/disable/", url.Values{"confirm": {"yes"}})
				}
			}
			return s.request("POST", "/records/read", "x", "Authorization", "Bearer "+k.access)
		}))
		if a := answers[37]; a.StatusCode != http.StatusSeeOther {
			t.Fatalf("disabling: %v", a)
		}
		for _, a := range answers {
			got := a.tokens(t)
			if got.Access != "" && (s.reads(got.Access) || s.active(s.rs, got.Access)) {
				t.Error("an access token from the race is alive")
			}
			if got.Refresh != "" && s.tok(s.web, refresh(got.Refresh)).StatusCode == http.StatusOK {
				t.Error("a refresh token from the race is alive")
			}
			if code := a.callback().Get("code"); code != "" && s.tok(s.web, redeem(s.web, code)).StatusCode == http.StatusOK {
				t.Error("a code from the race is alive")
			}
			for _, c := range a.Cookies() {
				if c.Name == "vk_sid" && s.do("GET", "/account/settings/profile/", "", "Cookie", cookieHeader(a)).StatusCode == http.StatusOK {
					t.Error("a session from the race is alive")
				}
			}
		}
		if open := k.open(); open != nil {
			t.Errorf("afterwards this is open: %v", open)
		}
		if n := s.count("SELECT count(*) FROM accounts_sessions WHERE account_id = $1", victim.subject); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	}
}

// cookieHeader is what a browser would send that got the answer's cookies.
func cookieHeader(a answer) (out string) {
	for _, c := range a.Cookies() {
		out += c.Name + "=" + c.Value + "; "
	}
	return out
}
