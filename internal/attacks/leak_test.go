package attacks

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// tape is a transport that keeps every answer.
type tape struct {
	next http.RoundTripper

	mu      sync.Mutex
	answers []taped
}

// taped is one answer: where from, and what stands in its headers and its body.
type taped struct {
	path, body string
	header     http.Header
}

func (c *tape) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	res.Body = io.NopCloser(bytes.NewReader(body))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers = append(c.answers, taped{req.Method + " " + req.URL.Path, string(body), res.Header})
	return res, err
}

// secrets is what a test handled, by what it is for.
type secrets map[string]string

// spelt is how a secret, or what is stored of it, could stand in a file.
func spelt(secret string) []string {
	b := []byte(secret)
	return []string{secret, url.QueryEscape(secret), hex.EncodeToString(b), base64.StdEncoding.EncodeToString(b), base64.RawURLEncoding.EncodeToString(b)}
}

// hashes is how the hash of a secret could be shown.
func hashes(secret string) []string {
	h := oauth.HashSecret(oauth.Secret(secret))
	return []string{string(h[:]), hex.EncodeToString(h[:]), base64.StdEncoding.EncodeToString(h[:]), base64.RawStdEncoding.EncodeToString(h[:]), base64.RawURLEncoding.EncodeToString(h[:])}
}

// named is a token or secret in a page.
var named = regexp.MustCompile(`vk_(?:pat|cs)_[0-9A-Za-z]{58}`)

