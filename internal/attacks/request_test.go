package attacks

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// Metadata that is fetched, pending requests. What clients sign is in signed_test.go.

// Nothing that a stranger or a developer writes makes the server fetch it.
func TestM33_NothingIsFetched(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	var hits atomic.Int32
	bait := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer bait.Close()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(bait.URL, "http://"))
	must(t, err)
	for _, host := range []string{"127.0.0.1", "localhost", "localhost.", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0177.0.0.1"} {
		address := "http://" + host + ":" + port + "/x"
		s.alice.az(ask(s.web, "request_uri", address)).wantError(t, s, s.web, "invalid_request_uri")
		s.alice.az(ask(s.web, "client_id", address)).wantPage(t)
		s.alice.az(ask(s.web, "logo_uri", address, "jwks_uri", address, "client_uri", address, "sector_identifier_uri", address, "prompt", "consent"))
		s.alice.az(ask(s.web, "redirect_uri", address)).wantPage(t)
		for _, typ := range []oauth.ApplicationType{oauth.NativeApplication, oauth.WebApplication} {
			in := manage.ApplicationInput{Type: typ, Name: "Bait", Website: address, RedirectURIs: []string{"http://127.0.0.1:" + port + "/cb"}}
			if c, _, err := s.desk.CreateApplication(t.Context(), s.actsAlice, in); err == nil {
				s.alice.allow(ask(&client{Client: c}))
				s.alice.get("/account/settings/applications/clients/" + c.ID + "/")
			}
		}
		form := url.Values{"grant_type": {"authorization_code"}, "client_id": {address}, "code": {"x"}, "client_assertion": {"x"},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "jwks_uri": {address}}
		s.tok(nil, form)
		s.alice.get("/login/?next=" + url.QueryEscape(address))
		s.alice.post("/lost-password/", url.Values{"email": {"alice@" + host + ":" + port}})
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("the server fetched %d times", n)
	}
	if _, err := http.Get(bait.URL); err != nil || hits.Load() != 1 {
		t.Errorf("the bait does not count: %v", err)
	}
	s.alice.allow(ask(s.web)).sent(t, s.web)
}

// The request that a consent page waits for stays at the server. What the page
// sends says which one, and yes or no.
func TestM35_PendingRequestCannotBeEdited(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	s.mallory.signIn()
	edits := map[string]string{"response_type": "token", "response_mode": "fragment", "client_id": "web2", "redirect_uri": "https://evil.test/cb",
		"scope": "records:write", "nonce": "x", "state": "evil", "code_challenge": "x", "code_challenge_method": "plain"}
	for name, value := range edits {
		form := s.alice.az(ask(s.web, "prompt", "consent")).form()
		form.Set("confirm", "yes")
		form.Set(name, value)
		a := s.alice.post("/oauth/consent?"+url.Values{name: {value}}.Encode(), form)
		if code := a.sent(t, s.web); code != "" {
			if a.callback().Get("state") != "xyz" || strings.Contains(a.Header.Get("Location"), "access_token") {
				t.Errorf("%s was edited: %v", name, a)
			}
			if got := s.tok(s.web, redeem(s.web, code)); got.StatusCode != http.StatusOK || got.Scope != "records:read" {
				t.Errorf("%s was edited: %v", name, got)
			}
		}
	}

	// Each of two tabs is answered for itself, and once.
	first, second := s.alice.az(ask(s.web, "prompt", "consent", "state", "first")), s.alice.az(ask(s.web2, "state", "second"))
	if a := s.alice.consent(second, "yes"); a.sent(t, s.web2) == "" || a.callback().Get("state") != "second" {
		t.Errorf("the second tab: %v", a)
	}
	if a := s.alice.consent(first, "yes"); a.sent(t, s.web) == "" || a.callback().Get("state") != "first" {
		t.Errorf("the first tab: %v", a)
	}
	s.alice.consent(first, "yes").wantPage(t)

	// Nobody answers for somebody else, or in another session of the same person.
	waiting := s.alice.az(ask(s.web, "prompt", "consent"))
	s.mallory.consent(waiting, "yes").wantPage(t)
	s.alice.elsewhere().signIn().consent(waiting, "yes").wantPage(t)
	s.alice.elsewhere().consent(waiting, "yes").wantPage(t)
	hers := s.mallory.az(ask(s.web))
	s.alice.consent(hers, "yes").wantPage(t)
	for _, id := range []string{"", "x", waiting.form().Get("request") + "x", waiting.form().Get("request")[:10], strings.ToLower(waiting.form().Get("request"))} {
		s.alice.post("/oauth/consent", url.Values{"request": {id}, "confirm": {"yes"}}).wantPage(t)
	}
	s.alice.consent(waiting, "yes").sent(t, s.web)

	// A client that changed while its request waited is asked for anew.
	waiting = s.alice.az(ask(s.web2, "prompt", "consent"))
	_, err := s.desk.UpdateApplication(t.Context(), s.operator, "web2", manage.ApplicationInput{Name: "Client web2", Website: "https://web2.test/", RedirectURIs: []string{"https://web2.test/other"}})
	must(t, err)
	s.alice.consent(waiting, "yes").wantPage(t)
}
