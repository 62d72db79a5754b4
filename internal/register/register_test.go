package register_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// engine is a server where clients register in that mode.
func engine(t *testing.T, mode string, change ...func(*valetkey.Config)) *oauthtest.Engine {
	t.Helper()
	return oauthtest.New(t, oauthtest.Options{OpenID: true, Configure: func(c *valetkey.Config) {
		c.Registration.Mode = mode
		for _, ch := range change {
			ch(c)
		}
	}})
}

// reply is an answer of the registration endpoint.
type reply struct {
	oauthtest.TokenReply
	m map[string]any
}

func (r reply) text(name string) string { s, _ := r.m[name].(string); return s }

// ask sends a JSON document, or nothing if doc is nil.
func ask(e *oauthtest.Engine, method, path, token string, doc any) reply {
	e.T.Helper()
	var body string
	switch doc := doc.(type) {
	case nil:
	case string:
		body = doc
	default:
		b, err := json.Marshal(doc)
		if err != nil {
			e.T.Fatal(err)
		}
		body = string(b)
	}
	req, err := http.NewRequest(method, e.URL+path, strings.NewReader(body))
	if err != nil {
		e.T.Fatal(err)
	}
	if doc != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	r := reply{TokenReply: e.Read(req)}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal([]byte(r.Body), &r.m); err != nil {
			e.T.Errorf("%v in %s", err, r.Body)
		}
	}
	return r
}

// doc is a document of pairs over one redirect URI.
func doc(pairs ...any) map[string]any {
	m := map[string]any{"redirect_uris": []string{"https://app.test/cb"}, "client_name": "App"}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

func post(e *oauthtest.Engine, d any) reply { return ask(e, "POST", "/oauth/register", "", d) }

func local(r reply) string {
	return strings.TrimPrefix(r.text("registration_client_uri"), oauthtest.Issuer)
}

// party is the client that was registered.
func party(e *oauthtest.Engine, r reply) oauthtest.Party {
	e.T.Helper()
	c, err := e.Store.Client(context.Background(), r.text("client_id"))
	if err != nil {
		e.T.Fatal(err)
	}
	return oauthtest.Party{Client: c, Secret: oauth.Secret(r.text("client_secret"))}
}

func TestD2_Register(t *testing.T) {
	t.Parallel()
	e := engine(t, "open")
	r := post(e, doc("grant_types", []string{"authorization_code", "refresh_token"}, "scope", "records:read openid", "id_token_signed_response_alg", "ES256", "unknown", true))
	if r.StatusCode != 201 || !strings.Contains(r.Header.Get("Cache-Control"), "no-store") || r.Header.Get("Content-Type") != "application/json" {
		t.Fatalf("got %d %v %s", r.StatusCode, r.Header, r.Body)
	}
	expires, number := r.m["client_secret_expires_at"].(float64)
	if r.text("client_id") == "" || r.text("client_secret") == "" || !number || expires != 0 || r.m["client_id_issued_at"] == nil {
		t.Errorf("credentials: %s", r.Body)
	}
	if !strings.HasPrefix(r.text("registration_client_uri"), oauthtest.Issuer+"/oauth/register/") || r.text("registration_access_token") == "" {
		t.Errorf("management: %s", r.Body)
	}
	if r.text("token_endpoint_auth_method") != "client_secret_basic" || r.text("scope") != "records:read openid" || r.text("id_token_signed_response_alg") != "ES256" || r.m["unknown"] != nil {
		t.Errorf("the echo: %s", r.Body)
	}
	tokens := e.Tokens(e.SignIn("alice"), party(e, r))
	if tokens.AccessToken == "" || tokens.RefreshToken == "" {
		t.Errorf("tokens: %s", tokens.Body)
	}
	events, err := e.Store.ListEvents(context.Background(), store.EventQuery{Type: oauth.EventClientRegistered}, store.Page{Limit: 10})
	if err != nil || len(events) != 1 || events[0].ClientID != r.text("client_id") || events[0].Network == "" {
		t.Errorf("events %v, %v", events, err)
	}
}

func TestD2_BadRedirectURI(t *testing.T) {
	t.Parallel()
	e := engine(t, "open")
	for _, uri := range []string{"https://app.test/cb#fragment", "javascript:alert(1)", "http://app.test/cb", ""} {
		post(e, doc("redirect_uris", []string{uri})).Want(t, 400, "invalid_redirect_uri")
	}
	post(e, doc("redirect_uris", nil)).Want(t, 400, "invalid_redirect_uri")
}

func TestE4_Refusals(t *testing.T) {
	t.Parallel()
	e := engine(t, "open")
	for name, tt := range map[string]struct{ doc, code any }{
		"statement":   {doc("software_statement", "e30.e30."), "invalid_software_statement"},
		"algorithm":   {doc("id_token_signed_response_alg", "none"), "invalid_client_metadata"},
		"not JSON":    {"redirect_uris=x", "invalid_client_metadata"},
		"array":       {"[]", "invalid_client_metadata"},
		"two members": {`{"client_name":"a","client_name":"b"}`, "invalid_client_metadata"},
		"large":       {doc("x", strings.Repeat("x", 1<<20)), "invalid_client_metadata"},
	} {
		r := post(e, tt.doc)
		if r.StatusCode != 400 || r.Error != tt.code || r.Description == "" || !strings.Contains(r.Header.Get("Cache-Control"), "no-store") {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.Body)
		}
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		if r := ask(e, method, "/oauth/register", "", nil); r.StatusCode != 405 || r.Header.Get("Allow") != "POST" {
			t.Errorf("%s: %d", method, r.StatusCode)
		}
	}
	req, _ := http.NewRequest("POST", e.URL+"/oauth/register", strings.NewReader(`{}`))
	req.Header.Set("Content-Type", "text/plain")
	if r := e.Read(req); r.StatusCode != 400 || r.Error != "invalid_client_metadata" {
		t.Errorf("a form of another site: %d %s", r.StatusCode, r.Body)
	}
	clients, err := e.Store.ListClients(context.Background(), store.ClientQuery{}, store.Page{Limit: 10})
	if err != nil || len(clients) != 0 {
		t.Errorf("%d clients were made, %v", len(clients), err)
	}
}