// tour drives every flow there is and returns each secret it met.
func (s *site) tour() secrets {
	t := s.t
	t.Helper()
	found := secrets{}
	keep := func(name, value string) {
		t.Helper()
		if len(value) < 10 {
			t.Fatalf("%s is %q", name, value)
		}
		found[name] = value
	}
	secretOf := func(path string) string {
		t.Helper()
		parts := strings.Split(strings.Trim(path, "/"), "/")
		return parts[len(parts)-1]
	}
	// follow goes where a form led, and returns the secret that is shown there.
	follow := func(p *person, a answer) string {
		t.Helper()
		page := p.get(a.Header.Get("Location"))
		for _, c := range p.jar.Jar.Cookies(a.Request.URL) {
			if c.Name == "vk_shown" {
				keep("shown cookie "+c.Value[:20], c.Value)
			}
		}
		return named.FindString(page.body)
	}
	sealed := func(a answer) {
		for _, c := range a.Cookies() {
			if c.Name == "vk_shown" {
				keep("sealed "+c.Value[len(c.Value)-12:], c.Value)
			}
		}
	}
	const base = "/account/settings/applications/"

	// A password is mistyped, into the wrong field too, and at last it is right.
	p := s.alice
	keep("password", p.password)
	p.login("not the passphrase of Alice")
	keep("wrong password", "not the passphrase of Alice")
	keep("password as a name", "typed into the wrong field!")
	p.post("/login/", url.Values{"username": {"typed into the wrong field!"}, "password": {"x"}})
	p.signIn()
	keep("session cookie", p.cookie("vk_sid"))
	keep("device cookie", p.cookie("vk_dev"))

	// A personal access token is made and made anew.
	form := p.get(base + "tokens/new/").form()
	form.Set("name", "by the form")
	form["scopes"] = []string{"records:read", "tokens:read", "tokens:write", "applications:write", "applications:read", "activity:read"}
	a := p.post(base+"tokens/new/", form)
	sealed(a)
	keep("personal token", follow(p, a))
	path := strings.TrimSuffix(a.Header.Get("Location"), "created/")
	a = p.post(path+"regenerate/", p.get(path+"regenerate/").form())
	sealed(a)
	keep("personal token made anew", follow(p, a))
	soon := s.clock.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	a = s.do("POST", "/api/v1/tokens", `{"name":"by the API","scopes":["records:read"],"expires_at":"`+soon+`"}`, "Content-Type", "application/json", "Authorization", "Bearer "+found["personal token made anew"])
	keep("personal token by the API", named.FindString(a.body))

	// An application is registered, its secret replaced.
	form = p.get(base + "clients/new/").form()
	for name, value := range map[string]string{"name": "By the form", "website": "https://made.test/", "redirect_uris": "https://made.test/cb"} {
		form.Set(name, value)
	}
	a = p.post(base+"clients/new/", form)
	sealed(a)
	keep("client secret", follow(p, a))
	path = strings.TrimSuffix(a.Header.Get("Location"), "created/")
	made, err := s.store.Client(t.Context(), secretOf(path))
	must(t, err)
	c := &client{made, found["client secret"]}
	form = p.get(path + "reset/").form()
	form.Set("keep_old", "24")
	a = p.post(path+"reset/", form)
	sealed(a)
	keep("client secret made anew", follow(p, a))
	a = s.do("POST", "/api/v1/applications", `{"type":"web","name":"By the API","website":"https://made.test/","redirect_uris":["https://made.test/cb"]}`, "Content-Type", "application/json", "Authorization", "Bearer "+found["personal token made anew"])
	keep("client secret by the API", named.FindString(a.body))

	// The code flow, refreshing, repeating, revoking; and what goes wrong.
	code := p.code(c)
	keep("code", code)
	s.tok(c, redeem(c, code, "code_verifier", strings.Repeat("x", 50)))
	got := s.tok(c, redeem(c, code))
	keep("access token", got.Access)
	keep("refresh token", got.Refresh)
	keep("second access token", s.tok(c, refresh(got.Refresh)).Access)
	keep("wrong secret", "the secret of another client altogether")
	s.tok(&client{made, found["wrong secret"]}, refresh(got.Refresh))
	public := p.flow(s.spa)
	keep("refresh token of a public client", public.Refresh)
	next := s.tok(s.spa, refresh(public.Refresh))
	keep("its successor", next.Refresh)
	s.clock.Move(time.Minute)
	s.tok(s.spa, refresh(public.Refresh)) // a theft
	replayed := p.code(c)
	keep("code used twice", replayed)
	keep("access token that is revoked by it", s.tok(c, redeem(c, replayed)).Access)
	s.tok(c, redeem(c, replayed))
	keep("token of a client itself", s.tok(s.m2m, url.Values{"grant_type": {"client_credentials"}, "scope": {"records:read"}}).Access)
	byPassword := s.tok(s.legacy, url.Values{"grant_type": {"password"}, "username": {p.email}, "password": {p.password}, "scope": {"records:read"}})
	keep("token by password", byPassword.Access)
	s.reads(got.Access)
	s.active(s.rs, got.Access)
	s.rev(c, got.Access)
	p.get(base)

	// Secrets where they do not belong.
	keep("code in a URL", p.code(s.web2))
	s.do("GET", "/oauth/token?grant_type=authorization_code&code="+found["code in a URL"]+"&client_secret="+found["wrong secret"], "")
	s.do("POST", "/oauth/token?code="+found["code in a URL"], "grant_type=x", "Content-Type", formType)
	s.do("GET", "/records/read?access_token="+byPassword.Access, "")
	s.do("GET", "/nothing/"+byPassword.Access+"?x="+byPassword.Access, "")
	s.do("GET", "/reset-password/"+byPassword.Access+"/", "")
	p.get("/oauth/authorize?" + ask(s.web2).Encode() + "&client_secret=" + found["wrong secret"])

	// Links by mail; a new password.
	link := s.resetLink(p)
	keep("reset link", secretOf(link))
	p.get(link)
	p.password = "a second long passphrase"
	keep("second password", p.password)
	p.post(link, url.Values{"password": {p.password}})
	keep("reset link that nobody uses", secretOf(func() string { s.clock.Move(2 * time.Minute); return s.resetLink(p) }()))
	p.signIn()
	keep("second session cookie", p.cookie("vk_sid"))
	p.password = "a third long passphrase"
	keep("third password", p.password)
	p.post("/account/settings/password/", url.Values{"current_password": {found["second password"]}, "password": {p.password}})
	keep("third session cookie", p.cookie("vk_sid"))
	p.post("/account/settings/profile/confirm-email/", url.Values{})
	carol := p.elsewhere()
	carol.post("/signup/", url.Values{"email": {"carol@web.test"}, "name": {"Carol"}})
	mails := s.mailsTo("carol@web.test")
	keep("sign-up link", secretOf(linkIn(s, mails[0].Text)))
	keep("password of carol", "the long passphrase of Carol")
	carol.post(linkIn(s, mails[0].Text), url.Values{"password": {"the long passphrase of Carol"}})
	keep("session of carol", carol.cookie("vk_sid"))
	p.post("/logout/", url.Values{})
	s.root.signIn()
	keep("session of root", s.root.cookie("vk_sid"))
	keep("password of root", s.root.password)
	p.signIn()
	_, ring, _ := strings.Cut(string(s.keyring), ":")
	keep("key of the server", strings.TrimSpace(ring))
	s.door.Wait()
	return found
}

