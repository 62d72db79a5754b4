package conformance_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/browser"
)

const afterLogout = "https://rp.example/test/a/valetkey/post_logout_redirect"

func logoutParty(t *testing.T, members map[string]any) (*party, *tokens) {
	t.Helper()
	all := map[string]any{"post_logout_redirect_uris": []string{afterLogout}}
	for name, value := range members {
		all[name] = value
	}
	p := newParty(t, all)
	return p, p.exchange(p.authorize().Get("code"))
}

// logout opens the end-session endpoint and confirms. It returns where the
// browser was sent, if it was, and the page it stands at.
func (p *party) logout(params ...string) (*url.URL, *browser.Page) {
	p.t.Helper()
	query := url.Values{}
	for i := 0; i+1 < len(params); i += 2 {
		query.Set(params[i], params[i+1])
	}
	page, err := p.browser.Open(p.endpoint("end_session_endpoint") + "?" + query.Encode())
	for n := 0; err == nil && page.Location == nil && n < 4; n++ {
		if next := refreshTo(page); next != "" {
			page, err = p.browser.Open(next)
			continue
		}
		if !page.Contains(`id="confirm-logout"`) {
			break
		}
		form := page.Form()
		page, err = p.browser.Send(form)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return page.Location, page
}

// refreshTo is where a page sends the browser by itself.
func refreshTo(page *browser.Page) string {
	_, to, _ := strings.Cut(page.Header.Get("Refresh"), "url=")
	if to == "" {
		return ""
	}
	next, err := page.URL.Parse(to)
	if err != nil {
		return ""
	}
	return next.String()
}

// signedOut reports whether prompt=none finds nobody.
func (p *party) signedOut() bool {
	p.t.Helper()
	return p.authorize("prompt", "none").Get("error") == "login_required"
}

func TestL1_Metadata(t *testing.T) {
	t.Parallel()
	p := anonymous(t)
	p.endpoint("end_session_endpoint")
	p.endpoint("check_session_iframe")
	for _, name := range []string{"backchannel_logout_supported", "backchannel_logout_session_supported", "frontchannel_logout_supported", "frontchannel_logout_session_supported"} {
		if p.metadata[name] != true {
			t.Errorf("%s is %v", name, p.metadata[name])
		}
	}
}

func TestL2_Logout(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"", strings.Repeat("s", 128)} {
		p, r := logoutParty(t, nil)
		params := []string{"id_token_hint", r.ID, "post_logout_redirect_uri", afterLogout}
		if state != "" {
			params = append(params, "state", state)
		}
		to, page := p.logout(params...)
		if to == nil || !strings.HasPrefix(to.String(), afterLogout) {
			t.Fatalf("sent to %v, stands at %v", to, page)
		}
		if q := to.Query(); q.Get("state") != state || len(only(q, "state")) > 0 || state == "" && q.Has("state") {
			t.Errorf("came back with %v", q)
		}
		if !p.signedOut() {
			t.Error("still signed in")
		}
	}
}

func TestL3_NeverRedirectedElsewhere(t *testing.T) {
	t.Parallel()
	p, r := logoutParty(t, nil)
	other := newParty(t, nil)
	other.keyed()
	parts := strings.Split(r.ID, ".")
	none := "eyJhbGciOiJub25lIn0." + parts[1] + "."
	foreign := other.sign("JWT", map[string]any{"iss": p.op.Issuer, "aud": p.ID, "sub": "x"})
	for name, params := range map[string][]string{
		"unregistered":   {"id_token_hint", r.ID, "post_logout_redirect_uri", "https://rp.example/elsewhere"},
		"query added":    {"id_token_hint", r.ID, "post_logout_redirect_uri", afterLogout + "?foo=bar"},
		"foreign hint":   {"id_token_hint", foreign, "post_logout_redirect_uri", afterLogout},
		"unsigned hint":  {"id_token_hint", none, "post_logout_redirect_uri", afterLogout},
		"no hint":        {"post_logout_redirect_uri", afterLogout},
		"hint of others": {"id_token_hint", r.ID, "client_id", other.ID, "post_logout_redirect_uri", afterLogout},
	} {
		if to, page := p.logout(params...); to != nil {
			t.Errorf("%s: sent to %v, from %v", name, to, page)
		}
	}
	for name, params := range map[string][]string{"nothing": nil, "only state": {"state", "s"}} {
		p, _ := logoutParty(t, nil)
		to, page := p.logout(params...)
		if to != nil || page.Status != 200 || !p.signedOut() {
			t.Errorf("%s: sent to %v, stands at %v", name, to, page)
		}
	}
}

