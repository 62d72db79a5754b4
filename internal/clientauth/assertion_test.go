package clientauth_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/clientkeys"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
)

// asserted sends an assertion to an endpoint, with more fields.
func asserted(e *oauthtest.Engine, path, jws string, more ...string) oauthtest.TokenReply {
	form := url.Values{"token": {"x"}, "grant_type": {"client_credentials"}}
	form = oauthtest.Asserted(form, jws)
	for i := 0; i < len(more); i += 2 {
		form[more[i]] = []string{more[i+1]}
	}
	return e.Post(path, form)
}

func TestE3_ClientAssertions(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	key := oauthtest.NewSigner(t, "ES256", "k")
	other := e.Keyed(oauthtest.NewSigner(t, "ES256", "k"))
	at := func(d time.Duration) int64 { return e.Clock.Now().Add(d).Unix() }
	const ok = ""
	type claims = map[string]any
	for name, tt := range map[string]struct {
		claims claims
		typ    string
		want   string // part of the description; empty: accepted
	}{
		"honest":                  {claims{}, "JWT", ok},
		"no typ":                  {claims{}, "", ok},
		"own typ":                 {claims{}, "client-authentication+jwt", ok},
		"own typ in full":         {claims{}, "application/client-authentication+JWT", ok},
		"an access token":         {claims{}, "at+jwt", "typ"},
		"a request object":        {claims{}, "oauth-authz-req+jwt", "typ"},
		"a logout token":          {claims{}, "logout+jwt", "typ"},
		"no iat":                  {claims{"iat": nil}, "", ok},
		"unknown claims":          {claims{"x": claims{"y": []int{1}}}, "", ok},
		"aud token endpoint":      {claims{"aud": oauthtest.Issuer + "/oauth/token"}, "", ok},
		"aud this endpoint":       {claims{"aud": oauthtest.Issuer + "/oauth/revoke"}, "", ok},
		"aud another endpoint":    {claims{"aud": oauthtest.Issuer + "/oauth/par"}, "", "aud"},
		"aud array":               {claims{"aud": []string{"https://other.test", oauthtest.Issuer}}, "", ok},
		"aud another server":      {claims{"aud": "https://other.test"}, "", "aud"},
		"aud issuer with a slash": {claims{"aud": oauthtest.Issuer + "/"}, "", "aud"},
		"aud empty":               {claims{"aud": ""}, "", "aud"},
		"aud empty array":         {claims{"aud": []string{}}, "", "aud"},
		"no aud":                  {claims{"aud": nil}, "", "aud"},
		"aud a number":            {claims{"aud": 1}, "", "malformed"},
		"iss of another":          {claims{"iss": other.ID}, "", "iss and sub"},
		"sub of another":          {claims{"sub": other.ID}, "", "iss and sub"},
		"both of another":         {claims{"iss": other.ID, "sub": other.ID}, "", "failed"},
		"no iss":                  {claims{"iss": nil}, "", "iss and sub"},
		"no sub":                  {claims{"sub": nil}, "", "iss and sub"},
		"iss a number":            {claims{"iss": 1}, "", "malformed"},
		"nobody":                  {claims{"iss": "nobody", "sub": "nobody"}, "", "failed"},
		"no exp":                  {claims{"exp": nil}, "", "exp"},
		"exp a text":              {claims{"exp": "1"}, "", "malformed"},
		"exp null":                {claims{"exp": claims(nil)}, "", "malformed"},
		"just expired":            {claims{"exp": at(-29 * time.Second)}, "", ok},
		"expired":                 {claims{"exp": at(-30 * time.Second)}, "", "expired"},
		"long expired":            {claims{"exp": at(-5 * time.Minute)}, "", "expired"},
		"lives 5 minutes":         {claims{"exp": at(5 * time.Minute)}, "", ok},
		"lives 6 minutes":         {claims{"exp": at(6 * time.Minute)}, "", "too long"},
		"lives for ever":          {claims{"exp": 1e15}, "", "malformed"},
		"issued 10 s ahead":       {claims{"iat": at(10 * time.Second), "nbf": at(10 * time.Second)}, "", ok},
		"issued 60 s ahead":       {claims{"iat": at(60 * time.Second)}, "", "future"},
		"valid in 60 s":           {claims{"nbf": at(60 * time.Second)}, "", "not valid yet"},
		"fractions of seconds":    {claims{"exp": float64(at(time.Minute)) + 0.5}, "", ok},
		"no jti":                  {claims{"jti": nil}, "", "jti"},
		"jti empty":               {claims{"jti": ""}, "", "jti"},
		"jti a number":            {claims{"jti": 7}, "", "malformed"},
		"jti long":                {claims{"jti": strings.Repeat("j", 10_000)}, "", ok},
	} {
		c := e.Keyed(key) // one that has not failed yet
		reply := asserted(e, "/oauth/revoke", key.Sign(t, tt.typ, e.Assertion(c, tt.claims)))
		if tt.want == ok && reply.StatusCode == 200 {
			continue
		}
		if tt.want == ok || reply.StatusCode != 401 || reply.Error != "invalid_client" || !strings.Contains(reply.Description, tt.want) {
			t.Errorf("%s: %d %s, want %q", name, reply.StatusCode, reply.Body, tt.want)
		}
	}
}