// No secret is where somebody reads it later: not in the log, metrics or traces, not in any answer
// but the one that hands it over, and not in the database, its write-ahead log or
// a backup.
func TestLeaks(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{password: true})
	recorded := &tape{next: s.http}
	s.http = recorded
	for _, p := range []*person{s.alice, s.root, s.mallory} {
		p.jar.Transport = recorded
	}
	found := s.tour()

	// Faults make the log talk.
	for _, table := range []string{"oauth_tokens", "oauth_codes", "accounts_sessions", "accounts_links", "oauth_clients"} {
		_, err := s.db.ExecContext(t.Context(), "CREATE TRIGGER broken_"+table+" BEFORE INSERT ON "+table+" BEGIN SELECT RAISE(ABORT, 'the disk is full'); END")
		must(t, err)
	}
	quiet := len(s.log.String())
	form := url.Values{"name": {"Fault"}, "scopes": {"records:read"}, "expires_in": {"30"}}
	for _, req := range []*http.Request{
		s.machineRequest(s.m2m, "/oauth/token", url.Values{"grant_type": {"client_credentials"}}),
		s.machineRequest(s.legacy, "/oauth/token", url.Values{"grant_type": {"password"}, "username": {s.alice.email}, "password": {s.alice.password}}),
		s.alice.elsewhere().formRequest("/login/", url.Values{"username": {s.alice.email}, "password": {s.alice.password}}),
		s.alice.formRequest("/account/settings/applications/tokens/new/", form),
		s.alice.elsewhere().formRequest("/lost-password/", url.Values{"email": {s.root.email}}),
		s.request("GET", "/oauth/authorize?"+ask(s.web2).Encode(), "", "Cookie", s.alice.cookies()),
	} {
		res, err := recorded.RoundTrip(req)
		must(t, err)
		res.Body.Close()
	}
	s.door.Wait()
	log := s.log.String()
	if strings.Count(log[quiet:], "the disk is full") < 4 {
		t.Errorf("the faults were not logged: %s", log[quiet:])
	}

	seen := s.seen.String() // metrics, and what traces are made of
	for _, told := range []string{"Route:/oauth/token", `valetkey_sign_ins_total{result="wrong"}`, `valetkey_refusals_total{route="/oauth/token",code="server_error"}`} {
		if !strings.Contains(seen, told) {
			t.Errorf("the observer was not told: %s", told)
		}
	}
	for name, secret := range found {
		for _, text := range append(spelt(secret), hashes(secret)...) {
			if strings.Contains(log, text) {
				t.Errorf("the %s is in the log as %q", name, text)
			}
			if strings.Contains(seen, text) {
				t.Errorf("the %s is told to observers as %q", name, text)
			}
		}
		shown := 0
		for _, a := range recorded.answers {
			// A page may repeat what its own request said: its address, a name typed in.
			if strings.Contains(a.body, secret) && name != "password as a name" && !strings.Contains(a.path, secret) {
				shown++
				if !handsOver(a.path) {
					t.Errorf("the %s is in the answer to %s", name, a.path)
				}
			}
			if slices.ContainsFunc(hashes(secret), func(h string) bool { return strings.Contains(a.body, h) }) {
				t.Errorf("the hash of the %s is in the answer to %s", name, a.path)
			}
			for header, values := range a.header {
				if header != "Set-Cookie" && header != "Location" && strings.Contains(strings.Join(values, " "), secret) {
					t.Errorf("the %s is in %s of the answer to %s", name, header, a.path)
				}
			}
		}
		// A confidential client keeps its refresh token, and gets it again.
		if shown > 1 && name != "refresh token" {
			t.Errorf("the %s was shown %d times", name, shown)
		}
	}

	backup := filepath.Join(t.TempDir(), "backup.db")
	must(t, s.store.DB().Backup(t.Context(), backup))
	for _, file := range []string{s.file, s.file + "-wal", backup} {
		content, err := os.ReadFile(file)
		must(t, err)
		if len(content) == 0 || file == backup && !bytes.Contains(content, []byte(s.alice.email)) {
			t.Errorf("%s holds nothing", filepath.Base(file))
		}
		for name, secret := range found {
			for _, text := range spelt(secret) {
				if bytes.Contains(content, []byte(text)) {
					t.Errorf("the %s is in %s", name, filepath.Base(file))
				}
			}
		}
	}
	if len(found) < 30 {
		t.Errorf("the tour met %d secrets only", len(found))
	}
}

