package device_test

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/sqlstore"
)

const deviceGrant = oauth.GrantDeviceCode

// everywhere runs a test on rows in memory and in SQLite, which differ in how
// they keep people apart who come at once.
func everywhere(t *testing.T, test func(*testing.T, *oauthtest.Engine)) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		test(t, oauthtest.New(t, oauthtest.Options{}))
	})
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(filepath.Join(t.TempDir(), "test.db")))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		s := sqlstore.New(db, sqlstore.SQLite)
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		test(t, oauthtest.New(t, oauthtest.Options{Store: s}))
	})
}

// television is a public client that is registered for the device flow.
func television(e *oauthtest.Engine) oauthtest.Party {
	return e.AddClient(oauth.Client{
		Name: "Living-room TV", Website: "https://tv.example/", Type: oauth.NativeApplication, AuthMethod: oauth.AuthNone,
		GrantTypes: []string{deviceGrant, oauth.GrantRefreshToken},
	})
}

// started is the device authorization response.
type started struct {
	oauthtest.TokenReply
	DeviceCode              string `json:"device_code"`
	UserCode                string `json:"user_code"`
	VerificationURI         string `json:"verification_uri"`
	VerificationURIComplete string `json:"verification_uri_complete"`
	ExpiresIn               int    `json:"expires_in"`
	Interval                int    `json:"interval"`
}

// start asks for a code as the device does.
func start(t *testing.T, e *oauthtest.Engine, c oauthtest.Party, form ...string) started {
	t.Helper()
	s := try(t, e, c, form...)
	if s.StatusCode != http.StatusOK {
		t.Fatalf("device authorization: %d %s", s.StatusCode, s.Body)
	}
	return s
}

func try(t *testing.T, e *oauthtest.Engine, c oauthtest.Party, form ...string) started {
	t.Helper()
	v := url.Values{"scope": {"records:read"}}
	for i := 0; i+1 < len(form); i += 2 {
		v.Set(form[i], form[i+1])
	}
	s := started{TokenReply: e.As(c, "/oauth/device_authorization", v)}
	if s.StatusCode == http.StatusOK {
		if err := json.Unmarshal([]byte(s.Body), &s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// poll asks the token endpoint.
func poll(e *oauthtest.Engine, c oauthtest.Party, deviceCode string) oauthtest.TokenReply {
	return e.Token(c, url.Values{"grant_type": {deviceGrant}, "device_code": {deviceCode}})
}

// enter types a code.
func enter(b *oauthtest.Browser, code string) oauthtest.Reply {
	return b.Do(http.MethodPost, "/device", url.Values{"user_code": {code}})
}

// answer presses a button of the page that asks back.
func answer(b *oauthtest.Browser, page oauthtest.Reply, confirm string) oauthtest.Reply {
	return b.Do(http.MethodPost, "/device/confirm", url.Values{"request": {page.RequestID()}, "confirm": {confirm}})
}

// allow does all that a person does to sign the device in.
func allow(t *testing.T, b *oauthtest.Browser, code string) {
	t.Helper()
	page := enter(b, code)
	if page.StatusCode != http.StatusOK || page.RequestID() == "" {
		t.Fatalf("no question: %d %s", page.StatusCode, words(page.Body))
	}
	if r := answer(b, page, "yes"); r.StatusCode != http.StatusOK || !strings.Contains(r.Body, "You can return to your device") {
		t.Fatalf("not allowed: %d %s", r.StatusCode, words(r.Body))
	}
}

var (
	markup = regexp.MustCompile(`<[^>]*>`)
	spaces = regexp.MustCompile(`\s+`)
)

// words is the text of a page.
func words(body string) string {
	_, body, _ = strings.Cut(body, "<main")
	return strings.TrimSpace(spaces.ReplaceAllString(markup.ReplaceAllString("<"+body, " "), " "))
}

func wantWords(t *testing.T, what string, r oauthtest.Reply, status int, want ...string) {
	t.Helper()
	if r.StatusCode != status {
		t.Errorf("%s: status %d, want %d: %s", what, r.StatusCode, status, words(r.Body))
	}
	for _, w := range want {
		if !strings.Contains(words(r.Body), w) {
			t.Errorf("%s: the page lacks %q: %s", what, w, words(r.Body))
		}
	}
}

const notValid = "That code is not valid. Codes expire after 10 minutes; get a new one on your device."

// behindProxy believes what tests say about where they are.
func behindProxy(c *valetkey.Config) {
	c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

// at sends a form from an address, with a program's name.
func at(t *testing.T, e *oauthtest.Engine, address, agent, path string, form url.Values) oauthtest.TokenReply {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, e.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-Forwarded-For", address)
	req.Header.Set("User-Agent", agent)
	return e.Read(req)
}

// events counts the rows of the audit trail of that type.
func events(t *testing.T, e *oauthtest.Engine, typ oauth.EventType) []*oauth.Event {
	t.Helper()
	list, err := e.Store.ListEvents(t.Context(), store.EventQuery{Type: typ}, store.Page{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return list
}
