package conformance_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

type joseKey = jose.JSONWebKey

func TestD1_ResponseAndGrantTypes(t *testing.T) {
	t.Parallel()
	m := anonymous(t).metadata
	for name, want := range map[string][]string{
		"response_types_supported": {"code", "id_token", "id_token token"}, "grant_types_supported": {"authorization_code", "implicit"},
	} {
		for _, v := range want {
			if !slices.Contains(texts(m, name), v) {
				t.Errorf("%s is %v", name, m[name])
			}
		}
	}
}

func TestD2_Registration(t *testing.T) {
	t.Parallel()
	p := anonymous(t)
	status, answer := p.register(map[string]any{"client_name": "Bare", "redirect_uris": []string{callback}})
	if status != http.StatusCreated || text(answer, "client_id") == "" {
		t.Fatalf("got %d %v", status, answer)
	}
	if answer["client_secret"] != nil && seconds(answer["client_secret_expires_at"]) < 0 {
		t.Errorf("client_secret_expires_at %v", answer["client_secret_expires_at"])
	}
	p.adopt(answer)
	if status, _, body := p.get(p.registrationURI, p.registration); status != 200 || object(t, body)["client_id"] != p.ID {
		t.Errorf("read: %d %s", status, body)
	}
	if status, _, _ := p.get(p.registrationURI, altered(p.registration)); status != http.StatusUnauthorized {
		t.Errorf("read with another token: %d", status)
	}
	req, _ := http.NewRequest(http.MethodDelete, p.registrationURI, nil)
	req.Header.Set("Authorization", "Bearer "+p.registration)
	if status, _, body := p.send(req); status != http.StatusNoContent {
		t.Errorf("delete: %d %s", status, body)
	}
	if status, _, _ := p.get(p.registrationURI, p.registration); status != http.StatusUnauthorized {
		t.Errorf("read after delete: %d", status)
	}
	if r := p.exchange("vk_ac_gone"); r.status != http.StatusUnauthorized || r.Error != "invalid_client" {
		t.Errorf("a vanished client: %d %v", r.status, r.body)
	}
}

