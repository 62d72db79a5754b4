package attacks

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// deviceCodes is what a device gets to begin with (RFC 8628 §3.2).
type deviceCodes struct {
	Device   string `json:"device_code"`
	User     string `json:"user_code"`
	Complete string `json:"verification_uri_complete"`
}

func (s *site) deviceBegins(c *client, scope string) (d deviceCodes) {
	s.t.Helper()
	a := s.as(c, "/oauth/device_authorization", url.Values{"scope": {scope}})
	if err := json.Unmarshal([]byte(a.body), &d); err != nil || d.Device == "" {
		s.t.Fatalf("device authorization: %v", a)
	}
	return d
}

func (s *site) devicePolls(c *client, code string) tokens {
	s.t.Helper()
	return s.tok(c, url.Values{"grant_type": {oauth.GrantDeviceCode}, "device_code": {code}})
}

// typesCode sends a user code, and answers the page that asks back.
func (p *person) typesCode(code string) answer {
	return p.post("/device", url.Values{"user_code": {code}})
}

func (p *person) answersDevice(page answer, confirm string) answer {
	form := page.form()
	form.Set("confirm", confirm)
	return p.post("/device/confirm", form)
}

func TestM77_DeviceFlow(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	s.mallory.signIn()
	in := manage.ApplicationInput{Type: oauth.NativeApplication, Name: "TV", Website: "https://tv.test", GrantTypes: []string{oauth.GrantDeviceCode, oauth.GrantRefreshToken}}
	tv, tv2 := s.registerAs("tv", in), s.registerAs("tv2", in)
	pending := func(d deviceCodes) {
		t.Helper()
		s.clock.Move(time.Minute)
		s.devicePolls(tv, d.Device).want(t, 400, "authorization_pending")
	}

	// A client that was not made for it begins nothing and polls for nothing.
	d := s.deviceBegins(tv, "records:read")
	s.as(s.native, "/oauth/device_authorization", url.Values{}).want(t, 400, "unauthorized_client")
	s.devicePolls(s.native, d.Device).want(t, 400, "unauthorized_client")
	s.devicePolls(tv2, d.Device).want(t, 400, "invalid_grant")
	pending(d)

	// Alice has opened the code; mallory knows it, and neither her page nor her own
	// session lets her answer.
	page := s.alice.typesCode(d.User)
	if page.StatusCode != http.StatusOK || !strings.Contains(page.body, "Read records") && !strings.Contains(page.body, "records:read") {
		t.Fatalf("the question: %v", page)
	}
	for _, confirm := range []string{"yes", "no"} {
		if a := s.mallory.answersDevice(page, confirm); a.StatusCode < 400 {
			t.Errorf("mallory answers %s: %v", confirm, a)
		}
		s.alice.get("/device/confirm?" + url.Values{"request": {page.form().Get("request")}, "confirm": {confirm}}.Encode())
		s.alice.get(strings.TrimPrefix(d.Complete, s.url) + "&confirm=" + confirm)
		stolen := url.Values{"request": {page.form().Get("request")}, "confirm": {confirm}}
		s.alice.do("POST", "/device/confirm", stolen.Encode(), "Content-Type", formType, "Origin", "https://evil.test", "Sec-Fetch-Site", "cross-site")
		s.alice.do("POST", "/device/confirm", stolen.Encode(), "Content-Type", formType) // and no proof
	}
	if a := s.mallory.typesCode(d.User); a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("mallory opens alice's code: %v", a)
	}
	pending(d)

	// Faster than the interval, each time five seconds more.
	s.devicePolls(tv, d.Device).want(t, 400, "slow_down")
	s.clock.Move(9 * time.Second)
	s.devicePolls(tv, d.Device).want(t, 400, "slow_down")
	s.clock.Move(15 * time.Second)
	s.devicePolls(tv, d.Device).want(t, 400, "authorization_pending")

	// Allowed, redeemed once, and dead when it is tried again.
	if a := s.alice.answersDevice(page, "yes"); a.StatusCode != http.StatusOK {
		t.Fatalf("alice allows: %v", a)
	}
	s.devicePolls(tv2, d.Device).want(t, 400, "invalid_grant")
	got := s.devicePolls(tv, d.Device)
	if !s.reads(got.Access) {
		t.Fatalf("the token opens nothing: %v", got.answer)
	}
	s.devicePolls(tv, d.Device).want(t, 400, "invalid_grant")
	if s.reads(got.Access) {
		t.Error("a device code was used twice, and its tokens live")
	}

	// Refused, and expired.
	refused, late := s.deviceBegins(tv, "records:read"), s.deviceBegins(tv, "records:read")
	s.alice.answersDevice(s.alice.typesCode(refused.User), "no")
	s.devicePolls(tv, refused.Device).want(t, 400, "access_denied")
	s.clock.Move(10 * time.Minute)
	s.devicePolls(tv, late.Device).want(t, 400, "expired_token")

	// A thousand guesses.
	open := s.deviceBegins(tv, "records:read")
	tracks, answers := s.warm(crowd), []answer(nil)
	for range 1000 / crowd {
		answers = append(answers, s.race(tracks, repeated(crowd, func(i int) *http.Request {
			return s.mallory.formRequest("/device", url.Values{"user_code": {"BBBBBBB" + string("BCDFGHJKLMNPQRSTVWXZ"[i%20])}})
		}))...)
	}
	looked := 0
	for _, a := range answers {
		switch a.StatusCode {
		case http.StatusUnprocessableEntity:
			looked++
		case http.StatusTooManyRequests:
		default:
			t.Errorf("a guess: %v", a)
		}
	}
	if looked > 5 {
		t.Errorf("%d guesses were looked up, want 5 at most", looked)
	}
	if a := s.mallory.typesCode(open.User); a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the right code after a thousand wrong ones: %v", a)
	}
}
