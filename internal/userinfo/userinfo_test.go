package userinfo_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/accesstoken"
	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// token gives the client a token for alice, and returns its row too.
func token(t *testing.T, e *oauthtest.Engine, c oauthtest.Party, claims string, scopes ...string) (string, *oauth.Token) {
	t.Helper()
	now := e.Clock.Now()
	g := &oauth.Grant{ID: mint.NewID(now), ClientID: c.ID, Subject: "alice", Scopes: scopes, Claims: claims, CreatedAt: now}
	must(t, e.Store.CreateGrant(t.Context(), g))
	d := e.Mint.Draw(mint.AccessToken, now)
	row := &oauth.Token{ID: d.ID, Kind: oauth.AccessToken, Hash: d.Hash, GrantID: g.ID, ClientID: c.ID, Subject: "alice",
		Scopes: scopes, IssuedAt: now, ExpiresAt: now.Add(time.Hour)}
	must(t, e.Store.CreateToken(t.Context(), row))
	return string(d.Secret), row
}

// ask sends a request; header "" leaves the Authorization header out.
func ask(t *testing.T, e *oauthtest.Engine, method, path, authorization string, form url.Values) oauthtest.Reply {
	t.Helper()
	req, err := http.NewRequest(method, e.URL+path, strings.NewReader(form.Encode()))
	must(t, err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return e.Send(req)
}

const path = "/oauth/userinfo"

// TestB7_UserInfo: by GET and by POST, in the header and in the form.
func TestB7_UserInfo(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{OpenID: true})
	secret, _ := token(t, e, e.Web(), "", "openid", "email")
	for name, reply := range map[string]oauthtest.Reply{
		"GET, header":               ask(t, e, "GET", path, "Bearer "+secret, nil),
		"GET, bearer in lower case": ask(t, e, "GET", path, "bearer "+secret, nil),
		"POST, header, no body":     ask(t, e, "POST", path, "Bearer "+secret, nil),
		"POST, header, other form":  ask(t, e, "POST", path, "Bearer "+secret, url.Values{"x": {"y"}}),
		"POST, form":                ask(t, e, "POST", path, "", url.Values{"access_token": {secret}}),
	} {
		var got map[string]any
		err := json.Unmarshal([]byte(reply.Body), &got)
		want := map[string]any{"sub": "alice", "email": "alice@example.org", "email_verified": true}
		if reply.StatusCode != 200 || reply.Header.Get("Content-Type") != "application/json" || err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %d %s %s, want %v", name, reply.StatusCode, reply.Header.Get("Content-Type"), reply.Body, want)
		}
		if reply.Header.Get("Cache-Control") != "no-store" || reply.Header.Get("Access-Control-Allow-Origin") != "*" || len(reply.Cookies()) > 0 {
			t.Errorf("%s: got headers %v, want it readable by any page, kept by nobody and without cookies", name, reply.Header)
		}
	}
}