// handsOver: the answers that exist to hand a secret over, once.
func handsOver(path string) bool {
	return path == "POST /oauth/token" || path == "POST /api/v1/tokens" || path == "POST /api/v1/applications" ||
		strings.HasPrefix(path, "GET /account/settings/applications/") && strings.HasSuffix(path, "/created/")
}

var localLink = regexp.MustCompile(`(?:href|action|src)="(/[^"]*)"`)

// crawl looks at every page that can be reached by links, and the REST API.
func (p *person) crawl(visit func(answer), starts ...string) int {
	seen := map[string]bool{}
	for len(starts) > 0 && len(seen) < 400 {
		path := starts[0]
		starts = starts[1:]
		if seen[path] || strings.HasPrefix(path, "/assets/") {
			continue
		}
		seen[path] = true
		a := p.get(path)
		visit(a)
		for _, m := range localLink.FindAllStringSubmatch(a.body, -1) {
			link := strings.ReplaceAll(m[1], "&amp;", "&")
			if path, _, _ := strings.Cut(link, "?"); len(seen) < 400 && !seen[link] && path != "" {
				starts = append(starts, link)
			}
		}
	}
	return len(seen)
}

// Whoever looks at everything that is theirs, or at everything there is, finds
// no secret and no hash of one.
func TestM69_SecretsAreShownOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{password: true})
	found := s.tour()
	rows, err := s.db.QueryContext(t.Context(), "SELECT password_hash FROM accounts_accounts")
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		hash := ""
		must(t, rows.Scan(&hash))
		found["password hash "+hash[len(hash)-6:]] = hash
	}
	must(t, rows.Err())
	look := func(a answer) {
		if a.StatusCode >= 400 && a.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %v", a.Request.URL, a)
		}
		for name, secret := range found {
			for _, text := range append(spelt(secret), hashes(secret)...) {
				if strings.Contains(a.body, text) {
					t.Errorf("the %s is at %s", name, a.Request.URL.Path)
				}
			}
		}
		if strings.Contains(a.body, "$argon2") {
			t.Errorf("a password hash is at %s", a.Request.URL.Path)
		}
	}
	starts := []string{"/account/settings/profile/", "/account/settings/applications/", "/api/v1/tokens", "/api/v1/applications", "/api/v1/authorizations", "/api/v1/activity"}
	for _, p := range []*person{s.alice, s.root} {
		if p == s.root {
			starts = append(starts, "/admin/users/", "/admin/applications/", "/admin/tokens/", "/admin/activity/")
		}
		list, err := s.desk.Tokens(t.Context(), s.actsAlice, manage.TokenQuery{State: manage.TokensAll}, manage.Page{Limit: 100})
		must(t, err)
		for _, token := range list {
			starts = append(starts, "/api/v1/tokens/"+token.ID, "/account/settings/applications/tokens/"+token.ID+"/created/")
		}
		clients, err := s.desk.Applications(t.Context(), s.actsAlice, manage.ApplicationQuery{}, manage.Page{Limit: 100})
		must(t, err)
		for _, c := range clients {
			starts = append(starts, "/api/v1/applications/"+c.ID, "/account/settings/applications/clients/"+c.ID+"/created/", "/admin/applications/"+c.ID+"/created/")
		}
		if n := p.crawl(look, starts...); n < 20 {
			t.Errorf("%s found %d pages only", p.email, n)
		}
	}
}