// TestE4_InitialToken: where an initial access token is asked for, nothing else opens.
func TestE4_InitialToken(t *testing.T) {
	t.Parallel()
	e := engine(t, "token")
	make := func(kind mint.Kind, change func(*oauth.Token)) string {
		d := e.Mint.Draw(kind, e.Clock.Now())
		row := &oauth.Token{ID: d.ID, Kind: oauth.InitialToken, Hash: d.Hash, Subject: "bob", IssuedAt: e.Clock.Now()}
		if change != nil {
			change(row)
		}
		if err := e.Store.CreateToken(context.Background(), row); err != nil {
			t.Fatal(err)
		}
		return string(d.Secret)
	}
	good := make(mint.InitialToken, nil)
	revoked := e.Clock.Now()
	for name, token := range map[string]string{
		"none": "", "nonsense": "x", "forged": string(e.Mint.Redraw(mint.InitialToken, strings.Split(good, "_")[2][:22]).Secret),
		"expired":    make(mint.InitialToken, func(o *oauth.Token) { o.ExpiresAt = e.Clock.Now() }),
		"revoked":    make(mint.InitialToken, func(o *oauth.Token) { o.RevokedAt = revoked }),
		"other kind": make(mint.PersonalToken, func(o *oauth.Token) { o.Kind = oauth.PersonalToken }),
		"its maker is gone": make(mint.InitialToken, func(o *oauth.Token) {
			o.Subject = "nobody"
		}),
	} {
		r := ask(e, "POST", "/oauth/register", token, doc())
		r.Want(t, 401, "invalid_token")
		if want := `error="invalid_token"`; strings.Contains(r.Header.Get("WWW-Authenticate"), want) != (token != "") || !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: challenge %q", name, r.Header.Get("WWW-Authenticate"))
		}
	}
	operator := make(mint.InitialToken, func(o *oauth.Token) { o.Subject = "" })
	for _, token := range []string{good, good, operator} {
		if r := ask(e, "POST", "/oauth/register", token, doc("grant_types", []string{"client_credentials"}, "redirect_uris", nil)); r.StatusCode != 201 {
			t.Errorf("got %d %s", r.StatusCode, r.Body)
		}
	}
	// It opens nothing but registration.
	req, _ := http.NewRequest("GET", e.URL+"/api/v1/user", nil)
	req.Header.Set("Authorization", "Bearer "+good)
	if r := e.Send(req); r.StatusCode != 401 {
		t.Errorf("an initial access token at the API: %d", r.StatusCode)
	}
}

