package attacks

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/memstore"
)

// linkNext finds the next page in a Link header (RFC 8288).
var linkNext = regexp.MustCompile(`<([^>]+)>; rel="next"`)

// Signed things and parsers. The only JSON Web Token that the server reads is
// its own proof against other sites.

// writes reports whether the proof lets alice's session change something.
func (p *person) writes(proof string) answer {
	p.s.t.Helper()
	p.s.clock.Move(time.Second)
	return p.do("POST", "/api/v1/tokens", `{"name":"`+p.s.clock.Now().Format(time.TimeOnly)+`","scopes":["records:read"]}`, "Content-Type", "application/json", "X-CSRF-Token", proof)
}

func (p *person) proof() string {
	p.s.t.Helper()
	return p.get("/account/settings/profile/").form().Get("authorized_token")
}

func TestM87_ForgedSignatures(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	s.mallory.signIn()
	honest, hers := s.alice.proof(), s.mallory.proof()
	part := strings.Split(honest, ".")
	if len(part) != 3 {
		t.Fatalf("the proof is %q", honest)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	sign := func(header, payload, key string) string {
		text := b64([]byte(header)) + "." + payload
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(text))
		return text + "." + b64(mac.Sum(nil))
	}
	jwks := s.do("GET", "/oauth/jwks", "").body
	signature, err := base64.RawURLEncoding.DecodeString(part[2])
	must(t, err)
	signature[0] ^= 1
	forgeries := map[string]string{
		"another session":     hers,
		"signature stripped":  part[0] + "." + part[1] + ".",
		"two parts":           part[0] + "." + part[1],
		"four parts":          honest + "." + part[2],
		"signature turned":    part[0] + "." + part[1] + "." + b64(signature),
		"somebody's payload":  part[0] + "." + strings.Split(hers, ".")[1] + "." + part[2],
		"with padding":        honest + "=",
		"another type":        sign(`{"alg":"HS256","typ":"JWT"}`, part[1], ""),
		"empty key":           sign(`{"alg":"HS256","typ":"csrf+jwt"}`, part[1], ""),
		"issuer as key":       sign(`{"alg":"HS256","typ":"csrf+jwt"}`, part[1], s.url),
		"public keys as key":  sign(`{"alg":"HS256","typ":"csrf+jwt"}`, part[1], jwks),
		"keyring line as key": sign(`{"alg":"HS256","typ":"csrf+jwt"}`, part[1], "test"),
		"as JSON":             fmt.Sprintf(`{"payload":%q,"signatures":[{"protected":%q,"signature":%q},{"protected":%q,"signature":%q}]}`, part[1], part[0], part[2], part[0], part[2]),
		"flat JSON":           fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, part[1], part[0], part[2]),
	}
	for _, alg := range []string{"none", "None", "nOnE", "", "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA", "dir", "PBES2-HS256+A128KW"} {
		forgeries["alg "+alg] = b64([]byte(`{"alg":"`+alg+`","typ":"csrf+jwt"}`)) + "." + part[1] + "."
		forgeries["alg signed "+alg] = sign(`{"alg":"`+alg+`","typ":"csrf+jwt"}`, part[1], "")
	}
	for _, header := range []string{`"jwk":{"kty":"oct","k":"AAAA"}`, `"jku":"` + s.url + `/x"`, `"x5u":"https://evil.test/"`, `"kid":"../../dev/null"`, `"kid":"' OR 1=1--"`, `"crit":["bork"],"bork":1`, `"b64":false,"crit":["b64"]`} {
		forgeries["header "+header] = sign(`{"alg":"HS256","typ":"csrf+jwt",`+header+`}`, part[1], "\x00\x00\x00")
	}
	before := s.count("SELECT count(*) FROM oauth_tokens")
	for name, forged := range forgeries {
		if a := s.alice.writes(forged); a.StatusCode != http.StatusBadRequest && a.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %v", name, a)
		}
		if !strings.ContainsAny(forged, "{") {
			if a := s.api(forged, "/records/read"); a.StatusCode != http.StatusUnauthorized && a.StatusCode != http.StatusBadRequest {
				t.Errorf("%s as a bearer token: %v", name, a)
			}
			if s.active(s.rs, forged) {
				t.Errorf("%s is an active token", name)
			}
		}
	}
	if after := s.count("SELECT count(*) FROM oauth_tokens"); after != before {
		t.Errorf("%d tokens were made", after-before)
	}
	if a := s.alice.writes(honest); a.StatusCode != http.StatusCreated {
		t.Errorf("the control: %v", a)
	}
}

