package clientkeys_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/valetkey/valetkey/internal/clientkeys"
	"github.com/valetkey/valetkey/internal/fetch"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

// publisher serves a client's keys on loopback, and counts.
type publisher struct {
	*httptest.Server
	mu   sync.Mutex
	body []byte
	hits atomic.Int64
	down atomic.Bool
	wait chan struct{} // if not nil every answer waits for it
}

func publish(t *testing.T, body []byte) *publisher {
	p := &publisher{body: body}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.hits.Add(1)
		if p.wait != nil {
			<-p.wait
		}
		if p.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Cache-Control", "max-age=600")
		p.mu.Lock()
		defer p.mu.Unlock()
		w.Write(p.body)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) set(body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.body = body
}

func newKeys(clock *oauthtest.Clock) *clientkeys.Keys {
	return clientkeys.New(clientkeys.Config{Now: clock.Now,
		Fetch: fetch.New(fetch.Config{Now: clock.Now, Allow: []string{"127.0.0.1"}})})
}

func byValue(set json.RawMessage) *oauth.Client {
	return &oauth.Client{ID: "c", Metadata: oauth.ClientMetadata{JWKS: set}}
}

func byURL(u string) *oauth.Client {
	return &oauth.Client{ID: "c", Metadata: oauth.ClientMetadata{JWKSURI: u}}
}

func TestEveryAlgorithm(t *testing.T) {
	t.Parallel()
	k := newKeys(oauthtest.NewClock())
	for _, alg := range clientkeys.Algorithms {
		s := oauthtest.NewSigner(t, alg, "k")
		jws := s.Sign(t, "JWT", map[string]any{"a": 1})
		payload, h, err := k.Verify(context.Background(), byValue(oauthtest.JWKS(t, s)), jws, clientkeys.Algorithms)
		if err != nil || string(payload) != `{"a":1}` || h != (clientkeys.Header{Algorithm: alg, KeyID: "k", Type: "JWT"}) {
			t.Errorf("%s: %q, %+v, %v", alg, payload, h, err)
		}
		if _, _, err := k.Verify(context.Background(), byValue(oauthtest.JWKS(t, s)), jws, []string{"HS256"}); !errors.Is(err, clientkeys.ErrVerify) {
			t.Errorf("%s is accepted where it is not listed: %v", alg, err)
		}
		other := oauthtest.NewSigner(t, alg, "k")
		if _, _, err := k.Verify(context.Background(), byValue(oauthtest.JWKS(t, other)), jws, clientkeys.Algorithms); !errors.Is(err, clientkeys.ErrVerify) {
			t.Errorf("%s: another key of the same kid verifies: %v", alg, err)
		}
		clientkeys.VerifyNobody(jws, clientkeys.Algorithms)
	}
}

