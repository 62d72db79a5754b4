package parity_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
)

// TestParity14_ThreeWaysToCarryAToken: the header always; the query and, at
// /oauth/ping, the form with the switch. A header makes the others be ignored.
func TestParity14_ThreeWaysToCarryAToken(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		token := s.signIn().personalToken("t", "test:scope")
		in := form("access_token", token)
		refused := either(s, 401, 200)
		for what, tt := range map[string]struct {
			r      reply
			status int
		}{
			"header":                  {s.call("/oauth/ping", token), 200},
			"header, in lower case":   {s.send("GET", "/oauth/ping", nil, "Authorization", "bearer "+token), 200},
			"header, on POST":         {s.send("POST", "/oauth/ping", form(), "Authorization", "Bearer "+token), 200},
			"query":                   {s.send("GET", "/oauth/ping?"+in.Encode(), nil), refused},
			"query, on POST":          {s.send("POST", "/oauth/ping?"+in.Encode(), form()), refused},
			"form":                    {s.send("POST", "/oauth/ping", in), refused},
			"form twice":              {s.send("POST", "/oauth/ping", form("access_token", token, "access_token", token)), 401},
			"form of another route":   {s.send("POST", "/things", in), 401},
			"query beside a header":   {s.send("GET", "/oauth/ping?"+in.Encode(), nil, "Authorization", "Bearer gone"), 401},
			"form beside a header":    {s.send("POST", "/oauth/ping", in, "Authorization", "Bearer gone"), 401},
			"query of a host's route": {s.send("GET", "/things/open?"+in.Encode(), nil), 200},
		} {
			if tt.r.StatusCode != tt.status {
				t.Errorf("%s: got %d, want %d", what, tt.r.StatusCode, tt.status)
			}
		}
	})
}

// TestParity13h_QueryTokenIsASwitch: in a URL the token counts for nothing by
// default; with the switch it counts for its user.
func TestParity13h_QueryTokenIsASwitch(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v := s.signIn()
		r := s.send("GET", "/things/open?access_token="+v.personalToken("t", "test:scope"), nil)
		if got, want := r.text("Subject"), either(s, "", v.id); got != want {
			t.Errorf("acts as %q, want %q: %s", got, want, r.body)
		}
	})
}

// TestParity14_PersonalTokenAtPingAndInfo: they work exactly like OAuth tokens.
func TestParity14_PersonalTokenAtPingAndInfo(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v := s.signIn()
		test, records := v.personalToken("test", "test:scope"), v.personalToken("records", "records:read")
		if r := s.call("/oauth/ping", test); r.StatusCode != 200 || strings.TrimSpace(r.body) != `{"ping":"pong"}` {
			t.Errorf("ping: %d %s", r.StatusCode, r.body)
		}
		if r, want := s.call("/oauth/info", test), `{"user":"`+v.id+`","client":"","scopes":["test:scope"]}`; strings.TrimSpace(r.body) != want {
			t.Errorf("info: %d %s, want %s", r.StatusCode, r.body, want)
		}
		s.lives("another scope, at ping", records, true)
		s.call("/oauth/info", records).is(t, "another scope, at info", 403, "insufficient_scope")
		s.call("/oauth/invalid", test).is(t, "invalid", 403, "insufficient_scope")
		for _, path := range []string{"/oauth/ping", "/oauth/info", "/oauth/invalid"} {
			s.call(path, test+"x").is(t, path, 401, "invalid_token")
		}
	})
}

// TestParity34_PersonalTokensExpire: after 30 days unless their user chose
// otherwise; with the switch the form offers never, as it always was before.
func TestParity34_PersonalTokensExpire(t *testing.T) {
	bothOwn(t, options{}, func(t *testing.T, s *site) {
		v := s.signIn()
		f := v.open(settings+"tokens/new/").FormTo("/new/").Set("name", "forever").Set("scopes", "test:scope").Set("expires_in", "none")
		page := v.submit(f)
		immortal := shownIn(page)
		if (immortal != "") != s.compat || page.Status != either(s, 422, 200) {
			t.Errorf("a token that never expires: %v", page)
		}
		usual := v.personalToken("usual", "test:scope")
		s.clock.Move(30*24*time.Hour - time.Second)
		s.lives("in its last second", usual, true)
		s.clock.Move(time.Second)
		s.lives("after 30 days", usual, false)
		if s.compat {
			s.clock.Move(20 * 366 * 24 * time.Hour)
			s.lives("after twenty years", immortal, true)
		}
	})
}

