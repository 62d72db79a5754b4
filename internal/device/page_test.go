package device_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

func TestE1_SignInComesFirst(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	stale := e.SignIn("alice")
	stale.Session(func(s *oauth.Session) { s.Stale = true })
	for name, tt := range map[string]struct {
		browser          *oauthtest.Browser
		path, to, reason string
	}{
		"nobody":          {e.Anonymous(), "/device", "/device", "login"},
		"with a code":     {e.Anonymous(), "/device?user_code=wdjbmjht", "/device?user_code=WDJB-MJHT", "login"},
		"with nonsense":   {e.Anonymous(), "/device?user_code=%3Cscript%3E&next=https://evil.test", "/device", "login"},
		"stale":           {stale, "/device?user_code=WDJB-MJHT", "/device?user_code=WDJB-MJHT", "reauthenticate"},
		"another account": {e.SignIn("alice"), "/device?account=other&user_code=WDJB-MJHT", "/device?user_code=WDJB-MJHT", "select_account"},
	} {
		r := tt.browser.Do(http.MethodGet, tt.path, nil)
		if r.Header.Get("Location") != "/login" || r.Header.Get("X-Return-To") != tt.to || r.Header.Get("X-Reason") != tt.reason {
			t.Errorf("%s: %d %v", name, r.StatusCode, r.Header)
		}
	}
	// A form that is sent after the session ended leads there too, and does nothing.
	s := start(t, e, television(e))
	for name, b := range map[string]*oauthtest.Browser{"nobody": e.Anonymous(), "stale": stale} {
		if r := enter(b, s.UserCode); r.StatusCode != http.StatusSeeOther || r.Header.Get("Location") != "/device?user_code="+s.UserCode {
			t.Errorf("%s: %d %v", name, r.StatusCode, r.Header)
		}
	}
	wantWords(t, "the session store is down", e.Broken().Do(http.MethodGet, "/device", nil), 503)
	wantWords(t, "the session store is down", enter(e.Broken(), s.UserCode), 503)
}

func TestE1_LinkFillsInAndDoesNoMore(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	tv := television(e)
	s := start(t, e, tv)
	_, query, _ := strings.Cut(s.VerificationURIComplete, "?")
	r := e.SignIn("mallory").Do(http.MethodGet, "/device?"+query, nil)
	wantWords(t, "the link", r, 200, "Sign in a device", "You are signed in as Mallory", "Use another account")
	if !strings.Contains(r.Body, `value="`+s.UserCode+`"`) {
		t.Error("the code is not filled in")
	}
	if strings.Contains(r.Body, tv.Name) || r.RequestID() != "" {
		t.Error("the link alone opens the code")
	}
	// Mallory has only looked at a form: the code is anybody's.
	allow(t, e.SignIn("alice"), s.UserCode)
}

func TestE1_IsThisYou(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{Configure: behindProxy})
	tv := television(e)
	begun := at(t, e, "192.0.2.77", "TvApp/2.1 <b>\u202e", "/oauth/device_authorization", url.Values{"client_id": {tv.ID}, "scope": {"records:read records:write test:scope"}})
	code := userCode(t, begun)
	e.Clock.Move(2 * time.Minute)
	alice := e.SignIn("alice")
	r := enter(alice, strings.ToLower(strings.ReplaceAll(code, "-", " ")))
	wantWords(t, "the question", r, 200,
		"Is this you?", "Living-room TV by the user Bob Builder ( tv.example ) asked to sign in", "2 minutes ago", "192.0.2.0/24", "TvApp/2.1",
		"The device is in another network than this browser.", "Does this code match the one on your device? "+code,
		"Only continue if you started this on a device in front of you.", "will ever send you a code",
		"You are signed in as Alice", "Read your records", "Change your records", "It stays connected when you are away",
		"Yes, sign in the device", "No, this was not me", "Go back")
	body := r.Body[strings.Index(r.Body, "<main"):]
	form := body[strings.Index(body, "<form"):strings.Index(body, "</form>")]
	if a, d := strings.Index(form, `id="allow"`), strings.Index(form, `id="deny"`); a < 0 || d < a || !strings.Contains(form, `action="/device/confirm"`) {
		t.Errorf("the first form is not the main one, or its first button not the affirmative: %s", form)
	}
	if strings.Contains(r.Body, "TvApp/2.1 <b>") || strings.Contains(r.Body, "\u202e") {
		t.Error("what the device calls itself is not made harmless")
	}

	// It is asked again, even for what was allowed before, and from the same network.
	if r := answer(alice, r, "yes"); r.StatusCode != 200 {
		t.Fatalf("%d %s", r.StatusCode, words(r.Body))
	}
	near := at(t, e, "127.0.0.1", "", "/oauth/device_authorization", url.Values{"client_id": {tv.ID}})
	r = enter(alice, userCode(t, near))
	wantWords(t, "again", r, 200, "Is this you?", "just now", "It calls itself nothing", "No permissions granted")
	if strings.Contains(r.Body, "another network") {
		t.Error("the network is the same")
	}
}

