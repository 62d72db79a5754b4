package clientdoc_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/clientdoc"
	"github.com/valetkey/valetkey/internal/clientmeta"
	"github.com/valetkey/valetkey/internal/fetch"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

func TestE5_Document(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.p.URL + "/client.json"
	w.p.document(id, "grant_types", []string{"authorization_code", "refresh_token", "client_credentials", "implicit"}, "client_uri", "https://app.test/", "first_party", true)
	if err := w.resolve(id); err != nil {
		t.Fatal(err)
	}
	c := w.client(id)
	if c == nil || c.Name != "Agent" || !c.Public() || !c.RequirePKCE || c.FirstParty || c.Owner != "" || c.Profile != oauth.ProfileDefault ||
		c.Registration != oauth.RegisteredByDocument || len(c.GrantTypes) != 2 || !c.RefreshAt.Equal(w.clock.Now().Add(10*time.Minute)) {
		t.Errorf("client %+v", c)
	}
	for _, other := range []string{"web", "0352YnO5MLNc0nNDyK4ZrD", "http://127.0.0.1/x", ""} {
		if err := w.resolve(other); err != nil {
			t.Errorf("%q: %v", other, err)
		}
	}
	if n := w.p.hits.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
	events, err := w.store.ListEvents(context.Background(), store.EventQuery{Type: oauth.EventClientRegistered, ClientID: id}, store.Page{Limit: 10})
	if err != nil || len(events) != 1 {
		t.Errorf("events %v, %v", events, err)
	}
}

// TestE5_URL: what the URL must be like (OAuth Client ID Metadata Document §3).
func TestE5_URL(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.p.serve(func(rw http.ResponseWriter, r *http.Request) {
		t.Errorf("fetched %s", r.URL)
	})
	base := w.host("example.com")
	for _, id := range []string{
		base, base + "/", base + "/a#x", base + "/a#", base + "/./a", base + "/a/../b", base + "/..", base + "/a/.", base + "/%2e%2e/b", base + "/a/%2E",
		strings.Replace(base, "//", "//user@", 1) + "/a", strings.Replace(base, "//", "//user:pw@", 1) + "/a", strings.Replace(base, "example.com", "EXAMPLE.com", 1) + "/a",
		"https:///a", "https://", "https://exam\tple.com/a", base + "/a b", base + "/\\a", base + "/" + strings.Repeat("a", 600), "https://localhost./a", base + "/é",
	} {
		w.refused(id, id, w.resolve(id))
	}
}

// TestE5_Refused: what the document must be like.
func TestE5_Refused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.p.URL + "/client.json"
	for name, pairs := range map[string][]any{
		"another id":          {"client_id", id + "?"},
		"no id":               {"client_id", nil},
		"other case":          {"client_id", strings.ToUpper(id)},
		"no name":             {"client_name", nil},
		"blank name":          {"client_name", " "},
		"no redirect URI":     {"redirect_uris", nil},
		"bad redirect URI":    {"redirect_uris", []string{"javascript:alert(1)"}},
		"http redirect URI":   {"redirect_uris", []string{"http://app.test/cb"}},
		"secret":              {"client_secret", "x"},
		"secret that expires": {"client_secret_expires_at", 0},
		"basic":               {"token_endpoint_auth_method", "client_secret_basic"},
		"post":                {"token_endpoint_auth_method", "client_secret_post"},
		"secret jwt":          {"token_endpoint_auth_method", "client_secret_jwt"},
		"no key":              {"token_endpoint_auth_method", "private_key_jwt"},
		"symmetric key":       {"jwks", map[string]any{"keys": []any{map[string]any{"kty": "oct", "k": "eA"}}}},
		"statement":           {"software_statement", "x"},
		"no code":             {"grant_types", []string{"client_credentials"}},
		"private jwks_uri":    {"jwks_uri", "http://169.254.169.254/"},
	} {
		w.clock.Move(time.Minute)
		w.p.document(id, pairs...)
		w.refused(name, id, w.resolve(id))
	}
	for name, answer := range map[string]http.HandlerFunc{
		"not found":  http.NotFound,
		"no content": func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(204) },
		"no JSON": func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprint(rw, "x")
		},
		"array": func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprint(rw, "[]")
		},
		"no JSON type": func(rw http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(rw, `{"client_id":%q,"client_name":"x","redirect_uris":["https://app.test/cb"]}`, id)
		},
		"large": func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(rw, `{"x":%q}`, strings.Repeat("x", 20<<10))
		},
		"redirect": func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/other.json", http.StatusFound) },
	} {
		w.clock.Move(time.Minute)
		w.p.serve(answer)
		w.refused(name, id, w.resolve(id))
	}
	w.p.document(id)
	w.clock.Move(time.Minute)
	if err := w.resolve(id); err != nil {
		t.Errorf("the control: %v", err)
	}
}