// TestParity13g_LastUseIsKept: of personal tokens and authorizations.
func TestParity13g_LastUseIsKept(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app, v := s.application(s.person()), s.signIn()
		personal, token := v.personalToken("t", "test:scope"), v.token(app)
		if page := v.open(settings); strings.Count(string(page.Body), "never used") != 2 {
			t.Errorf("before any use: %v", page)
		}
		s.call("/oauth/ping", personal)
		s.call("/oauth/ping", token.AccessToken)
		deadline := time.Now().Add(5 * time.Second)
		for strings.Contains(string(v.open(settings).Body), "never used") { // recorded behind the answer
			if time.Now().After(deadline) {
				t.Fatal("the settings page still says that something was never used")
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
}

// TestParity14_IdentityIsPerRequest: a request is its token's user's, also in a
// browser that somebody else is signed in to, and the next one is not.
func TestParity14_IdentityIsPerRequest(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		ann, bob := s.signIn(), s.signIn()
		token := ann.personalToken("t", "test:scope")
		for i := range 2 {
			if got := s.send("GET", "/things", nil, "Authorization", "Bearer "+token, "Cookie", bob.cookie()).text("Subject"); got != ann.id {
				t.Errorf("%d: with a token: %q, want %q", i, got, ann.id)
			}
			if got := s.send("GET", "/things", nil, "Cookie", bob.cookie()).text("Subject"); got != bob.id {
				t.Errorf("%d: without: %q, want %q", i, got, bob.id)
			}
			if r := s.send("GET", "/things", nil); r.StatusCode != 401 {
				t.Errorf("%d: with nothing: got %d, want 401", i, r.StatusCode)
			}
		}
	})
}

// TestParity14_NoSetCookieOnTokenRequests: a token signs nobody in.
func TestParity14_NoSetCookieOnTokenRequests(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app, v := s.application(s.person()), s.signIn()
		token := v.personalToken("t", "test:scope", "records:read", "tokens:read")
		for what, r := range map[string]reply{
			"guarded GET": s.call("/things", token), "guarded POST": s.send("POST", "/things", form(), "Authorization", "Bearer "+token),
			"scopes": s.call("/things/read", token), "open": s.call("/things/open", token), "ping": s.call("/oauth/ping", token),
			"info": s.call("/oauth/info", token), "REST API": s.call("/api/v1/tokens", token),
			"dead token": s.call("/things", "gone"), "token endpoint": app.redeem(v.code(app)),
			"token and session": s.send("GET", "/things", nil, "Authorization", "Bearer "+token, "Cookie", v.cookie()),
			"settings":          s.call(settings, token),
		} {
			if got := r.Header.Values("Set-Cookie"); len(got) > 0 {
				t.Errorf("%s: Set-Cookie %q", what, got)
			}
		}
		if r := s.call(settings, token); r.StatusCode != 302 {
			t.Errorf("a token opens the settings pages: %d", r.StatusCode)
		}
	})
}

// TestParity36_AnyQueryIsRead and 13o: the predecessor answered 400 to
// characters it did not like.
func TestParity36_AnyQueryIsRead(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		token := s.signIn().personalToken("t", "test:scope")
		for _, query := range []string{"q={x}", "q=[1]|2", "q=%C3%A9", "q=a%00b", "q=\"x\"", "q=%zz", "q=^`"} {
			if r := s.call("/things?"+query, token); r.StatusCode != 200 {
				t.Errorf("?%s: got %d, want 200", query, r.StatusCode)
			}
		}
	})
}

// TestParity13o_NoCheckOfQueryCharacters is item 36 for a session.
func TestParity13o_NoCheckOfQueryCharacters(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		if r := s.send("GET", "/things?filter={a|b}^`", nil, "Cookie", s.signIn().cookie()); r.StatusCode != 200 {
			t.Errorf("got %d, want 200", r.StatusCode)
		}
	})
}

