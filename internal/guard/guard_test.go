package guard_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/guard"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/target"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

const authorization = "Authorization"

func TestParity29_ThreeWaysToCarryAToken(t *testing.T) {
	t.Parallel()
	plain := newWorld(t, nil)
	compat := newWorld(t, func(c *guard.Config) { c.QueryToken = true })
	for _, w := range []*world{plain, compat} {
		w.do("GET", "/any", authorization, "Bearer "+w.access()).is(t, "header", "ulla by access_token")
	}
	if got := plain.do("GET", "/any?access_token="+plain.access()).status; got != 401 {
		t.Errorf("query without the switch: got %d, want 401", got)
	}
	token := compat.access()
	compat.do("GET", "/any?access_token="+token).is(t, "query with the switch", "ulla by access_token")
	if got := compat.do("GET", "/any?access_token="+token, authorization, "Bearer x").status; got != 401 {
		t.Errorf("query beside a header: got %d, want 401: the query is to be ignored", got)
	}
	resp, err := http.Post(compat.url+"/any", "application/x-www-form-urlencoded", strings.NewReader("access_token="+token))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 401 {
		t.Errorf("form body: got %d, want 401: bodies are not read", resp.StatusCode)
	}
}

func TestParity34_PersonalTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	token := "Bearer " + w.personal("read")
	w.do("POST", "/read", authorization, token).is(t, "alive", "ulla by personal_token")
	if got := w.do("GET", "/both", authorization, token).status; got != 403 {
		t.Errorf("scope missing: got %d, want 403", got)
	}
	w.setUser("ulla", &oauth.User{Subject: "ulla", Disabled: true})
	if got := w.do("GET", "/read", authorization, token).status; got != 401 {
		t.Errorf("user disabled: got %d, want 401", got)
	}
	w.setUser("ulla", &oauth.User{Subject: "ulla"})
	w.do("GET", "/read", authorization, token).is(t, "user enabled again", "ulla by personal_token")
	w.pass(24 * time.Hour)
	if got := w.do("GET", "/read", authorization, token).status; got != 401 {
		t.Errorf("expired: got %d, want 401", got)
	}
}

// TestParity35_TokenDecidesAlone: who shows a token needs no proof, gets no
// cookie, and is never taken for the session that came along.
func TestParity35_TokenDecidesAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	own := w.issue(mint.AccessToken, oauth.Token{Kind: oauth.AccessToken, ClientID: "app", Subject: "app"})
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
		a := w.do(method, "/any", authorization, "Bearer "+own, cookie, ulla, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
		a.is(t, method, "app by access_token")
		if got := a.header.Values("Set-Cookie"); len(got) != 0 {
			t.Errorf("%s: the answer sets cookies %q", method, got)
		}
	}
	w.do("GET", "/any", cookie, ulla).is(t, "the same browser without a token", "ulla by session")
	if got := w.do("GET", "/any", authorization, "Bearer gone", cookie, ulla).status; got != 401 {
		t.Errorf("a dead token beside a session: got %d, want 401", got)
	}
}

func TestParity37_RequireAuth(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.do("GET", "/any", authorization, "Bearer "+w.access()).is(t, "token", "ulla by access_token")
	w.do("GET", "/any", cookie, ulla).is(t, "session", "ulla by session")
	w.do("POST", "/any", cookie, ulla, "X-CSRF-Token", w.proof()).is(t, "session with proof", "ulla by session")
	a := w.do("GET", "/any")
	if got := a.header.Get("WWW-Authenticate"); a.status != 401 || got != `Bearer realm="api"` {
		t.Errorf("anonymous: got %d with challenge %q, want 401 with a bare one", a.status, got)
	}
	w.do("POST", "/open").is(t, "anonymous where allowed", "nobody")
	w.do("GET", "/open", cookie, ulla).is(t, "session where anonymous is allowed", "ulla by session")
	w.do("POST", "/open", cookie, ulla).refused(t, "forged where anonymous is allowed", 400, missing)
	if got := w.do("GET", "/token", cookie, ulla).status; got != 401 {
		t.Errorf("session where only tokens are taken: got %d, want 401", got)
	}
	if got := w.do("GET", "/any", cookie, "sid=broken").status; got != 500 {
		t.Errorf("sessions cannot be looked up: got %d, want 500", got)
	}
}

