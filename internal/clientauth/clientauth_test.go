package clientauth_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// try asks the token endpoint for client credentials, or the introspection
// endpoint's opinion, with any header and form.
func try(e *oauthtest.Engine, authorization []string, form url.Values) oauthtest.TokenReply {
	body := url.Values{"token": {"x"}}
	for k, v := range form {
		body[k] = v
	}
	req, err := http.NewRequest(http.MethodPost, e.URL+"/oauth/revoke", strings.NewReader(body.Encode()))
	if err != nil {
		e.T.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, a := range authorization {
		req.Header.Add("Authorization", a)
	}
	return e.Read(req)
}

func basic(id string, secret oauth.Secret) []string {
	return []string{"Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+string(secret)))}
}

func TestM47_RegisteredMethodIsEnforced(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web, spa := e.Web(), e.SPA()
	post := e.AddClient(oauth.Client{AuthMethod: oauth.AuthPost})
	disabled := e.AddClient(oauth.Client{Disabled: true})
	odd := e.AddClient(oauth.Client{ID: "a:b c%", AuthMethod: oauth.AuthBasic})
	expired := e.AddSecret(web.ID, e.Clock.Now())
	leftover := e.AddSecret(spa.ID, time.Time{})
	form := func(pairs ...string) url.Values {
		v := url.Values{}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	const ok, client, request = "", "invalid_client", "invalid_request"
	tests := map[string]struct {
		header []string
		form   url.Values
		want   string
	}{
		"basic by Basic":                  {basic(web.ID, web.Secret), nil, ok},
		"basic, scheme in lower case":     {[]string{strings.Replace(basic(web.ID, web.Secret)[0], "Basic", "basic", 1)}, nil, ok},
		"basic, client_id in form too":    {basic(web.ID, web.Secret), form("client_id", web.ID), ok},
		"basic, form-urlencoded":          {basic(url.QueryEscape(odd.ID), odd.Secret), nil, ok},
		"basic, not form-urlencoded":      {basic(odd.ID, odd.Secret), nil, client},
		"basic by post":                   {nil, form("client_id", web.ID, "client_secret", string(web.Secret)), client},
		"basic by both":                   {basic(web.ID, web.Secret), form("client_secret", string(web.Secret)), request},
		"basic, other client_id in form":  {basic(web.ID, web.Secret), form("client_id", post.ID), request},
		"basic without a secret":          {nil, form("client_id", web.ID), client},
		"basic with an empty secret":      {basic(web.ID, ""), nil, client},
		"basic with an empty form secret": {nil, form("client_id", web.ID, "client_secret", ""), client},
		"basic with a wrong secret":       {basic(web.ID, post.Secret), nil, client},
		"basic with a cut secret":         {basic(web.ID, web.Secret[:60]), nil, client},
		"basic with an expired secret":    {basic(web.ID, expired), nil, client},
		"basic, two headers":              {append(basic(web.ID, web.Secret), basic(web.ID, web.Secret)...), nil, request},
		"basic, no colon":                 {[]string{"Basic " + base64.StdEncoding.EncodeToString([]byte(web.ID))}, nil, client},
		"basic, no base64":                {[]string{"Basic !!!"}, nil, client},
		"basic, NUL":                      {basic(web.ID+"%00", web.Secret), nil, client},
		"bearer":                          {[]string{"Bearer " + string(web.Secret)}, form("client_id", web.ID), client},
		"post by post":                    {nil, form("client_id", post.ID, "client_secret", string(post.Secret)), ok},
		"post by Basic":                   {basic(post.ID, post.Secret), nil, client},
		"post, secret without id":         {nil, form("client_secret", string(post.Secret)), client},
		"public by id":                    {nil, form("client_id", spa.ID), ok},
		"public with a leftover secret":   {basic(spa.ID, leftover), nil, client},
		"public with any secret":          {nil, form("client_id", spa.ID, "client_secret", "x"), client},
		"public, Basic, empty secret":     {basic(spa.ID, ""), nil, client},
		"nobody":                          {nil, nil, client},
		"unknown by Basic":                {basic("nobody", web.Secret), nil, client},
		"unknown by id":                   {nil, form("client_id", "nobody"), client},
		"disabled":                        {basic(disabled.ID, disabled.Secret), nil, client},
	}
	for name, tt := range tests {
		reply := try(e, tt.header, tt.form)
		status := map[string]int{ok: 200, client: 401, request: 400}[tt.want]
		if reply.StatusCode != status || reply.Error != tt.want {
			t.Errorf("%s: got %d %s, want %d %s", name, reply.StatusCode, reply.Body, status, tt.want)
		}
		challenged := strings.HasPrefix(reply.Header.Get("WWW-Authenticate"), "Basic ")
		if challenged != (reply.StatusCode == 401 && tt.header != nil) {
			t.Errorf("%s: WWW-Authenticate %q", name, reply.Header.Get("WWW-Authenticate"))
		}
	}
}

func TestTwoSecretsAliveAtOnce(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	e.Clock.Move(time.Second)
	second := e.AddSecret(web.ID, time.Time{})
	for _, secret := range []oauth.Secret{web.Secret, second} {
		if r := try(e, basic(web.ID, secret), nil); r.StatusCode != 200 {
			t.Errorf("one of two secrets is refused: %s", r.Body)
		}
	}
	if err := e.Store.ExpireClientSecrets(context.Background(), web.ID, "", e.Clock.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	e.Clock.Move(time.Minute)
	if r := try(e, basic(web.ID, web.Secret), nil); r.StatusCode != 401 {
		t.Errorf("an expired secret: %d", r.StatusCode)
	}
}

// Strangers must not learn from the answer whether a client exists, or how it
// is registered.
func TestRefusalsAreAlike(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web, spa := e.Web(), e.SPA()
	disabled := e.AddClient(oauth.Client{Disabled: true, AuthMethod: oauth.AuthNone})
	want := try(e, basic("nobody", "x"), nil)
	for name, got := range map[string]oauthtest.TokenReply{
		"wrong secret":  try(e, basic(web.ID, "x"), nil),
		"public client": try(e, basic(spa.ID, "x"), nil),
		"no secret":     try(e, nil, url.Values{"client_id": {web.ID}}),
	} {
		if got.StatusCode != want.StatusCode || got.Error != want.Error || got.Description != want.Description {
			t.Errorf("%s: %s, unknown client: %s", name, got.Body, want.Body)
		}
	}
	a, b := try(e, nil, url.Values{"client_id": {"nobody"}}), try(e, nil, url.Values{"client_id": {disabled.ID}})
	if a.Description != b.Description {
		t.Errorf("disabled %q, unknown %q", b.Description, a.Description)
	}
}

func TestT3_GuessingIsSlowedDown(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web, other := e.Web(), e.Web()
	slowed := 0
	for range 1000 {
		if r := try(e, basic(web.ID, "guess"), nil); r.StatusCode == 429 {
			slowed++
			if r.Header.Get("Retry-After") == "" {
				t.Fatal("429 without Retry-After")
			}
		} else if r.StatusCode != 401 {
			t.Fatalf("got %d %s", r.StatusCode, r.Body)
		}
	}
	if slowed < 900 {
		t.Errorf("%d of 1000 guesses were slowed down, want most", slowed)
	}
	if r := try(e, basic(other.ID, other.Secret), nil); r.StatusCode != 200 {
		t.Errorf("another client from the same network: %d", r.StatusCode)
	}
	if r := try(e, basic(web.ID, web.Secret), nil); r.StatusCode != 200 {
		t.Errorf("the client that somebody else is guessed for: %d %s", r.StatusCode, r.Body)
	}
	events, err := e.Store.ListEvents(context.Background(), store.EventQuery{Type: oauth.EventClientAuthFailed, ClientID: web.ID}, store.Page{Limit: 1000})
	if err != nil || len(events) == 0 || len(events) > 100 {
		t.Errorf("%d events for 1000 guesses (%v), want some", len(events), err)
	}
	e.Clock.Move(time.Minute)
	try(e, basic(web.ID, "guess"), nil).Want(t, 401, "invalid_client")
}

// Whoever makes up clients does not fill the audit trail.
func TestMadeUpClientsLeaveFewTraces(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	for i := range 500 {
		try(e, basic(fmt.Sprintf("nobody-%d", i), "guess"), nil)
	}
	events, err := e.Store.ListEvents(context.Background(), store.EventQuery{Type: oauth.EventClientAuthFailed}, store.Page{Limit: 1000})
	if err != nil || len(events) == 0 || len(events) > 100 {
		t.Errorf("%d events for 500 guesses (%v), want some", len(events), err)
	}
}

func TestRightSecretsAreNeverSlowedDown(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	for range 200 {
		if r := try(e, basic(web.ID, web.Secret), nil); r.StatusCode != 200 {
			t.Fatalf("got %d %s", r.StatusCode, r.Body)
		}
	}
}

// TestLastUse: of two live secrets the one that is used says so, at most once a
// minute; a wrong one says nothing.
func TestLastUse(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	e.Clock.Move(time.Second) // secrets are listed by age
	e.AddSecret(web.ID, time.Time{})
	start := e.Clock.Now()
	used := func(secret oauth.Secret) [2]time.Time {
		try(e, basic(web.ID, secret), nil)
		e.Settle()
		secrets, err := e.Store.ClientSecrets(context.Background(), web.ID)
		if err != nil || len(secrets) != 2 {
			t.Fatalf("secrets: %v, %v", secrets, err)
		}
		return [2]time.Time{secrets[0].LastUsedAt, secrets[1].LastUsedAt}
	}
	for _, step := range []struct {
		name   string
		after  time.Duration
		secret oauth.Secret
		want   [2]time.Time
	}{
		{"wrong", 0, "wrong", [2]time.Time{}},
		{"right", 0, web.Secret, [2]time.Time{start, {}}},
		{"within the minute", 59 * time.Second, web.Secret, [2]time.Time{start, {}}},
		{"after the minute", time.Second, web.Secret, [2]time.Time{start.Add(time.Minute), {}}},
	} {
		e.Clock.Move(step.after)
		if got := used(step.secret); !got[0].Equal(step.want[0]) || !got[1].Equal(step.want[1]) {
			t.Errorf("%s: last used %v, want %v", step.name, got, step.want)
		}
	}
}
