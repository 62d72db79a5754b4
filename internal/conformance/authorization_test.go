package conformance_test

import (
	"net/http"
	"strings"
	"testing"
)

func TestA2_ToldToThePersonNeverRedirected(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	for name, params := range map[string][]string{
		"unknown client": {"client_id", "nobody"}, "no client": {"client_id", "-"}, "foreign redirect": {"redirect_uri", "https://evil.example/cb"},
	} {
		a, page := p.try(params...)
		if a != nil || page.Status != http.StatusBadRequest || !page.Contains("invalid_request") || page.Contains(`href="https://evil.example`) {
			t.Errorf("%s: %v %v", name, a, page)
		}
	}
}

func TestA3_NobodyIsRedirectedByALinkAlone(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	page, err := p.browser.Open(p.authorizeURL("scope", "no:such"))
	if err != nil {
		t.Fatal(err)
	}
	if page.Location != nil || page.Form() == nil || !page.Form().Values.Has("password") {
		t.Fatalf("a stranger with a wrong request stands at %v", page)
	}
	if a, page := p.walk(page); a == nil || a.Get("error") != "invalid_scope" {
		t.Errorf("signed in: %v %v", a, page)
	}
}

func TestA4_GetAndPostAreAlike(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	address, query, _ := strings.Cut(p.authorizeURL("state", "s", "prompt", "none"), "?")
	for _, site := range []string{"cross-site", "none"} {
		req, _ := http.NewRequest(http.MethodPost, address, strings.NewReader(query))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", site)
		status, header, _ := p.send(req)
		to, err := req.URL.Parse(header.Get("Location"))
		if status != http.StatusSeeOther || err != nil || to.Query().Get("state") != "s" {
			t.Errorf("%s: %d %v", site, status, header)
		}
	}
}

func TestA7_PKCEOfPublicClients(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	out, err := p.op.Run(t.Context(), "", "client", "create", "--name", "Page", "--type", "browser", "--redirect-uri", callback, "--id", "a7-"+strings.ToLower(token(8)))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range strings.Fields(out) {
		if strings.HasPrefix(word, "a7-") {
			p.ID = strings.Trim(word, ".,")
		}
	}
	p.Method, p.Secret = "none", ""
	const verifier = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
	if a := p.authorize(); a.Get("error") != "invalid_request" {
		t.Errorf("no challenge: %v", a.Values)
	}
	if a := p.authorize("code_challenge", verifier, "code_challenge_method", "plain"); a.Get("error") != "invalid_request" {
		t.Errorf("plain: %v", a.Values)
	}
	request := []string{"code_challenge", s256(verifier), "code_challenge_method", "S256"}
	if r := p.exchange(p.authorize(request...).Get("code")); r.status != 400 || r.Error != "invalid_grant" {
		t.Errorf("no verifier: %d %v", r.status, r.body)
	}
	p.checkTokens(p.exchange(p.authorize(request...).Get("code"), "code_verifier", verifier))
}

func TestA10_IssuerInRefusals(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	page, err := p.browser.Open(p.authorizeURL("state", "s"))
	for n := 0; err == nil && n < 3 && arrived(page) == nil; n++ {
		form := page.Form()
		if form.Values.Has("password") {
			form.Set("username", person.Email).Set("password", person.Password)
		} else {
			form.Press(form.Buttons[len(form.Buttons)-1][0], form.Buttons[len(form.Buttons)-1][1]) // deny
		}
		page, err = p.browser.Send(form)
	}
	if err != nil {
		t.Fatal(err)
	}
	a := arrived(page)
	if a == nil || a.Get("error") != "access_denied" || a.Has("code") {
		t.Fatalf("denied: %v %v", a, page)
	}
	p.checkResponse(a, "s", "query")
}

// Every page and redirect of a flow, by its headers.
func TestA11_A12_A13_A18_A19_Headers(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	req, _ := http.NewRequest(http.MethodGet, p.authorizeURL(), nil)
	req.Header.Set("Origin", "https://rp.example")
	status, header, _ := p.send(req)
	if status != http.StatusSeeOther && status != http.StatusFound || header.Get("Access-Control-Allow-Origin") != "" { // A11, A12
		t.Errorf("the authorization endpoint: %d %v", status, header)
	}
	page, err := p.browser.Open(p.authorizeURL())
	if err != nil {
		t.Fatal(err)
	}
	pages := 0
	for arrived(page) == nil {
		pages++
		policy := page.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "frame-ancestors 'none'") || page.Header.Get("X-Frame-Options") != "DENY" { // A13
			t.Errorf("%s may be framed: %s", page.URL.Path, policy)
		}
		if got := page.Header.Get("Referrer-Policy"); got != "same-origin" && got != "no-referrer" { // A18
			t.Errorf("%s: Referrer-Policy %q", page.URL.Path, got)
		}
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(string(page.Body), `src="http`) { // A18: nothing of third parties
			t.Errorf("%s: %s", page.URL.Path, policy)
		}
		form := page.Form()
		if form.Values.Has("password") {
			form.Set("username", person.Email).Set("password", person.Password)
		}
		if page, err = p.browser.Send(form); err != nil {
			t.Fatal(err)
		}
	}
	if pages != 2 || page.Status != http.StatusSeeOther || page.Header.Get("Cache-Control") != "no-store" || page.Header.Get("Referrer-Policy") != "no-referrer" { // A19
		t.Errorf("after %d pages the code came by %d %v", pages, page.Status, page.Header)
	}
}

func TestA14_A15_RedirectURIsOfRegistrations(t *testing.T) {
	t.Parallel()
	p := anonymous(t)
	for name, tt := range map[string]struct {
		kind, uri string
		taken     bool
	}{
		"web, plain http":           {"web", "http://rp.example/cb", false},
		"web, https":                {"web", "https://rp.example/cb", true},
		"native, loopback":          {"native", "http://127.0.0.1/cb", true},
		"native, plain http":        {"native", "http://rp.example/cb", false},
		"native, scheme of nobody":  {"native", "myapp:/cb", false},
		"native, scheme in reverse": {"native", "com.example.app:/cb", true},
	} {
		status, answer := p.register(map[string]any{"client_name": "Redirects " + name, "application_type": tt.kind, "redirect_uris": []string{tt.uri},
			"token_endpoint_auth_method": "none"})
		if (status < 300) != tt.taken {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
}

func TestA16_A17_ConsentSaysWhoAndWhere(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	page, err := p.browser.Open(p.authorizeURL("scope", "openid email"))
	if err == nil {
		page, err = p.browser.Send(page.Form().Set("username", person.Email).Set("password", person.Password))
	}
	if err != nil {
		t.Fatal(err)
	}
	name := t.Name()[:min(len(t.Name()), 50)]
	for _, want := range []string{name, "rp.example", "Read your e-mail address", "Anna Tester", `id="allow"`, `id="deny"`} {
		if !page.Contains(want) {
			t.Errorf("the consent page does not say %q: %v", want, page)
		}
	}
	// A public client that anybody could stand in for is asked about every time.
	native := newParty(t, map[string]any{"application_type": "native", "redirect_uris": []string{"http://127.0.0.1/cb"}, "token_endpoint_auth_method": "none",
		"grant_types": nil, "response_types": nil})
	native.browser.StopAt = append(native.browser.StopAt, "http://127.0.0.1/cb")
	for range 2 {
		if a := native.authorize("redirect_uri", "http://127.0.0.1/cb"); a.pages == 0 {
			t.Error("a native client was let through without a page")
		}
	}
}
