package token_test

import (
	"bytes"
	"context"
	"database/sql"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/sqlstore"
)

func TestT1_PostAndFormOnly(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	form := url.Values{"grant_type": {"client_credentials"}}
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		req, err := http.NewRequest(method, e.URL+"/oauth/token?"+form.Encode(), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(web.ID, string(web.Secret))
		if r := e.Send(req); r.StatusCode != 405 || r.Header.Get("Allow") != "POST" {
			t.Errorf("%s: got %d, Allow %q", method, r.StatusCode, r.Header.Get("Allow"))
		}
	}
	for _, typ := range []string{"", "application/json", "multipart/form-data; boundary=x", "text/plain"} {
		req, err := http.NewRequest(http.MethodPost, e.URL+"/oauth/token", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(web.ID, string(web.Secret))
		req.Header.Set("Content-Type", typ)
		e.Read(req).Want(t, 400, "invalid_request")
	}
	// What stands in the URL is not read.
	e.Token(web, url.Values{}).Want(t, 400, "invalid_request")
	e.As(web, "/oauth/token?grant_type=client_credentials", url.Values{}).Want(t, 400, "invalid_request")
}

func TestT2_EveryGrantNeedsTheSecret(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{Password: true})
	web, alice := e.Web(), e.SignIn("alice")
	tokens := e.Tokens(alice, web)
	for name, form := range map[string]url.Values{
		"code": oauthtest.Redemption(web, alice.Code(web)), "refresh": oauthtest.Refresh(tokens.RefreshToken),
		"client credentials": {"grant_type": {"client_credentials"}}, "password": {"grant_type": {"password"}, "username": {"alice@example.org"}, "password": {oauthtest.Password}},
	} {
		form.Set("client_id", web.ID)
		e.Post("/oauth/token", form).Want(t, 401, "invalid_client")
		form.Set("client_secret", string(web.Secret)) // it is registered for Basic
		e.Post("/oauth/token", form).Want(t, 401, "invalid_client")
		wrong := web
		wrong.Secret += "x"
		form.Del("client_secret")
		e.Token(wrong, form).Want(t, 401, "invalid_client")
		form.Set("client_secret", string(web.Secret)) // two methods at once
		if r := e.Token(web, form); r.StatusCode == 200 {
			t.Errorf("%s: two methods: %s", name, r.Body)
		}
		form.Del("client_secret")
		e.Token(web, form).Want(t, 200, "")
	}
}

func TestR5_TokenAnswer(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{OpenID: true})
	reply := e.Tokens(e.SignIn("alice"), e.Web(), asPerson...)
	if reply.Header.Get("Content-Type") != "application/json" || !slices.Contains(strings.Split(reply.Header.Get("Cache-Control"), ","), "no-store") {
		t.Errorf("headers: %v", reply.Header)
	}
	if reply.TokenType != "Bearer" || reply.ExpiresIn <= 0 || reply.ExpiresIn > 31_536_000 || !strings.Contains(reply.Body, `"expires_in":3600`) {
		t.Errorf("answer: %s", reply.Body)
	}
	for name, secret := range map[string]string{"access token": reply.AccessToken, "refresh token": reply.RefreshToken} {
		if len(secret) < 40 || strings.ContainsFunc(secret, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
			t.Errorf("the %s is %q", name, secret)
		}
	}
}

func TestT4_NothingIsKept(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	for name, r := range map[string]oauthtest.TokenReply{
		"success": e.Token(web, url.Values{"grant_type": {"client_credentials"}}), "refusal": e.Token(web, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}),
		"wrong client": e.Post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "client_id": {"x"}}), "no form": e.Post("/oauth/token", nil),
	} {
		if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Pragma") != "no-cache" {
			t.Errorf("%s: %v", name, r.Header)
		}
	}
}

