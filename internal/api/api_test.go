package api_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/api"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// personal makes a personal access token for ada and returns whom it acts as.
func (s *server) personal(life time.Duration, scopes ...string) *oauth.Principal {
	s.t.Helper()
	t, _, err := s.desk.CreateToken(context.Background(), manage.Actor{Subject: "ada"}, manage.TokenInput{
		Name: "maker " + mint.NewID(s.now)[10:], Scopes: scopes, ExpiresAt: s.now.Add(life)})
	if err != nil {
		s.t.Fatal(err)
	}
	return &oauth.Principal{Subject: "ada", Scopes: scopes, Method: oauth.ByPersonalToken, TokenID: t.ID}
}

func TestM73_TokenMakesNothingBeyondItself(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	maker := s.personal(time.Hour, api.ScopeTokensWrite, "records:read")
	in := func(name string, life time.Duration, scopes ...string) map[string]any {
		return map[string]any{"name": name, "scopes": scopes, "expires_at": s.now.Add(life)}
	}
	s.call(maker, "POST", "/tokens", in("wider", time.Minute, "records:write"), 403)
	s.call(maker, "POST", "/tokens", in("internal", time.Minute, "admin:everything"), 422)
	s.call(maker, "POST", "/tokens", in("longer", 2*time.Hour, "records:read"), 422)
	s.call(maker, "POST", "/tokens", map[string]any{"name": "default life", "scopes": []string{"records:read"}}, 422)
	made := s.call(maker, "POST", "/tokens", in("same", time.Minute, "records:read"), 201)
	s.call(maker, "PATCH", "/tokens/"+made.str("id"), map[string]any{"scopes": []string{"records:read", "records:write"}}, 422)

	// The secret of a stronger token of the same user is out of reach too.
	strong := s.personal(time.Hour, "records:write")
	s.call(maker, "POST", "/tokens/"+strong.TokenID+"/regenerate", nil, 403)

	app := &oauth.Principal{Subject: "ada", ClientID: "app", Scopes: []string{api.ScopeTokensWrite, "records:read"}, Method: oauth.ByAccessToken, TokenID: "t"}
	s.call(app, "POST", "/tokens", in("by an application", time.Minute, "records:read"), 403)
	s.call(app, "POST", "/tokens/"+made.str("id")+"/regenerate", nil, 403)

	itself := &oauth.Principal{Subject: "app", ClientID: "app", Scopes: []string{api.ScopeTokensWrite}, Method: oauth.ByAccessToken}
	s.call(itself, "POST", "/tokens", in("for nobody", time.Minute), 403)
}

func TestM73_ScopeOfTheOperationIsNeeded(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	reader := s.personal(time.Hour, api.ScopeTokensRead)
	s.call(reader, "GET", "/tokens", nil, 200)
	refused := s.call(reader, "POST", "/tokens", map[string]any{"name": "x"}, 403)
	if got, want := refused.header.Get("WWW-Authenticate"), `Bearer error="insufficient_scope", scope="tokens:write"`; got != want {
		t.Errorf("WWW-Authenticate = %q, want %q", got, want)
	}
	s.call(reader, "GET", "/applications", nil, 403)
}

// Null is never; the year 1, which Go's zero time is, has passed.
func TestNeverIsNull(t *testing.T) {
	t.Parallel()
	s := newServerWith(t, manage.Policy{AllowNoExpiry: true})
	in := map[string]any{"name": "x", "scopes": []string{"records:read"}, "expires_at": nil}
	made := s.call(session("ada"), "POST", "/tokens", in, 201)
	if end, there := made.body["expires_at"]; !there || end != nil {
		t.Errorf("made with null: expires_at is %v, want null", end)
	}
	regenerate := "/tokens/" + made.str("id") + "/regenerate"
	if again := s.call(session("ada"), "POST", regenerate, nil, 200); again.body["expires_at"] != nil {
		t.Errorf("regenerated as it was: expires_at is %v, want null", again.body["expires_at"])
	}
	for _, past := range []string{"0001-01-01T00:00:00Z", "0001-01-01T00:00:00.0000001Z", "2020-01-01T00:00:00Z"} {
		in["name"], in["expires_at"] = past, past
		s.call(session("ada"), "POST", "/tokens", in, 422)
		s.call(session("ada"), "POST", regenerate, map[string]any{"expires_at": past}, 422)
	}
}