func userCode(t *testing.T, r oauthtest.TokenReply) string {
	t.Helper()
	_, rest, ok := strings.Cut(r.Body, `"user_code":"`)
	if !ok {
		t.Fatalf("no code: %d %s", r.StatusCode, r.Body)
	}
	return rest[:9]
}

func TestE1_WrongCodes(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	tv := television(e)
	alice, mallory := e.SignIn("alice"), e.SignIn("mallory")
	s := start(t, e, tv)
	guess := func(n int) string { return "BBBB-BBB" + string("BCDFGHJKLMNPQRSTVWXZ"[n]) }

	for range 7 { // slips are no guesses
		wantWords(t, "a slip", enter(alice, "WDJB-MJH7"), 422, notValid)
	}
	for range 7 { // right codes are none either
		if r := enter(alice, s.UserCode); r.StatusCode != 200 {
			t.Fatalf("the right code: %d", r.StatusCode)
		}
	}
	for n := range 5 {
		wantWords(t, "wrong", enter(alice, guess(n)), 422, notValid)
	}
	elsewhere := e.SignIn("alice")
	for name, b := range map[string]*oauthtest.Browser{"the same session": alice, "another session": elsewhere} {
		for _, code := range []string{guess(6), s.UserCode} {
			r := enter(b, code)
			wantWords(t, name, r, 429, "too many codes that are not valid. Wait 15 minutes")
			if r.Header.Get("Retry-After") != "900" || r.RequestID() != "" {
				t.Errorf("%s: Retry-After %q", name, r.Header.Get("Retry-After"))
			}
		}
	}
	other := start(t, e, tv)
	if r := enter(mallory, other.UserCode); r.StatusCode != 200 {
		t.Errorf("somebody else: %d", r.StatusCode)
	}
	e.Clock.Move(15*time.Minute - time.Second)
	late := start(t, e, tv)
	wantWords(t, "a second too early", enter(alice, late.UserCode), 429)
	e.Clock.Move(time.Second)
	allow(t, alice, late.UserCode)
}

// Guesses that come at once get no further than guesses that come in turn, and
// the right one among the late ones is not taken (attack M81).
func TestM81_ParallelUserCodes(t *testing.T) { everywhere(t, parallelUserCodes) }

func parallelUserCodes(t *testing.T, e *oauthtest.Engine) {
	s := start(t, e, television(e))
	alice := e.SignIn("alice")
	const crowd = 200
	var mu sync.Mutex
	var all sync.WaitGroup
	statuses := map[int]int{}
	for n := range crowd {
		all.Go(func() {
			r := enter(alice, "BBBB-B"+string("BCDFGHJKLMNPQRSTVWXZ"[n%20])+string("BCDFGHJKLMNPQRSTVWXZ"[n/20])+"B")
			mu.Lock()
			defer mu.Unlock()
			statuses[r.StatusCode]++
		})
	}
	all.Wait()
	if statuses[422] != 5 || statuses[429] != crowd-5 {
		t.Errorf("answers %v, want 5 looked up and the rest refused", statuses)
	}
	wantWords(t, "the right code afterwards", enter(alice, s.UserCode), 429)
}

