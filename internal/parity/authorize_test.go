package parity_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// TestParity7_ConsentEachTime: remembered by default, asked for every time with
// the switch.
func TestParity7_ConsentEachTime(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app, v := s.application(s.person()), s.signIn()
		v.code(app)
		asked := v.open(app.request()).Location == nil
		if want := either(s, false, true); asked != want {
			t.Errorf("asked a second time: %v, want %v", asked, want)
		}
	})
}

// sentTo is the answer that the application gets, out of the query or the
// fragment; nil if the browser was not sent there.
func sentTo(p *browser.Page, fragment bool) url.Values {
	if p.Location == nil {
		return nil
	}
	raw := p.Location.RawQuery
	if fragment {
		raw = p.Location.Fragment
	}
	v, err := url.ParseQuery(raw)
	if err != nil {
		return nil
	}
	return v
}

// TestParity14_AuthorizeMatrix: every fatal and every redirected error, for
// public and confidential clients.
func TestParity14_AuthorizeMatrix(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v := s.signIn()
		owner := s.person()
		gone := s.application(owner)
		s.must(s.door.DisableUser(t.Context(), owner.id))
		for name, app := range map[string]*application{"confidential": s.application(s.person()), "public": s.application(s.person(), public)} {
			honest := app.request()
			for what, request := range map[string]string{
				"client_id missing":        app.request("client_id", ""),
				"client_id unknown":        app.request("client_id", "nobody"),
				"client_id twice":          honest + "&client_id=" + app.ClientID,
				"redirect_uri twice":       honest + "&redirect_uri=" + url.QueryEscape(callback),
				"redirect_uri relative":    app.request("redirect_uri", "/callback"),
				"redirect_uri other":       app.request("redirect_uri", callback+"/"),
				"redirect_uri elsewhere":   app.request("redirect_uri", "https://evil.example/"),
				"the owner is not active":  gone.request(),
				"nothing":                  "/oauth/authorize",
				"query that cannot be cut": "/oauth/authorize?%zz",
			} {
				s.fatal(v, name+", "+what, request)
			}
			for what, tt := range map[string]struct{ request, code string }{
				"response_type missing": {app.request("response_type", ""), "invalid_request"},
				"response_type unknown": {app.request("response_type", "magic"), "unsupported_response_type"},
				"response_type twice":   {honest + "&response_type=code", "invalid_request"},
				"scope twice":           {honest + "&scope=test:scope", "invalid_request"},
				"scope unknown":         {app.request("scope", "test:scope nope"), "invalid_scope"},
				"scope internal":        {app.request("scope", "secret:scope"), "invalid_scope"},
				// The predecessor allowed response types to the whole server; here the
				// client must be registered for the grant.
				"response_type not allowed": {app.request("response_type", "token"), either(s, "unsupported_response_type", "unauthorized_client")},
			} {
				page := v.open(tt.request)
				fragment := s.compat && strings.HasPrefix(what, "response_type not")
				got := sentTo(page, fragment)
				if got.Get("error") != tt.code || got.Get("state") != "some state" || got.Has("code") || got.Has("access_token") {
					t.Errorf("%s, %s: got %v (sent to %v), want %s and the state", name, what, page, page.Location, tt.code)
				}
			}
			if code := v.code(app); code == "" {
				t.Errorf("%s: the honest request fails", name)
			}
		}
	})
}

// fatal: a page with 400 by default, /oauth/errors with the switch; the browser
// never leaves the site.
func (s *site) fatal(v *visitor, what, request string) {
	s.t.Helper()
	r := s.send(http.MethodGet, request, nil, "Cookie", v.cookie())
	if !s.compat {
		if r.StatusCode != 400 || r.Header.Get("Location") != "" || !strings.Contains(r.body, "invalid_request") {
			s.t.Errorf("%s: got %d %q, want a page with 400", what, r.StatusCode, r.Header.Get("Location"))
		}
		return
	}
	to, err := url.Parse(r.Header.Get("Location"))
	if err != nil || r.StatusCode != 302 || to.Host != "" || to.Path != "/oauth/errors" || to.Query().Get("error") != "invalid_request" || to.Query().Get("error_description") == "" {
		s.t.Errorf("%s: got %d %q, want 302 to /oauth/errors", what, r.StatusCode, r.Header.Get("Location"))
		return
	}
	if page := v.open(request); page.Status != 200 || !page.Contains("invalid_request") {
		s.t.Errorf("%s: the page of errors is %v", what, page)
	}
}

// TestParity8_RedirectURIMayBeLeftOut: with one registered it is that one. With
// several the predecessor took the first; the request is refused now.
func TestParity8_RedirectURIMayBeLeftOut(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v := s.signIn()
		one := s.application(s.person())
		page := v.answer(one.request("redirect_uri", ""), "yes")
		if page.Location == nil || !strings.HasPrefix(page.Location.String(), callback+"?code=") {
			t.Errorf("one registered: sent to %v", page.Location)
		}
		two := s.application(s.person(), func(in *manage.ApplicationInput) { in.RedirectURIs = []string{callback, elsewhere} })
		s.fatal(v, "two registered", two.request("redirect_uri", ""))
	})
}

