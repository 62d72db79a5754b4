package logout_test

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

var iframe = regexp.MustCompile(`<iframe [^>]*src="([^"]+)"[^>]*>`)

// frames are the URLs that a page loads into frames.
func frames(body string) (list []string) {
	for _, m := range iframe.FindAllStringSubmatch(body, -1) {
		list = append(list, html.UnescapeString(m[1]))
	}
	slices.Sort(list)
	return list
}

func TestL5_FrontChannel(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client(front, w.back)
	second := w.client(func(m *oauth.ClientMetadata) { m.FrontchannelLogoutURI = "https://two.test:8443/front" })
	never := w.client(func(m *oauth.ClientMetadata) { m.FrontchannelLogoutURI = "javascript:alert(1)" })
	silent := w.client()
	alice := w.SignIn("alice")
	token := w.idToken(alice, c)
	for _, other := range []oauthtest.Party{second, never, silent} {
		w.idToken(alice, other)
	}
	r := leave(alice, "id_token_hint", token, "post_logout_redirect_uri", bye, "state", "x&y")
	if r.StatusCode != 200 || r.Header.Get("Location") != "" {
		t.Fatalf("got %d to %q, want a page", r.StatusCode, r.Header.Get("Location"))
	}
	query := "iss=" + url.QueryEscape(oauthtest.Issuer) + "&sid=" + url.QueryEscape(claim(t, token, "sid"))
	want := []string{"https://two.test:8443/front?" + query, "https://web.test/front?x=y&" + query}
	if got := frames(r.Body); !slices.Equal(got, want) {
		t.Errorf("frames:\n%q\nwant\n%q", got, want)
	}
	_, sources, _ := strings.Cut(r.Header.Get("Content-Security-Policy"), "frame-src ")
	allowed := strings.Fields(sources)
	slices.Sort(allowed)
	if !slices.Equal(allowed, []string{"https://two.test:8443", "https://web.test"}) {
		t.Errorf("frame-src %q", sources)
	}
	next := bye + "&state=x%26y"
	if got := r.Header.Get("Refresh"); got != "3; url="+next {
		t.Errorf("Refresh: %q", got)
	}
	if link := `id="continue" href="` + html.EscapeString(next) + `"`; !strings.Contains(r.Body, link) {
		t.Errorf("there is no %s", link)
	}
	for _, name := range []string{c.Name, second.Name} {
		if !strings.Contains(r.Body, name) {
			t.Errorf("the page does not name %s", name)
		}
	}
	if strings.Contains(r.Body, silent.Name) {
		t.Error("the page names a client that is not told")
	}
	if len(w.site.heard()) != 1 {
		t.Error("the client that wants both was not told by the back channel")
	}
	w.wantSignedIn("afterwards", alice, c, false)
	wantRedirect(t, "again", leave(alice, "id_token_hint", token, "post_logout_redirect_uri", bye), bye)
}

// Without a place to go the page stays, frames and all.
func TestL5_FramesAndNowhereToGo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client(front)
	alice := w.SignIn("alice")
	w.idToken(alice, c)
	page := confirm(alice, leave(alice))
	wantPage(t, "page", page, 200, signedOut)
	if len(frames(page.Body)) != 1 || strings.Contains(page.Body, `id="continue"`) {
		t.Errorf("frames %q", frames(page.Body))
	}
}

func TestL6_SessionStateInResponses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	c := w.client()
	alice := w.SignIn("alice")
	w.idToken(alice, c)
	state := func(r oauthtest.Reply) (string, *http.Cookie) {
		cookies := r.Cookies()
		if len(cookies) > 1 {
			t.Errorf("cookies: %v", cookies)
		}
		if len(cookies) == 0 {
			return r.Callback().Get("session_state"), nil
		}
		return r.Callback().Get("session_state"), cookies[0]
	}
	silent := oauthtest.Request(c, "scope", "openid", "nonce", "n", "prompt", "none")
	value, cookie := state(alice.Authorize(silent))
	if value == "" || strings.Contains(value, " ") || cookie == nil || cookie.Name != "vk_bs" || cookie.HttpOnly {
		t.Errorf("got %q and %v", value, cookie)
	}
	nobody, other := state(w.Anonymous().Authorize(silent))
	if nobody == "" || other == nil || other.Value == cookie.Value {
		t.Errorf("nobody signed in: %q and %v", nobody, other)
	}
	if plain, _ := state(alice.Authorize(oauthtest.Request(c, "prompt", "none"))); plain != "" {
		t.Errorf("plain OAuth: %q", plain)
	}
	r := leave(alice, "client_id", c.ID)
	if len(r.Cookies()) != 0 {
		t.Errorf("asking changes cookies: %v", r.Cookies())
	}
	var gone *http.Cookie
	for _, c := range confirm(alice, r).Cookies() {
		if c.Name == "vk_bs" {
			gone = c
		}
	}
	if gone == nil || gone.Value != other.Value {
		t.Errorf("after signing out: %v, want what nobody has", gone)
	}
	page := w.Anonymous().Do(http.MethodGet, "/oauth/check_session", nil)
	if page.StatusCode != 200 || !strings.Contains(page.Body, `data-cookie="vk_bs"`) || !strings.Contains(page.Header.Get("Content-Security-Policy"), "frame-ancestors *") {
		t.Errorf("the frame: %d %v %s", page.StatusCode, page.Header, page.Body)
	}
	if r := w.Anonymous().Do(http.MethodPost, "/oauth/check_session", nil); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST to the frame: %d", r.StatusCode)
	}
}

func TestL1_Discovery(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	var document map[string]any
	body := w.Anonymous().Do(http.MethodGet, "/.well-known/openid-configuration", nil).Body
	if err := json.Unmarshal([]byte(body), &document); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	for name, want := range map[string]any{
		"end_session_endpoint": oauthtest.Issuer + "/oauth/logout", "check_session_iframe": oauthtest.Issuer + "/oauth/check_session",
		"backchannel_logout_supported": true, "backchannel_logout_session_supported": true,
		"frontchannel_logout_supported": true, "frontchannel_logout_session_supported": true,
	} {
		if document[name] != want {
			t.Errorf("%s is %v, want %v", name, document[name], want)
		}
	}
}