// The first person who opens a code has it (attack M77).
func TestM77_CodeOfSomebodyElse(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	tv := television(e)
	s := start(t, e, tv)
	alice, mallory := e.SignIn("alice"), e.SignIn("mallory")
	page := enter(alice, s.UserCode)
	wantWords(t, "mallory", enter(mallory, s.UserCode), 422, notValid)
	for _, confirm := range []string{"yes", "no"} {
		wantWords(t, "mallory answers "+confirm, answer(mallory, page, confirm), 403, "another session")
		wantWords(t, "no such request", mallory.Do(http.MethodPost, "/device/confirm", url.Values{"request": {"x"}, "confirm": {confirm}}), 400)
		wantWords(t, "no request", mallory.Do(http.MethodPost, "/device/confirm", url.Values{"confirm": {confirm}}), 400)
	}
	poll(e, tv, s.DeviceCode).Want(t, 400, "authorization_pending")

	// Alice in another browser takes it over, and her first page is of no use any more.
	elsewhere := e.SignIn("alice")
	fresh := enter(elsewhere, s.UserCode)
	wantWords(t, "the older page", answer(elsewhere, page, "yes"), 403, "another session")
	if fresh.RequestID() == page.RequestID() {
		t.Error("two sessions share a page")
	}
	wantWords(t, "the older page in its session", answer(alice, page, "yes"), 409, "answered already")
	poll(e, tv, s.DeviceCode).Want(t, 400, "slow_down")

	// She goes back: now it is anybody's.
	back := elsewhere.Do(http.MethodPost, "/device/confirm", url.Values{"request": {fresh.RequestID()}, "back": {"yes"}, "confirm": {"yes"}})
	if back.StatusCode != http.StatusSeeOther || back.Header.Get("Location") != "/device?user_code="+s.UserCode {
		t.Errorf("going back: %d %v", back.StatusCode, back.Header)
	}
	e.Clock.Move(time.Minute)
	poll(e, tv, s.DeviceCode).Want(t, 400, "authorization_pending")
	allow(t, e.SignIn("bob"), s.UserCode)
	got := poll(e, tv, s.DeviceCode)
	if tok := e.As(e.Web(), "/oauth/introspect", url.Values{"token": {got.AccessToken}}); !strings.Contains(tok.Body, `"sub":"bob"`) {
		t.Errorf("the tokens are whose? %s", tok.Body)
	}
	wantWords(t, "after all that", enter(alice, s.UserCode), 422, notValid)
}

func TestM77_NotFromElsewhereAndNotByGET(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	tv := television(e)
	s := start(t, e, tv)
	alice := e.SignIn("alice")
	page := enter(alice, s.UserCode)
	form := url.Values{"request": {page.RequestID()}, "confirm": {"yes"}}
	if r := alice.Do(http.MethodGet, "/device/confirm?"+form.Encode(), nil); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", r.StatusCode)
	}
	if r := alice.Do(http.MethodGet, "/device?"+form.Encode(), nil); r.StatusCode != 200 || r.RequestID() != "" {
		t.Errorf("GET of the page: %d", r.StatusCode)
	}
	for path, f := range map[string]url.Values{"/device": {"user_code": {s.UserCode}}, "/device/confirm": form} {
		r := alice.Do(http.MethodPost, path, f, "Sec-Fetch-Site", "cross-site")
		wantWords(t, "from elsewhere to "+path, r, 403, "sent from another site")
	}
	// The consent endpoint and this one do not take each other's requests.
	wantWords(t, "at the consent endpoint", alice.Do(http.MethodPost, "/oauth/consent", form), 409)
	native := e.Native()
	consent := alice.Authorize(oauthtest.Request(native))
	wantWords(t, "a consent request here", alice.Do(http.MethodPost, "/device/confirm", url.Values{"request": {consent.RequestID()}, "confirm": {"yes"}}), 400)
	poll(e, tv, s.DeviceCode).Want(t, 400, "authorization_pending")
	if r := answer(alice, page, "yes"); r.StatusCode != 200 {
		t.Errorf("the right way: %d %s", r.StatusCode, words(r.Body))
	}
	// Anything but yes is a no.
	for _, confirm := range []string{"", "YES", "true"} {
		s := start(t, e, tv)
		answer(alice, enter(alice, s.UserCode), confirm)
		poll(e, tv, s.DeviceCode).Want(t, 400, "access_denied")
	}
}