// TestM33_PrivateDocument: without the operator's leave nothing inside is asked, and
// the answer does not say what is there.
func TestM33_PrivateDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.r = clientdoc.New(clientdoc.Config{Store: w.store, Now: w.clock.Now, Rules: &clientmeta.Rules{}, Fetch: fetch.New(fetch.Config{Now: w.clock.Now, Roots: w.p.roots, Resolver: hosts{}})})
	w.p.serve(func(http.ResponseWriter, *http.Request) { t.Error("the server inside was asked") })
	var told []string
	for _, id := range []string{w.p.URL + "/x", w.host("example.com") + "/x", w.host("[::1]") + "/x", w.host("[::ffff:127.0.0.1]") + "/x"} {
		err := w.resolve(id)
		w.refused(id, id, err)
		told = append(told, err.(*oauth.Error).Description)
	}
	for _, s := range told {
		if s != told[0] || strings.Contains(s, "127.0.0.1") {
			t.Errorf("told %q", s)
		}
	}
}

// TestE5_Kept: for as long as its server says; and for a day more if it cannot be
// fetched anew.
func TestE5_Kept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.p.URL + "/client.json"
	w.p.document(id)
	hits := func(want int32) {
		t.Helper()
		if n := w.p.hits.Load(); n != want {
			t.Errorf("%d fetches, want %d", n, want)
		}
	}
	ok := func() {
		t.Helper()
		if err := w.resolve(id); err != nil {
			t.Error(err)
		}
	}
	ok()
	w.clock.Move(10*time.Minute - time.Second)
	ok()
	hits(1)
	w.p.document(id, "client_name", "Agent Two", "redirect_uris", []string{"https://app.test/two"})
	w.clock.Move(time.Second)
	ok()
	hits(2)
	first := w.client(id)
	if first.Name != "Agent Two" || first.RedirectURIs[0] != "https://app.test/two" || !first.CreatedAt.Equal(w.clock.Now().Add(-10*time.Minute)) {
		t.Errorf("client %+v", first)
	}

	w.p.serve(http.NotFound)
	w.clock.Move(10 * time.Minute)
	ok()
	ok()
	hits(3) // the second one does not ask again
	w.clock.Move(time.Minute)
	ok()
	hits(4)
	w.clock.Move(24*time.Hour - time.Minute)
	if err := w.resolve(id); !errors.Is(err, oauth.InvalidClient) {
		t.Errorf("a day later: %v", err)
	}
	w.p.document(id, "client_name", "Back")
	ok()
	if c := w.client(id); c.Name != "Back" {
		t.Errorf("client %+v", c)
	}
}

