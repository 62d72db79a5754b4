package conformance_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// keys fetches the provider's key set and holds it to R3.
func (p *party) keys() *jose.JSONWebKeySet {
	p.t.Helper()
	_, _, body := p.get(p.endpoint("jwks_uri"), "")
	raw := struct{ Keys []map[string]any }{}
	if err := json.Unmarshal(body, &raw); err != nil || len(raw.Keys) == 0 {
		p.t.Fatalf("key set: %v: %s", err, body)
	}
	var ids []string
	for _, k := range raw.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, there := k[private]; there {
				p.t.Errorf("R3: the key set has a private member %s", private)
			}
		}
		id := text(k, "kid")
		if id == "" || slices.Contains(ids, id) || text(k, "alg") == "" || text(k, "use") != "sig" {
			p.t.Errorf("R3: key %v", k)
		}
		ids = append(ids, id)
	}
	set := new(jose.JSONWebKeySet)
	if err := json.Unmarshal(body, set); err != nil {
		p.t.Fatal(err)
	}
	for _, k := range set.Keys {
		switch key := k.Key.(type) {
		case *rsa.PublicKey:
			if key.N.BitLen() < 2048 {
				p.t.Errorf("R3: an RSA key of %d bits", key.N.BitLen())
			}
		case *ecdsa.PublicKey:
		default:
			p.t.Errorf("R3: a key of type %T", key)
		}
	}
	return set
}

// verify checks a JWT of the provider's: algorithm, kid and signature (R4).
func (p *party) verify(jwt, alg string) (claims map[string]any, typ string) {
	p.t.Helper()
	signed, err := jose.ParseSignedCompact(jwt, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		p.t.Fatalf("R4: not a JWT signed with %s: %v: %s", alg, err, jwt)
	}
	header := signed.Signatures[0].Protected
	found := p.keys().Key(header.KeyID)
	if header.KeyID == "" || len(found) != 1 || found[0].Algorithm != alg {
		p.t.Fatalf("R4: kid %q, keys %v", header.KeyID, found)
	}
	payload, err := signed.Verify(found[0])
	if err != nil {
		p.t.Fatalf("R4: signature: %v", err)
	}
	typ, _ = header.ExtraHeaders[jose.HeaderType].(string)
	return object(p.t, payload), typ
}

// issued is what an ID token must fit.
type issued struct {
	nonce        string // empty: none was sent
	code, access string // what came with it from the authorization endpoint
	authTime     bool   // max_age was sent, or the client requires auth_time
	allow        []string
}

// checkIDToken holds an ID token to R4, B9 and B15.
func (p *party) checkIDToken(jwt string, want issued) map[string]any {
	p.t.Helper()
	claims, _ := p.verify(jwt, p.alg)
	now := time.Now()
	iat, exp := seconds(claims["iat"]), seconds(claims["exp"])
	switch {
	case claims["iss"] != p.op.Issuer:
		p.t.Errorf("R4: iss %v", claims["iss"])
	case text(claims, "sub") == "" || len(text(claims, "sub")) > 255:
		p.t.Errorf("R4: sub %v", claims["sub"])
	case claims["aud"] != p.ID && !slices.Equal(texts(claims, "aud"), []string{p.ID}):
		p.t.Errorf("R4: aud %v", claims["aud"])
	case now.Sub(time.Unix(iat, 0)).Abs() > 5*time.Minute || exp <= now.Unix():
		p.t.Errorf("R4: iat %d, exp %d", iat, exp)
	}
	if nonce, sent := claims["nonce"]; sent != (want.nonce != "") || sent && nonce != want.nonce {
		p.t.Errorf("R4: nonce %v, sent %q", nonce, want.nonce)
	}
	if at, there := claims["auth_time"]; there && time.Since(time.Unix(seconds(at), 0)) > 365*24*time.Hour || want.authTime && !there {
		p.t.Errorf("R4, B4: auth_time %v", at)
	}
	if acr, there := claims["acr"]; there && text(claims, "acr") == "" {
		p.t.Errorf("R4: acr %v", acr)
	}
	p.checkHash(claims, "at_hash", want.access)
	p.checkHash(claims, "c_hash", want.code)
	allowed := append([]string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "c_hash", "s_hash", "sid", "jti", "nbf", "txn"}, want.allow...)
	for name := range claims {
		if !slices.Contains(allowed, name) {
			p.t.Errorf("B9: the ID token has %s", name)
		}
	}
	return claims
}

// checkHash: OpenID Connect Core §3.3.2.11. Both algorithms use SHA-256.
func (p *party) checkHash(claims map[string]any, name, value string) {
	p.t.Helper()
	if value == "" {
		return
	}
	sum := sha256.Sum256([]byte(value))
	if want := base64.RawURLEncoding.EncodeToString(sum[:crypto.SHA256.Size()/2]); claims[name] != want {
		p.t.Errorf("B15: %s is %v, want %s", name, claims[name], want)
	}
}