// TestB7_UserInfoRefusals: as RFC 6750 §3 has resource servers refuse.
func TestB7_UserInfoRefusals(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{OpenID: true})
	c := e.Web()
	good, _ := token(t, e, c, "", "openid")
	narrow, _ := token(t, e, c, "", "email")
	revoked, row := token(t, e, c, "", "openid")
	must(t, e.Store.RevokeGrant(t.Context(), row.GrantID, e.Clock.Now()))
	now := e.Clock.Now()
	personal := e.Mint.Draw(mint.PersonalToken, now)
	must(t, e.Store.CreateToken(t.Context(), &oauth.Token{ID: personal.ID, Kind: oauth.PersonalToken, Hash: personal.Hash, Subject: "alice", Name: "x",
		Scopes: []string{"openid"}, IssuedAt: now, ExpiresAt: now.Add(time.Hour)}))
	own := e.Mint.Draw(mint.AccessToken, now)
	must(t, e.Store.CreateToken(t.Context(), &oauth.Token{ID: own.ID, Kind: oauth.AccessToken, Hash: own.Hash, ClientID: c.ID, Subject: c.ID,
		Scopes: []string{"openid"}, IssuedAt: now, ExpiresAt: now.Add(time.Hour)}))
	idToken, err := e.Keys.Sign(t.Context(), keys.RS256, "JWT", map[string]any{"iss": oauthtest.Issuer, "sub": "alice", "aud": c.ID, "jti": row.ID})
	must(t, err)

	for name, test := range map[string]struct {
		reply  oauthtest.Reply
		status int
		code   string // empty: a bare challenge
	}{
		"no token":                {ask(t, e, "GET", path, "", nil), 401, ""},
		"POST without a token":    {ask(t, e, "POST", path, "", url.Values{}), 401, ""},
		"Basic":                   {ask(t, e, "GET", path, "Basic YTpi", nil), 401, ""},
		"noise":                   {ask(t, e, "GET", path, "Bearer noise", nil), 401, "invalid_token"},
		"another secret":          {ask(t, e, "GET", path, "Bearer "+e.Forge(good), nil), 401, "invalid_token"},
		"revoked":                 {ask(t, e, "GET", path, "Bearer "+revoked, nil), 401, "invalid_token"},
		"revoked, in the form":    {ask(t, e, "POST", path, "", url.Values{"access_token": {revoked}}), 401, "invalid_token"},
		"without openid":          {ask(t, e, "GET", path, "Bearer "+narrow, nil), 403, "insufficient_scope"},
		"a personal token":        {ask(t, e, "GET", path, "Bearer "+string(personal.Secret), nil), 401, "invalid_token"},
		"a client's own token":    {ask(t, e, "GET", path, "Bearer "+string(own.Secret), nil), 401, "invalid_token"},
		"an ID token":             {ask(t, e, "GET", path, "Bearer "+idToken, nil), 401, "invalid_token"},
		"in the query":            {ask(t, e, "GET", path+"?access_token="+good, "", nil), 400, "invalid_request"},
		"in the query, too":       {ask(t, e, "GET", path+"?access_token="+good, "Bearer "+good, nil), 400, "invalid_request"},
		"in header and form":      {ask(t, e, "POST", path, "Bearer "+good, url.Values{"access_token": {good}}), 400, "invalid_request"},
		"twice in the form":       {ask(t, e, "POST", path, "", url.Values{"access_token": {good, good}}), 400, "invalid_request"},
		"a malformed header":      {ask(t, e, "GET", path, "Bearer a b", nil), 400, "invalid_request"},
		"in the form of no token": {ask(t, e, "POST", path, "", url.Values{"access_token": {"a b"}}), 400, "invalid_request"},
	} {
		challenge := test.reply.Header.Get("WWW-Authenticate")
		var body struct{ Error string }
		must(t, json.Unmarshal([]byte(test.reply.Body), &body))
		if test.reply.StatusCode != test.status || body.Error != test.code || !strings.HasPrefix(challenge, "Bearer ") {
			t.Errorf("%s: got %d %q %q, want %d %q and a challenge", name, test.reply.StatusCode, body.Error, challenge, test.status, test.code)
		}
		if (test.code == "") == strings.Contains(challenge, "error=") || test.code != "" && !strings.Contains(challenge, `error="`+test.code+`"`) {
			t.Errorf("%s: got the challenge %s, want the error %q in it", name, challenge, test.code)
		}
		if test.code == "insufficient_scope" && !strings.Contains(challenge, `scope="openid"`) {
			t.Errorf("%s: got the challenge %s, want the scope in it", name, challenge)
		}
	}
	for _, method := range []string{"HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"} {
		if reply := ask(t, e, method, path, "Bearer "+good, nil); reply.StatusCode != 405 || reply.Header.Get("Allow") != "GET, POST" {
			t.Errorf("%s: got %d, Allow %q, want 405", method, reply.StatusCode, reply.Header.Get("Allow"))
		}
	}
	// A token in the URL is refused even where old clients may use one elsewhere.
	old := oauthtest.New(t, oauthtest.Options{OpenID: true, Configure: func(c *valetkey.Config) { c.Compat.QueryToken = true }})
	secret, _ := token(t, old, old.Web(), "", "openid")
	if reply := ask(t, old, "GET", path+"?access_token="+secret, "", nil); reply.StatusCode != 400 {
		t.Errorf("in the query, with compat: got %d, want 400", reply.StatusCode)
	}
}

// A page of any origin may ask, with the token in the header.
func TestCORS(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{OpenID: true})
	req, err := http.NewRequest("OPTIONS", e.URL+path, nil)
	must(t, err)
	req.Header.Set("Origin", "https://spa.test")
	req.Header.Set("Access-Control-Request-Method", "GET")
	req.Header.Set("Access-Control-Request-Headers", "authorization")
	reply := e.Send(req)
	if reply.StatusCode != 204 || reply.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(reply.Header.Get("Access-Control-Allow-Headers"), "Authorization") ||
		reply.Header.Get("Access-Control-Allow-Methods") != "GET, POST" || reply.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("got %d %v", reply.StatusCode, reply.Header)
	}
	refused := ask(t, e, "GET", path, "", nil)
	if refused.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(refused.Header.Get("Access-Control-Expose-Headers"), "WWW-Authenticate") {
		t.Errorf("a refusal cannot be read by a page: %v", refused.Header)
	}
}

// TestB10_ClaimsParameterAtUserInfo: what the authorization asked for by name is told.
func TestB10_ClaimsParameterAtUserInfo(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{OpenID: true})
	secret, _ := token(t, e, e.Web(), `{"userinfo":{"name":{"essential":true}},"id_token":{"email":{}}}`, "openid")
	reply := ask(t, e, "GET", path, "Bearer "+secret, nil)
	if reply.StatusCode != 200 || strings.TrimSpace(reply.Body) != `{"name":"Alice","sub":"alice"}` {
		t.Errorf("got %d %s, want sub and name", reply.StatusCode, reply.Body)
	}
}