// TestE5_WhatTheOperatorDecided: it stays when the document changes.
func TestE5_WhatTheOperatorDecided(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.p.URL + "/client.json"
	w.p.document(id)
	if err := w.resolve(id); err != nil {
		t.Fatal(err)
	}
	c := w.client(id)
	c.Disabled, c.Internal = true, true
	if err := w.store.UpdateClient(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	w.p.document(id, "client_name", "Other")
	w.clock.Move(time.Hour)
	if err := w.resolve(id); err != nil {
		t.Fatal(err)
	}
	if c := w.client(id); !c.Disabled || !c.Internal || c.Name != "Other" {
		t.Errorf("client %+v", c)
	}
	byHand := &oauth.Client{ID: w.p.URL + "/by-hand", Name: "By hand", AuthMethod: oauth.AuthNone}
	if err := w.store.CreateClient(context.Background(), byHand); err != nil {
		t.Fatal(err)
	}
	before := w.p.hits.Load()
	if err := w.resolve(byHand.ID); err != nil || w.p.hits.Load() != before || w.client(byHand.ID).Name != "By hand" {
		t.Errorf("a client of that id that was registered by hand: %v", err)
	}
}

// TestM11_Hosts: lists hold hosts, not parts of text.
func TestM11_Hosts(t *testing.T) {
	t.Parallel()
	lists := func(allow, deny []string) func(*clientdoc.Config) {
		return func(c *clientdoc.Config) { c.Allow, c.Deny = allow, deny }
	}
	for name, tt := range map[string]struct {
		allow, deny []string
		host        string
		ok          bool
	}{
		"any":                {nil, nil, "example.com", true},
		"allowed":            {[]string{"example.com"}, nil, "example.com", true},
		"case of the list":   {[]string{"Example.COM"}, nil, "example.com", true},
		"not allowed":        {[]string{"app.test"}, nil, "example.com", false},
		"below":              {[]string{"example.com"}, nil, "a.example.com", false},
		"domain":             {[]string{"*.com"}, nil, "example.com", true},
		"domain itself":      {[]string{"*.example.com"}, nil, "example.com", false},
		"end of a label":     {[]string{"*.ample.com"}, nil, "example.com", false},
		"denied":             {nil, []string{"example.com"}, "example.com", false},
		"domain denied":      {nil, []string{"*.com"}, "example.com", false},
		"denied and allowed": {[]string{"example.com"}, []string{"*.com"}, "example.com", false},
		"other denied":       {nil, []string{"ample.com", "*.example.com"}, "example.com", true},
	} {
		w := newWorld(t, lists(tt.allow, tt.deny))
		id := w.host(tt.host) + "/client.json"
		w.p.document(id)
		if err := w.resolve(id); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
		if !tt.ok && w.p.hits.Load() != 0 {
			t.Errorf("%s: it was asked all the same", name)
		}
	}
	w := newWorld(t, lists([]string{"example.com", "*.trusted.test"}, nil))
	for _, host := range []string{"evil-example.com", "example.com.evil.test", "example.com@evil.test", "xtrusted.test", "trusted.test.evil", "example.com:1@evil.test"} {
		id := "https://" + host + "/client.json"
		w.refused(id, id, w.resolve(id))
	}
	for _, entry := range []string{".example.com", "*", "*.", "", "https://example.com", "example.com/", "example.com:443", "ex*.com", "*.*.com", "*.127.0.0.1", "a b"} {
		if clientdoc.CheckHosts([]string{entry}) == nil {
			t.Errorf("%q is taken for a host", entry)
		}
	}
	if err := clientdoc.CheckHosts([]string{"example.com", "*.example.com", "127.0.0.1", "localhost", "xn--e1afmkfd.test"}); err != nil {
		t.Error(err)
	}
}

// A file that somebody put beside the server must not pass for its own word.
func TestOwnHostMustBeAllowed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		issuer, suffix string
		allow          []string
		ok             bool
	}{
		"own":             {"example.com", "", nil, false},
		"below a path":    {"example.com", "/auth", nil, false},
		"allowed by name": {"example.com", "", []string{"example.com"}, true},
		"another port":    {"example.com", "1", nil, true},
		"another name":    {"www.example.com", "", nil, true},
	} {
		w := newWorld(t)
		c := w.cfg
		c.Issuer, c.Allow = w.host(tt.issuer)+tt.suffix, tt.allow
		id := w.host("example.com") + "/client.json"
		w.p.document(id)
		if err := clientdoc.New(c).Resolve(t.Context(), id); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestE5_Bounded: nobody can make the server ask the world for documents.
func TestE5_Bounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.p.serve(http.NotFound)
	slowed := 0
	for i := range 100 {
		if err := w.resolve(fmt.Sprintf("%s/%d", w.p.URL, i)); errors.Is(err, oauth.SlowDown) {
			slowed++
		}
	}
	if n := w.p.hits.Load(); n > 40 || slowed < 60 {
		t.Errorf("%d fetches for 100 requests, %d slowed down", n, slowed)
	}
}

// TestE5_TooManyIsNotTheDocument: who asks for too many documents cannot keep
// others from learning that one has changed, a stolen key taken out of it, say.
func TestE5_TooManyIsNotTheDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.p.URL + "/client.json"
	w.p.document(id)
	if err := w.resolve(id); err != nil {
		t.Fatal(err)
	}
	w.clock.Move(time.Hour)
	honest := w.p.answer
	w.p.serve(http.NotFound)
	attacker := peer.With(t.Context(), peer.Peer{Addr: netip.MustParseAddr("192.0.2.66")})
	for i := 0; ; i++ {
		if errors.Is(w.r.Resolve(attacker, fmt.Sprintf("%s/%d", w.p.URL, i)), oauth.SlowDown) {
			break
		}
	}
	if err := w.r.Resolve(attacker, id); err != nil {
		t.Errorf("what is known does not serve: %v", err)
	}
	w.p.serve(honest)
	w.p.document(id, "client_name", "Renamed")
	if err := w.resolve(id); err != nil || w.client(id).Name != "Renamed" {
		t.Errorf("after the attacker asked, others get %q, %v", w.client(id).Name, err)
	}
}