func TestSecretNeedsRecentSignIn(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	maker := s.personal(time.Hour, api.ScopeTokensWrite, "records:read")
	s.notRecent = true
	in := map[string]any{"name": "x", "scopes": []string{"records:read"}, "expires_at": s.now.Add(time.Minute)}
	s.call(session("ada"), "POST", "/tokens", in, 403)
	s.call(session("ada"), "GET", "/tokens", nil, 200)
	s.call(maker, "POST", "/tokens", in, 201)
}

func TestM55_UnknownMembersAreRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	token := s.call(session("ada"), "POST", "/tokens", map[string]any{"name": "x", "scopes": []string{"records:read"}}, 201)
	client := s.call(session("ada"), "POST", "/applications", map[string]any{"name": "x", "website": "https://x.example", "redirect_uris": []string{"https://x.example/cb"}}, 201)
	paths := map[string][]string{
		"/tokens":                    {"id", "subject", "user_id", "kind", "internal", "token", "Name", "SCOPES", "scopes[]"},
		"/tokens/" + token.str("id"): {"id", "subject", "expires_at", "hint", "internal"},
		"/applications":              {"id", "client_id", "client_secret", "owner", "user_id", "is_confidential", "first_party", "internal", "disabled", "skip_authorization", "skip_consent", "Redirect_URIs"},
		"/applications/" + client.str("client_id"):                    {"id", "client_id", "owner", "first_party", "internal", "disabled"},
		"/tokens/" + token.str("id") + "/regenerate":                  {"scopes"},
		"/applications/" + client.str("client_id") + "/rotate-secret": {"client_secret"},
	}
	for path, members := range paths {
		method := "POST"
		if strings.Count(path, "/") == 2 {
			method = "PATCH"
		}
		for _, member := range members {
			s.call(session("ada"), method, path, map[string]any{member: "eve"}, 400)
		}
	}
	s.call(session("ada"), "POST", "/tokens", `{"name":"a","name":"b","scopes":["records:read"]}`, 400)
	s.call(session("ada"), "POST", "/tokens", `{"name":"a","scopes":"records:read"}`, 400)
	s.call(session("ada"), "POST", "/tokens", `[]`, 400)
	s.call(session("ada"), "POST", "/tokens", `{} {}`, 400)
	s.call(session("ada"), "POST", "/tokens", `{"scopes":`+strings.Repeat("[", 10000)+strings.Repeat("]", 10000)+`}`, 400)
}

func TestM69_SecretsAreShownOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ada := session("ada")
	token := s.call(ada, "POST", "/tokens", map[string]any{"name": "x", "scopes": []string{"records:read"}}, 201)
	client := s.call(ada, "POST", "/applications", map[string]any{"name": "x", "website": "https://x.example", "redirect_uris": []string{"https://x.example/cb"}}, 201)
	again := s.call(ada, "POST", "/tokens/"+token.str("id")+"/regenerate", nil, 200)
	rotated := s.call(ada, "POST", "/applications/"+client.str("client_id")+"/rotate-secret", nil, 200)
	secrets := []string{token.str("token"), client.str("client_secret"), again.str("token"), rotated.str("client_secret")}
	for _, secret := range secrets {
		if len(secret) < 60 {
			t.Fatalf("secret %q is not one", secret)
		}
	}
	for _, path := range []string{"/tokens", "/tokens?state=all", "/tokens/" + token.str("id"), "/applications", "/applications/" + client.str("client_id"), "/authorizations", "/activity"} {
		a := s.call(ada, "GET", path, nil, 200)
		for _, secret := range secrets {
			hash := oauth.HashSecret(oauth.Secret(secret))
			if strings.Contains(a.raw, secret) || strings.Contains(a.raw, secret[len(secret)-20:]) || strings.Contains(a.raw, fmt.Sprintf("%x", hash[:8])) {
				t.Errorf("GET %s tells a secret: %s", path, a.raw)
			}
		}
		if got := a.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("GET %s: Cache-Control = %q, want no-store", path, got)
		}
	}
}