// TestParity11_TheApplicationGoesMeanwhile: it is deleted while the consent page
// waits; the answer is a page, not a crash.
func TestParity11_TheApplicationGoesMeanwhile(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		owner := s.person()
		app, v := s.application(owner), s.signIn()
		consent := v.open(app.request())
		s.must(s.server.Desk().DeleteApplication(t.Context(), manage.Actor{Subject: owner.id}, app.ClientID))
		if page := v.submit(consent.FormTo("/oauth/consent")); page.Status < 400 || page.Status > 499 || page.Location != nil {
			t.Errorf("answer: got %v, sent to %v; want a page that says no", page, page.Location)
		}
		s.fatal(v, "afterwards", app.request())
	})
}

// TestParity13_CodeAndState: the code and the state, byte for byte, at the
// registered address.
func TestParity13_CodeAndState(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app, v := s.application(s.person()), s.signIn()
		for _, state := range []string{"x", "a b&c=d%20+#/?", "état", strings.Repeat("s", 2000)} {
			got := sentTo(v.answer(app.request("state", state), "yes"), false)
			if got.Get("code") == "" || got.Get("state") != state || got.Get("iss") != s.url {
				t.Errorf("state %.20q: got %v", state, got)
			}
		}
		if got := sentTo(v.answer(app.request("state", ""), "yes"), false); got.Has("state") || !got.Has("code") {
			t.Errorf("no state: got %v", got)
		}
	})
}

// TestParity14_ConsentDenied: access_denied and the state, whatever the answer
// is if it is not yes; nothing is granted.
func TestParity14_ConsentDenied(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app, v := s.application(s.person()), s.signIn()
		for _, button := range []string{"no", "", "YES", "1"} {
			got := sentTo(v.answer(app.request(), button), false)
			if got.Get("error") != "access_denied" || got.Get("state") != "some state" || got.Has("code") {
				t.Errorf("confirm=%q: got %v", button, got)
			}
		}
		if page := v.open(settings); page.Contains(app.ClientID) || page.Contains("/view/") {
			t.Error("an application that was refused is listed as authorized")
		}
	})
}

// TestParity14_ImplicitGrant: off by default; with the switch for public and
// confidential clients that are registered for it, without a refresh token and
// without anything about the user.
func TestParity14_ImplicitGrant(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v := s.signIn()
		if !s.compat {
			app := s.application(s.person())
			if got := sentTo(v.open(app.request("response_type", "token")), false); got.Get("error") != "unsupported_response_type" || got.Has("access_token") {
				t.Errorf("got %v", got)
			}
			_, _, err := s.server.Desk().CreateApplication(t.Context(), manage.Actor{Subject: v.id},
				manage.ApplicationInput{Type: oauth.LegacyApplication, Name: "old", Website: elsewhere, RedirectURIs: []string{callback}})
			if err == nil {
				t.Error("a legacy application could be registered")
			}
			return
		}
		for _, public := range []bool{false, true} {
			app := s.application(s.person(), func(in *manage.ApplicationInput) { in.Type, in.Public = oauth.LegacyApplication, public })
			page := v.answer(app.request("response_type", "token"), "yes")
			got := sentTo(page, true)
			if !s.alive(got.Get("access_token")) || got.Get("expires_in") != "3600" || got.Get("token_type") != "Bearer" ||
				got.Get("scope") != "test:scope" || got.Get("state") != "some state" {
				t.Errorf("public %v: got %v", public, got)
			}
			if got.Has("refresh_token") || got.Has("user") || got.Has("code") || page.Location.RawQuery != "" {
				t.Errorf("public %v: too much in %v", public, page.Location)
			}
			denied := sentTo(v.answer(app.request("response_type", "token"), "no"), true)
			if denied.Get("error") != "access_denied" || denied.Get("state") != "some state" {
				t.Errorf("public %v, denied: got %v", public, denied)
			}
		}
	})
}

// TestParity15_Code: it lives a minute, or as long as the operator says; it is
// of one client, and works once.
func TestParity15_Code(t *testing.T) {
	for name, tt := range map[string]struct{ configured, life time.Duration }{
		"usual": {0, time.Minute}, "as in the predecessor": {100 * time.Second, 100 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bothOwn(t, options{change: func(c *valetkey.Config) { c.Lifetimes.Code = tt.configured }}, func(t *testing.T, s *site) {
				app, other, v := s.application(s.person()), s.application(s.person()), s.signIn()
				code := v.code(app)
				s.clock.Move(tt.life - time.Microsecond)
				other.redeem(code).is(t, "another client's code", 400, "invalid_grant")
				app.redeem(code).is(t, "at the last moment", 200, "")
				code = v.code(app)
				s.clock.Move(tt.life)
				app.redeem(code).is(t, "expired", 400, "invalid_grant")
			})
		})
	}
}