// checkTokens holds a token response to R5.
func (p *party) checkTokens(r *tokens) {
	p.t.Helper()
	if r.status != 200 || r.header.Get("Content-Type") != "application/json" {
		p.t.Fatalf("R5: %d %v %v", r.status, r.header, r.body)
	}
	cached := strings.Split(strings.ReplaceAll(r.header.Get("Cache-Control"), " ", ""), ",")
	if !slices.Contains(cached, "no-store") || r.body["token_type"] != "Bearer" {
		p.t.Errorf("R5: Cache-Control %q, token_type %v", cached, r.body["token_type"])
	}
	if n := seconds(r.body["expires_in"]); n <= 0 || n > 31536000 {
		p.t.Errorf("R5: expires_in %v", r.body["expires_in"])
	}
	p.checkEntropy("access_token", r.Access)
	if r.Refresh != "" {
		p.checkEntropy("refresh_token", r.Refresh)
	}
}

// checkEntropy: R5.
func (p *party) checkEntropy(name, value string) {
	p.t.Helper()
	counts := map[rune]int{}
	for _, c := range value {
		counts[c]++
	}
	bits := 0.0
	for _, n := range counts {
		share := float64(n) / float64(len(value))
		bits -= share * math.Log2(share)
	}
	if bits*float64(len(value)) <= 96 {
		p.t.Errorf("R5: %s has %.0f bits", name, bits*float64(len(value)))
	}
}

// checkResponse holds an authorization response to R6, R7 and R8.
func (p *party) checkResponse(a *arrival, state, mode string, allowed ...string) {
	p.t.Helper()
	if a.mode != mode {
		p.t.Errorf("the response came by %s, want %s", a.mode, mode)
	}
	if a.Get("iss") != p.op.Issuer {
		p.t.Errorf("R7: iss %q", a.Get("iss"))
	}
	if got, sent := a.Values["state"], state != ""; len(got) > 1 || sent != (len(got) == 1) || sent && got[0] != state {
		p.t.Errorf("R8: state %q, sent %q", got, state)
	}
	if a.Has("error") {
		allowed = []string{"error", "error_description", "error_uri"}
		p.checkError(a.Values)
	}
	if more := only(a.Values, append(allowed, "state", "iss", "session_state")...); len(more) > 0 {
		p.t.Errorf("R6: the response has %v", more)
	}
}

var registeredErrors = []string{
	"invalid_request", "unauthorized_client", "access_denied", "unsupported_response_type", "invalid_scope", "server_error",
	"temporarily_unavailable", "interaction_required", "login_required", "account_selection_required", "consent_required",
	"invalid_request_uri", "invalid_request_object", "request_not_supported", "request_uri_not_supported", "registration_not_supported", "invalid_target",
}

// checkError: R6.
func (p *party) checkError(v url.Values) {
	p.t.Helper()
	if !slices.Contains(registeredErrors, v.Get("error")) {
		p.t.Errorf("R6: error %q is not registered", v.Get("error"))
	}
	for _, c := range v.Get("error_description") {
		if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			p.t.Errorf("R6: error_description has %q", c)
		}
	}
	if u, err := url.Parse(v.Get("error_uri")); err != nil || !u.IsAbs() {
		p.t.Errorf("R6: error_uri %q", v.Get("error_uri"))
	}
}

var birthdate = regexp.MustCompile(`^(\d{4}-\d{2}-\d{2}|0000-\d{2}-\d{2}|\d{4})$`)

// checkClaims holds UserInfo claims to B7.
func checkClaims(t *testing.T, claims map[string]any) {
	t.Helper()
	for name, value := range claims {
		switch name {
		case "email_verified", "phone_number_verified":
			if _, ok := value.(bool); !ok {
				t.Errorf("B7: %s is %T", name, value)
			}
		case "updated_at":
			if n := seconds(value); n < 1 || n > time.Now().Add(time.Hour).Unix() {
				t.Errorf("R4: updated_at %v", value)
			}
		case "address":
			parts, ok := value.(map[string]any)
			if !ok || len(parts) == 0 {
				t.Errorf("B7: address %v", value)
			}
			for member := range parts {
				if strings.TrimSpace(text(parts, member)) == "" {
					t.Errorf("B7: address.%s is %v", member, parts[member])
				}
			}
		default:
			if s, ok := value.(string); !ok || strings.TrimSpace(s) == "" || s == "null" {
				t.Errorf("B7: %s is %v", name, value)
			}
		}
	}
	if date, there := claims["birthdate"]; there && !birthdate.MatchString(date.(string)) {
		t.Errorf("B7: birthdate %v", date)
	}
}

func seconds(v any) int64 {
	n, _ := v.(json.Number)
	i, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil {
		return -1
	}
	return i
}