func TestL4_BackChannel(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []url.Values
	rp := serve(t, op(t), func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.URL.RawQuery != "" || r.TLS.Version < 0x0303 {
			http.Error(w, "not as it should be", http.StatusBadRequest)
			return
		}
		mu.Lock()
		got = append(got, r.PostForm)
		mu.Unlock()
	})
	p, r := logoutParty(t, map[string]any{"backchannel_logout_uri": rp + "/backchannel", "backchannel_logout_session_required": true})
	id, _ := p.verify(r.ID, "RS256")
	if text(id, "sid") == "" {
		t.Fatalf("the ID token has no sid: %v", id)
	}
	if to, page := p.logout("id_token_hint", r.ID, "post_logout_redirect_uri", afterLogout); to == nil {
		t.Fatalf("stands at %v", page)
	}
	deadline := time.Now().Add(5 * time.Second)
	for {
		mu.Lock()
		n := len(got)
		mu.Unlock()
		if n > 0 || time.Now().After(deadline) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(got) != 1 || len(only(got[0], "logout_token")) > 0 {
		t.Fatalf("got %v", got)
	}
	claims, typ := p.verify(got[0].Get("logout_token"), "RS256")
	events, _ := claims["events"].(map[string]any)
	event, there := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any)
	if typ != "logout+jwt" || !there || len(event) != 0 || len(events) != 1 || claims["sid"] != id["sid"] || claims["sub"] != id["sub"] ||
		claims["iss"] != p.op.Issuer || claims["aud"] != p.ID && !slices.Equal(texts(claims, "aud"), []string{p.ID}) ||
		seconds(claims["iat"]) < 0 || text(claims, "jti") == "" || claims["nonce"] != nil {
		t.Errorf("typ %s, claims %v", typ, claims)
	}
}

func TestL5_FrontChannel(t *testing.T) {
	t.Parallel()
	const front = "https://rp.example/test/a/valetkey/frontchannel"
	p, r := logoutParty(t, map[string]any{"frontchannel_logout_uri": front, "frontchannel_logout_session_required": true})
	id, _ := p.verify(r.ID, "RS256")
	page, err := p.browser.Open(p.endpoint("end_session_endpoint") + "?" + url.Values{"id_token_hint": {r.ID}, "post_logout_redirect_uri": {afterLogout}}.Encode())
	if err == nil && page.Contains(`id="confirm-logout"`) {
		page, err = p.browser.Send(page.Form())
	}
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page.Body), `src="`+front)
	query, _, _ := strings.Cut(rest, `"`)
	values, _ := url.ParseQuery(strings.TrimPrefix(strings.ReplaceAll(query, "&amp;", "&"), "?"))
	if !found || values.Get("iss") != p.op.Issuer || values.Get("sid") != text(id, "sid") || len(only(values, "iss", "sid")) > 0 {
		t.Fatalf("iframe %v, sid %v, on %v", values, id["sid"], page)
	}
	if !strings.Contains(page.Header.Get("Content-Security-Policy"), "frame-src https://rp.example") {
		t.Errorf("policy %q", page.Header.Get("Content-Security-Policy"))
	}
	if to, _ := p.logoutGoesOn(page); to == nil || to.String() != afterLogout {
		t.Errorf("went on to %v", to)
	}
}

// logoutGoesOn follows a page that sends the browser on by itself.
func (p *party) logoutGoesOn(page *browser.Page) (*url.URL, *browser.Page) {
	p.t.Helper()
	next := refreshTo(page)
	if next == "" || strings.HasPrefix(next, "https://rp.example/") {
		to, _ := url.Parse(next)
		return to, page
	}
	page, err := p.browser.Open(next)
	if err != nil {
		p.t.Fatal(err)
	}
	return page.Location, page
}

func TestL6_SessionState(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	a := p.authorize()
	if a.Get("session_state") == "" || strings.Contains(a.Get("session_state"), " ") {
		t.Errorf("session_state %q", a.Get("session_state"))
	}
	status, header, body := p.get(p.endpoint("check_session_iframe"), "")
	if status != 200 || header.Get("X-Frame-Options") != "" || strings.Contains(header.Get("Content-Security-Policy"), "frame-ancestors 'none'") || !strings.Contains(string(body), "<script") {
		t.Errorf("the iframe: %d %v %s", status, header, body)
	}
}
