package token_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
)

func TestParity18_PostOnlyAndFormOnly(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions} {
		reply := e.Anonymous().Do(method, "/oauth/token", nil)
		if reply.StatusCode != http.StatusMethodNotAllowed || reply.Header.Get("Allow") != "POST" {
			t.Errorf("%s: got %d, Allow %q; want 405, POST", method, reply.StatusCode, reply.Header.Get("Allow"))
		}
	}
	req, _ := http.NewRequest(http.MethodPost, e.URL+"/oauth/token", strings.NewReader(`{"grant_type":"client_credentials"}`))
	req.Header.Set("Content-Type", "application/json")
	e.Read(req).Want(t, 400, "invalid_request")
}

func TestParity18_UnknownClient(t *testing.T) {
	t.Parallel()
	form := url.Values{"grant_type": {"client_credentials"}}
	unknown := url.Values{"grant_type": {"client_credentials"}, "client_id": {"nobody"}, "client_secret": {"x"}}
	e := oauthtest.New(t, oauthtest.Options{})
	e.Post("/oauth/token", form).Want(t, 401, "invalid_client")
	e.Post("/oauth/token", unknown).Want(t, 401, "invalid_client")

	compat := oauthtest.New(t, oauthtest.Options{UnknownClient404: true})
	compat.Post("/oauth/token", form).Want(t, 404, "invalid_client")
	compat.Post("/oauth/token", unknown).Want(t, 404, "invalid_client")
	web := compat.Web()
	web.Secret = "wrong"
	compat.Token(web, form).Want(t, 401, "invalid_client")
}

func TestParity26_Errors(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	codeOnly := e.AddClient(oauth.Client{RedirectURIs: []string{"https://web.test/cb"}, GrantTypes: []string{oauth.GrantAuthorizationCode}})
	for name, tt := range map[string]struct {
		client oauthtest.Party
		form   string
		want   string
	}{
		"no grant_type":           {web, "", "invalid_request"},
		"empty grant_type":        {web, "grant_type=", "invalid_request"},
		"unknown grant_type":      {web, "grant_type=magic", "unsupported_grant_type"},
		"implicit is no grant":    {web, "grant_type=implicit", "unsupported_grant_type"},
		"grant type turned off":   {web, "grant_type=password&username=a&password=b", "unauthorized_client"},
		"not registered for it":   {codeOnly, "grant_type=client_credentials", "unauthorized_client"},
		"not registered: refresh": {codeOnly, "grant_type=refresh_token&refresh_token=x", "unauthorized_client"},
		"missing code":            {web, "grant_type=authorization_code", "invalid_request"},
		"unknown scope":           {web, "grant_type=client_credentials&scope=nonsense", "invalid_scope"},
		"internal scope":          {web, "grant_type=client_credentials&scope=secret%3Ascope", "invalid_scope"},
	} {
		form, err := url.ParseQuery(tt.form)
		if err != nil {
			t.Fatal(err)
		}
		reply := e.Token(tt.client, form)
		if reply.StatusCode != 400 || reply.Error != tt.want {
			t.Errorf("%s: got %d %s, want 400 %s", name, reply.StatusCode, reply.Body, tt.want)
		}
		if !regexp.MustCompile(`^[\x20-\x21\x23-\x5b\x5d-\x7e]+$`).MatchString(reply.Description) {
			t.Errorf("%s: description %q is missing or has characters outside RFC 6749 §5.2", name, reply.Description)
		}
		if reply.Header.Get("Cache-Control") != "no-store" || reply.Header.Get("Pragma") != "no-cache" {
			t.Errorf("%s: the error may be kept", name)
		}
	}
}

func TestM07_RepeatedTokenParameters(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	spa := e.SPA()
	code := e.SignIn("alice").Code(spa)
	honest := oauthtest.Redemption(spa, code)
	for _, name := range []string{"code", "client_id", "grant_type", "redirect_uri", "code_verifier", "made_up"} {
		form := url.Values{"client_id": {spa.ID}}
		for n, v := range honest {
			form[n] = v
		}
		form[name] = []string{form.Get(name), "other"}
		e.Post("/oauth/token", form).Want(t, 400, "invalid_request")
	}
	form := url.Values{"resource": {oauthtest.Issuer, oauthtest.Issuer + "/"}} // may repeat (RFC 8707 §2)
	for n, v := range honest {
		form[n] = v
	}
	e.Token(spa, form).Want(t, 200, "")
}

func TestT1_CredentialsInTheQueryAreRefused(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	e.Token(web, url.Values{"grant_type": {"client_credentials"}}).Want(t, 200, "")
	e.As(web, "/oauth/token?client_secret="+string(web.Secret), url.Values{"grant_type": {"client_credentials"}}).Want(t, 400, "invalid_request")
	e.Post("/oauth/token?client_id="+web.ID, url.Values{"grant_type": {"client_credentials"}}).Want(t, 401, "invalid_client")
}

func TestParity19_ClientCredentialsNeedASecret(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	e.Token(e.SPA(), url.Values{"grant_type": {"client_credentials"}}).Want(t, 401, "invalid_client")
}