func TestT5_Errors(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	wrong, post := web, e.AddClient(oauth.Client{AuthMethod: oauth.AuthPost})
	wrong.Secret, post.Secret = "wrong", "wrong"
	service := e.AddClient(oauth.Client{GrantTypes: []string{oauth.GrantClientCredentials}})
	own := url.Values{"grant_type": {"client_credentials"}}
	for name, tt := range map[string]struct {
		reply     oauthtest.TokenReply
		status    int
		code      string
		challenge bool
	}{
		"wrong secret by Basic":    {e.Token(wrong, own), 401, "invalid_client", true},
		"wrong secret in the form": {e.Token(post, own), 401, "invalid_client", false},
		"no grant type":            {e.Token(web, nil), 400, "invalid_request", false},
		"unknown grant type":       {e.Token(web, url.Values{"grant_type": {`"\` + "\n€"}}), 400, "unsupported_grant_type", false},
		"not registered for it":    {e.Token(service, oauthtest.Refresh("x")), 400, "unauthorized_client", false},
		"no code":                  {e.Token(web, url.Values{"grant_type": {"authorization_code"}}), 400, "invalid_request", false},
		"wrong code":               {e.Token(web, oauthtest.Redemption(web, "x")), 400, "invalid_grant", false},
		"wrong scope":              {e.Token(web, url.Values{"grant_type": {"client_credentials"}, "scope": {`nonsense "\`}}), 400, "invalid_scope", false},
		"wrong resource":           {e.Token(web, url.Values{"grant_type": {"client_credentials"}, "resource": {"https://evil.test"}}), 400, "invalid_target", false},
	} {
		tt.reply.Want(t, tt.status, tt.code)
		if got := tt.reply.Header.Get("WWW-Authenticate"); strings.HasPrefix(got, "Basic ") != tt.challenge {
			t.Errorf("%s: the challenge is %q", name, got)
		}
		for _, c := range tt.reply.Description {
			if c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
				t.Errorf("%s: the description %q holds %q", name, tt.reply.Description, c)
			}
		}
		if tt.reply.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %v", name, tt.reply.Header)
		}
	}
}

func TestT6_ScopeIsTold(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.AddClient(oauth.Client{RedirectURIs: []string{"https://web.test/cb"}, DefaultScopes: []string{"test:scope"}})
	alice := e.SignIn("alice")
	if reply := e.Tokens(alice, web, "scope", ""); reply.Scope != "test:scope" {
		t.Errorf("default scopes: %q", reply.Scope)
	}
	reply := e.Tokens(alice, web, "scope", "records:read records:write")
	if narrow := e.Token(web, oauthtest.Refresh(reply.RefreshToken, "scope", "records:write")); narrow.Scope != "records:write" {
		t.Errorf("narrowed: %q", narrow.Scope)
	}
}

func TestT7_RedirectURIMayBeLeftOut(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web, alice := e.Web(), e.SignIn("alice")
	e.Token(web, oauthtest.Redemption(web, alice.Code(web))).Want(t, 200, "")                     // RFC 6749
	e.Token(web, oauthtest.Redemption(web, alice.Code(web), "redirect_uri", "")).Want(t, 200, "") // OAuth 2.1
	plain := []string{"code_challenge", "", "code_challenge_method", ""}                          // nothing but the redirect URI binds the code
	e.Token(web, oauthtest.Redemption(web, alice.Code(web, plain...), "code_verifier", "", "redirect_uri", "")).Want(t, 400, "invalid_grant")
	e.Token(web, oauthtest.Redemption(web, alice.Code(web), "redirect_uri", "https://web.test/CB")).Want(t, 400, "invalid_grant")
}

func TestT8_RefreshTokens(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	spa, other, alice := e.SPA(), e.SPA(), e.SignIn("alice")
	first := e.Tokens(alice, spa)
	e.Token(other, oauthtest.Refresh(first.RefreshToken)).Want(t, 400, "invalid_grant")
	e.Token(spa, oauthtest.Refresh(first.RefreshToken, "scope", "records:read records:write")).Want(t, 400, "invalid_scope")
	next := e.Token(spa, oauthtest.Refresh(first.RefreshToken))
	if next.RefreshToken == first.RefreshToken || next.RefreshToken == "" {
		t.Error("a public client's refresh token is not rotated")
	}
	e.Clock.Move(11e9)
	e.Token(spa, oauthtest.Refresh(first.RefreshToken)).Want(t, 400, "invalid_grant")
	e.Token(spa, oauthtest.Refresh(next.RefreshToken)).Want(t, 400, "invalid_grant") // the family is dead
	if e.Active(e.Web(), next.AccessToken) {
		t.Error("its access token is alive")
	}
}

func TestT9_WhatIsNotOffered(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	e.Token(web, url.Values{"grant_type": {"password"}, "username": {"alice@example.org"}, "password": {oauthtest.Password}}).Want(t, 400, "unauthorized_client")
	own := e.Token(web, url.Values{"grant_type": {"client_credentials"}})
	if own.StatusCode != 200 || own.RefreshToken != "" {
		t.Errorf("client credentials: %s", own.Body)
	}
	e.Token(e.SPA(), url.Values{"grant_type": {"client_credentials"}}).Want(t, 401, "invalid_client")
}

// The database is of no use to whoever steals it.
func TestT11_SecretsAreHashedAtRest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(filepath.Join(dir, "vk.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := sqlstore.New(db, sqlstore.SQLite)
	if err := s.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	e := oauthtest.New(t, oauthtest.Options{OpenID: true, Store: s})
	web, spa, alice := e.Web(), e.SPA(), e.SignIn("alice")
	code := alice.Code(web)
	tokens := e.Tokens(alice, spa, asPerson...)
	next := e.Token(spa, oauthtest.Refresh(tokens.RefreshToken))
	pushed := e.Push(web, oauthtest.Request(web))
	if _, err := db.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(web.ID)) {
			seen++
		}
		for name, secret := range map[string]string{
			"client secret": string(web.Secret), "code": code, "access token": tokens.AccessToken, "refresh token": tokens.RefreshToken,
			"successor": next.RefreshToken, "ID token": tokens.IDToken, "request_uri": pushed[strings.LastIndexByte(pushed, ':')+1:],
		} {
			// The id in a secret is no secret; what follows it is.
			if len(secret) < 36 || bytes.Contains(text, []byte(secret[len(secret)-36:])) {
				t.Errorf("%s holds the %s", filepath.Base(file), name)
			}
		}
	}
	if seen == 0 {
		t.Error("no file holds what was stored: nothing was looked at")
	}
}