// TestParity39_TokensNeedEveryScope and 13d: 401 without a token that lives, 403
// without one of the scopes; the predecessor's low-level guard let any of them do.
func TestParity39_TokensNeedEveryScope(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v := s.signIn()
		one, two := v.personalToken("one", "records:read"), v.personalToken("two", "records:read", "records:write")
		s.send("GET", "/things/both", nil).is(t, "nothing", 401, "")
		s.call("/things/both", "gone").is(t, "dead", 401, "invalid_token")
		r := s.call("/things/both", one)
		r.is(t, "one of two", 403, "insufficient_scope")
		if got := r.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer ") || !strings.Contains(got, `error="insufficient_scope"`) {
			t.Errorf("challenge: %q", got)
		}
		s.call("/things/both", two).is(t, "both", 200, "")
		s.call("/things/read", one).is(t, "the one it needs", 200, "")
		s.send("GET", "/things/both", nil, "Cookie", v.cookie()).is(t, "a session", 200, "")
	})
}

// TestParity40_HooksAreMiddleware: what runs before and after a guarded
// handler, and when it refuses, is a handler around it.
func TestParity40_HooksAreMiddleware(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v := s.signIn()
		var seen []string
		inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen = append(seen, "inside as "+valetkey.PrincipalFrom(r.Context()).Subject)
		})
		guarded := s.server.RequireScopes("records:read")(inner)
		hooked := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen = append(seen, "before")
			rec := httptest.NewRecorder()
			guarded.ServeHTTP(rec, r)
			seen = append(seen, "after "+http.StatusText(rec.Code))
		})
		for token, want := range map[string]string{
			v.personalToken("right", "records:read"): "before, inside as " + v.id + ", after OK",
			v.personalToken("wrong", "test:scope"):   "before, after Forbidden",
			"gone":                                   "before, after Unauthorized",
		} {
			seen = nil
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			hooked.ServeHTTP(httptest.NewRecorder(), r)
			if got := strings.Join(seen, ", "); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	})
}

// TestParity37_SessionsAndAnonymous: RequireAuth takes both, and AllowAnonymous
// nobody too, but no credential that is not good.
func TestParity37_SessionsAndAnonymous(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v := s.signIn()
		token := v.personalToken("t", "test:scope")
		for _, tt := range []struct {
			what, path string
			headers    []string
			status     int
			subject    string
		}{
			{"nobody", "/things", nil, 401, ""},
			{"session", "/things", []string{"Cookie", v.cookie()}, 200, v.id},
			{"token", "/things", []string{"Authorization", "Bearer " + token}, 200, v.id},
			{"nobody, open", "/things/open", nil, 200, ""},
			{"session, open", "/things/open", []string{"Cookie", v.cookie()}, 200, v.id},
			{"token, open", "/things/open", []string{"Authorization", "Bearer " + token}, 200, v.id},
			{"dead token, open", "/things/open", []string{"Authorization", "Bearer gone"}, 401, ""},
		} {
			if r := s.send("GET", tt.path, nil, tt.headers...); r.StatusCode != tt.status || r.text("Subject") != tt.subject {
				t.Errorf("%s: got %d %s, want %d as %q", tt.what, r.StatusCode, r.body, tt.status, tt.subject)
			}
		}
	})
}

// proofOf is the proof that the pages of the session carry.
func proofOf(v *visitor) string {
	v.s.t.Helper()
	proof := v.open("/account/settings/profile/").FormTo("/profile/").Values.Get("authorized_token")
	if proof == "" {
		v.s.t.Fatal("the page carries no proof")
	}
	return proof
}

