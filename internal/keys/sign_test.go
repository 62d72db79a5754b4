package keys_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/memstore"
)

func TestSignAndVerify(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), &clock{start}
	k := keys.New(keys.Config{Store: memstore.New(), Ring: ring(t, keyring.Line("a")), Now: c.Now})
	for _, alg := range k.Algorithms() {
		for _, typ := range []string{"", "at+jwt"} {
			jws, err := k.Sign(ctx, alg, typ, map[string]any{"sub": "alice"}) // nobody called EnsureActive
			must(t, err)
			head, err := base64.RawURLEncoding.DecodeString(strings.SplitN(jws, ".", 2)[0])
			must(t, err)
			var header map[string]string
			must(t, json.Unmarshal(head, &header))
			want := 3
			if typ == "" {
				want = 2
			}
			if len(header) != want || header["alg"] != alg || header["kid"] == "" || header["typ"] != typ {
				t.Errorf("got header %s, want alg %s, a kid and the type %q", head, alg, typ)
			}
			payload, got, err := k.Verify(ctx, jws)
			if err != nil || got != typ || string(payload) != `{"sub":"alice"}` {
				t.Errorf("verify: got %s, %q, %v", payload, got, err)
			}
			// Anybody can verify it with the published set.
			parsed, err := jose.ParseSignedCompact(jws, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			must(t, err)
			if _, err := parsed.Verify(jose.JSONWebKeySet{Keys: published(t, k)}); err != nil {
				t.Errorf("verify by the set: %v", err)
			}
		}
	}
	if _, err := k.Sign(ctx, "HS256", "", nil); err == nil {
		t.Error("HS256: got no error")
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	ctx, c := t.Context(), &clock{start}
	k := keys.New(keys.Config{Store: memstore.New(), Ring: ring(t, keyring.Line("a")), Now: c.Now})
	good, err := k.Sign(ctx, keys.RS256, "JWT", map[string]any{"sub": "alice"})
	must(t, err)
	part := strings.Split(good, ".")
	public := of(published(t, k), keys.RS256)[0]
	encode := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	by := func(alg jose.SignatureAlgorithm, key any, kid string) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
		must(t, err)
		jws, err := signer.Sign([]byte(`{"sub":"mallory"}`))
		must(t, err)
		out, err := jws.CompactSerialize()
		must(t, err)
		return out
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	publicText, err := json.Marshal(public)
	must(t, err)
	for name, jws := range map[string]string{
		"empty":                       "",
		"no JWS":                      "a.b.c",
		"none":                        encode(`{"alg":"none"}`) + "." + part[1] + ".",
		"none with a kid":             encode(`{"alg":"none","kid":"`+public.KeyID+`"}`) + "." + part[1] + ".",
		"another payload":             part[0] + "." + encode(`{"sub":"mallory"}`) + "." + part[2],
		"no signature":                part[0] + "." + part[1] + ".",
		"no kid":                      by(jose.RS256, other, ""),
		"another key under our kid":   by(jose.RS256, other, public.KeyID),
		"another algorithm, our kid":  by(jose.ES256, curve, public.KeyID),
		"PS256, our kid":              by(jose.PS256, other, public.KeyID),
		"HMAC by the public key":      by(jose.HS256, publicText, public.KeyID),
		"JSON serialization":          `{"payload":"` + part[1] + `","protected":"` + part[0] + `","signature":"` + part[2] + `"}`,
		"larger than is read":         good + strings.Repeat("A", 64<<10),
		"the key in the header":       encode(`{"alg":"ES256","jwk":{"kty":"EC"}}`) + "." + part[1] + "." + part[2],
		"what follows":                good + ".x",
		"a critical header we lack":   encode(`{"alg":"RS256","crit":["exp"],"exp":1,"kid":"`+public.KeyID+`"}`) + "." + part[1] + "." + part[2],
		"its algorithm in lower case": encode(`{"alg":"rs256","kid":"`+public.KeyID+`"}`) + "." + part[1] + "." + part[2],
	} {
		if payload, _, err := k.Verify(ctx, jws); !errors.Is(err, keys.ErrSignature) || payload != nil {
			t.Errorf("%s: got %s, %v, want ErrSignature", name, payload, err)
		}
	}
}

// FuzzVerify: nothing but what was signed here verifies.
func FuzzVerify(f *testing.F) {
	k := keys.New(keys.Config{Store: memstore.New(), Ring: fuzzRing(f), Now: (&clock{start}).Now})
	good := map[string]bool{}
	for _, alg := range keys.Offered() {
		jws, err := k.Sign(f.Context(), alg, "JWT", map[string]any{"sub": "alice"})
		if err != nil {
			f.Fatal(err)
		}
		part := strings.Split(jws, ".")
		good[part[0]+"."+part[1]] = true
		f.Add(jws)
		f.Add(part[0] + "." + part[1] + ".")
		f.Add(part[0] + ".e30." + part[2])
	}
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, jws string) {
		payload, _, err := k.Verify(t.Context(), jws)
		part := strings.Split(jws, ".")
		if err == nil && !(len(part) == 3 && good[part[0]+"."+part[1]]) {
			t.Errorf("%q verifies as %s", jws, payload)
		}
		if err != nil && !errors.Is(err, keys.ErrSignature) {
			t.Errorf("%q: %v is no ErrSignature", jws, err)
		}
	})
}

