package register_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
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

// Tokens that came by one sector's redirect URI must not show the pairwise subjects of
// another: any host may be registered, and what was granted before would be told
// anew under its name.
func TestNobodyMovesToTheSectorOfOthers(t *testing.T) {
	t.Parallel()
	e := engine(t, "open")
	grants := []string{"authorization_code", "refresh_token"}
	victim := party(e, post(e, doc("redirect_uris", []string{"https://victim.test/cb"}, "subject_type", "pairwise", "grant_types", grants)))
	sub := func(answer oauthtest.TokenReply) any {
		var body struct {
			IDToken string `json:"id_token"`
		}
		if err := json.Unmarshal([]byte(answer.Body), &body); err != nil || body.IDToken == "" {
			t.Fatalf("no ID token: %v in %s", err, answer.Body)
		}
		return e.Claims(body.IDToken)["sub"]
	}
	theirs := sub(e.Tokens(e.SignIn("alice"), victim, "scope", "openid"))

	for _, before := range []string{"public", "pairwise"} {
		made := post(e, doc("redirect_uris", []string{"https://mallory.test/cb"}, "subject_type", before, "grant_types", grants))
		mallory, path := party(e, made), local(made)
		tokens := e.Tokens(e.SignIn("alice"), mallory, "scope", "openid")
		put := func(pairs ...any) reply {
			return ask(e, "PUT", path, made.text("registration_access_token"), doc(append([]any{"client_id", mallory.ID, "grant_types", grants}, pairs...)...))
		}
		there := []string{"https://victim.test/cb"}
		if r := put("redirect_uris", there, "subject_type", "pairwise"); r.StatusCode != 400 || r.text("error") != "invalid_redirect_uri" && before == "pairwise" {
			t.Errorf("%s, to the other sector: %d %s", before, r.StatusCode, r.Body)
		}
		put("redirect_uris", there, "subject_type", "public") // it may lose what it cannot get back
		if r := put("redirect_uris", there, "subject_type", "pairwise"); r.StatusCode != 400 {
			t.Errorf("%s, in two steps: %d %s", before, r.StatusCode, r.Body)
		}
		if got := sub(e.Token(mallory, oauthtest.Refresh(tokens.RefreshToken))); got == theirs || got == nil {
			t.Errorf("%s: mallory is told %v, by which victim.test knows alice", before, got)
		}
	}

	made := post(e, doc("subject_type", "pairwise", "grant_types", grants))
	again := ask(e, "PUT", local(made), made.text("registration_access_token"),
		doc("client_id", made.text("client_id"), "subject_type", "pairwise", "redirect_uris", []string{"https://app.test/other"}, "grant_types", grants))
	if again.StatusCode != 200 {
		t.Errorf("in its own sector: %d %s", again.StatusCode, again.Body)
	}
}