// The certification profile follows OpenID Connect Core, which leaves the life of
// an assertion to the client.
func TestE3_LongAssertionsByProfile(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	key := oauthtest.NewSigner(t, "RS256", "k")
	c := e.AddClient(oauth.Client{AuthMethod: oauth.AuthPrivateKeyJWT, Profile: oauth.ProfileCertification,
		Metadata: oauth.ClientMetadata{JWKS: oauthtest.JWKS(t, key)}})
	for d, status := range map[time.Duration]int{time.Minute: 200, time.Hour: 200, time.Hour + time.Minute: 401} {
		reply := asserted(e, "/oauth/token", key.Sign(t, "", e.Assertion(c, map[string]any{"exp": e.Clock.Now().Add(d).Unix()})))
		if reply.StatusCode != status {
			t.Errorf("exp %v ahead: %d %s", d, reply.StatusCode, reply.Body)
		}
	}
}

func TestE3_HowAnAssertionIsSent(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	key := oauthtest.NewSigner(t, "ES256", "k")
	c, web, post := e.Keyed(key), e.Web(), e.AddClient(oauth.Client{AuthMethod: oauth.AuthPost})
	fresh := func() string { return key.Sign(t, "", e.Assertion(c)) }
	enc := base64.RawURLEncoding.EncodeToString
	parts := strings.Split(fresh(), ".")
	for name, tt := range map[string]struct {
		jws    string
		more   []string
		status int
	}{
		"with client_id":               {fresh(), []string{"client_id", c.ID}, 200},
		"with another client_id":       {fresh(), []string{"client_id", web.ID}, 401},
		"without a type":               {fresh(), []string{"client_assertion_type", ""}, 401},
		"with another type":            {fresh(), []string{"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, 401},
		"type in upper case":           {fresh(), []string{"client_assertion_type", "URN:ietf:params:oauth:client-assertion-type:jwt-bearer"}, 401},
		"type alone":                   {"", []string{"client_id", c.ID}, 401},
		"with a secret beside":         {fresh(), []string{"client_secret", string(post.Secret)}, 400},
		"by secret of its own":         {"", []string{"client_assertion_type", "", "client_id", c.ID, "client_secret", string(c.Secret)}, 401},
		"client_id alone":              {"", []string{"client_assertion_type", "", "client_id", c.ID}, 401},
		"unsigned":                     {enc([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", nil, 401},
		"altered":                      {parts[0] + "." + enc([]byte(strings.Replace(`{"iss":"ID","sub":"ID","aud":"http://localhost","jti":"j","exp":99999999999}`, "ID", c.ID, 2))) + "." + parts[2], nil, 401},
		"junk":                         {"junk", nil, 401},
		"a claim twice":                {key.Sign(t, "", fmt.Sprintf(`{"iss":%q,"sub":%q,"sub":"x"}`, c.ID, c.ID)), nil, 401},
		"claims that are no object":    {key.Sign(t, "", "[]"), nil, 401},
		"NUL in the id":                {key.Sign(t, "", `{"iss":"a\u0000","sub":"a\u0000"}`), nil, 401},
		"by a client without keys":     {key.Sign(t, "", e.Assertion(web)), nil, 401},
		"by a client registered basic": {key.Sign(t, "", e.Assertion(e.AddClient(oauth.Client{Metadata: oauth.ClientMetadata{JWKS: oauthtest.JWKS(t, key)}}))), nil, 401},
	} {
		if reply := asserted(e, "/oauth/revoke", tt.jws, tt.more...); reply.StatusCode != tt.status {
			t.Errorf("%s: %d %s, want %d", name, reply.StatusCode, reply.Body, tt.status)
		}
	}
	req, err := http.NewRequest(http.MethodPost, e.URL+"/oauth/revoke", strings.NewReader(url.Values(oauthtest.Asserted(url.Values{"token": {"x"}}, fresh())).Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", basic(web.ID, web.Secret)[0])
	e.Read(req).Want(t, 400, "invalid_request")
}

// Requirement T2: confidential clients authenticate, by one method, at every
// endpoint where they can.
func TestT2_AssertionsAtEveryEndpoint(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	key := oauthtest.NewSigner(t, "ES256", "k")
	c := e.Keyed(key)
	for path, want := range map[string]int{"/oauth/token": 200, "/oauth/revoke": 200, "/oauth/introspect": 200, "/oauth/par": 201, "/oauth/device_authorization": 400} {
		more := []string{}
		if path == "/oauth/par" {
			for name, v := range oauthtest.Request(c) {
				more = append(more, name, v[0])
			}
		}
		for _, aud := range []string{oauthtest.Issuer, oauthtest.Issuer + "/oauth/token", oauthtest.Issuer + path} {
			reply := asserted(e, path, key.Sign(t, "", e.Assertion(c, map[string]any{"aud": aud})), more...)
			if reply.StatusCode != want {
				t.Errorf("%s with aud %s: %d %s", path, aud, reply.StatusCode, reply.Body)
			}
		}
		if reply := asserted(e, path, key.Sign(t, "", e.Assertion(c, map[string]any{"aud": "https://other.test"})), more...); reply.StatusCode != 401 {
			t.Errorf("%s with a wrong aud: %d %s", path, reply.StatusCode, reply.Body)
		}
	}
}

func TestE3_Algorithms(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	for _, alg := range clientkeys.Algorithms {
		key := oauthtest.NewSigner(t, alg, "k")
		free := e.Keyed(key)
		asserted(e, "/oauth/token", key.Sign(t, "", e.Assertion(free))).Want(t, 200, "")
		for registered, status := range map[string]int{alg: 200, "PS999": 401} {
			c := e.AddClient(oauth.Client{AuthMethod: oauth.AuthPrivateKeyJWT, Metadata: oauth.ClientMetadata{JWKS: oauthtest.JWKS(t, key), TokenAuthAlg: registered}})
			if reply := asserted(e, "/oauth/token", key.Sign(t, "", e.Assertion(c))); reply.StatusCode != status {
				t.Errorf("%s, registered for %s: %d %s", alg, registered, reply.StatusCode, reply.Body)
			}
		}
	}
}

// Attack M51: an assertion counts once, in whatever order or number it comes, and
// after a restart.
func TestM51_AnAssertionCountsOnce(t *testing.T) {
	t.Parallel()
	rows := memstore.New()
	e := oauthtest.New(t, oauthtest.Options{Store: rows})
	key := oauthtest.NewSigner(t, "ES256", "k")
	c, other := e.Keyed(key), e.Keyed(key)
	claims := e.Assertion(c, map[string]any{"jti": "one"})
	jws := key.Sign(t, "", claims)

	won := 0
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			reply := asserted(e, "/oauth/token", jws)
			mu.Lock()
			defer mu.Unlock()
			if reply.StatusCode == 200 {
				won++
			} else {
				reply.Want(t, 401, "invalid_client")
			}
		})
	}
	group.Wait()
	if won != 1 {
		t.Errorf("%d of 16 won, want 1", won)
	}
	e.Clock.Move(time.Minute)
	asserted(e, "/oauth/revoke", jws).Want(t, 401, "invalid_client")                                                          // at another endpoint
	asserted(e, "/oauth/token", key.Sign(t, "", claims)).Want(t, 401, "invalid_client")                                       // signed again
	asserted(e, "/oauth/token", key.Sign(t, "", e.Assertion(c, map[string]any{"jti": "one"}))).Want(t, 401, "invalid_client") // with a later exp
	asserted(e, "/oauth/token", key.Sign(t, "", e.Assertion(other, map[string]any{"jti": "one"}))).Want(t, 200, "")           // another client's
	asserted(e, "/oauth/token", key.Sign(t, "", e.Assertion(c, map[string]any{"jti": "ONE"}))).Want(t, 200, "")               // another name
	parts := strings.Split(jws, ".")                                                                                          // another name, not signed
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(payload), `"one"`, `"One"`, 1)))
	asserted(e, "/oauth/token", strings.Join(parts, ".")).Want(t, 401, "invalid_client")

	again := oauthtest.New(t, oauthtest.Options{Store: rows}) // its clock stands where the other began
	asserted(again, "/oauth/token", jws).Want(t, 401, "invalid_client")
	asserted(again, "/oauth/token", key.Sign(t, "", again.Assertion(c))).Want(t, 200, "")
}

// What is refused for another reason does not use the jti up.
func TestRefusedAssertionsAreNotUsedUp(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	key, thief := oauthtest.NewSigner(t, "ES256", "k"), oauthtest.NewSigner(t, "ES256", "k")
	c := e.Keyed(key)
	claims := e.Assertion(c, map[string]any{"jti": "j"})
	asserted(e, "/oauth/token", thief.Sign(t, "", claims)).Want(t, 401, "invalid_client")
	asserted(e, "/oauth/token", key.Sign(t, "", e.Assertion(c, map[string]any{"jti": "j", "aud": "https://other.test"}))).Want(t, 401, "invalid_client")
	asserted(e, "/oauth/token", key.Sign(t, "at+jwt", claims)).Want(t, 401, "invalid_client")
	asserted(e, "/oauth/token", key.Sign(t, "", claims)).Want(t, 200, "")
}

// Attack M53: what was removed from the registration, or is somebody else's,
// proves nothing.
func TestM53_KeysThatWereRemoved(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	old, next, same := oauthtest.NewSigner(t, "ES256", "k"), oauthtest.NewSigner(t, "ES256", "k2"), oauthtest.NewSigner(t, "ES256", "k")
	c, other := e.Keyed(old), e.Keyed(same) // the kids collide
	asserted(e, "/oauth/token", old.Sign(t, "", e.Assertion(c))).Want(t, 200, "")
	asserted(e, "/oauth/token", same.Sign(t, "", e.Assertion(c))).Want(t, 401, "invalid_client")
	asserted(e, "/oauth/token", old.Sign(t, "", e.Assertion(other))).Want(t, 401, "invalid_client")
	row, err := e.Store.Client(context.Background(), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	row.Metadata.JWKS = oauthtest.JWKS(t, next)
	if err := e.Store.UpdateClient(context.Background(), row); err != nil {
		t.Fatal(err)
	}
	asserted(e, "/oauth/token", old.Sign(t, "", e.Assertion(c))).Want(t, 401, "invalid_client")
	asserted(e, "/oauth/token", next.Sign(t, "", e.Assertion(c))).Want(t, 200, "")
}

// A client whose keys are behind a URL may rotate them between two requests.
func TestE3_KeysBehindAURL(t *testing.T) {
	t.Parallel()
	old, next := oauthtest.NewSigner(t, "RS256", "1"), oauthtest.NewSigner(t, "RS256", "2")
	set := oauthtest.JWKS(t, old)
	published := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write(set) }))
	defer published.Close()
	e := oauthtest.New(t, oauthtest.Options{Configure: func(c *valetkey.Config) { c.FetchAllow = []string{"127.0.0.1"} }})
	c := e.AddClient(oauth.Client{AuthMethod: oauth.AuthPrivateKeyJWT, Metadata: oauth.ClientMetadata{JWKSURI: published.URL}})
	asserted(e, "/oauth/token", old.Sign(t, "", e.Assertion(c))).Want(t, 200, "")
	set = oauthtest.JWKS(t, next)
	asserted(e, "/oauth/token", next.Sign(t, "", e.Assertion(c))).Want(t, 200, "")
	asserted(e, "/oauth/token", old.Sign(t, "", e.Assertion(c))).Want(t, 401, "invalid_client")
	hidden := oauthtest.New(t, oauthtest.Options{Store: e.Store}) // nothing private may be fetched here
	asserted(hidden, "/oauth/token", next.Sign(t, "", hidden.Assertion(c))).Want(t, 401, "invalid_client")
}

