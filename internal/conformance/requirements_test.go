package conformance_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The rows of the endpoints that the plans do not ask about, from outside.

func TestR5_TokenResponse(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	r := p.exchange(p.authorize("scope", "openid offline_access", "prompt", "consent").Get("code"))
	p.checkTokens(r)
	p.checkEntropy("code", p.authorize().Get("code"))
	if r.Refresh == "" || strings.Trim(r.Refresh, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_~.") != "" {
		t.Errorf("refresh token %q", r.Refresh)
	}
}

func TestR7_IssuerInEveryResponse(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	for _, params := range [][]string{{}, {"prompt", "none", "max_age", "0"}, {"scope", "no:such"}, {"response_type", "token id_token", "nonce", "n"}} {
		if a := p.authorize(params...); a.Get("iss") != p.op.Issuer || len(a.Values["iss"]) != 1 {
			t.Errorf("%v: iss %q", params, a.Values["iss"])
		}
	}
	if p.metadata["authorization_response_iss_parameter_supported"] != true {
		t.Error("the metadata do not say so")
	}
}

func TestT1_PostOnlyAndNothingFromTheQuery(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	code := p.authorize().Get("code")
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}}
	if status, header, _ := p.get(p.endpoint("token_endpoint")+"?"+form.Encode(), ""); status != http.StatusMethodNotAllowed || header.Get("Allow") != "POST" {
		t.Errorf("GET: %d %v", status, header)
	}
	query := url.Values{"client_id": {p.ID}, "client_secret": {p.Secret}}
	if status, _, body := p.post(p.endpoint("token_endpoint")+"?"+query.Encode(), form, nil); status < 400 {
		t.Errorf("credentials in the query: %d %s", status, body)
	}
	status, _, body := p.post(p.endpoint("token_endpoint"), form, func(req *http.Request) {
		p.authenticate(req, form)
		req.Header.Set("Content-Type", "application/json")
	})
	if status < 400 {
		t.Errorf("a form that says it is JSON: %d %s", status, body)
	}
	p.checkTokens(p.exchange(code))
}

func TestT2_OneMethodOfAuthentication(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	code := p.authorize().Get("code")
	if r := p.exchange(code, "client_id", p.ID, "client_secret", p.Secret); r.status != 400 || r.Error != "invalid_request" {
		t.Errorf("two methods: %d %v", r.status, r.body)
	}
	p.Method = "none"
	if r := p.exchange(code); r.status != 401 || r.Error != "invalid_client" {
		t.Errorf("no secret: %d %v", r.status, r.body)
	}
	p.Method = "client_secret_basic"
	p.checkTokens(p.exchange(code))
}

func TestT4_NothingIsCached(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	for _, code := range []string{p.authorize().Get("code"), "nonsense"} {
		if r := p.exchange(code); r.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%d: Cache-Control %q", r.status, r.header.Get("Cache-Control"))
		}
	}
}

func TestT5_Errors(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	r := p.exchange("nonsense")
	if r.status != 400 || r.Error != "invalid_grant" || r.header.Get("Content-Type") != "application/json" || r.header.Get("WWW-Authenticate") != "" {
		t.Errorf("a wrong code: %d %v %v", r.status, r.header, r.body)
	}
	for _, c := range text(r.body, "error_description") {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			t.Errorf("error_description has %q", c)
		}
	}
	p.Secret += "x"
	if r := p.exchange("nonsense"); r.status != 401 || r.Error != "invalid_client" || !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Basic ") {
		t.Errorf("a wrong secret by Basic: %d %v", r.status, r.header)
	}
	p.Method = "client_secret_post"
	if r := p.exchange("nonsense"); r.status != 401 || r.header.Get("WWW-Authenticate") != "" {
		t.Errorf("a wrong secret in the body: %d %v", r.status, r.header)
	}
}

