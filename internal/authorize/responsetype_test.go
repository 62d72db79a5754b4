package authorize_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

// openIDProvider offers everything.
func openIDProvider(t *testing.T) *oauthtest.Engine {
	t.Helper()
	return oauthtest.New(t, oauthtest.Options{OpenID: true, Implicit: true, Hybrid: true})
}

// relyingParty is a confidential client of OpenID Connect.
func relyingParty(e *oauthtest.Engine) oauthtest.Party {
	return e.AddClient(oauth.Client{Name: "RP", Type: oauth.WebApplication, Profile: oauth.ProfileCertification, RedirectURIs: []string{"https://rp.test/cb"}})
}

// signIn is a request of OpenID Connect for the response type.
func signIn(responseType string, more ...string) []string {
	return append([]string{"response_type", responseType, "scope", "openid", "nonce", "n-0S6", "code_challenge", "", "code_challenge_method", ""}, more...)
}

// landed is where the answer arrived; the test ends if it did not.
func landed(t *testing.T, what string, r oauthtest.Reply, mode string) url.Values {
	t.Helper()
	uri, got, params := r.Landing()
	if uri != "https://rp.test/cb" || got != mode {
		t.Fatalf("%s: got %d to %q by %q: %s", what, r.StatusCode, uri, got, r.Body)
	}
	return params
}