func TestE4_Off(t *testing.T) {
	t.Parallel()
	e := engine(t, "")
	if r := post(e, doc()); r.StatusCode != 404 {
		t.Errorf("got %d %s", r.StatusCode, r.Body)
	}
	if r := ask(e, "GET", "/.well-known/openid-configuration", "", nil); r.m["registration_endpoint"] != nil {
		t.Errorf("metadata: %s", r.Body)
	}
	if r := ask(engine(t, "open"), "GET", "/.well-known/openid-configuration", "", nil); r.m["registration_endpoint"] != oauthtest.Issuer+"/oauth/register" {
		t.Errorf("metadata: %s", r.Body)
	}
}

// Test3P_Echoed: initiate_login_uri, at registration and by GET.
func Test3P_Echoed(t *testing.T) {
	t.Parallel()
	e := engine(t, "open")
	const uri = "https://app.test/start"
	r := post(e, doc("initiate_login_uri", uri))
	again := ask(e, "GET", local(r), r.text("registration_access_token"), nil)
	if r.text("initiate_login_uri") != uri || again.StatusCode != 200 || again.text("initiate_login_uri") != uri {
		t.Errorf("%s\n%s", r.Body, again.Body)
	}
	post(e, doc("initiate_login_uri", "http://app.test/start")).Want(t, 400, "invalid_client_metadata")
}