func TestT6_ScopeIsReturned(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	// offline_access is dropped without prompt=consent, so what is granted differs.
	r := p.exchange(p.authorize("scope", "openid email offline_access").Get("code"))
	if got := strings.Fields(text(r.body, "scope")); !slices.Equal(got, []string{"openid", "email"}) {
		t.Errorf("scope %q", got)
	}
}

func TestT7_RedirectURIAtTheTokenEndpoint(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	const verifier = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
	code := p.authorize().Get("code")
	if r := p.token("grant_type", "authorization_code", "code", code, "redirect_uri", callback+"/"); r.status != 400 || r.Error != "invalid_grant" {
		t.Errorf("another URI: %d %v", r.status, r.body)
	}
	if r := p.token("grant_type", "authorization_code", "code", code); r.status != 400 || r.Error != "invalid_grant" {
		t.Errorf("none, and no PKCE: %d %v", r.status, r.body)
	}
	p.checkTokens(p.exchange(code))
	code = p.authorize("code_challenge", s256(verifier), "code_challenge_method", "S256").Get("code")
	p.checkTokens(p.token("grant_type", "authorization_code", "code", code, "code_verifier", verifier))
}

func TestT8_Refresh(t *testing.T) {
	t.Parallel()
	p := newParty(t, map[string]any{"token_endpoint_auth_method": "none"})
	first := p.exchange(p.authorize("scope", "openid offline_access", "prompt", "consent").Get("code"))
	if r := p.token("grant_type", "refresh_token", "refresh_token", first.Refresh, "scope", "openid email"); r.status != 400 || r.Error != "invalid_scope" {
		t.Errorf("more scope: %d %v", r.status, r.body)
	}
	second := p.token("grant_type", "refresh_token", "refresh_token", first.Refresh)
	p.checkTokens(second)
	if second.Refresh == "" || second.Refresh == first.Refresh {
		t.Error("a public client's refresh token was not rotated")
	}
	status, _, _ := p.post(p.endpoint("revocation_endpoint"), url.Values{"token": {second.Refresh}, "client_id": {p.ID}}, nil)
	if r := p.token("grant_type", "refresh_token", "refresh_token", second.Refresh); status != 200 || r.status != 400 || r.Error != "invalid_grant" {
		t.Errorf("after revocation: %d, %d %v", status, r.status, r.body)
	}
}

func TestT9_PasswordAndClientCredentials(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	if r := p.token("grant_type", "password", "username", person.Email, "password", person.Password); r.status != 400 || r.Access != "" {
		t.Errorf("password: %d %v", r.status, r.body)
	}
	out, err := p.op.Run(t.Context(), "", "client", "create", "--name", "Service", "--type", "service", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatal(err)
	}
	p.ID, p.Secret = made.ID, made.Secret
	if r := p.token("grant_type", "client_credentials"); r.status != 200 || r.Refresh != "" || r.ID != "" {
		t.Errorf("client credentials: %d %v", r.status, r.body)
	}
}