func TestB15_ResponseTypes(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	for responseType, want := range map[string]struct {
		mode   string
		params string
	}{
		"code":                {"query", "code iss session_state state"},
		"token":               {"fragment", "access_token expires_in iss scope session_state state token_type"},
		"id_token":            {"fragment", "id_token iss session_state state"},
		"id_token token":      {"fragment", "access_token expires_in id_token iss scope session_state state token_type"},
		"token id_token":      {"fragment", "access_token expires_in id_token iss scope session_state state token_type"},
		"code id_token":       {"fragment", "code id_token iss session_state state"},
		"id_token code":       {"fragment", "code id_token iss session_state state"},
		"code token":          {"fragment", "access_token code expires_in iss scope session_state state token_type"},
		"code id_token token": {"fragment", "access_token code expires_in id_token iss scope session_state state token_type"},
		"token code id_token": {"fragment", "access_token code expires_in id_token iss scope session_state state token_type"},
	} {
		back := landed(t, responseType, alice.Ask(rp, signIn(responseType)...), want.mode)
		var names []string
		for name, values := range back {
			names = append(names, name)
			if len(values) != 1 {
				t.Errorf("%s: %s is there %d times", responseType, name, len(values))
			}
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != want.params {
			t.Errorf("%s: got %s, want %s", responseType, got, want.params)
		}
		if back.Get("state") != "xyz" || back.Get("iss") != oauthtest.Issuer {
			t.Errorf("%s: state and iss: %v", responseType, back)
		}
		if access := back.Get("access_token"); access != "" && !e.Active(rp, access) {
			t.Errorf("%s: the access token is dead", responseType)
		}
		if code := back.Get("code"); code != "" {
			e.Token(rp, oauthtest.Redemption(rp, code, "code_verifier", "")).Want(t, 200, "")
		}
	}
}

func TestA6_ResponseTypesBehindTheirSwitches(t *testing.T) {
	t.Parallel()
	implicit := []string{"token", "id_token", "id_token token"}
	hybrid := []string{"code token", "code id_token", "code id_token token"}
	without := []string{"id_token", "id_token token", "code id_token", "code id_token token"} // a server that cannot sign
	for name, tt := range map[string]struct {
		options oauthtest.Options
		refused []string
		mode    string
	}{
		"neither":       {oauthtest.Options{OpenID: true}, append(implicit, hybrid...), "query"},
		"implicit":      {oauthtest.Options{OpenID: true, Implicit: true}, hybrid, "query"},
		"hybrid":        {oauthtest.Options{OpenID: true, Hybrid: true}, implicit, "query"},
		"without keys":  {oauthtest.Options{Implicit: true, Hybrid: true}, without, "query"},
		"nobody's word": {oauthtest.Options{OpenID: true, Implicit: true, Hybrid: true}, []string{"none", "code code", "Code", "code,token", "code  none"}, "query"},
	} {
		e := oauthtest.New(t, tt.options)
		rp, alice := relyingParty(e), e.SignIn("alice")
		for _, responseType := range tt.refused {
			back := landed(t, name+", "+responseType, alice.Authorize(oauthtest.Request(rp, signIn(responseType)...)), tt.mode)
			if back.Get("error") != "unsupported_response_type" {
				t.Errorf("%s: %s: got %v", name, responseType, back)
			}
		}
	}
	e := openIDProvider(t)
	alice := e.SignIn("alice")
	for list, tt := range map[string]struct{ yes, no string }{
		"code":                              {"code", "id_token"},
		"id_token":                          {"id_token", "code"},
		"code id_token|code id_token token": {"code id_token token", "code token"},
	} {
		c := e.AddClient(oauth.Client{RedirectURIs: []string{"https://rp.test/cb"}, Profile: oauth.ProfileCertification, Metadata: oauth.ClientMetadata{ResponseTypes: strings.Split(list, "|")}})
		if _, _, back := alice.Ask(c, signIn(tt.yes)...).Landing(); back.Has("error") || back == nil {
			t.Errorf("registered for %s: %s gets %v", list, tt.yes, back)
		}
		if _, _, back := alice.Ask(c, signIn(tt.no)...).Landing(); back.Get("error") != "unauthorized_client" {
			t.Errorf("registered for %s: %s gets %v", list, tt.no, back)
		}
	}
}

func TestB15_HashesOfWhatGoesAlong(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	half := func(s string) any {
		if s == "" {
			return nil
		}
		sum := sha256.Sum256([]byte(s))
		return base64.RawURLEncoding.EncodeToString(sum[:16])
	}
	for _, responseType := range []string{"id_token", "id_token token", "code id_token", "code id_token token"} {
		back := landed(t, responseType, alice.Ask(rp, signIn(responseType)...), "fragment")
		claims := e.Claims(back.Get("id_token"))
		if claims["at_hash"] != half(back.Get("access_token")) || claims["c_hash"] != half(back.Get("code")) {
			t.Errorf("%s: at_hash or c_hash are wrong: %v", responseType, claims)
		}
		if claims["nonce"] != "n-0S6" || claims["aud"] != rp.ID || claims["iss"] != oauthtest.Issuer {
			t.Errorf("%s: %v", responseType, claims)
		}
		code := back.Get("code")
		if code == "" {
			continue
		}
		reply := e.Token(rp, oauthtest.Redemption(rp, code, "code_verifier", ""))
		again := e.Claims(reply.IDToken)
		for _, name := range []string{"iss", "sub", "aud", "nonce", "auth_time", "sid"} {
			if claims[name] == nil || claims[name] != again[name] {
				t.Errorf("%s: %s is %v in the first ID token and %v in the second", responseType, name, claims[name], again[name])
			}
		}
	}
}

// Scope claims are in the ID token only where there is no access token to ask with.
func TestB9_ScopeClaimsInTheIDToken(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	for responseType, want := range map[string]bool{"id_token": true, "id_token token": false, "code id_token": false} {
		back := landed(t, responseType, alice.Ask(rp, signIn(responseType, "scope", "openid email")...), "fragment")
		if got := e.Claims(back.Get("id_token"))["email"] != nil; got != want {
			t.Errorf("%s: email in the ID token: %v, want %v", responseType, got, want)
		}
	}
}

func TestB15_FormPost(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp := e.AddClient(oauth.Client{RedirectURIs: []string{"https://rp.test/cb?tenant=a%20b&code=x"}, Profile: oauth.ProfileCertification})
	alice := e.SignIn("alice")
	alice.Ask(rp, signIn("code")...)
	for name, tt := range map[string]struct {
		change []string
		want   string
	}{
		"code":          {signIn("code"), "code"},
		"everything":    {signIn("code id_token token"), "id_token"},
		"error":         {signIn("code", "scope", "nonsense"), "error"},
		"no response":   {signIn("", "response_type", ""), "error"},
		"not offered":   {signIn("none"), "error"},
		"login needed":  {signIn("code", "prompt", "none", "max_age", "0"), "error"},
		"hostile state": {signIn("code", "state", `"><script>alert(1)</script>&amp;`), "code"},
	} {
		params := oauthtest.Request(rp, append(tt.change, "response_mode", "form_post")...)
		r := alice.Authorize(params)
		uri, mode, back := r.Landing()
		if uri != "https://rp.test/cb?tenant=a%20b" || mode != "form_post" || back.Get(tt.want) == "" || back.Get("state") != params.Get("state") || back.Get("iss") != oauthtest.Issuer {
			t.Errorf("%s: got %d to %q by %q with %v", name, r.StatusCode, uri, mode, back)
			continue
		}
		if r.StatusCode != http.StatusOK || r.Header.Get("Location") != "" || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d, %v", name, r.StatusCode, r.Header)
		}
		if csp := r.Header.Get("Content-Security-Policy"); !strings.HasSuffix(csp, "; form-action https://rp.test") || !strings.Contains(csp, "script-src 'self'") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: %s", name, csp)
		}
		if !strings.Contains(r.Body, `id="continue">Continue</button>`) || strings.Contains(r.Body, "<script>") || strings.Contains(r.Body, "authorized_token") {
			t.Errorf("%s: the page: %s", name, r.Body)
		}
	}
	// Where consent is asked for, the page comes after the answer.
	params := oauthtest.Request(rp, signIn("code", "response_mode", "form_post", "prompt", "consent")...)
	for confirm, want := range map[string]string{"yes": "code", "no": "error"} {
		if _, mode, back := alice.Answer(alice.Authorize(params), confirm).Landing(); mode != "form_post" || back.Get(want) == "" {
			t.Errorf("answering %s: got %q, %v", confirm, mode, back)
		}
	}
	// The script is served.
	page := alice.Authorize(oauthtest.Request(rp, signIn("code", "response_mode", "form_post")...)).Body
	_, src, _ := strings.Cut(page, `<script defer src="`)
	src, _, _ = strings.Cut(src, `"`)
	if r := alice.Get(src); r.StatusCode != 200 || !strings.Contains(r.Body, "submit") {
		t.Errorf("the script %s: %d", src, r.StatusCode)
	}
}