func fuzzRing(f *testing.F) *keyring.Ring {
	r, err := keyring.Parse(keyring.Line("a"))
	if err != nil {
		f.Fatal(err)
	}
	return r
}

// module is a key that signs elsewhere: only its public half can be seen.
type module struct {
	crypto.Signer
	used *int
}

func (m module) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	*m.used++
	return m.Signer.Sign(r, digest, o)
}

// A signer from outside signs instead of the ring's key of its algorithm, and both
// are published.
func TestExternalSigners(t *testing.T) {
	t.Parallel()
	ctx, c, st, line := t.Context(), &clock{start}, memstore.New(), keyring.Line("a")
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	successor, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)

	own := keys.New(keys.Config{Store: st, Ring: ring(t, line), Now: c.Now})
	before := sign(t, own, keys.ES256)

	used := 0
	config := keys.Config{Store: st, Ring: ring(t, line), Now: c.Now, Signers: []oauth.Signer{
		{KeyID: "hsm-1", Algorithm: keys.ES256, Signer: module{curve, &used}},
		{KeyID: "hsm-2", Algorithm: keys.ES256, Signer: module{successor, &used}},
		{KeyID: "hsm-r", Algorithm: keys.RS256, Signer: module{long, &used}},
	}}
	must(t, config.Check())
	k := keys.New(config)
	for i, alg := range []string{keys.ES256, keys.RS256} {
		jws := sign(t, k, alg)
		if got, want := kid(t, jws), []string{"hsm-1", "hsm-r"}[i]; got != want || used != i+1 {
			t.Errorf("%s: signed by %s with %d uses of the module, want %s", alg, got, used, want)
		}
		if _, _, err := k.Verify(ctx, jws); err != nil {
			t.Errorf("%s: verify: %v", alg, err)
		}
		if _, err := k.Rotate(ctx, alg, time.Hour); err == nil {
			t.Errorf("%s: a signer from outside was rotated", alg)
		}
	}
	// The coordinates of a signature have 32 bytes each, whatever their value.
	for range 300 {
		jws := sign(t, k, keys.ES256)
		signature, err := base64.RawURLEncoding.DecodeString(jws[strings.LastIndex(jws, ".")+1:])
		must(t, err)
		if len(signature) != 64 {
			t.Fatalf("got a signature of %d bytes, want 64", len(signature))
		}
		if _, _, err := k.Verify(ctx, jws); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := k.Verify(ctx, before); err != nil {
		t.Errorf("what the ring's key signed before: %v", err)
	}
	if got := len(published(t, k)); got != 5 {
		t.Errorf("got %d published keys, want three from outside and two of the ring", got)
	}
	c.now = start.Add(89 * day)
	must(t, k.Maintain(ctx))
	if got := len(published(t, k)); got != 5 {
		t.Errorf("got %d published keys, want no new ones", got)
	}
}

func TestExternalSignersAreChecked(t *testing.T) {
	t.Parallel()
	curve, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(t, err)
	good, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	for part, signers := range map[string][]oauth.Signer{
		"the key id":           {{KeyID: "a b", Algorithm: keys.ES256, Signer: good}},
		"no Signer":            {{KeyID: "a", Algorithm: keys.ES256}},
		"neither ES256":        {{KeyID: "a", Algorithm: "EdDSA", Signer: good}},
		"not one for ES256":    {{KeyID: "a", Algorithm: keys.ES256, Signer: curve}},
		"not one for RS256":    {{KeyID: "a", Algorithm: keys.RS256, Signer: good}},
		"two signers have the": {{KeyID: "a", Algorithm: keys.ES256, Signer: good}, {KeyID: "a", Algorithm: keys.ES256, Signer: good}},
	} {
		if err := (keys.Config{Signers: signers}).Check(); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got %v, want a refusal that says %q", err, part)
		}
	}
}

// TestPairwiseSalt: one for all nodes and for good, and nowhere to be seen.
func TestPairwiseSalt(t *testing.T) {
	t.Parallel()
	ctx, c, st, line := t.Context(), &clock{start}, memstore.New(), keyring.Line("a")
	here := keys.New(keys.Config{Store: st, Ring: ring(t, line), Now: c.Now})
	there := keys.New(keys.Config{Store: st, Ring: ring(t, line), Now: c.Now})
	must(t, here.EnsureActive(ctx))
	one, err := here.PairwiseSalt(ctx)
	must(t, err)
	two, err := there.PairwiseSalt(ctx)
	must(t, err)
	if len(one) != 32 || !bytes.Equal(one, two) {
		t.Errorf("got %d bytes and %v, want the same 32 on both nodes", len(one), bytes.Equal(one, two))
	}
	c.now = start.Add(400 * day)
	must(t, here.Maintain(ctx))
	if again, err := keys.New(keys.Config{Store: st, Ring: ring(t, line), Now: c.Now}).PairwiseSalt(ctx); err != nil || !bytes.Equal(one, again) {
		t.Errorf("a year later: it is another (%v)", err)
	}
	list, err := here.List(ctx)
	must(t, err)
	for _, key := range list {
		if key.Algorithm != keys.ES256 && key.Algorithm != keys.RS256 {
			t.Errorf("the list shows %+v", key)
		}
	}
	if _, err := keys.New(keys.Config{Store: st, Now: c.Now}).PairwiseSalt(ctx); !errors.Is(err, keys.ErrNoKeyring) {
		t.Errorf("without a keyring: got %v", err)
	}
}