func TestParity22_ClientCredentials(t *testing.T) {
	t.Parallel()
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"records:read"}}
	e := oauthtest.New(t, oauthtest.Options{TokenUser: true})
	web := e.Web()
	reply := e.Token(web, form)
	reply.Want(t, 200, "")
	if reply.RefreshToken != "" || reply.User != nil || reply.Scope != "records:read" {
		t.Errorf("client credentials: %s", reply.Body)
	}
	if got := subject(e, web, reply); got != web.ID {
		t.Errorf("subject: got %q, want the client %q", got, web.ID)
	}

	compat := oauthtest.New(t, oauthtest.Options{TokenUser: true, AsOwner: true})
	web = compat.Web() // bob's
	for range 3 {
		reply = compat.Token(web, form)
		if reply.RefreshToken != "" || reply.User["id"] != "bob" || subject(compat, web, reply) != "bob" {
			t.Errorf("as owner: %s", reply.Body)
		}
	}
	grants, err := compat.Store.LiveGrants(context.Background(), "bob", web.ID)
	if err != nil || len(grants) != 1 {
		t.Errorf("%d grants for the owner (%v), want one for all tokens", len(grants), err)
	}
}

func subject(e *oauthtest.Engine, c oauthtest.Party, r oauthtest.TokenReply) string {
	parsed := e.As(c, "/oauth/introspect", url.Values{"token": {r.AccessToken}})
	m := regexp.MustCompile(`"sub":"([^"]+)"`).FindStringSubmatch(parsed.Body)
	if m == nil {
		return ""
	}
	return m[1]
}

func TestParity10_DefaultScopes(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	c := e.AddClient(oauth.Client{Scopes: []string{"records:read", "secret:scope"}, DefaultScopes: []string{"records:read", "gone:scope"}})
	cc := url.Values{"grant_type": {"client_credentials"}}
	if got := e.Token(c, cc); got.Scope != "records:read" {
		t.Errorf("no scope asked: got %q, want the default records:read", got.Scope)
	}
	cc.Set("scope", "secret:scope")
	if got := e.Token(c, cc); got.Scope != "secret:scope" {
		t.Errorf("internal scope that the client is registered for: %s", got.Body)
	}
	cc.Set("scope", "test:scope")
	e.Token(c, cc).Want(t, 400, "invalid_scope")
	if got := e.Token(e.Web(), url.Values{"grant_type": {"client_credentials"}}); got.StatusCode != 200 || strings.Contains(got.Body, "scope") {
		t.Errorf("no default scopes: %s", got.Body)
	}
}

func TestParity25_Password(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{Password: true})
	ask := func(username, password string) url.Values {
		return url.Values{"grant_type": {"password"}, "username": {username}, "password": {password}, "scope": {"records:read"}}
	}
	for _, c := range []oauthtest.Party{e.Web(), e.SPA()} {
		reply := e.Token(c, ask("alice@example.org", oauthtest.Password))
		reply.Want(t, 200, "")
		if reply.RefreshToken == "" || subject(e, e.Web(), reply) != "alice" {
			t.Errorf("%s: %s", c.Name, reply.Body)
		}
		e.Token(c, ask("alice@example.org", "wrong")).Want(t, 400, "invalid_grant")
		e.Token(c, ask("nobody@example.org", oauthtest.Password)).Want(t, 400, "invalid_grant")
		e.Token(c, ask("", "x")).Want(t, 400, "invalid_request")
		e.Token(c, ask("alice@example.org", "")).Want(t, 400, "invalid_request")
		e.Token(c, ask("broken", "x")).Want(t, 503, "temporarily_unavailable")
	}
	notRegistered := e.AddClient(oauth.Client{GrantTypes: []string{oauth.GrantAuthorizationCode}})
	e.Token(notRegistered, ask("alice@example.org", oauthtest.Password)).Want(t, 400, "unauthorized_client")
}

// failing is a store whose transactions fail at their end.
type failing struct{ store.Store }

func (f failing) InTx(ctx context.Context, fn func(context.Context, store.Store) error) error {
	return f.Store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		if err := fn(ctx, tx); err != nil {
			return err
		}
		return fmt.Errorf("disk full: /secret/path: %w", oauth.TemporarilyUnavailable)
	})
}

// Faults roll back and say nothing.
func TestFaultIsNoAnswer(t *testing.T) {
	t.Parallel()
	rows := memstore.New()
	good := oauthtest.New(t, oauthtest.Options{Store: rows})
	bad := oauthtest.New(t, oauthtest.Options{Store: failing{rows}})
	spa := good.SPA()
	tokens := good.Tokens(good.SignIn("alice"), spa)
	reply := bad.Token(spa, oauthtest.Refresh(tokens.RefreshToken))
	reply.Want(t, 503, "temporarily_unavailable")
	if reply.Header.Get("Retry-After") == "" || strings.Contains(reply.Body, "disk") || strings.Contains(reply.Body, "token\"") {
		t.Errorf("a fault: %s", reply.Body)
	}
	next := good.Token(spa, oauthtest.Refresh(tokens.RefreshToken))
	next.Want(t, 200, "")
}

func TestTokenEndpointForBrowsers(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	req, _ := http.NewRequest(http.MethodOptions, e.URL+"/oauth/token", nil)
	req.Header.Set("Origin", "https://spa.test")
	req.Header.Set("Access-Control-Request-Method", "POST")
	reply := e.Send(req)
	if reply.StatusCode != 204 || reply.Header.Get("Access-Control-Allow-Origin") != "*" || reply.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("preflight: %d %v", reply.StatusCode, reply.Header)
	}
}

// The user object names the person as the ID tokens of the client do.
func TestTheUserObjectIsPairwise(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{TokenUser: true, OpenID: true})
	c := e.AddClient(oauth.Client{RedirectURIs: []string{"https://rp.test/cb"}, Metadata: oauth.ClientMetadata{SubjectType: oauth.SubjectPairwise}})
	r := e.Tokens(e.SignIn("alice"), c, "scope", "openid")
	if sub := e.Claims(r.IDToken)["sub"]; r.User["id"] != sub || sub == "alice" {
		t.Errorf("got %s, want %v", r.Body, sub)
	}
}