// TestE5_AtOnce: many who ask at once share one fetch.
func TestE5_AtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.p.URL + "/client.json"
	w.p.document(id)
	honest := w.p.answer
	w.p.serve(func(rw http.ResponseWriter, r *http.Request) {
		time.Sleep(50 * time.Millisecond)
		honest(rw, r)
	})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if err := w.resolve(id); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := w.p.hits.Load(); n > 2 {
		t.Errorf("%d fetches for one document", n)
	}
}

// TestE5_WholeFlow: an agent that nobody registered, from authorization to refresh.
func TestE5_WholeFlow(t *testing.T) {
	t.Parallel()
	p := publish(t)
	id := p.URL + "/agent.json"
	p.document(id, "grant_types", []string{"authorization_code", "refresh_token"}, "redirect_uris", []string{"http://127.0.0.1/cb", "http://localhost:3000/cb"})
	engine := func(enabled bool) *oauthtest.Engine {
		return oauthtest.New(t, oauthtest.Options{Configure: func(c *valetkey.Config) {
			c.ClientDocuments.Enabled, c.FetchRoots, c.FetchAllow = enabled, p.roots, []string{"127.0.0.0/8"}
		}})
	}
	e := engine(true)
	agent := oauthtest.Party{Client: &oauth.Client{ID: id, AuthMethod: oauth.AuthNone, RedirectURIs: []string{"http://127.0.0.1:1234/cb"}}}
	alice := e.SignIn("alice")
	page := alice.Authorize(oauthtest.Request(agent))
	if page.StatusCode != 200 || !strings.Contains(page.Body, "127.0.0.1") {
		t.Fatalf("consent: %d %s", page.StatusCode, page.Body)
	}
	tokens := e.Tokens(alice, agent)
	if tokens.RefreshToken == "" {
		t.Fatalf("tokens: %s", tokens.Body)
	}
	if r := e.Token(agent, oauthtest.Refresh(tokens.RefreshToken)); r.StatusCode != 200 {
		t.Errorf("refresh: %d %s", r.StatusCode, r.Body)
	}
	// The redirect URIs are those of the document and no others.
	for _, uri := range []string{"https://evil.test/cb", "http://127.0.0.1:1234/other"} {
		if r := alice.Authorize(oauthtest.Request(agent, "redirect_uri", uri)); r.StatusCode < 400 || r.Header.Get("Location") != "" {
			t.Errorf("%s: %d %s", uri, r.StatusCode, r.Header.Get("Location"))
		}
	}
	// A document that went bad is told on a page, and at the token endpoint like any
	// client that is not there.
	other := oauthtest.Party{Client: &oauth.Client{ID: p.URL + "/other.json", AuthMethod: oauth.AuthNone, RedirectURIs: agent.RedirectURIs}}
	if r := alice.Authorize(oauthtest.Request(other)); r.StatusCode < 400 || r.StatusCode > 499 || r.Header.Get("Location") != "" || !strings.Contains(r.Body, "client metadata document") {
		t.Errorf("another's document: %d %s", r.StatusCode, r.Body)
	}
	e.Token(other, oauthtest.Refresh("x")).Want(t, 401, "invalid_client")

	off := engine(false)
	before := p.hits.Load()
	if r := off.SignIn("alice").Authorize(oauthtest.Request(agent)); r.StatusCode < 400 || p.hits.Load() != before {
		t.Errorf("switched off: %d", r.StatusCode)
	}
}

// A document that moves to the sector of others is not followed: what was granted
// before would show their pairwise subjects.
func TestDocumentsStayInTheirSector(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *clientdoc.Config) { c.Rules.SubjectTypes = []string{oauth.SubjectPublic, oauth.SubjectPairwise} })
	for _, before := range []string{"public", "pairwise"} {
		id := w.host("example.com") + "/" + before
		w.p.document(id, "subject_type", before)
		if err := w.resolve(id); err != nil {
			t.Fatal(err)
		}
		w.clock.Move(time.Hour)
		w.p.document(id, "subject_type", "pairwise", "redirect_uris", []string{"https://victim.test/cb"})
		if err := w.resolve(id); err != nil { // known, and served as it was for a day
			t.Errorf("%s: %v", before, err)
		}
		if c := w.client(id); c.RedirectURIs[0] != "https://app.test/cb" || c.Metadata.SubjectType != before {
			t.Errorf("%s: it became %v, %s", before, c.RedirectURIs, c.Metadata.SubjectType)
		}
		w.clock.Move(25 * time.Hour)
		if err := w.resolve(id); !errors.Is(err, oauth.InvalidClient) {
			t.Errorf("%s, a day later: %v", before, err)
		}
	}
}