// TestE4_Manage: RFC 7592. Each client has its own token, and only that.
func TestE4_Manage(t *testing.T) {
	t.Parallel()
	e := engine(t, "open")
	r, other := post(e, doc("logo_uri", "https://app.test/logo.png")), post(e, doc())
	at, token := local(r), r.text("registration_access_token")
	shown := ask(e, "GET", at, token, nil)
	if shown.StatusCode != 200 || shown.text("registration_access_token") != token || shown.text("registration_client_uri") == "" ||
		shown.text("client_secret") != "" || shown.text("logo_uri") == "" || !strings.Contains(shown.Header.Get("Cache-Control"), "no-store") {
		t.Errorf("GET: %d %s", shown.StatusCode, shown.Body)
	}
	for name, bad := range map[string]string{"none": "", "another client's": other.text("registration_access_token"), "nonsense": "x",
		"a secret": r.text("client_secret"), "forged": string(e.Mint.Redraw(mint.RegistrationToken, strings.Split(token, "_")[2][:22]).Secret)} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			got := ask(e, method, at, bad, nil)
			if got.StatusCode != 401 || got.Error != "invalid_token" {
				t.Errorf("%s by %s: %d %s", method, name, got.StatusCode, got.Body)
			}
		}
	}
	id := r.text("client_id")
	put := func(d map[string]any) reply { return ask(e, "PUT", at, token, d) }
	put(doc()).Want(t, 400, "invalid_client_metadata")
	put(doc("client_id", other.text("client_id"))).Want(t, 400, "invalid_client_metadata")
	put(doc("client_id", id, "client_secret", "chosen")).Want(t, 400, "invalid_client_metadata")
	put(doc("client_id", id, "client_secret", other.text("client_secret"))).Want(t, 400, "invalid_client_metadata")
	put(doc("client_id", id, "redirect_uris", []string{"https://app.test/#x"})).Want(t, 400, "invalid_redirect_uri")
	for _, ours := range []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"} {
		put(doc("client_id", id, ours, 0)).Want(t, 400, "invalid_client_metadata")
	}
	changed := put(doc("client_id", id, "client_secret", r.text("client_secret"), "client_name", "Renamed", "redirect_uris", []string{"https://app.test/new"}))
	if changed.StatusCode != 200 || changed.text("client_name") != "Renamed" || changed.m["logo_uri"] != nil || changed.m["client_secret"] != nil {
		t.Errorf("PUT: %d %s", changed.StatusCode, changed.Body)
	}
	// The old secret still works: nothing was said about it.
	old := party(e, r)
	tokens := e.Tokens(e.SignIn("alice"), old, "redirect_uri", "https://app.test/new")
	if r := ask(e, "PATCH", at, token, nil); r.StatusCode != 405 {
		t.Errorf("PATCH: %d", r.StatusCode)
	}
	if gone := ask(e, "DELETE", at, token, nil); gone.StatusCode != 204 || gone.Body != "" {
		t.Errorf("DELETE: %d %s", gone.StatusCode, gone.Body)
	}
	// Everything it had is dead, and it is unknown from now on.
	ask(e, "GET", at, token, nil).Want(t, 401, "invalid_token")
	e.Token(old, oauthtest.Refresh(tokens.RefreshToken)).Want(t, 401, "invalid_client")
	req, _ := http.NewRequest("GET", e.URL+"/api/v1/user", nil)
	req.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
	if got := e.Send(req); got.StatusCode != 401 {
		t.Errorf("its access token: %d", got.StatusCode)
	}
}

// TestE4_MethodChanges: a secret is drawn, and dies, with the method that needs it.
func TestE4_MethodChanges(t *testing.T) {
	t.Parallel()
	e := engine(t, "open", func(c *valetkey.Config) { c.Registration.Profile = oauth.ProfileCertification })
	r := post(e, doc())
	id, at, token := r.text("client_id"), local(r), r.text("registration_access_token")
	works := func(secret string) bool {
		t.Helper()
		req, _ := http.NewRequest("POST", e.URL+"/oauth/revoke", strings.NewReader("token=x"))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(id+":"+secret)))
		return e.Read(req).StatusCode == 200
	}
	first := r.text("client_secret")
	if !works(first) {
		t.Fatal("the first secret is refused")
	}
	public := ask(e, "PUT", at, token, doc("client_id", id, "token_endpoint_auth_method", "none"))
	if public.StatusCode != 200 || public.m["client_secret"] != nil || works(first) {
		t.Errorf("made public: %s", public.Body)
	}
	e.Clock.Move(time.Second)
	again := ask(e, "PUT", at, token, doc("client_id", id))
	if again.StatusCode != 200 || again.text("client_secret") == "" || works(first) || !works(again.text("client_secret")) {
		t.Errorf("confidential again: %s", again.Body)
	}
	e.Clock.Move(time.Second)
	signed := ask(e, "PUT", at, token, doc("client_id", id, "token_endpoint_auth_method", "client_secret_jwt"))
	if signed.StatusCode != 200 || signed.text("client_secret") == "" || works(again.text("client_secret")) {
		t.Errorf("signing by its secret: %s", signed.Body)
	}
	secrets, err := e.Store.ClientSecrets(context.Background(), id)
	if err != nil || len(secrets) == 0 || secrets[len(secrets)-1].Sealed == "" {
		t.Errorf("secrets %v, %v", secrets, err)
	}
}