// TestParity14_JWTMatrix: the proof of a real page at a route of the host's,
// every answer of the predecessor's, in its words.
func TestParity14_JWTMatrix(t *testing.T) {
	bothOwn(t, options{}, func(t *testing.T, s *site) {
		v, other := s.signIn(), s.signIn()
		proof := proofOf(v)
		post := func(what string, status int, message string, headers ...string) {
			t.Helper()
			r := s.send("POST", "/things", form(), append(headers, "Cookie", v.cookie())...)
			if r.StatusCode != status || r.text("message") != message {
				t.Errorf("%s: got %d %s, want %d %q", what, r.StatusCode, r.body, status, message)
			}
			if message != "" && (r.json()["status"] != float64(status) || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json")) {
				t.Errorf("%s: got %s as %s", what, r.body, r.Header.Get("Content-Type"))
			}
		}
		const missing, format, invalid, expired = "Missing required header argument.", "The JWT token has invalid format.", "The JWT token is not valid.", "The JWT token is expired."
		post("no proof", 400, missing)
		post("not decodable", 400, format, "X-CSRF-Token", "no proof at all")
		post("tampered", 400, format, "X-CSRF-Token", proof+"x")
		post("somebody else's", 403, invalid, "X-CSRF-Token", proofOf(other))
		post("good", 200, "", "X-CSRF-Token", proof)
		if s.compat {
			post("as the predecessor took it", 200, "", "Authorization", "Bearer "+proof)
			post("another type", 400, missing, "Authorization", "JWT "+proof)
			post("somebody else's, as bearer", 403, invalid, "Authorization", "Bearer "+proofOf(other))
			if r := s.send("POST", "/things", form(), "Authorization", "Bearer", "Cookie", v.cookie()); r.StatusCode != 400 {
				t.Errorf("one word, on which the predecessor crashed: got %d, want 400", r.StatusCode)
			}
		} else {
			post("as the predecessor took it", 401, "", "Authorization", "Bearer "+proof)
		}
		if r := s.send("POST", "/things", form(), "X-CSRF-Token", proof); r.StatusCode != 401 {
			t.Errorf("a proof without its session: got %d, want 401", r.StatusCode)
		}
		if r := s.send("GET", "/things", nil, "Cookie", v.cookie()); r.StatusCode != 200 {
			t.Errorf("reading without a proof: got %d, want 200", r.StatusCode)
		}
		s.clock.Move(time.Hour)
		post("expired", 403, expired, "X-CSRF-Token", proof)
		post("a new one", 200, "", "X-CSRF-Token", proofOf(v))
	})
}

// TestParity42_ClaimsOfTheProof: HS256, sub and exp and jti, in the hidden field
// of that name.
func TestParity42_ClaimsOfTheProof(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v := s.signIn()
		parts := strings.Split(proofOf(v), ".")
		if len(parts) != 3 {
			t.Fatalf("%d parts, want 3", len(parts))
		}
		var header, claims map[string]any
		for i, into := range []*map[string]any{&header, &claims} {
			raw, err := base64.RawURLEncoding.DecodeString(parts[i])
			s.must(err)
			s.must(json.Unmarshal(raw, into))
		}
		if header["alg"] != "HS256" || claims["sub"] != v.id || claims["jti"] == nil ||
			claims["exp"] != float64(s.clock.Now().Add(time.Hour).Unix()) {
			t.Errorf("header %v, claims %v", header, claims)
		}
	})
}

// TestParity13k_OnlyWritesNeedTheProof: GET never, every method that changes
// something always.
func TestParity13k_OnlyWritesNeedTheProof(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		v := s.signIn()
		for method, want := range map[string]int{"GET": 200, "HEAD": 200, "OPTIONS": 200, "POST": 400, "PUT": 400, "PATCH": 400, "DELETE": 400} {
			if r := s.send(method, "/things", nil, "Cookie", v.cookie()); r.StatusCode != want {
				t.Errorf("%s: got %d, want %d", method, r.StatusCode, want)
			}
		}
	})
}

// TestParity13d_OneScopeIsNotEnough, whatever kind of token it is.
func TestParity13d_OneScopeIsNotEnough(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app, v := s.application(s.person()), s.signIn()
		s.call("/things/both", v.token(app, "scope", "records:write").AccessToken).is(t, "one", 403, "insufficient_scope")
		s.call("/things/both", v.token(app, "scope", "records:write records:read").AccessToken).is(t, "both", 200, "")
	})
}