// follow collects a list page by page by its Link headers.
func (s *server) follow(p *oauth.Principal, path, id string) []string {
	s.t.Helper()
	var ids []string
	for range 50 {
		a := s.call(p, "GET", path, nil, 200)
		list, _ := a.body["items"].([]any)
		for _, item := range list {
			m, _ := item.(map[string]any)
			v, _ := m[id].(string)
			ids = append(ids, v)
		}
		link := a.header.Get("Link")
		if link == "" {
			return ids
		}
		target, _, _ := strings.Cut(strings.TrimPrefix(link, "<http://127.0.0.1/api/v1"), ">")
		if !strings.HasSuffix(link, `>; rel="next"`) || !strings.HasPrefix(target, "/") {
			s.t.Fatalf("Link = %q", link)
		}
		path = target
	}
	s.t.Fatal("the pages never end")
	return nil
}

func TestPagesFollowOneAnother(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ada := session("ada")
	var tokens, clients, grants []string
	for i := range 7 {
		a := s.call(ada, "POST", "/tokens", map[string]any{"name": fmt.Sprint("t", i), "scopes": []string{"records:read"}}, 201)
		tokens = append(tokens, a.str("id"))
		a = s.call(ada, "POST", "/applications", map[string]any{"name": fmt.Sprint("a", i), "website": "https://x.example", "redirect_uris": []string{"https://x.example/cb"}}, 201)
		clients = append(clients, a.str("client_id"))
		grants = append(grants, s.grant())
	}
	for _, list := range []struct {
		path, id string
		want     []string
	}{
		{"/tokens?limit=3&state=active", "id", tokens}, {"/applications?limit=3", "client_id", clients}, {"/authorizations?limit=3", "id", grants},
	} {
		slices.Reverse(list.want)
		if got := s.follow(ada, list.path, list.id); !slices.Equal(got, list.want) {
			t.Errorf("%s: got %v, want %v", list.path, got, list.want)
		}
	}
	if got := s.follow(ada, "/activity?limit=3", "id"); len(got) != 14 {
		t.Errorf("activity has %d rows, want 14", len(got))
	}
}

func TestM93_ForgedCursors(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	eves := s.call(session("eve"), "POST", "/applications", map[string]any{"name": "x", "website": "https://x.example", "redirect_uris": []string{"https://x.example/cb"}}, 201)
	for _, cursor := range []string{"%27%20OR%201=1--", "eyJpZCI6MX0=", "..%2f..%2f", "%00", "%ff%fe", "a;b", strings.Repeat("a", 300), "%"} {
		for _, path := range []string{"/tokens", "/applications", "/authorizations", "/activity"} {
			s.call(session("ada"), "GET", path+"?after="+cursor, nil, 400)
		}
	}
	s.call(session("ada"), "GET", "/applications?after="+eves.str("client_id"), nil, 400)
	for _, limit := range []string{"-1", "0", "1e3", "99999999999999999999", "0x10", "%201"} {
		s.call(session("ada"), "GET", "/tokens?limit="+limit, nil, 400)
	}
}

func TestOthersThingsAreNotThere(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	token := s.call(session("ada"), "POST", "/tokens", map[string]any{"name": "x", "scopes": []string{"records:read"}}, 201)
	client := s.call(session("ada"), "POST", "/applications", map[string]any{"name": "x", "website": "https://x.example", "redirect_uris": []string{"https://x.example/cb"}}, 201)
	grant := s.grant()
	eve := session("eve")
	for _, r := range [][2]string{
		{"GET", "/tokens/" + token.str("id")}, {"PATCH", "/tokens/" + token.str("id")}, {"DELETE", "/tokens/" + token.str("id")}, {"POST", "/tokens/" + token.str("id") + "/regenerate"},
		{"GET", "/applications/" + client.str("client_id")}, {"PATCH", "/applications/" + client.str("client_id")},
		{"DELETE", "/applications/" + client.str("client_id")}, {"POST", "/applications/" + client.str("client_id") + "/rotate-secret"},
		{"GET", "/authorizations/" + grant}, {"DELETE", "/authorizations/" + grant},
	} {
		s.call(eve, r[0], r[1], nil, 404)
	}
	if got := s.call(eve, "GET", "/tokens", nil, 200).body["items"]; len(got.([]any)) != 0 {
		t.Errorf("eve sees %v", got)
	}
}