func TestD2_BadRegistrations(t *testing.T) {
	t.Parallel()
	p := anonymous(t)
	for name, members := range map[string]map[string]any{
		"fragment":              {"redirect_uris": []string{callback + "#foo"}},
		"no redirect":           {"redirect_uris": []string{}},
		"script":                {"redirect_uris": []string{"javascript:alert(1)"}},
		"private key":           {"jwks": json.RawMessage(`{"keys":[{"kty":"oct","k":"AAAA"}]}`)},
		"unknown alg":           {"id_token_signed_response_alg": "none"},
		"plain initiate_login":  {"initiate_login_uri": "http://rp.example/start"},
		"foreign sector":        {"sector_identifier_uri": "https://localhost:1/none", "subject_type": "pairwise"},
		"software statement":    {"software_statement": "a.b.c"},
		"jwks and jwks_uri":     {"jwks": json.RawMessage(`{"keys":[]}`), "jwks_uri": "https://rp.example/jwks"},
		"response without flow": {"grant_types": []string{"authorization_code"}, "response_types": []string{"id_token"}},
	} {
		request := map[string]any{"client_name": "Bad", "redirect_uris": []string{callback}}
		maps.Copy(request, members)
		status, answer := p.register(request)
		if e := text(answer, "error"); status != http.StatusBadRequest || e != "invalid_redirect_uri" && e != "invalid_client_metadata" && e != "invalid_software_statement" {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
}

func TestD3_UserInfoSigned(t *testing.T) {
	t.Parallel()
	p := newParty(t, map[string]any{"userinfo_signed_response_alg": "RS256"})
	r := p.exchange(p.authorize("nonce", "n").Get("code"))
	status, header, body := p.get(p.endpoint("userinfo_endpoint"), r.Access)
	if status != 200 || header.Get("Content-Type") != "application/jwt" {
		t.Fatalf("got %d %v", status, header)
	}
	claims, _ := p.verify(string(body), "RS256")
	if claims["iss"] != p.op.Issuer || claims["aud"] != p.ID && !slices.Equal(texts(claims, "aud"), []string{p.ID}) || claims["nonce"] != nil || text(claims, "sub") == "" {
		t.Errorf("got %v", claims)
	}
}

func TestD3_IDTokenAlgorithm(t *testing.T) {
	t.Parallel()
	p := newParty(t, map[string]any{"id_token_signed_response_alg": "ES256"})
	if p.alg != "ES256" {
		t.Fatalf("registered for %q", p.alg)
	}
	p.checkIDToken(p.exchange(p.authorize("nonce", "n").Get("code")).ID, issued{nonce: "n"})
}

func TestD3_KeysByValueAndByReference(t *testing.T) {
	t.Parallel()
	p := anonymous(t)
	set := p.keyed()
	rp := serve(t, p.op, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Write(set)
	})
	for name, members := range map[string]map[string]any{"by value": {"jwks": set}, "by reference": {"jwks_uri": rp + "/jwks"}} {
		request := map[string]any{"client_name": "Keyed", "redirect_uris": []string{callback}, "token_endpoint_auth_method": "private_key_jwt"}
		maps.Copy(request, members)
		status, answer := p.register(request)
		if status != http.StatusCreated {
			t.Fatalf("%s: %d %v", name, status, answer)
		}
		p.adopt(answer)
		p.checkTokens(p.exchange(p.authorize().Get("code")))
	}
}

func TestD5_AssertionAudience(t *testing.T) {
	t.Parallel()
	p := anonymous(t)
	status, answer := p.register(map[string]any{"client_name": "Keyed", "redirect_uris": []string{callback},
		"grant_types": []string{"authorization_code", "client_credentials"}, "token_endpoint_auth_method": "private_key_jwt", "jwks": p.keyed()})
	if status != http.StatusCreated {
		t.Fatalf("%d %v", status, answer)
	}
	p.adopt(answer)
	send := func(claims map[string]any) *tokens {
		code := p.authorize().Get("code")
		p.Method = "as it is"
		defer func() { p.Method = "private_key_jwt" }()
		return p.exchange(code, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", p.assertion(claims))
	}
	for name, aud := range map[string]any{"issuer": p.op.Issuer, "token endpoint": p.endpoint("token_endpoint"), "array": []string{p.endpoint("token_endpoint")}} {
		if r := send(map[string]any{"aud": aud}); r.status != 200 {
			t.Errorf("%s: %d %v", name, r.status, r.body)
		}
	}
	for name, claims := range map[string]map[string]any{
		"audience": {"aud": "https://other.example"}, "issuer": {"iss": "somebody"}, "subject": {"sub": "somebody"},
		"expired": {"exp": time.Now().Add(-5 * time.Minute).Unix()}, "future": {"nbf": time.Now().Add(2 * time.Minute).Unix()},
	} {
		if r := send(claims); r.status != 401 || r.Error != "invalid_client" {
			t.Errorf("wrong %s: %d %v", name, r.status, r.body)
		}
	}
}

func TestD4_RequestObjects(t *testing.T) {
	t.Parallel()
	p := anonymous(t)
	var object string
	rp := serve(t, p.op, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/oauth-authz-req+jwt")
		w.Write([]byte(object))
	})
	status, answer := p.register(map[string]any{"client_name": "Objects", "redirect_uris": []string{callback, callback + "/second"},
		"jwks": p.keyed(), "request_uris": []string{rp + "/request"}})
	if status != http.StatusCreated {
		t.Fatalf("%d %v", status, answer)
	}
	p.adopt(answer)
	inside := map[string]any{
		"iss": p.ID, "aud": p.op.Issuer, "client_id": p.ID, "response_type": "code", "redirect_uri": callback + "/second",
		"scope": "openid", "state": "inner", "nonce": "inner", "exp": time.Now().Add(time.Minute).Unix(),
	}
	object = p.sign("oauth-authz-req+jwt", inside)
	for name, params := range map[string][]string{
		"by value": {"request", object, "state", "inner"}, "by reference": {"request_uri", rp + "/request", "state", "inner"},
	} {
		a := p.authorize(params...)
		p.checkResponse(a, "inner", "query", "code")
		if a.uri != callback+"/second" || a.Get("code") == "" {
			t.Errorf("%s: the outer redirect_uri won: %s %v", name, a.uri, a.Values)
		}
		r := p.token("grant_type", "authorization_code", "code", a.Get("code"), "redirect_uri", callback+"/second")
		p.checkIDToken(r.ID, issued{nonce: "inner"})
	}
	unsigned := "eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdF91cmkiOiJodHRwczovL2V2aWwuZXhhbXBsZSJ9."
	if a := p.authorize("request", unsigned, "state", "s"); a.Get("error") != "invalid_request_object" {
		t.Errorf("unsigned: %v", a.Values)
	}
	if a, page := p.try("request_uri", rp+"/other", "state", "s"); a != nil && a.Get("error") != "invalid_request_uri" {
		t.Errorf("not registered: %v %v", a, page)
	}
}

func TestD4_PairwiseSubjects(t *testing.T) {
	t.Parallel()
	first, second := newParty(t, map[string]any{"subject_type": "pairwise"}), newParty(t, map[string]any{"subject_type": "pairwise", "redirect_uris": []string{"https://rp.example/other"}})
	public := newParty(t, nil)
	sub := func(p *party, params ...string) string {
		r := p.token("grant_type", "authorization_code", "code", p.authorize(params...).Get("code"), "redirect_uri", firstOf(params))
		claims, _ := p.verify(r.ID, "RS256")
		if info := p.userInfo(r.Access); info["sub"] != claims["sub"] {
			t.Errorf("sub is %v in UserInfo and %v in the ID token", info["sub"], claims["sub"])
		}
		return text(claims, "sub")
	}
	one := sub(first)
	if again := sub(first); again != one {
		t.Errorf("the subject changed: %s, %s", one, again)
	}
	if same := sub(second, "redirect_uri", "https://rp.example/other"); same != one {
		t.Errorf("one sector, two subjects: %s, %s", one, same)
	}
	if plain := sub(public); plain == one {
		t.Errorf("the pairwise subject is the public one: %s", plain)
	}
}

// firstOf is the redirect_uri among params.
func firstOf(params []string) string {
	for i := 0; i+1 < len(params); i += 2 {
		if params[i] == "redirect_uri" {
			return params[i+1]
		}
	}
	return callback
}

func Test3P_InitiateLogin(t *testing.T) {
	t.Parallel()
	p := newParty(t, map[string]any{"initiate_login_uri": "https://rp.example/start"})
	status, _, body := p.get(p.registrationURI, p.registration)
	if status != 200 || object(t, body)["initiate_login_uri"] != "https://rp.example/start" {
		t.Errorf("got %d %s", status, body)
	}
}

func TestE4_Update(t *testing.T) {
	t.Parallel()
	p := newParty(t, nil)
	body, _ := json.Marshal(map[string]any{"client_id": p.ID, "client_name": "Renamed", "redirect_uris": []string{callback}})
	req, _ := http.NewRequest(http.MethodPut, p.registrationURI, bytes.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+p.registration)
	req.Header.Set("Content-Type", "application/json")
	status, _, answer := p.send(req)
	if status != 200 || object(t, answer)["client_name"] != "Renamed" {
		t.Errorf("got %d %s", status, answer)
	}
}
