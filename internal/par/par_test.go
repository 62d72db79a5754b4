package par_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/internal/par"
	"github.com/valetkey/valetkey/oauth"
)

// pushed is what the endpoint answers.
type pushed struct {
	oauthtest.TokenReply
	uri string
}

// push pushes an honest request, changed as in oauthtest.Request.
func push(e *oauthtest.Engine, c oauthtest.Party, more ...string) pushed {
	e.T.Helper()
	return pushForm(e, c, oauthtest.Request(c, more...))
}

func pushForm(e *oauthtest.Engine, c oauthtest.Party, form url.Values) pushed {
	e.T.Helper()
	p := pushed{TokenReply: e.As(c, par.Path, form)}
	_, rest, _ := strings.Cut(p.Body, `"request_uri":"`)
	p.uri, _, _ = strings.Cut(rest, `"`)
	return p
}

// bring asks for authorization by what was pushed.
func bring(b *oauthtest.Browser, c oauthtest.Party, uri string, more ...string) oauthtest.Reply {
	v := url.Values{"client_id": {c.ID}, "request_uri": {uri}}
	for i := 0; i < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	return b.Authorize(v)
}

func TestF3_PushedAndUsed(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	c, alice := e.Web(), e.SignIn("alice")
	p := push(e, c, "state", "inner")
	if p.StatusCode != http.StatusCreated || p.ExpiresIn != 60 || !strings.HasPrefix(p.uri, par.Prefix) || len(p.uri) < len(par.Prefix)+40 {
		t.Fatalf("got %d %s", p.StatusCode, p.Body)
	}
	if !strings.Contains(p.Header.Get("Cache-Control"), "no-store") || !strings.HasPrefix(p.Header.Get("Content-Type"), "application/json") {
		t.Errorf("headers: %v", p.Header)
	}
	page := bring(alice, c, p.uri, "state", "outer", "scope", "records:write", "redirect_uri", "https://evil.test/")
	if page.StatusCode != 200 || page.RequestID() == "" || strings.Contains(page.Body, "<strong>https://evil.test") {
		t.Fatalf("no consent page: %d %s", page.StatusCode, page.Body)
	}
	if again := bring(alice, c, p.uri); again.RequestID() == "" { // a person may reload
		t.Errorf("loaded again: %d", again.StatusCode)
	}
	answer := alice.Answer(page, "yes")
	back := answer.Callback()
	if back.Get("code") == "" || back.Get("state") != "inner" || back.Get("iss") != oauthtest.Issuer || !strings.HasPrefix(answer.Header.Get("Location"), "https://web.test/cb?") {
		t.Fatalf("answered %v", answer.Header.Get("Location"))
	}
	tokens := e.Token(c, oauthtest.Redemption(c, back.Get("code")))
	if tokens.StatusCode != 200 || tokens.Scope != "records:read" && tokens.Scope != "" {
		t.Errorf("tokens: %s", tokens.Body)
	}
	if used := bring(alice, c, p.uri); used.StatusCode != http.StatusBadRequest || used.Callback() != nil || !strings.Contains(used.Body, "invalid_request_uri") {
		t.Errorf("used a second time: %d %v", used.StatusCode, used.Callback())
	}
}