// Wrong assertions are counted and seen like wrong secrets, and answered alike
// whoever is named.
func TestT3_WrongAssertionsAreSlowedDown(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	key, thief := oauthtest.NewSigner(t, "ES256", "k"), oauthtest.NewSigner(t, "ES256", "k")
	c, other, web := e.Keyed(key), e.Keyed(key), e.Web()
	want := asserted(e, "/oauth/token", thief.Sign(t, "", e.Assertion(oauthtest.Party{Client: &oauth.Client{ID: "nobody"}})))
	for name, p := range map[string]oauthtest.Party{"wrong key": c, "no keys": web} {
		got := asserted(e, "/oauth/token", thief.Sign(t, "", e.Assertion(p)))
		if got.StatusCode != want.StatusCode || got.Description != want.Description {
			t.Errorf("%s: %s, unknown client: %s", name, got.Body, want.Body)
		}
	}
	slowed := 0
	for range 100 {
		if asserted(e, "/oauth/token", thief.Sign(t, "", e.Assertion(c))).StatusCode == 429 {
			slowed++
		}
	}
	if slowed < 60 {
		t.Errorf("%d of 100 were slowed down", slowed)
	}
	asserted(e, "/oauth/token", key.Sign(t, "", e.Assertion(other))).Want(t, 200, "")
	events, err := e.Store.ListEvents(context.Background(), store.EventQuery{Type: oauth.EventClientAuthFailed, ClientID: c.ID}, store.Page{Limit: 100})
	if err != nil || !slices.ContainsFunc(events, func(e *oauth.Event) bool { return e.Detail == "wrong client assertion" }) {
		t.Errorf("the audit trail has %d events and none of a wrong assertion (%v)", len(events), err)
	}
	e.Clock.Move(time.Minute)
	asserted(e, "/oauth/token", key.Sign(t, "", e.Assertion(c))).Want(t, 200, "")
}

