package requestobject_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/valetkey/valetkey/internal/clientkeys"
	"github.com/valetkey/valetkey/internal/fetch"
	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/requestobject"
	"github.com/valetkey/valetkey/oauth"
)

const issuer = "https://as.example"

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func parser(allow ...string) *requestobject.Parser {
	f := fetch.New(fetch.Config{Now: func() time.Time { return noon }, Allow: allow})
	return requestobject.New(requestobject.Config{Issuer: issuer, Fetch: f, Now: func() time.Time { return noon },
		Keys: clientkeys.New(clientkeys.Config{Fetch: f, Now: func() time.Time { return noon }})})
}

func client(t testing.TB, m oauth.ClientMetadata, keys ...oauthtest.Signer) *oauth.Client {
	m.JWKS = oauthtest.JWKS(t, keys...)
	return &oauth.Client{ID: "c", Metadata: m}
}

// honest are the claims of an honest object, changed; nil takes one out.
func honest(changes map[string]any) map[string]any {
	claims := map[string]any{
		"iss": "c", "aud": issuer, "exp": noon.Unix() + 60, "nbf": noon.Unix(), "iat": noon.Unix(), "jti": "j",
		"client_id": "c", "response_type": "code", "redirect_uri": "https://c.example/cb", "scope": "openid",
	}
	maps.Copy(claims, changes)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

type claims = map[string]any

func TestP2_Claims(t *testing.T) {
	t.Parallel()
	key := oauthtest.NewSigner(t, "ES256", "k")
	p, c := parser(), client(t, oauth.ClientMetadata{}, key)
	for name, tt := range map[string]struct {
		claims claims
		typ    string
		want   string // part of the description; empty: accepted
	}{
		"honest":                 {nil, "oauth-authz-req+jwt", ""},
		"typ in full":            {nil, "application/oauth-authz-req+JWT", ""},
		"typ JWT":                {nil, "JWT", ""},
		"no typ":                 {nil, "", ""},
		"an access token":        {nil, "at+jwt", "typ"},
		"a logout token":         {nil, "logout+jwt", "typ"},
		"an assertion by typ":    {nil, "client-authentication+jwt", "typ"},
		"an assertion by sub":    {claims{"sub": "c"}, "", "sub"},
		"sub of a person":        {claims{"sub": "alice"}, "", ""},
		"only client_id":         {claims{"iss": nil, "aud": nil, "exp": nil, "nbf": nil, "iat": nil, "jti": nil}, "", ""},
		"iss another":            {claims{"iss": "d"}, "", "iss"},
		"iss a number":           {claims{"iss": 1}, "", "iss"},
		"aud in an array":        {claims{"aud": []string{"https://other.example", issuer}}, "", ""},
		"aud another":            {claims{"aud": "https://other.example"}, "", "aud"},
		"aud issuer and slash":   {claims{"aud": issuer + "/"}, "", "aud"},
		"aud empty array":        {claims{"aud": []string{}}, "", "aud"},
		"aud a number":           {claims{"aud": 1}, "", "aud"},
		"client_id another":      {claims{"client_id": "d"}, "", "client_id"},
		"no client_id":           {claims{"client_id": nil}, "", "client_id"},
		"client_id empty":        {claims{"client_id": ""}, "", "client_id"},
		"just expired":           {claims{"exp": noon.Unix() - 29}, "", ""},
		"expired":                {claims{"exp": noon.Unix() - 30}, "", "expired"},
		"exp a text":             {claims{"exp": "1"}, "", "exp"},
		"exp huge":               {claims{"exp": 1e300}, "", "exp"},
		"valid in 8 s":           {claims{"nbf": noon.Unix() + 8, "iat": noon.Unix() + 8}, "", ""},
		"valid in 61 s":          {claims{"nbf": noon.Unix() + 61}, "", "nbf"},
		"issued in 61 s":         {claims{"iat": noon.Unix() + 61}, "", "iat"},
		"request inside":         {claims{"request": "x.y.z"}, "", "request"},
		"request_uri inside":     {claims{"request_uri": "https://c.example/r"}, "", "request_uri"},
		"request inside, a list": {claims{"request": []string{"x"}}, "", "request"},
		"scope a list":           {claims{"scope": []string{"openid"}}, "", "scope"},
		"state an object":        {claims{"state": claims{}}, "", "state"},
		"nonce true":             {claims{"nonce": true}, "", "nonce"},
		"NUL":                    {claims{"state": "a\x00b"}, "", "state"},
		"unknown, with NUL":      {claims{"x\"y": "a\x00b"}, "", "A member"},
		"resource a number":      {claims{"resource": 1}, "", "resource"},
		"resource of numbers":    {claims{"resource": []int{1}}, "", "resource"},
		"unknown, of any type":   {claims{"x": []any{1, claims{}}}, "", ""},
	} {
		got, err := p.Object(context.Background(), c, key.Sign(t, tt.typ, honest(tt.claims)), noon)
		var refusal *oauth.Error
		switch {
		case tt.want == "" && (err != nil || got["client_id"] != "c"):
			t.Errorf("%s: %v", name, err)
		case tt.want != "" && (!errors.As(err, &refusal) || refusal.Code != oauth.InvalidRequestObject || !strings.Contains(refusal.Description, tt.want) || got != nil):
			t.Errorf("%s: got %v, %v; want %q", name, got, err, tt.want)
		case refusal != nil && strings.ContainsAny(refusal.Description, `"\`):
			t.Errorf("%s: characters of %q", name, refusal.Description)
		}
	}
}

// What comes out is what a form with the same parameters would have been.
func TestP2_Parameters(t *testing.T) {
	t.Parallel()
	key := oauthtest.NewSigner(t, "ES256", "k")
	p, c := parser(), client(t, oauth.ClientMetadata{}, key)
	got, err := p.Object(context.Background(), c, "\n"+key.Sign(t, "", honest(claims{
		"max_age": 86400, "state": "", "nonce": nil, "login_hint": "ünï", "display": json.RawMessage("null"),
		"claims":   json.RawMessage(`{ "id_token" : {"acr": {"values":["a b"]} } }`),
		"resource": []string{"https://a.example", "", "https://b.example"}, "number": json.RawMessage("1.50"), "other": "x",
	}))+"\n", noon)
	want := form.New(map[string]string{
		"client_id": "c", "response_type": "code", "redirect_uri": "https://c.example/cb", "scope": "openid", "max_age": "86400",
		"login_hint": "ünï", "claims": `{"id_token":{"acr":{"values":["a b"]}}}`, "number": "1.50", "other": "x",
	}, []string{"https://a.example", "https://b.example"})
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
	got, err = p.Object(context.Background(), c, key.Sign(t, "", honest(claims{"resource": "https://a.example"})), noon)
	if err != nil || !slices.Equal(got.Resources(), []string{"https://a.example"}) {
		t.Errorf("one resource: %q, %v", got.Resources(), err)
	}
}

// Attack M31, requirement P2: who signed it, and how.
func TestM31_Signatures(t *testing.T) {
	t.Parallel()
	es, rs := oauthtest.NewSigner(t, "ES256", "e"), oauthtest.NewSigner(t, "RS256", "r")
	other := oauthtest.NewSigner(t, "ES256", "e")
	p := parser()
	enc := base64.RawURLEncoding.EncodeToString
	body, _ := json.Marshal(honest(nil))
	none := enc([]byte(`{"alg":"none"}`)) + "." + enc(body) + "."
	encrypt := func(text string) string {
		crypter, err := jose.NewEncrypter(jose.A128CBC_HS256, jose.Recipient{Algorithm: jose.ECDH_ES, Key: es.Public().Key}, nil)
		if err != nil {
			t.Fatal(err)
		}
		object, err := crypter.Encrypt([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		s, err := object.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for name, tt := range map[string]struct {
		registered, object string
		ok                 bool
	}{
		"any algorithm":              {"", es.Sign(t, "", honest(nil)), true},
		"the registered one":         {"RS256", rs.Sign(t, "", honest(nil)), true},
		"not the registered one":     {"RS256", es.Sign(t, "", honest(nil)), false},
		"registered for none":        {"none", none, false},
		"registered none, signed":    {"none", es.Sign(t, "", honest(nil)), false},
		"registered HS256":           {"HS256", oauthtest.Signer{Algorithm: "HS256", Private: []byte("0123456789abcdef0123456789abcdef")}.Sign(t, "", honest(nil)), false},
		"unsigned":                   {"", none, false},
		"unsigned though registered": {"RS256", none, false},
		"another client's key":       {"", other.Sign(t, "", honest(nil)), false},
		"encrypted JSON":             {"", encrypt(string(body)), false},
		"encrypted, unsigned inside": {"", encrypt(none), false},
		"encrypted, signed inside":   {"", encrypt(es.Sign(t, "", honest(nil))), false},
		"a JWT in a JWT":             {"", es.Sign(t, "", es.Sign(t, "", honest(nil))), false},
		"an array":                   {"", es.Sign(t, "", "[]"), false},
		"a member twice":             {"", es.Sign(t, "", `{"client_id":"c","client_id":"c"}`), false},
		"another case":               {"", es.Sign(t, "", `{"Client_ID":"c"}`), false},
		"deep":                       {"", es.Sign(t, "", `{"client_id":"c","claims":`+strings.Repeat(`{"a":`, 1000)+"1"+strings.Repeat("}", 1001)), false},
		"junk":                       {"", "junk", false},
		"the alg in lower case":      {"", strings.Replace(none, enc([]byte(`{"alg":"none"}`)), enc([]byte(`{"alg":"NONE"}`)), 1), false},
		"large":                      {"", strings.Repeat("A", 70_000) + ".e30.AA", false},
	} {
		c := client(t, oauth.ClientMetadata{RequestObjectAlg: tt.registered}, es, rs)
		got, err := p.Object(context.Background(), c, tt.object, noon)
		if tt.ok != (err == nil) || err != nil && !errors.Is(err, oauth.InvalidRequestObject) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	keyless := &oauth.Client{ID: "c"}
	if _, err := p.Object(context.Background(), keyless, es.Sign(t, "", honest(nil)), noon); !errors.Is(err, oauth.InvalidRequestObject) {
		t.Errorf("a client without keys: %v", err)
	}
}

// An object that was valid when the person came may expire while they sign in.
func TestAnObjectCountsAsItWasWhenItCame(t *testing.T) {
	t.Parallel()
	key := oauthtest.NewSigner(t, "ES256", "k")
	p, c := parser(), client(t, oauth.ClientMetadata{}, key)
	object := key.Sign(t, "", honest(nil))
	if _, err := p.Object(context.Background(), c, object, noon.Add(10*time.Minute)); !errors.Is(err, oauth.InvalidRequestObject) {
		t.Errorf("ten minutes later: %v", err)
	}
	if _, err := p.Object(context.Background(), c, object, noon); err != nil {
		t.Errorf("as it came: %v", err)
	}
}

// Requirement B12, attack M33: by reference, if and only if it is registered.
func TestB12_ByReference(t *testing.T) {
	t.Parallel()
	key := oauthtest.NewSigner(t, "ES256", "k")
	var hits atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		switch r.URL.Path {
		case "/good":
			w.Write([]byte(key.Sign(t, "", honest(nil)) + "\n"))
		case "/302":
			http.Redirect(w, r, "/good", http.StatusFound)
		case "/404":
			http.Error(w, "secret-of-the-body", http.StatusNotFound)
		case "/big":
			w.Write(make([]byte, 100<<10))
		}
	}))
	defer server.Close()
	at := func(path string) string { return server.URL + path }
	c := client(t, oauth.ClientMetadata{RequestURIs: []string{at("/good#AAAA"), at("/302"), at("/404"), at("/big"), at("/empty"), "https://c.example:22/r"}}, key)
	for name, tt := range map[string]struct {
		uri     string
		code    oauth.ErrorCode
		fetches int64
	}{
		"registered":                       {at("/good#AAAA"), "", 1},
		"without its fragment":             {at("/good"), "", 1},
		"with another fragment":            {at("/good#BBBB"), "", 1},
		"not registered":                   {at("/other"), oauth.InvalidRequestURI, 0},
		"with a query":                     {at("/good?x"), oauth.InvalidRequestURI, 0},
		"a prefix":                         {at("/goo"), oauth.InvalidRequestURI, 0},
		"its path in another case":         {at("/GOOD"), oauth.InvalidRequestURI, 0},
		"with a dot":                       {at("/./good"), oauth.InvalidRequestURI, 0},
		"a file":                           {"file:///etc/passwd", oauth.InvalidRequestURI, 0},
		"a pushed one of nobody":           {"urn:ietf:params:oauth:request_uri:x", oauth.InvalidRequestURI, 0},
		"redirected":                       {at("/302"), oauth.InvalidRequestURI, 1},
		"not there":                        {at("/404"), oauth.InvalidRequestURI, 1},
		"too large":                        {at("/big"), oauth.InvalidRequestURI, 1},
		"empty":                            {at("/empty"), oauth.InvalidRequestObject, 1},
		"registered, and not to be dialed": {"https://c.example:22/r", oauth.InvalidRequestURI, 0},
	} {
		before := hits.Load()
		got, err := parser("127.0.0.1").Reference(context.Background(), c, tt.uri, noon)
		if tt.code == "" && (err != nil || got["scope"] != "openid") || tt.code != "" && !errors.Is(err, tt.code) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if n := hits.Load() - before; n != tt.fetches {
			t.Errorf("%s: %d fetches, want %d", name, n, tt.fetches)
		}
		if refusal := (*oauth.Error)(nil); errors.As(err, &refusal) && strings.Contains(refusal.Description, "secret-of") {
			t.Errorf("%s: the error echoes the body", name)
		}
	}
	before := hits.Load()
	if _, err := parser().Reference(context.Background(), c, at("/good"), noon); !errors.Is(err, oauth.InvalidRequestURI) || hits.Load() != before {
		t.Errorf("loopback that nobody allowed: %v, %d hits", err, hits.Load()-before)
	}
}

func FuzzObject(f *testing.F) {
	for _, seed := range []string{
		`{"client_id":"c"}`, `{"client_id":"c","max_age":1e3,"claims":{"a":null},"resource":["x"],"aud":["https://as.example"]}`,
		`{"client_id":"c","exp":1,"nbf":-1,"iat":1.5}`, `{"request":1}`, `[]`, `{"client_id":"c","state":"\u0000"}`, `{"client_id":"c","state":"\ud800"}`,
	} {
		f.Add(seed)
	}
	key := oauthtest.NewSigner(f, "EdDSA", "k")
	p, c := parser(), client(f, oauth.ClientMetadata{}, key)
	f.Fuzz(func(t *testing.T, payload string) {
		got, err := p.Object(context.Background(), c, key.Sign(t, "", payload), noon)
		if err != nil {
			if !errors.Is(err, oauth.InvalidRequestObject) {
				t.Fatalf("%q: a refusal of another kind: %v", payload, err)
			}
			return
		}
		if got["client_id"] != "c" || got["request"] != "" || got["request_uri"] != "" {
			t.Fatalf("%q became %q", payload, got)
		}
		again, err := form.ParseString(got.URL().Encode())
		if len(got.URL().Encode()) <= form.MaxBytes && (err != nil || !maps.Equal(again, got)) {
			t.Fatalf("%q: no form holds %q: %v", payload, got, err)
		}
	})
}

// Nobody makes the server ask as often as they like: what one client's slow URL
// holds, the keys of others would wait for.
func TestNetworksAskForSoManyObjects(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64
	key := oauthtest.NewSigner(t, "ES256", "k")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits.Add(1)
		w.Write([]byte(key.Sign(t, "", honest(nil))))
	}))
	defer server.Close()
	p, c := parser("127.0.0.1"), client(t, oauth.ClientMetadata{RequestURIs: []string{server.URL}}, key)
	from := func(address string) context.Context {
		return peer.With(context.Background(), peer.Peer{Addr: netip.MustParseAddr(address)})
	}
	for n := range 60 {
		if _, err := p.Reference(from("192.0.2.1"), c, server.URL, noon); err != nil {
			t.Fatalf("number %d: %v", n+1, err)
		}
	}
	if _, err := p.Reference(from("192.0.2.99"), c, server.URL, noon); !errors.Is(err, oauth.InvalidRequestURI) || hits.Load() != 60 {
		t.Errorf("the next of that network: %v, and %d fetches", err, hits.Load())
	}
	if _, err := p.Reference(from("198.51.100.1"), c, server.URL, noon); err != nil {
		t.Errorf("another network: %v", err)
	}
}