// Requirements F3 and P1: what must not be pushed is refused there and then.
func TestP1_Refusals(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web, spa, twice := e.Web(), e.SPA(), e.AddClient(oauth.Client{RedirectURIs: []string{"https://two.test/a", "https://two.test/b"}})
	for name, tt := range map[string]struct {
		client oauthtest.Party
		more   []string
		codes  []string
	}{
		"request_uri":                 {web, []string{"request_uri", par.Prefix + "x"}, []string{"invalid_request"}},
		"request_uri of a client":     {web, []string{"request_uri", "https://web.test/r"}, []string{"invalid_request"}},
		"unregistered redirect_uri":   {web, []string{"redirect_uri", "https://web.test/other"}, []string{"invalid_request"}},
		"missing of two":              {twice, []string{"redirect_uri", ""}, []string{"invalid_request"}},
		"client_id of another":        {web, []string{"client_id", spa.ID}, []string{"invalid_request"}},
		"no response_type":            {web, []string{"response_type", ""}, []string{"invalid_request"}},
		"response_type token":         {web, []string{"response_type", "token"}, []string{"unsupported_response_type", "unauthorized_client"}},
		"response_type code id_token": {web, []string{"response_type", "code id_token"}, []string{"unsupported_response_type", "unauthorized_client"}},
		"PKCE plain":                  {web, []string{"code_challenge_method", "plain"}, []string{"invalid_request"}},
		"public without PKCE":         {spa, []string{"code_challenge", "", "code_challenge_method", ""}, []string{"invalid_request"}},
		"unknown scope":               {web, []string{"scope", "root:everything"}, []string{"invalid_scope"}},
		"unknown resource":            {web, []string{"resource", "https://other.test/"}, []string{"invalid_target"}},
		"a junk object":               {web, []string{"request", "x.y.z"}, []string{"invalid_request_object"}},
	} {
		p := push(e, tt.client, tt.more...)
		if p.StatusCode != http.StatusBadRequest || !slices.Contains(tt.codes, p.Error) || p.uri != "" {
			t.Errorf("%s: %d %s, want %v", name, p.StatusCode, p.Body, tt.codes)
		}
	}
	wrong := web
	wrong.Secret = "wrong"
	push(e, wrong).Want(t, 401, "invalid_client")
	e.Post(par.Path, oauthtest.Request(web)).Want(t, 401, "invalid_client") // a confidential client must say so
	if p := push(e, spa); p.StatusCode != http.StatusCreated {
		t.Errorf("a public client: %d %s", p.StatusCode, p.Body)
	}
	repeated := oauthtest.Request(web)
	repeated["state"] = []string{"a", "b"}
	pushForm(e, web, repeated).Want(t, 400, "invalid_request")
}