// Two clicks, or two tabs, are one answer; and the second sees what it was.
func TestE1_OneAnswer(t *testing.T) { everywhere(t, oneAnswer) }

func oneAnswer(t *testing.T, e *oauthtest.Engine) {
	tv := television(e)
	alice := e.SignIn("alice")
	for round := range 10 {
		s := start(t, e, tv)
		page := enter(alice, s.UserCode)
		var all sync.WaitGroup
		said := make([]string, 8)
		for n := range said {
			all.Go(func() {
				r := answer(alice, page, [2]string{"yes", "no"}[n%2])
				said[n] = fmt.Sprint(r.StatusCode, strings.Contains(r.Body, "You can return to your device"))
			})
		}
		all.Wait()
		for n := range said {
			if said[n] != said[0] || !strings.HasPrefix(said[n], "200 ") {
				t.Fatalf("round %d: answers %q", round, said)
			}
		}
		got := poll(e, tv, s.DeviceCode)
		if allowed := got.StatusCode == 200; allowed != (said[0] == "200 true") {
			t.Errorf("round %d: the page says %s and the device gets %s", round, said[0], got.Body)
		}
	}
	grants, denied := len(events(t, e, oauth.EventDeviceApproved)), len(events(t, e, oauth.EventDeviceDenied))
	if grants+denied != 10 {
		t.Errorf("%d times allowed and %d times denied, want 10 together", grants, denied)
	}
}

// One device code gives tokens once, however many ask (RFC 8628 §3.5).
func TestE1_OneRedemption(t *testing.T) { everywhere(t, oneRedemption) }

func oneRedemption(t *testing.T, e *oauthtest.Engine) {
	tv := television(e)
	s := start(t, e, tv)
	allow(t, e.SignIn("alice"), s.UserCode)
	var all sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for range 16 {
		all.Go(func() {
			r := poll(e, tv, s.DeviceCode)
			mu.Lock()
			defer mu.Unlock()
			statuses[r.StatusCode]++
		})
	}
	all.Wait()
	if statuses[200] != 1 || statuses[400] != 15 {
		t.Errorf("answers %v", statuses)
	}
}

func TestA13_DevicePagesCannotBeFramed(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	s := start(t, e, television(e))
	alice := e.SignIn("alice")
	question := enter(alice, s.UserCode)
	for name, r := range map[string]oauthtest.Reply{
		"form": alice.Do(http.MethodGet, "/device", nil), "wrong": enter(alice, "BBBB-BBBB"), "question": question,
		"done": answer(alice, question, "yes"), "error": alice.Do(http.MethodPost, "/device/confirm", url.Values{"request": {"gone"}}),
	} {
		csp := r.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "form-action 'self'") || r.Header.Get("X-Frame-Options") != "DENY" || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", name, r.Header)
		}
		if r.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: other sites may read it", name)
		}
	}
}

// What the machine at the other end says of itself fits the store, whatever it is.
func TestOddAgents(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{Configure: behindProxy})
	tv := television(e)
	alice := e.SignIn("alice")
	for _, agent := range []string{"", "\xff\xfe", strings.Repeat("ü", 300), "a\tb"} {
		r := at(t, e, "192.0.2.1", agent, "/oauth/device_authorization", url.Values{"client_id": {tv.ID}})
		if page := enter(alice, userCode(t, r)); page.StatusCode != 200 {
			t.Errorf("%q: %d", agent, page.StatusCode)
		}
	}
}