func TestWhichKey(t *testing.T) {
	t.Parallel()
	clock := oauthtest.NewClock()
	k := newKeys(clock)
	one, two, rsaKey := oauthtest.NewSigner(t, "ES256", "one"), oauthtest.NewSigner(t, "ES256", "two"), oauthtest.NewSigner(t, "RS256", "one")
	nameless := two
	nameless.KeyID = ""
	ps := rsaKey
	ps.Algorithm = "PS256"
	edit := func(s oauthtest.Signer, change map[string]any) json.RawMessage {
		text, _ := json.Marshal(s.Public())
		var members map[string]any
		json.Unmarshal(text, &members)
		for name, v := range change {
			if v == nil {
				delete(members, name)
			} else {
				members[name] = v
			}
		}
		set, _ := json.Marshal(map[string]any{"keys": []any{members}})
		return set
	}
	for name, tt := range map[string]struct {
		set    json.RawMessage
		signer oauthtest.Signer
		ok     bool
	}{
		"by kid":                     {oauthtest.JWKS(t, one, two, rsaKey), two, true},
		"kid of two kinds":           {oauthtest.JWKS(t, rsaKey, one), one, true},
		"without a kid":              {oauthtest.JWKS(t, one, rsaKey, two), nameless, true},
		"unknown kid":                {oauthtest.JWKS(t, one, rsaKey), two, false},
		"nameless key, kid in JWS":   {edit(two, map[string]any{"kid": nil}), two, false},
		"nameless key and JWS":       {edit(two, map[string]any{"kid": nil}), nameless, true},
		"key of another algorithm":   {oauthtest.JWKS(t, rsaKey), ps, false},
		"key of any algorithm":       {edit(rsaKey, map[string]any{"alg": nil}), ps, true},
		"for encryption":             {edit(two, map[string]any{"use": "enc"}), two, false},
		"use left out":               {edit(two, map[string]any{"use": nil}), two, true},
		"key_ops verify":             {edit(two, map[string]any{"key_ops": []string{"verify"}}), two, true},
		"key_ops encrypt":            {edit(two, map[string]any{"key_ops": []string{"encrypt"}}), two, false},
		"expired":                    {edit(two, map[string]any{"exp": clock.Now().Unix()}), two, false},
		"expires later":              {edit(two, map[string]any{"exp": clock.Now().Unix() + 1}), two, true},
		"certificates are not read":  {edit(two, map[string]any{"x5c": []string{"junk"}, "x5u": "::", "x5t": "*"}), two, true},
		"beside an unknown kind":     {json.RawMessage(strings.Replace(string(oauthtest.JWKS(t, two)), `"keys":[`, `"keys":[{"kty":"XX"},{"kty":"OKP","crv":"X25519","x":"AA"},`, 1)), two, true},
		"nothing registered":         {nil, two, false},
		"a set of no keys":           {json.RawMessage(`{"keys":[]}`), two, false},
		"a set that is not an array": {json.RawMessage(`{"keys":{}}`), two, false},
	} {
		_, _, err := k.Verify(context.Background(), byValue(tt.set), tt.signer.Sign(t, "", "{}"), clientkeys.Algorithms)
		if (err == nil) != tt.ok || err != nil && !errors.Is(err, clientkeys.ErrVerify) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A key that the header brings along proves nothing, and nothing unsigned passes.
func TestForgedHeaders(t *testing.T) {
	t.Parallel()
	k := newKeys(oauthtest.NewClock())
	honest, mallory := oauthtest.NewSigner(t, "ES256", "k"), oauthtest.NewSigner(t, "ES256", "k")
	set := byValue(oauthtest.JWKS(t, honest))
	enc := base64.RawURLEncoding.EncodeToString
	jwk, _ := json.Marshal(mallory.Public())
	signed := func(options *jose.SignerOptions) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: mallory.Private}, options)
		if err != nil {
			t.Fatal(err)
		}
		object, err := signer.Sign([]byte("{}"))
		if err != nil {
			t.Fatal(err)
		}
		s, _ := object.CompactSerialize()
		return s
	}
	public, _ := json.Marshal(honest.Public())
	hmac := oauthtest.Signer{Algorithm: "HS256", Private: public}
	good := honest.Sign(t, "", "{}")
	parts := strings.Split(good, ".")
	for name, jws := range map[string]string{
		"embedded jwk":    signed(&jose.SignerOptions{EmbedJWK: true}),
		"jku":             signed((&jose.SignerOptions{}).WithHeader("jku", "https://evil.test/jwks").WithHeader("jwk", json.RawMessage(jwk))),
		"none":            enc([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".",
		"None":            enc([]byte(`{"alg":"None"}`)) + "." + parts[1] + ".",
		"public as HMAC":  hmac.Sign(t, "", "{}"),
		"no signature":    parts[0] + "." + parts[1] + ".",
		"two parts":       parts[0] + "." + parts[1],
		"five parts":      good + ".a.b",
		"other payload":   parts[0] + "." + enc([]byte(`{"a":1}`)) + "." + parts[2],
		"padded":          good + "=",
		"newline":         good + "\n",
		"space inside":    parts[0] + ". " + parts[1] + "." + parts[2],
		"json":            `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"empty":           "",
		"dots":            "..",
		"alg twice":       enc([]byte(`{"alg":"ES256","alg":"ES256","kid":"k"}`)) + "." + parts[1] + "." + parts[2],
		"typ is a number": honestHeader(t, honest, `{"alg":"ES256","kid":"k","typ":1}`),
		"crit":            honestHeader(t, honest, `{"alg":"ES256","kid":"k","crit":["b64"],"b64":true}`),
		"large":           good + strings.Repeat("A", clientkeys.MaxJWS),
	} {
		if payload, _, err := k.Verify(context.Background(), set, jws, clientkeys.Algorithms); !errors.Is(err, clientkeys.ErrVerify) {
			t.Errorf("%s: %q, %v", name, payload, err)
		}
	}
	if _, _, err := k.Verify(context.Background(), set, good, clientkeys.Algorithms); err != nil {
		t.Errorf("control: %v", err)
	}
	if _, _, err := k.Verify(context.Background(), set, honestHeader(t, honest, `{"alg":"ES256","kid":"k"}`), clientkeys.Algorithms); err != nil {
		t.Errorf("control of the hand-made header: %v", err)
	}
}

// honestHeader signs "{}" under a header that the library would not write.
func honestHeader(t *testing.T, s oauthtest.Signer, header string) string {
	t.Helper()
	enc := base64.RawURLEncoding.EncodeToString
	input := enc([]byte(header)) + "." + enc([]byte("{}"))
	sum := sha256.Sum256([]byte(input))
	r, sig, err := ecdsa.Sign(rand.Reader, s.Private.(*ecdsa.PrivateKey), sum[:])
	if err != nil {
		t.Fatal(err)
	}
	raw := make([]byte, 64)
	r.FillBytes(raw[:32])
	sig.FillBytes(raw[32:])
	return input + "." + enc(raw)
}

// Attack M53: the life of a client's keys.
func TestM53_SetsThatAreRefused(t *testing.T) {
	t.Parallel()
	good := oauthtest.NewSigner(t, "ES256", "k")
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	text := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	private := func(s oauthtest.Signer) string { return text(jose.JSONWebKey{Key: s.Private, KeyID: "p"}) }
	public := text(good.Public())
	for name, keys := range map[string]string{
		"private EC":         private(good),
		"private RSA":        private(oauthtest.NewSigner(t, "RS256", "")),
		"private OKP":        private(oauthtest.NewSigner(t, "EdDSA", "")),
		"symmetric":          `{"kty":"oct","k":"c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}`,
		"symmetric, no k":    `{"kty":"oct"}`,
		"unknown, private":   `{"kty":"XX","d":"AA"}`,
		"RSA of 1024 bits":   text(jose.JSONWebKey{Key: &weak.PublicKey}),
		"RSA, e is 1":        strings.Replace(text(jose.JSONWebKey{Key: &weak.PublicKey}), "AQAB", "AQ", 1),
		"not on the curve":   `{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
		"short":              `{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`,
		"no kty":             `{"crv":"P-256"}`,
		"kty is a number":    `{"kty":1}`,
		"a member twice":     `{"kty":"EC","kty":"RSA"}`,
		"a key is no object": `1`,
		"exp is a text":      strings.Replace(public, "{", `{"exp":"1",`, 1),
	} {
		for _, set := range []string{`{"keys":[` + keys + `]}`, `{"keys":[` + public + `,` + keys + `]}`} {
			if _, err := clientkeys.ParseSet([]byte(set)); err == nil {
				t.Errorf("%s is accepted", name)
			} else if strings.Contains(err.Error(), "c2VjcmV0") {
				t.Errorf("%s: the error shows the key", name)
			}
		}
	}
	for name, set := range map[string]string{
		"nothing": "", "null": "null", "array": "[]", "no keys": "{}", "keys is null": `{"keys":null}`, "no key for us": `{"keys":[{"kty":"XX"}]}`,
		"keys twice": `{"keys":[],"keys":[` + public + `]}`, "too many": `{"keys":[` + strings.Repeat(public+",", 32) + public + `]}`,
		"large": `{"x":"` + strings.Repeat("x", clientkeys.MaxSet) + `","keys":[` + public + `]}`, "deep": strings.Repeat("[", 40000),
	} {
		if _, err := clientkeys.ParseSet([]byte(set)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if set, err := clientkeys.ParseSet([]byte(`{"keys":[` + public + `],"other":1}`)); err != nil || len(set) != 1 {
		t.Errorf("control: %v", err)
	}
}

func TestVerifySecret(t *testing.T) {
	t.Parallel()
	secret := oauth.Secret("0123456789abcdef0123456789abcdef")
	jws := oauthtest.Signer{Algorithm: "HS256", Private: []byte(secret)}.Sign(t, "", "{}")
	if p, err := clientkeys.VerifySecret(jws, secret, []string{"HS256"}); err != nil || string(p) != "{}" {
		t.Errorf("got %q, %v", p, err)
	}
	for _, wrong := range []oauth.Secret{"", "x", secret + "x", secret[:31]} {
		if _, err := clientkeys.VerifySecret(jws, wrong, []string{"HS256"}); !errors.Is(err, clientkeys.ErrVerify) {
			t.Errorf("%d bytes: %v", len(wrong), err)
		}
	}
	if _, err := clientkeys.VerifySecret(jws, secret, []string{"HS512"}); !errors.Is(err, clientkeys.ErrVerify) {
		t.Error("an algorithm that is not listed")
	}
}

func FuzzParseSet(f *testing.F) {
	s := oauthtest.NewSigner(f, "ES256", "k")
	for _, seed := range []string{
		string(oauthtest.JWKS(f, s)), `{"keys":[{"kty":"oct","k":"AA"}]}`, `{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"}]}`, `{"keys":[]}`,
		`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`, `{"keys":[{"kty":"EC","crv":"P-256","x":"","y":"","exp":1e300}]}`, `[`,
	} {
		f.Add([]byte(seed))
	}
	jws := s.Sign(f, "", "{}")
	k := newKeys(oauthtest.NewClock())
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := clientkeys.ParseSet(data)
		if err == nil && len(set) == 0 {
			t.Fatalf("%q: no key and no error", data)
		}
		k.Verify(context.Background(), byValue(data), jws, clientkeys.Algorithms) // must not panic
	})
}

func FuzzRead(f *testing.F) {
	s := oauthtest.NewSigner(f, "ES256", "k")
	for _, seed := range []string{s.Sign(f, "JWT", "{}"), "..", "e30.e30.", "eyJhbGciOiJub25lIn0.e30.", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, jws string) {
		_, h, err := clientkeys.Read(jws, clientkeys.Algorithms)
		if err != nil {
			if !errors.Is(err, clientkeys.ErrVerify) {
				t.Fatalf("%q: %v", jws, err)
			}
			return
		}
		if h.Algorithm == "" || strings.EqualFold(h.Algorithm, "none") || strings.HasPrefix(h.Algorithm, "HS") {
			t.Fatalf("%q passes with %q", jws, h.Algorithm)
		}
	})
}