// Whatever was handed out is not in the database, its log, or the server's log.
func TestT11_SecretsAreKeptAsHashes(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	code := p.authorize("scope", "openid offline_access", "prompt", "consent").Get("code")
	r := p.exchange(code)
	secrets := map[string]string{"code": code, "access token": r.Access, "refresh token": r.Refresh, "client secret": p.Secret, "registration token": p.registration}
	files, err := filepath.Glob(filepath.Join(p.op.Dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil || filepath.Base(file) == "valetkey" {
			continue
		}
		seen++
		for name, secret := range secrets {
			if secret == "" {
				t.Fatalf("there is no %s", name)
			}
			if strings.Contains(string(content), secret) {
				t.Errorf("%s holds the %s", filepath.Base(file), name)
			}
		}
	}
	if seen < 4 {
		t.Errorf("only %d files were read: %v", seen, files)
	}
}

func TestBearer1_HeaderOrForm(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	r := p.exchange(p.authorize().Get("code"))
	if status, _, body := p.get(p.endpoint("userinfo_endpoint")+"?access_token="+r.Access, ""); status != 400 || object(t, body)["error"] != "invalid_request" {
		t.Errorf("in the query: %d %s", status, body)
	}
	for _, scheme := range []string{"bearer", "BEARER"} {
		req, _ := http.NewRequest(http.MethodGet, p.endpoint("userinfo_endpoint"), nil)
		req.Header.Set("Authorization", scheme+" "+r.Access)
		if status, _, body := p.send(req); status != 200 {
			t.Errorf("%s: %d %s", scheme, status, body)
		}
	}
}

func TestBearer2_TwoWaysAtOnce(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	r := p.exchange(p.authorize().Get("code"))
	status, header, body := p.post(p.endpoint("userinfo_endpoint"), url.Values{"access_token": {r.Access}}, func(req *http.Request) {
		req.Header.Set("Authorization", "Bearer "+r.Access)
	})
	if status != 400 || !strings.Contains(header.Get("WWW-Authenticate"), `error="invalid_request"`) {
		t.Errorf("%d %v %s", status, header, body)
	}
}

func TestBearer3_Challenges(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	status, header, _ := p.get(p.endpoint("userinfo_endpoint"), "")
	if c := header.Get("WWW-Authenticate"); status != 401 || !strings.HasPrefix(c, "Bearer ") || strings.Contains(c, "error") {
		t.Errorf("no token: %d %q", status, c)
	}
	status, header, _ = p.get(p.endpoint("userinfo_endpoint"), "nonsense")
	if c := header.Get("WWW-Authenticate"); status != 401 || !strings.Contains(c, `error="invalid_token"`) {
		t.Errorf("a wrong token: %d %q", status, c)
	}
	r := p.exchange(p.authorize("scope", "email").Get("code"))
	status, header, _ = p.get(p.endpoint("userinfo_endpoint"), r.Access)
	if c := header.Get("WWW-Authenticate"); status != 403 || !strings.Contains(c, `error="insufficient_scope"`) || !strings.Contains(c, `scope="openid"`) {
		t.Errorf("a token without openid: %d %q", status, c)
	}
}

func TestV1_Revocation(t *testing.T) {
	t.Parallel()
	p, other := newParty(t, nil), newParty(t, nil)
	r := p.exchange(p.authorize("scope", "openid offline_access", "prompt", "consent").Get("code"))
	revoke := func(by *party, token string) (int, []byte) {
		form := url.Values{"token": {token}}
		status, _, body := by.post(by.endpoint("revocation_endpoint"), form, func(req *http.Request) { by.authenticate(req, form) })
		return status, body
	}
	for name, by := range map[string]*party{"unknown": p, "another client": other} {
		token := r.Refresh
		if name == "unknown" {
			token = "vk_rt_unknown"
		}
		if status, body := revoke(by, token); status != 200 || len(body) > 0 {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	p.userInfo(r.Access)
	if status, body := revoke(p, r.Refresh); status != 200 {
		t.Errorf("its own: %d %s", status, body)
	}
	if status, _, _ := p.get(p.endpoint("userinfo_endpoint"), r.Access); status != 401 {
		t.Errorf("the access token of a revoked refresh token: %d", status)
	}
}

func (p *party) introspect(token, accept string) (int, http.Header, []byte) {
	form := url.Values{"token": {token}}
	return p.post(p.endpoint("introspection_endpoint"), form, func(req *http.Request) {
		p.authenticate(req, form)
		if accept != "" {
			req.Header.Set("Accept", accept)
		}
	})
}

func TestV2_Introspection(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	r := p.exchange(p.authorize().Get("code"))
	if _, _, body := p.introspect(r.Access, ""); object(t, body)["active"] != true || object(t, body)["client_id"] != p.ID {
		t.Errorf("alive: %s", body)
	}
	for _, dead := range []string{"nonsense", altered(r.Access)} {
		if _, _, body := p.introspect(dead, ""); strings.TrimSpace(string(body)) != `{"active":false}` {
			t.Errorf("%q: %s", dead, body)
		}
	}
	p.Secret += "x"
	if status, _, _ := p.introspect(r.Access, ""); status != 401 {
		t.Errorf("a wrong secret: %d", status)
	}
}

func TestV3_SignedIntrospection(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	r := p.exchange(p.authorize().Get("code"))
	for token, active := range map[string]bool{r.Access: true, "nonsense": false} {
		status, header, body := p.introspect(token, "application/token-introspection+jwt")
		if status != 200 || header.Get("Content-Type") != "application/token-introspection+jwt" {
			t.Fatalf("%d %v %s", status, header, body)
		}
		claims, typ := p.verify(string(body), "RS256")
		inner, _ := claims["token_introspection"].(map[string]any)
		if typ != "token-introspection+jwt" || claims["iss"] != p.op.Issuer || claims["aud"] != p.ID || inner["active"] != active || claims["exp"] != nil || claims["sub"] != nil {
			t.Errorf("typ %s: %v", typ, claims)
		}
	}
}

// What the metadata promise is kept: every endpoint is there, and every
// algorithm and method can be registered and used.
func TestMetadata2_PromisesAreKept(t *testing.T) {
	t.Parallel()
	p := anonymous(t)
	for name := range p.metadata {
		if strings.HasSuffix(name, "_endpoint") || name == "jwks_uri" || name == "check_session_iframe" {
			if status, _, body := p.get(p.endpoint(name), ""); status == http.StatusNotFound || status >= 500 {
				t.Errorf("%s: %d %.100s", name, status, body)
			}
		}
	}
	for _, alg := range texts(p.metadata, "id_token_signing_alg_values_supported") {
		signed := newParty(t, map[string]any{"id_token_signed_response_alg": alg, "userinfo_signed_response_alg": alg})
		r := signed.exchange(signed.authorize("nonce", "n").Get("code"))
		signed.checkIDToken(r.ID, issued{nonce: "n"})
		_, _, body := signed.get(signed.endpoint("userinfo_endpoint"), r.Access)
		signed.verify(string(body), alg)
	}
	for _, responseType := range texts(p.metadata, "response_types_supported") {
		for _, mode := range texts(p.metadata, "response_modes_supported") {
			asking := newParty(t, map[string]any{"response_types": []string{responseType}, "grant_types": nil})
			a := asking.authorize("response_type", responseType, "response_mode", mode)
			refused := mode == "query" && responseType != "code"
			if refused != a.Has("error") || !refused && a.mode != mode {
				t.Errorf("%s by %s: came by %s with %v", responseType, mode, a.mode, a.Values)
			}
		}
	}
	claims := newParty(t, nil)
	all := map[string]any{}
	for _, name := range texts(p.metadata, "claims_supported") {
		all[name] = nil
	}
	param, _ := json.Marshal(map[string]any{"userinfo": all})
	info := claims.userInfo(claims.exchange(claims.authorize("claims", string(param)).Get("code")).Access)
	for name := range all {
		if _, there := info[name]; !there {
			t.Errorf("the claim %s cannot be had", name)
		}
	}
	scoped := newParty(t, nil)
	if a := scoped.authorize("scope", strings.Join(texts(p.metadata, "scopes_supported"), " ")); a.Get("code") == "" {
		t.Errorf("every scope: %v", a.Values)
	}
}

func TestMetadata3_PKCEInBothDocuments(t *testing.T) {
	t.Parallel()
	p := anonymous(t)
	_, _, body := p.get(p.op.Issuer+"/.well-known/oauth-authorization-server", "")
	for _, doc := range []map[string]any{p.metadata, object(t, body)} {
		if !slices.Equal(texts(doc, "code_challenge_methods_supported"), []string{"S256"}) {
			t.Errorf("got %v", doc["code_challenge_methods_supported"])
		}
	}
}