func TestDisabledClientsWithKeys(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	key := oauthtest.NewSigner(t, "ES256", "k")
	c := e.AddClient(oauth.Client{Disabled: true, AuthMethod: oauth.AuthPrivateKeyJWT, Metadata: oauth.ClientMetadata{JWKS: oauthtest.JWKS(t, key)}})
	jws := key.Sign(t, "", e.Assertion(c))
	asserted(e, "/oauth/token", jws).Want(t, 401, "invalid_client")
	c.Disabled = false
	if err := e.Store.UpdateClient(context.Background(), c.Client); err != nil {
		t.Fatal(err)
	}
	asserted(e, "/oauth/token", jws).Want(t, 200, "") // it was not used up
}

// Attack M47: taking a secret by either way does not make it a way for clients
// that sign.
func TestM47_AnySecretMethodIsForSecretsThatAreSent(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{Configure: func(c *valetkey.Config) { c.Compat.AnySecretMethod = true }})
	keyed, post := e.Keyed(oauthtest.NewSigner(t, "ES256", "k")), e.AddClient(oauth.Client{AuthMethod: oauth.AuthPost})
	try(e, basic(keyed.ID, keyed.Secret), nil).Want(t, 401, "invalid_client")
	try(e, nil, url.Values{"client_id": {keyed.ID}, "client_secret": {string(keyed.Secret)}}).Want(t, 401, "invalid_client")
	try(e, basic(post.ID, post.Secret), nil).Want(t, 200, "")
}