// TestE4_SameRegistration: a public client that registers twice is one client, which
// nobody in particular may change any more.
func TestE4_SameRegistration(t *testing.T) {
	t.Parallel()
	e := engine(t, "open")
	public := doc("token_endpoint_auth_method", "none", "redirect_uris", []string{"http://127.0.0.1/cb", "http://localhost/cb"}, "application_type", "native")
	first := post(e, public)
	if first.StatusCode != 201 || first.text("registration_access_token") == "" || first.m["client_secret"] != nil || first.m["client_secret_expires_at"] != nil {
		t.Fatalf("first: %s", first.Body)
	}
	public["redirect_uris"] = []string{"http://localhost/cb", "http://127.0.0.1/cb"}
	second := post(e, public)
	if second.StatusCode != 201 || second.text("client_id") != first.text("client_id") || second.m["registration_access_token"] != nil || second.m["registration_client_uri"] != nil {
		t.Fatalf("second: %s", second.Body)
	}
	evil := doc("client_id", first.text("client_id"), "redirect_uris", []string{"https://evil.test/cb"}, "token_endpoint_auth_method", "none")
	ask(e, "PUT", local(first), first.text("registration_access_token"), evil).Want(t, 401, "invalid_token")
	ask(e, "DELETE", local(first), first.text("registration_access_token"), nil).Want(t, 401, "invalid_token")

	public["client_name"] = "Another"
	another := post(e, public)
	if another.text("client_id") == first.text("client_id") {
		t.Error("another name is the same client")
	}
	// It may become what the first one is, and stays itself.
	public["client_name"], public["client_id"] = "App", another.text("client_id")
	if r := ask(e, "PUT", local(another), another.text("registration_access_token"), public); r.StatusCode != 200 {
		t.Errorf("PUT: %d %s", r.StatusCode, r.Body)
	}
	delete(public, "client_id")
	if third := post(e, public); third.text("client_id") != first.text("client_id") {
		t.Errorf("third: %s", third.Body)
	}
	if a, b := post(e, doc()), post(e, doc()); a.text("client_id") == b.text("client_id") {
		t.Error("two clients with secrets are one")
	}
	c, err := e.Store.Client(context.Background(), first.text("client_id"))
	if err != nil {
		t.Fatal(err)
	}
	c.Disabled = true
	if err := e.Store.UpdateClient(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	post(e, public).Want(t, 403, "access_denied")
}

// TestE4_SameRegistrationAtOnce: many at once are one client as well.
func TestE4_SameRegistrationAtOnce(t *testing.T) {
	t.Parallel()
	e := engine(t, "open")
	ids := make([]string, 16)
	var wg sync.WaitGroup
	for i := range ids {
		wg.Go(func() { ids[i] = post(e, doc("token_endpoint_auth_method", "none")).text("client_id") })
	}
	wg.Wait()
	for _, id := range ids {
		if id == "" || id != ids[0] {
			t.Fatalf("ids %v", ids)
		}
	}
}

// TestM49_RegistrationsAreBounded: one network cannot fill the database, and what
// nobody uses goes by itself.
func TestM49_RegistrationsAreBounded(t *testing.T) {
	t.Parallel()
	e := engine(t, "open", func(c *valetkey.Config) { c.Registration.Unused = 48 * time.Hour })
	made, slowed := 0, 0
	var last reply
	for i := range 100 {
		r := post(e, doc("client_name", fmt.Sprint("App ", i)))
		switch r.StatusCode {
		case 201:
			made++
			last = r
		case 429:
			slowed++
			if r.Error != "slow_down" || r.Header.Get("Retry-After") == "" {
				t.Fatalf("429: %v %s", r.Header, r.Body)
			}
		default:
			t.Fatalf("got %d %s", r.StatusCode, r.Body)
		}
	}
	if made != 60 || slowed != 40 {
		t.Errorf("%d were made and %d slowed down", made, slowed)
	}
	e.Tokens(e.SignIn("alice"), party(e, last)) // this one is used
	count := func() int {
		clients, err := e.Store.ListClients(context.Background(), store.ClientQuery{}, store.Page{Limit: 200})
		if err != nil {
			t.Fatal(err)
		}
		return len(clients)
	}
	// keepHouse runs the server's housekeeping until that many are left, or a second.
	keepHouse := func(want int) int {
		t.Helper()
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		var house sync.WaitGroup
		house.Go(func() { e.Server.Start(ctx) })
		for ctx.Err() == nil && count() != want {
			time.Sleep(10 * time.Millisecond)
		}
		stop()
		house.Wait()
		return count()
	}
	e.Clock.Move(47 * time.Hour)
	if n := keepHouse(0); n != made {
		t.Errorf("%d of %d are left before their time", n, made)
	}
	fresh := post(e, doc("client_name", "Fresh"))
	e.Clock.Move(2 * time.Hour)
	if n := keepHouse(2); n != 2 {
		t.Errorf("%d are left, want the one in use and the fresh one", n)
	}
	if r := ask(e, "GET", local(fresh), fresh.text("registration_access_token"), nil); r.StatusCode != 200 {
		t.Errorf("the fresh one: %d", r.StatusCode)
	}
	e.Post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {"vanished"}}).Want(t, 401, "invalid_client")
}