func TestParity38_ScopesBindTokensOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	a := w.do("GET", "/both", authorization, "Bearer "+w.access("read"))
	if a.status != 403 || !strings.Contains(a.header.Get("WWW-Authenticate"), `error="insufficient_scope"`) ||
		!strings.Contains(a.header.Get("WWW-Authenticate"), `scope="read write"`) {
		t.Errorf("one of two: got %d, %q, want 403 that names the scopes", a.status, a.header.Get("WWW-Authenticate"))
	}
	w.do("GET", "/both", authorization, "Bearer "+w.access("write", "read")).is(t, "both", "ulla by access_token")
	w.do("GET", "/both", cookie, ulla).is(t, "session", "ulla by session")
}

// A session that has outlived its user is nobody's.
func TestSessionOfDisabledUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	for name, u := range map[string]*oauth.User{"disabled": {Subject: "ulla", Disabled: true}, "deleted": nil} {
		w.setUser("ulla", u)
		if got := w.do("GET", "/any", cookie, ulla).status; got != 401 {
			t.Errorf("%s: got %d, want 401", name, got)
		}
		w.do("GET", "/open", cookie, ulla).is(t, name, "nobody")
	}
}

// TestM71_OtherCredentials: the scopes of a token hold for every way to send it.
func TestM71_OtherCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *guard.Config) { c.QueryToken, c.BearerJWT = true, true })
	token := w.personal("read")
	for name, headers := range map[string][]string{
		"Bearer":    {authorization, "Bearer " + token},
		"lower":     {authorization, "bearer " + token},
		"token":     {authorization, "token " + token},
		"Basic":     {authorization, "Basic " + token},
		"DPoP":      {authorization, "DPoP " + token},
		"X-API-Key": {"X-API-Key", token},
		"cookie":    {cookie, "access_token=" + token},
		"proof":     {"X-CSRF-Token", token},
	} {
		if got := w.do("POST", "/both", headers...).status; got != 401 && got != 403 {
			t.Errorf("%s: got %d, want 401 or 403", name, got)
		}
	}
	if got := w.do("POST", "/both?access_token="+token).status; got != 403 {
		t.Errorf("query: got %d, want 403", got)
	}
}

// TestM65_Mutilated: a sample over the wire; the exhaustive one is liveness's.
func TestM65_Mutilated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	token := w.access()
	w.do("GET", "/any", authorization, "Bearer "+token).is(t, "whole", "ulla by access_token")
	for i := range len(token) {
		for _, s := range []string{token[:i], token[i+1:], token[:i] + string(token[i]^1) + token[i+1:]} {
			if strings.ContainsFunc(s, func(c rune) bool { return c < 0x20 }) {
				continue
			}
			if got := w.do("GET", "/any", authorization, "Bearer "+s).status; got != 401 && got != 400 {
				t.Fatalf("%q of %q: got %d, want 401 or 400", s, token, got)
			}
		}
	}
	for _, s := range []string{token + "=", token + "%00", token + " ", strings.ToUpper(token), strings.ToLower(token)} {
		// A blank at the end of a header is not part of its value (RFC 9110 §5.5).
		if got := w.do("GET", "/any", authorization, "Bearer "+s).status; got != 401 && got != 400 && strings.TrimSpace(s) != token {
			t.Errorf("%q: got %d, want 401 or 400", s, got)
		}
	}
}

func TestLastUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	personal, access := w.personal(), w.access()
	lastUse := func() (token, grant time.Time, network string) {
		w.guard.Wait()
		p, err := w.store.Token(t.Context(), w.id(personal))
		w.must(err)
		g, err := w.store.Grant(t.Context(), "grant")
		w.must(err)
		return p.LastUsedAt, g.LastUsedAt, p.LastUsedNetwork
	}
	expect := func(what string, want time.Time) {
		t.Helper()
		w.do("GET", "/any", authorization, "Bearer "+personal)
		w.do("GET", "/any", authorization, "Bearer "+access)
		token, grant, network := lastUse()
		if !token.Equal(want) || !grant.Equal(want) || network != "127.0.0.0/24" {
			t.Errorf("%s: got token %v, grant %v, network %q, want %v and 127.0.0.0/24", what, token, grant, network, want)
		}
	}
	if token, grant, _ := lastUse(); !token.IsZero() || !grant.IsZero() {
		t.Errorf("before any use: got %v and %v, want never", token, grant)
	}
	expect("first use", start)
	w.pass(59 * time.Second)
	expect("within the minute", start)
	w.pass(time.Second)
	expect("after the minute", start.Add(time.Minute))
}

// counting counts what is written about uses.
type counting struct {
	store.Store
	touches atomic.Int32
}

func (c *counting) TouchToken(ctx context.Context, id string, now time.Time, network string) error {
	c.touches.Add(1)
	return c.Store.TouchToken(ctx, id, now, network)
}

func (c *counting) TouchGrant(ctx context.Context, id string, now time.Time) error {
	c.touches.Add(1)
	return c.Store.TouchGrant(ctx, id, now)
}

// The store is not even asked within the minute.
func TestLastUseIsRemembered(t *testing.T) {
	t.Parallel()
	c := &counting{}
	w := newWorld(t, func(cfg *guard.Config) { c.Store = cfg.Store; cfg.Store = c })
	tokens := []string{w.personal(), w.access(), w.access()} // two of one grant
	for range 5 {
		for _, token := range tokens {
			w.do("GET", "/any", authorization, "Bearer "+token)
			w.guard.Wait()
		}
	}
	if got := c.touches.Load(); got != 2 {
		t.Errorf("got %d writes, want one for the personal token and one for the grant", got)
	}
}

// A refused request is no use of the token.
func TestLastUseOfDeadToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	token := w.personal()
	w.setUser("ulla", &oauth.User{Subject: "ulla", Disabled: true})
	w.do("GET", "/any", authorization, "Bearer "+token)
	w.guard.Wait()
	row, err := w.store.Token(t.Context(), w.id(token))
	w.must(err)
	if !row.LastUsedAt.IsZero() {
		t.Errorf("got last use %v, want never", row.LastUsedAt)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := guard.New(guard.Config{}); err == nil {
		t.Error("an empty Config: got no error")
	}
}

// A token that is meant for another resource opens nothing here.
func TestM45_TokensOfOtherResources(t *testing.T) {
	t.Parallel()
	targets, err := target.New(issuer, []oauth.Resource{{URI: "https://api.example"}, {URI: issuer + "/records"}})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *guard.Config) { c.Targets = targets })
	none := newWorld(t, nil)
	for name, tt := range map[string]struct {
		resources []string
		want      bool
	}{
		"none":                    {nil, true},
		"the server":              {[]string{issuer}, true},
		"an API of the server":    {[]string{issuer + "/records"}, true},
		"another":                 {[]string{"https://api.example"}, false},
		"another and the server":  {[]string{"https://api.example", issuer}, true},
		"the server's name alone": {[]string{"https://id.example.evil.test"}, false},
	} {
		row := oauth.Token{Kind: oauth.AccessToken, ClientID: "app", GrantID: "grant", Subject: "ulla", Scopes: []string{"read"}, Resources: tt.resources}
		for _, path := range []string{"/any", "/read", "/open", "/token"} {
			got := w.do("GET", path, authorization, "Bearer "+w.issue(mint.AccessToken, row))
			if in := got.status == 200; in != tt.want {
				t.Errorf("%s at %s: got %d %s, want to be let in: %v", name, path, got.status, got.body, tt.want)
			}
			if challenge := got.header.Get("WWW-Authenticate"); !tt.want && !strings.Contains(challenge, `error="invalid_token"`) {
				t.Errorf("%s at %s: the challenge is %s, want invalid_token", name, path, challenge)
			}
		}
		if got := none.do("GET", "/any", authorization, "Bearer "+none.issue(mint.AccessToken, row)).status; (got == 200) != (tt.resources == nil) {
			t.Errorf("%s at a guard that knows no resource: got %d", name, got)
		}
	}
}