func TestM89_InputThatCosts(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	const budget = 20 * time.Second // whatever the machine is at; each takes some milliseconds, a hostile one hours
	b64 := base64.RawURLEncoding.EncodeToString
	for name, token := range map[string]string{
		"dots":     strings.Repeat(".", 30<<10),
		"a header": b64([]byte(`{"alg":"PBES2-HS256+A128KW","p2c":2147483647,"p2s":"AAAA","enc":"A128GCM"}`)) + ".A.A.A.A",
		"deflate":  b64([]byte(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`)) + "..A.A.A",
		"no key":   b64([]byte(`{"alg":"RSA-OAEP","enc":"A256GCM"}`)) + "....",
		"deep":     b64([]byte(strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000))),
		"long":     strings.Repeat("a", 30<<10),
	} {
		if len(token) > 31<<10 {
			token = token[:31<<10]
		}
		for _, send := range []func() answer{
			func() answer { return s.alice.writes(token) },
			func() answer { return s.api(token, "/records/read") },
			func() answer {
				return s.alice.do("POST", "/account/settings/profile/", "name=X&authorized_token="+url.QueryEscape(token), "Content-Type", formType)
			},
			func() answer {
				return s.as(s.rs, "/oauth/introspect", url.Values{"token": {token}}).answer
			},
			func() answer { return s.do("GET", "/login/?to="+token, "") },
			func() answer {
				return s.do("GET", "/account/settings/profile/", "", "Cookie", "vk_sid="+token)
			},
		} {
			began := time.Now()
			a := send()
			if took := time.Since(began); took > budget {
				t.Errorf("%s: %s took %v", name, a.Request.URL.Path, took)
			}
			if a.StatusCode == http.StatusCreated || a.StatusCode == http.StatusSeeOther {
				t.Errorf("%s: %v", name, a)
			}
		}
	}
	mega := strings.Repeat(".", 1<<20)
	for name, send := range map[string]func() answer{
		"a form": func() answer { return s.as(s.rs, "/oauth/introspect", url.Values{"token": {mega}}).answer },
		"many": func() answer {
			return s.do("POST", "/oauth/token", strings.Repeat("a=1&", 16<<10), "Content-Type", formType)
		},
		"JSON": func() answer {
			return s.alice.do("POST", "/api/v1/tokens", `{"name":"`+mega+`"}`, "Content-Type", "application/json", "X-CSRF-Token", s.alice.proof())
		},
		"deep": func() answer {
			return s.alice.do("POST", "/api/v1/tokens", strings.Repeat(`[`, 60<<10), "Content-Type", "application/json", "X-CSRF-Token", s.alice.proof())
		},
		"password": func() answer {
			return s.alice.elsewhere().post("/login/", url.Values{"username": {"x@web.test"}, "password": {mega}})
		},
	} {
		began := time.Now()
		a := send()
		if took := time.Since(began); took > 2*budget || a.StatusCode < 400 {
			t.Errorf("%s: %v after %v", name, a, took)
		}
	}
	if a := s.alice.writes(s.alice.proof()); a.StatusCode != http.StatusCreated {
		t.Errorf("the control: %v", a)
	}
}

func TestM91_OneWayToWriteBearer(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	_, token := s.pat(s.alice, "records:read", "tokens:read")
	// A folded line is missing here: net/http makes one space of it, as RFC 9112
	// §5.2 allows, and nobody can tell it from the honest header.
	for _, path := range []string{"/records/read", "/api/v1/tokens", "/oauth/ping"} {
		for header, want := range map[string]string{
			"Authorization: Bearer " + token:                                        "200",
			"authorization: bEaReR " + token:                                        "200",
			"Authorization: Bearer  " + token:                                       "40",
			"Authorization: Bearer\t" + token:                                       "40",
			"Authorization: Bearer" + token:                                         "40",
			"Authorization: Bearer " + token + ", Basic eDp5":                       "40",
			"Authorization: Bearer " + token + " x":                                 "40",
			"Authorization: Bearer " + token + "\x00":                               "40",
			"Authorization: \"Bearer\" " + token:                                    "40",
			"Authorization: Bearer \"" + token + "\"":                               "40",
			"Authorization: Bearer token=" + token:                                  "40",
			"Authorization: Bearer " + strings.Repeat("a", 64<<10):                  "40",
			"Authorization: Bearer " + token + "\r\nAuthorization: Basic eDp5":      "40",
			"Authorization: Bearer x\r\nAuthorization: Bearer " + token:             "40",
			"Authorization: Bearer " + token + "\r\nAuthorization: Bearer " + token: "40",
			"Authorization:": "40",
		} {
			a := s.raw("GET " + path + " HTTP/1.1\r\nHost: " + s.host + "\r\n" + header + "\r\nConnection: close\r\n\r\n")
			if got := fmt.Sprint(a.StatusCode); !strings.HasPrefix(got, want) && got != "431" {
				t.Errorf("%s, %.60q: %v, want %s", path, header, a, want)
			}
		}
	}
}

func TestM93_ForgedCursors(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	s.alice.signIn()
	s.root.signIn()
	for range 3 {
		s.pat(s.alice, "records:read")
	}
	secretID, _ := s.pat(s.mallory, "records:read")
	_, reader := s.pat(s.alice, "tokens:read", "applications:read", "activity:read", "authorizations:read")
	forgeries := []string{"' OR 1=1--", "1;DROP TABLE oauth_tokens", "\x00", strings.Repeat("9", 5000), "-1", "eyJpZCI6MX0", "../../etc/passwd", "%", "_", secretID, s.alice.subject, "ü", "\"", "{\"$gt\":\"\"}"}
	before := s.count("SELECT count(*) FROM oauth_tokens")
	for _, f := range forgeries {
		for _, name := range []string{"after", "limit", "state", "sort", "order", "q", "cursor", "page"} {
			q := "?" + url.Values{name: {f}}.Encode()
			for _, path := range []string{"/api/v1/tokens", "/api/v1/applications", "/api/v1/authorizations", "/api/v1/activity"} {
				a := s.do("GET", path+q, "", "Authorization", "Bearer "+reader)
				if strings.Contains(a.body, s.mallory.subject) || strings.Contains(a.body, secretID) && f != secretID {
					t.Errorf("%s%s shows what is mallory's: %v", path, q, a)
				}
				if strings.Contains(a.body, "sqlstore") || strings.Contains(a.body, "SQL logic") || strings.Contains(a.body, "syntax error") {
					t.Errorf("%s%s: %v", path, q, a)
				}
			}
			for _, path := range []string{"/account/settings/applications/", "/account/settings/activity/"} {
				if a := s.alice.get(path + q + "&clients_" + name + "=" + url.QueryEscape(f) + "&tokens_" + name + "=" + url.QueryEscape(f)); strings.Contains(a.body, s.mallory.subject) {
					t.Errorf("%s%s shows what is mallory's", path, q)
				}
			}
			for _, path := range []string{"/admin/applications/", "/admin/tokens/", "/admin/activity/", "/admin/users/"} {
				s.root.get(path + q) // no server error
			}
		}
	}
	if after := s.count("SELECT count(*) FROM oauth_tokens"); after != before {
		t.Errorf("%d rows went", before-after)
	}
	first := s.do("GET", "/api/v1/tokens?limit=2", "", "Authorization", "Bearer "+reader)
	next := linkNext.FindStringSubmatch(first.Header.Get("Link"))
	if first.StatusCode != http.StatusOK || next == nil {
		t.Fatalf("the control: %v, Link %q", first, first.Header.Get("Link"))
	}
	if a := s.do("GET", strings.TrimPrefix(next[1], s.url), "", "Authorization", "Bearer "+reader); a.StatusCode != http.StatusOK {
		t.Errorf("the honest cursor: %v", a)
	}

	for _, ring := range []oauth.Secret{"changeme", "a:c2VjcmV0", "a:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "a:\nb:", "a:" + oauth.Secret(strings.Repeat("A", 44))} {
		config := valetkey.Config{Issuer: s.url, Store: memstore.New(), Login: s.door, Users: s.door, Keyring: ring}
		if _, err := valetkey.New(config); err == nil {
			t.Errorf("a server started with the keys %q", string(ring))
		}
	}
}