// TestM49_Privileges: what strangers make up about themselves does nothing, and a
// client that nobody vouches for does not act for itself.
func TestM49_Privileges(t *testing.T) {
	t.Parallel()
	e := engine(t, "open")
	r := post(e, doc("scope", "secret:scope records:read", "grant_types", []string{"authorization_code", "password", "client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"},
		"skip_consent", true, "first_party", true, "client_id", "web", "client_secret", "chosen", "client_secret_expires_at", 1, "owner", "bob", "internal", true))
	c := party(e, r)
	if r.StatusCode != 201 || c.ID == "web" || c.Secret == "chosen" || c.FirstParty || c.Internal || c.Owner != "" ||
		r.text("scope") != "records:read" || len(c.GrantTypes) != 1 || !c.RequirePKCE {
		t.Errorf("%+v: %s", c.Client, r.Body)
	}
	page := e.SignIn("alice").Authorize(oauthtest.Request(c))
	if page.StatusCode != 200 || page.RequestID() == "" {
		t.Errorf("no consent is asked: %d %s", page.StatusCode, page.Body)
	}
	post(e, doc("scope", "secret:scope")).Want(t, 400, "invalid_client_metadata")
	post(e, doc("grant_types", []string{"client_credentials"})).Want(t, 400, "invalid_client_metadata")
	e.Token(c, url.Values{"grant_type": {"client_credentials"}}).Want(t, 400, "unauthorized_client")
}

// TestCertificationProfile: an operator who runs the conformance plans lets clients
// that register themselves leave PKCE out, if they have a secret.
func TestCertificationProfile(t *testing.T) {
	t.Parallel()
	e := engine(t, "open", func(c *valetkey.Config) { c.Registration.Profile = oauth.ProfileCertification })
	c := party(e, post(e, doc()))
	alice := e.SignIn("alice")
	code := alice.Code(c, "code_challenge", "", "code_challenge_method", "")
	if r := e.Token(c, oauthtest.Redemption(c, code, "code_verifier", "")); r.StatusCode != 200 {
		t.Errorf("without PKCE: %d %s", r.StatusCode, r.Body)
	}
	strict := engine(t, "open")
	c = party(strict, post(strict, doc()))
	q := strict.SignIn("alice").Authorize(oauthtest.Request(c, "code_challenge", "", "code_challenge_method", "")).Callback()
	if q.Get("error") != "invalid_request" {
		t.Errorf("the control: %v", q)
	}
}

// TestCORS: applications in a browser may register; nobody else's pages may manage.
func TestCORS(t *testing.T) {
	t.Parallel()
	e := engine(t, "open")
	if r := post(e, doc()); r.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("POST: %v", r.Header)
	}
	r := post(e, doc())
	if got := ask(e, "GET", local(r), r.text("registration_access_token"), nil); got.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("GET: %v", got.Header)
	}
}
