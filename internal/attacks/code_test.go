package attacks

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/oauthtest"
)

// Authorization codes and PKCE. Races with codes are in race_test.go.

func TestM39_ReplayRevokesWhatTheFirstGave(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	s.mallory.signIn()
	for _, c := range []*client{s.web, s.spa} {
		bystanders := []tokens{s.alice.flow(c), s.mallory.flow(c)}
		code := s.alice.code(c)
		first := s.tok(c, redeem(c, code))
		later := s.tok(c, refresh(first.Refresh))
		if first.StatusCode != http.StatusOK || !s.reads(first.Access) || !s.reads(later.Access) {
			t.Fatalf("the control: %v", first)
		}
		// Who has the code alone cannot punish its owner.
		s.tok(c, redeem(c, code, "code_verifier", strings.Repeat("x", 43))).want(t, 400, "invalid_grant")
		s.tok(s.web2, redeem(c, code)).want(t, 400, "invalid_grant")
		if !s.reads(first.Access) {
			t.Errorf("%s: a replay without the verifier killed the tokens", c.ID)
		}
		s.tok(c, redeem(c, code)).want(t, 400, "invalid_grant")
		s.wantDead(c, []tokens{first, later})
		for _, b := range bystanders {
			if !s.reads(b.Access) || s.tok(c, refresh(b.Refresh)).StatusCode != http.StatusOK {
				t.Errorf("%s: another authorization died with it", c.ID)
			}
		}
	}
}

func TestM41_VerifierCannotBeLeftOut(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	for _, c := range []*client{s.web, s.spa} {
		code := s.alice.code(c)
		for _, v := range []string{"", verifier[:42], strings.Repeat("a", 129), "ü" + verifier, verifier + " ", verifier + "\x00", oauthtest.Challenge(),
			strings.ToLower(verifier), verifier + "=", strings.Repeat("a", 43)} {
			if got := s.tok(c, redeem(c, code, "code_verifier", v)); got.StatusCode != 400 || got.Error != "invalid_grant" && got.Error != "invalid_request" {
				t.Errorf("%s, verifier %q: %v", c.ID, v, got)
			}
		}
		form := redeem(c, code)
		form.Set("code_verifier", "")
		if got := s.tok(c, form); got.StatusCode != 400 {
			t.Errorf("%s, an empty verifier: %v", c.ID, got)
		}
		s.tok(c, redeem(c, code)).want(t, 200, "")
	}
	// The other way round: a verifier where there was no challenge.
	s.alice.az(ask(s.spa, "code_challenge", "", "code_challenge_method", "")).wantError(t, s, s.spa, "invalid_request")
}

func TestM43_OnlyS256(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	for _, method := range []string{"plain", "s256", "S256 ", "S512", "plain\nS256", "none", "S256,plain"} {
		s.alice.az(ask(s.web, "code_challenge_method", method)).wantError(t, s, s.web, "invalid_request")
		s.alice.az(ask(s.web, "code_challenge_method", method, "code_challenge", verifier)).wantError(t, s, s.web, "invalid_request")
	}
	s.alice.az(ask(s.web, "code_challenge_method", "")).wantError(t, s, s.web, "invalid_request")
	s.alice.get("/oauth/authorize?"+ask(s.web, "code_challenge_method", "").Encode()+"&code_challenge_method=").wantError(t, s, s.web, "invalid_request")
	for _, challenge := range []string{"x", strings.Repeat("a", 42), strings.Repeat("a", 129), strings.Repeat("%", 43)} {
		s.alice.az(ask(s.web, "code_challenge", challenge)).wantError(t, s, s.web, "invalid_request")
	}
	if got := s.do("GET", "/.well-known/oauth-authorization-server", "").tokens(t).Methods; !slices.Equal(got, []string{"S256"}) {
		t.Errorf("the metadata lists %v", got)
	}
	code := s.alice.code(s.web)
	s.tok(s.web, redeem(s.web, code, "code_verifier", oauthtest.Challenge(), "code_challenge_method", "plain")).want(t, 400, "invalid_grant")
	s.tok(s.web, redeem(s.web, code, "code_challenge_method", "plain")).want(t, 200, "")
}