// TestParity16_PKCE: what the predecessor ignored is checked wherever it is
// sent; the switch lets public clients leave it out.
func TestParity16_PKCE(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v := s.signIn()
		app := s.application(s.person(), public)
		code := v.code(app)
		app.post("grant_type", "authorization_code", "code", code, "redirect_uri", callback, "code_verifier", verifier+"x").is(t, "wrong verifier", 400, "invalid_grant")
		app.post("grant_type", "authorization_code", "code", code, "redirect_uri", callback).is(t, "no verifier", 400, "invalid_grant")
		app.redeem(code).is(t, "right verifier", 200, "")
	})
}

// TestParity13j_PKCEMayBeLeftOutWithTheSwitch: a public client without a
// challenge gets no code by default.
func TestParity13j_PKCEMayBeLeftOutWithTheSwitch(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v, app := s.signIn(), s.application(s.person(), public)
		request := app.request("code_challenge", "", "code_challenge_method", "")
		if !s.compat {
			if got := sentTo(v.open(request), false); got.Get("error") != "invalid_request" || got.Has("code") {
				t.Errorf("got %v", got)
			}
			return
		}
		code := sentTo(v.answer(request, "yes"), false).Get("code")
		app.post("grant_type", "authorization_code", "code", code, "redirect_uri", callback).is(t, "without a verifier", 200, "")
		code = sentTo(v.answer(request, "yes"), false).Get("code")
		app.redeem(code).is(t, "a verifier nobody asked for", 400, "invalid_grant")
	})
}

// TestParity13a_ConsentNeedsAProof: a form that another site sends, or that has
// no proof, allows nothing; and no site can frame the page.
func TestParity13a_ConsentNeedsAProof(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app, v := s.application(s.person()), s.signIn()
		page := v.open(app.request())
		if csp := page.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("the consent page can be framed: %q", csp)
		}
		consent := page.FormTo("/oauth/consent")
		proof := consent.Values.Get("authorized_token")
		answer := form("request", consent.Values.Get("request"), "confirm", "yes")
		for what, headers := range map[string][]string{
			"no proof":                 nil,
			"another origin":           {"Origin", "https://evil.example"},
			"another site, by header":  {"Sec-Fetch-Site", "cross-site"},
			"a subdomain of the site":  {"Sec-Fetch-Site", "same-site"},
			"opaque origin, as framed": {"Origin", "null"},
		} {
			r := s.send(http.MethodPost, "/oauth/consent", answer, append(headers, "Cookie", v.cookie())...)
			if r.StatusCode != 403 || r.Header.Get("Location") != "" {
				t.Errorf("%s: got %d %q, want 403", what, r.StatusCode, r.Header.Get("Location"))
			}
		}
		answer.Set("authorized_token", proof)
		if r := s.send(http.MethodPost, "/oauth/consent", answer, "Cookie", v.cookie()); r.StatusCode != 303 {
			t.Errorf("with the proof: got %d, want 303; the refusals above may have had another cause", r.StatusCode)
		}
	})
}

// TestParity13b_DenialGoesNowhereElse: the address that the browser brings along
// when it answers is not looked at.
func TestParity13b_DenialGoesNowhereElse(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app, v := s.application(s.person()), s.signIn()
		f := v.open(app.request()).FormTo("/oauth/consent").Press("confirm", "no").Set("redirect_uri", "https://evil.example/")
		f.Action.RawQuery = "redirect_uri=https%3A%2F%2Fevil.example%2F"
		if page := v.submit(f); page.Location == nil || !strings.HasPrefix(page.Location.String(), callback+"?error=access_denied") {
			t.Errorf("sent to %v", page.Location)
		}
		// The predecessor took the answer where the request went.
		r := s.send(http.MethodPost, "/oauth/authorize?client_id="+app.ClientID+"&redirect_uri=https%3A%2F%2Fevil.example%2F", form("confirm", "no"), "Cookie", v.cookie())
		if to := r.Header.Get("Location"); strings.HasPrefix(to, "https://evil") {
			t.Errorf("POST /oauth/authorize sends to %q", to)
		}
		s.fatal(v, "and after that", strings.TrimPrefix(r.Header.Get("Location"), s.url))
	})
}

// TestParity13p_TheOwnerGoes: the predecessor crashed on a client whose owner
// was deleted; here it is gone with its owner, or asks in nobody's name.
func TestParity13p_TheOwnerGoes(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		owner, v := s.person(), s.signIn()
		app := s.application(owner)
		token := v.token(app)
		s.must(s.door.DeleteUser(t.Context(), owner.id))
		s.fatal(v, "authorization", app.request())
		app.refresh(token.RefreshToken).is(t, "token endpoint", either(s, 401, 404), "invalid_client")
		s.lives("the token it had", token.AccessToken, false)
		if page := v.open(settings); page.Status != 200 {
			t.Errorf("settings: %v", page)
		}
		// One that the operator registered has no owner at all.
		c, secret, err := s.server.Desk().CreateApplication(t.Context(), manage.Actor{Operator: true},
			manage.ApplicationInput{Name: "Ownerless", Website: elsewhere, RedirectURIs: []string{callback}})
		s.must(err)
		s.lives("of a client without an owner", v.token(s.known(c, secret)).AccessToken, true)
	})
}