// TestD3_SignedUserInfo: a client that registered an algorithm gets a JWT with iss
// and aud, and without a nonce.
func TestD3_SignedUserInfo(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{OpenID: true})
	for _, alg := range []string{"RS256", "ES256"} {
		c := e.AddClient(oauth.Client{RedirectURIs: []string{"https://rp.test/cb"}, Metadata: oauth.ClientMetadata{UserInfoAlg: alg}})
		secret, _ := token(t, e, c, "", "openid", "email")
		reply := ask(t, e, "GET", path, "Bearer "+secret, nil)
		if reply.StatusCode != 200 || reply.Header.Get("Content-Type") != "application/jwt" || reply.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d %v", alg, reply.StatusCode, reply.Header)
		}
		payload, typ, err := e.Keys.Verify(t.Context(), reply.Body)
		must(t, err)
		var got map[string]any
		must(t, json.Unmarshal(payload, &got))
		want := map[string]any{"iss": oauthtest.Issuer, "aud": c.ID, "sub": "alice", "email": "alice@example.org", "email_verified": true}
		if typ == accesstoken.Type || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v of type %s, want %v", alg, got, typ, want)
		}
	}
}

// A pairwise client is told the sub that its ID tokens have.
func TestPairwiseUserInfo(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{OpenID: true})
	subs := map[string]string{}
	for _, host := range []string{"a.test", "b.test"} {
		c := e.AddClient(oauth.Client{RedirectURIs: []string{"https://" + host + "/cb"}, Metadata: oauth.ClientMetadata{SubjectType: oauth.SubjectPairwise}})
		secret, _ := token(t, e, c, "", "openid", "profile")
		reply := ask(t, e, "GET", path, "Bearer "+secret, nil)
		var got struct{ Sub string }
		must(t, json.Unmarshal([]byte(reply.Body), &got))
		subs[host] = got.Sub
	}
	if a, b := subs["a.test"], subs["b.test"]; a == "" || a == b || strings.Contains(a+b, "alice") {
		t.Errorf("got %v, want two names that do not tell who it is", subs)
	}
}

// An access token in JWT form opens it as an opaque one does, and is dead when its
// row is.
func TestBearer4_UserInfoByJWT(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{OpenID: true})
	c := e.Web()
	_, row := token(t, e, c, "", "openid")
	s := &accesstoken.Signer{Keys: e.Keys, Issuer: oauthtest.Issuer}
	jwt, err := s.Sign(t.Context(), row, c.Client, oauth.Authentication{})
	must(t, err)
	if reply := ask(t, e, "GET", path, "Bearer "+jwt, nil); reply.StatusCode != 200 || !strings.Contains(reply.Body, `"alice"`) {
		t.Errorf("alive: got %d %s", reply.StatusCode, reply.Body)
	}
	if reply := ask(t, e, "GET", "/oauth/ping", "Bearer "+jwt, nil); reply.StatusCode != 200 {
		t.Errorf("at another guard: got %d %s", reply.StatusCode, reply.Body)
	}
	if reply := e.As(c, "/oauth/introspect", url.Values{"token": {jwt}}); !reply.Active {
		t.Errorf("introspection: got %s", reply.Body)
	}
	if reply := e.As(e.SPA(), "/oauth/revoke", url.Values{"token": {jwt}}); reply.StatusCode != 200 {
		t.Errorf("revocation by another client: got %d %s", reply.StatusCode, reply.Body)
	}
	if reply := ask(t, e, "GET", path, "Bearer "+jwt, nil); reply.StatusCode != 200 {
		t.Errorf("another client has revoked it: got %d", reply.StatusCode)
	}
	if reply := e.As(c, "/oauth/revoke", url.Values{"token": {jwt}}); reply.StatusCode != 200 {
		t.Errorf("revocation: got %d %s", reply.StatusCode, reply.Body)
	}
	if reply := ask(t, e, "GET", path, "Bearer "+jwt, nil); reply.StatusCode != 401 {
		t.Errorf("revoked: got %d, want 401", reply.StatusCode)
	}
	if reply := e.As(c, "/oauth/introspect", url.Values{"token": {jwt}}); reply.Active || strings.TrimSpace(reply.Body) != `{"active":false}` {
		t.Errorf("introspection of the revoked: got %s", reply.Body)
	}
}

// Without a keyring there is no OpenID Connect.
func TestNoKeyring(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	if reply := ask(t, e, "GET", path, "", nil); reply.StatusCode != 404 {
		t.Errorf("got %d, want 404", reply.StatusCode)
	}
}