func TestP1_MethodsAndSize(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	c := e.Web()
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodPatch} {
		req, err := http.NewRequest(method, e.URL+par.Path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if reply := e.Send(req); reply.StatusCode != http.StatusMethodNotAllowed || reply.Header.Get("Allow") != "POST" {
			t.Errorf("%s: %d, Allow %q", method, reply.StatusCode, reply.Header.Get("Allow"))
		}
	}
	if p := push(e, c, "state", strings.Repeat("x", 64<<10)); p.StatusCode != http.StatusRequestEntityTooLarge || p.Error != "invalid_request" {
		t.Errorf("too large: %d %s", p.StatusCode, p.Body)
	}
	req, err := http.NewRequest(http.MethodPost, e.URL+par.Path, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	e.Read(req).Want(t, 400, "invalid_request")
}

// Requirement F4: bound to its client, and to its time.
func TestF4_BoundToClientAndTime(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	c, other, alice := e.Web(), e.SPA(), e.SignIn("alice")
	p := push(e, c)
	minted := strings.TrimPrefix(p.uri, par.Prefix)
	forged := string(e.Mint.Redraw(mint.PushedRequest, mustParse(t, e, minted)).Secret)
	for name, tt := range map[string]struct {
		client oauthtest.Party
		uri    string
	}{
		"another client":   {other, p.uri},
		"forged":           {c, par.Prefix + forged},
		"unknown":          {c, par.Prefix + string(e.Mint.Draw(mint.PushedRequest, e.Clock.Now()).Secret)},
		"of another kind":  {c, par.Prefix + string(e.Mint.Draw(mint.AuthorizationCode, e.Clock.Now()).Secret)},
		"the prefix alone": {c, par.Prefix},
		"without a prefix": {c, minted},
		"cut":              {c, p.uri[:len(p.uri)-1]},
		"in another case":  {c, strings.ToUpper(p.uri)},
	} {
		reply := bring(alice, tt.client, tt.uri)
		if reply.StatusCode != http.StatusBadRequest || reply.Callback() != nil || !strings.Contains(reply.Body, "invalid_request_uri") {
			t.Errorf("%s: %d %v", name, reply.StatusCode, reply.Header.Get("Location"))
		}
	}
	e.Clock.Move(59 * time.Second)
	if reply := bring(alice, c, p.uri); reply.RequestID() == "" {
		t.Errorf("after 59 s: %d %s", reply.StatusCode, reply.Body)
	}
	e.Clock.Move(time.Second)
	if reply := bring(alice, c, p.uri); reply.StatusCode != http.StatusBadRequest || !strings.Contains(reply.Body, "invalid_request_uri") {
		t.Errorf("after a minute: %d", reply.StatusCode)
	}
}

func mustParse(t *testing.T, e *oauthtest.Engine, secret string) string {
	t.Helper()
	p, err := e.Mint.Parse(oauth.Secret(secret), mint.PushedRequest)
	if err != nil {
		t.Fatal(err)
	}
	return p.ID
}

func TestF4_DenialAnswersTheClient(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	c, alice := e.Web(), e.SignIn("alice")
	p := push(e, c, "state", "s")
	back := alice.Answer(bring(alice, c, p.uri), "no").Callback()
	if back.Get("error") != "access_denied" || back.Get("state") != "s" || back.Get("iss") == "" {
		t.Errorf("answered %v", back)
	}
}

// One authorization comes of a pushed request, however many pages were open.
func TestF4_OneAuthorizationComesOfIt(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	c, alice := e.Web(), e.SignIn("alice")
	p := push(e, c)
	var tabs []oauthtest.Reply
	for range 8 {
		tabs = append(tabs, bring(alice, c, p.uri))
	}
	var codes atomic.Int64
	var group sync.WaitGroup
	for _, tab := range tabs {
		group.Go(func() {
			if alice.Answer(tab, "yes").Callback().Get("code") != "" {
				codes.Add(1)
			}
		})
	}
	group.Wait()
	if codes.Load() != 1 {
		t.Errorf("%d codes from one pushed request", codes.Load())
	}
}

// Requirements P1, P2: a request object may be pushed, and what it says is kept.
func TestP2_PushedObjects(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	key, thief := oauthtest.NewSigner(t, "ES256", "k"), oauthtest.NewSigner(t, "ES256", "k")
	plain := e.AddClient(oauth.Client{RedirectURIs: []string{"https://o.test/cb"}, Metadata: oauth.ClientMetadata{JWKS: oauthtest.JWKS(t, key)}})
	signs := e.AddClient(oauth.Client{RedirectURIs: []string{"https://s.test/cb"}, Metadata: oauth.ClientMetadata{JWKS: oauthtest.JWKS(t, key), RequireSignedObject: true}})
	alice := e.SignIn("alice")
	for _, c := range []oauthtest.Party{plain, signs} {
		inside := e.Object(c, oauthtest.Request(c, "state", "signed", "redirect_uri", c.RedirectURIs[0]))
		p := pushForm(e, c, url.Values{"client_id": {c.ID}, "request": {key.Sign(t, "oauth-authz-req+jwt", inside)}, "state": {"not signed"}})
		if p.StatusCode != http.StatusCreated {
			t.Fatalf("%d %s", p.StatusCode, p.Body)
		}
		if back := alice.Answer(bring(alice, c, p.uri), "yes").Callback(); back.Get("code") == "" || back.Get("state") != "signed" {
			t.Errorf("answered %v", back)
		}
		pushForm(e, c, url.Values{"request": {thief.Sign(t, "", inside)}}).Want(t, 400, "invalid_request_object")
		pushForm(e, c, url.Values{"request": {key.Sign(t, "", e.Object(c, oauthtest.Request(c), map[string]any{"request_uri": "https://x.test/"}))}}).Want(t, 400, "invalid_request_object")
		pushForm(e, c, url.Values{"request": {key.Sign(t, "", e.Object(c, oauthtest.Request(c), map[string]any{"aud": "https://other.test"}))}}).Want(t, 400, "invalid_request_object")
		pushForm(e, c, url.Values{"request": {key.Sign(t, "", e.Object(c, oauthtest.Request(c), map[string]any{"redirect_uri": "https://evil.test/"}))}}).Want(t, 400, "invalid_request")
	}
	push(e, signs).Want(t, 400, "invalid_request") // unsigned
}

// Credentials prove who pushes, and are not kept.
func TestPushedCredentialsAreNotKept(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	key := oauthtest.NewSigner(t, "ES256", "k")
	post, keyed := e.AddClient(oauth.Client{AuthMethod: oauth.AuthPost, RedirectURIs: []string{"https://p.test/cb"}}), e.Keyed(key)
	for _, p := range []pushed{
		push(e, post),
		pushForm(e, keyed, oauthtest.Asserted(oauthtest.Request(keyed), key.Sign(t, "", e.Assertion(keyed)))),
	} {
		if p.StatusCode != http.StatusCreated {
			t.Fatalf("%d %s", p.StatusCode, p.Body)
		}
		row, err := e.Store.PushedRequest(context.Background(), mustParse(t, e, strings.TrimPrefix(p.uri, par.Prefix)))
		if err != nil || row.Form["scope"] != "records:read" || !row.Hash.Equal(oauth.HashSecret(oauth.Secret(strings.TrimPrefix(p.uri, par.Prefix)))) {
			t.Fatalf("kept: %+v, %v", row, err)
		}
		for name, value := range row.Form {
			if name == "client_secret" || strings.HasPrefix(name, "client_assertion") || strings.Contains(p.uri, value) {
				t.Errorf("kept %s", name)
			}
		}
	}
}

func TestP1_Lifetime(t *testing.T) {
	t.Parallel()
	for _, lifetime := range []time.Duration{5 * time.Second, 10 * time.Minute} {
		e := oauthtest.New(t, oauthtest.Options{Configure: func(c *valetkey.Config) { c.Lifetimes.PushedRequest = lifetime }})
		if p := push(e, e.Web()); p.ExpiresIn != int(lifetime/time.Second) {
			t.Errorf("%v: %s", lifetime, p.Body)
		}
	}
	e := oauthtest.New(t, oauthtest.Options{})
	for _, lifetime := range []time.Duration{time.Second, 11 * time.Minute} {
		_, err := valetkey.New(valetkey.Config{Issuer: oauthtest.Issuer, Store: e.Store, Login: e.Door, Users: e.Users, Lifetimes: valetkey.Lifetimes{PushedRequest: lifetime}})
		if err == nil || !strings.Contains(err.Error(), "PushedRequest") {
			t.Errorf("%v is accepted: %v", lifetime, err)
		}
	}
}

// A client, or the whole server, may insist (RFC 9126 §5, §6).
func TestP1_PushingMayBeRequired(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	c := e.AddClient(oauth.Client{RedirectURIs: []string{"https://r.test/cb"}, Metadata: oauth.ClientMetadata{RequirePushed: true}})
	alice := e.SignIn("alice")
	if back := alice.Authorize(oauthtest.Request(c)).Callback(); back.Get("error") != "invalid_request" {
		t.Errorf("not pushed: %v", back)
	}
	if page := bring(alice, c, push(e, c).uri); page.RequestID() == "" {
		t.Errorf("pushed: %d %s", page.StatusCode, page.Body)
	}
}

// Anybody who knows a public client's id may push for it, but not without end; who
// proves to be the client may.
func TestPushesOfStrangersAreBounded(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	spa, web := e.SPA(), e.Web()
	var p pushed
	n := 0
	for ; n < 1000; n++ {
		if p = push(e, spa); p.StatusCode != http.StatusCreated {
			break
		}
	}
	p.Want(t, http.StatusTooManyRequests, "slow_down")
	if p.Header.Get("Retry-After") == "" || n < 100 {
		t.Errorf("after %d: Retry-After %q", n, p.Header.Get("Retry-After"))
	}
	if p := push(e, e.SPA()); p.StatusCode != http.StatusCreated {
		t.Errorf("another client: got %d %s", p.StatusCode, p.Body)
	}
	for range n + 10 {
		if p := push(e, web); p.StatusCode != http.StatusCreated {
			t.Fatalf("a confidential client: got %d %s", p.StatusCode, p.Body)
		}
	}
	e.Clock.Move(time.Second)
	if p := push(e, spa); p.StatusCode != http.StatusCreated {
		t.Errorf("a moment later: got %d %s", p.StatusCode, p.Body)
	}
}