func TestB15_ResponseModes(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	alice.Ask(rp, signIn("code")...)
	for name, tt := range map[string]struct {
		responseType, mode string
		arrives, err       string
	}{
		"code by query":        {"code", "query", "query", ""},
		"code by fragment":     {"code", "fragment", "fragment", ""},
		"ID token by fragment": {"id_token", "fragment", "fragment", ""},
		"ID token by query":    {"id_token", "query", "fragment", "invalid_request"},
		"token by query":       {"token", "query", "fragment", "invalid_request"},
		"hybrid by query":      {"code id_token", "query", "fragment", "invalid_request"},
		"code and unknown":     {"code", "jwt", "query", "invalid_request"},
		"token and unknown":    {"token", "web_message", "fragment", "invalid_request"},
	} {
		back := landed(t, name, alice.Ask(rp, signIn(tt.responseType, "response_mode", tt.mode)...), tt.arrives)
		if back.Get("error") != tt.err {
			t.Errorf("%s: got %v, want error %q", name, back, tt.err)
		}
	}
	native := e.Native()
	r := alice.Authorize(oauthtest.Request(native, "redirect_uri", "com.example.app:/cb", "response_mode", "form_post"))
	wantError(t, "a form to a scheme of its own", r, "com.example.app:/cb", "invalid_request", "xyz")
}

func TestR6_ErrorsHoldNothingElse(t *testing.T) {
	t.Parallel()
	e := openIDProvider(t)
	rp, alice := relyingParty(e), e.SignIn("alice")
	for _, mode := range []string{"query", "fragment", "form_post"} {
		for what, change := range map[string][]string{
			"scope": {"scope", "openid nonsense"}, "prompt": {"prompt", "none", "max_age", "0"}, "claims": {"claims", "{"}, "resource": {"resource", "https://evil.test"},
		} {
			back := landed(t, what, alice.Authorize(oauthtest.Request(rp, append(signIn("code", "response_mode", mode), change...)...)), mode)
			for name, values := range back {
				if !slices.Contains([]string{"error", "error_description", "error_uri", "state", "iss", "session_state"}, name) || len(values) != 1 {
					t.Errorf("%s by %s: unexpected %s %q", what, mode, name, values)
				}
			}
			if u, err := url.Parse(back.Get("error_uri")); err != nil || !u.IsAbs() {
				t.Errorf("%s: error_uri %q", what, back.Get("error_uri"))
			}
			for _, c := range back.Get("error_description") {
				if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
					t.Errorf("%s: the description %q holds %q", what, back.Get("error_description"), c)
				}
			}
		}
	}
}
