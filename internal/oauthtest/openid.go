package oauthtest

import (
	"context"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
)

// house is the keyring of every OpenID Provider of a test run, with the signing
// keys that it seals: to draw an RSA key takes longer than most tests.
var house = sync.OnceValues(func() (oauth.Secret, []*store.SigningKey) {
	line := keyring.Line("test")
	s := memstore.New()
	k := keys.New(keys.Config{Store: s, Ring: mustParse(line), Now: NewClock().Now})
	if err := k.EnsureActive(context.Background()); err != nil {
		panic(err)
	}
	rows, err := s.SigningKeys(context.Background())
	if err != nil {
		panic(err)
	}
	return line, rows
})

func mustParse(line oauth.Secret) *keyring.Ring {
	ring, err := keyring.Parse(line)
	if err != nil {
		panic(err)
	}
	return ring
}

// giveKeys gives the engine's store the signing keys, unless it has some.
func (e *Engine) giveKeys() (oauth.Secret, *keys.Keys) {
	e.T.Helper()
	line, rows := house()
	have, err := e.Store.SigningKeys(context.Background())
	if err != nil {
		e.T.Fatal(err)
	}
	for _, row := range rows {
		if len(have) > 0 {
			break
		}
		row := *row
		if err := e.Store.CreateKey(context.Background(), &row); err != nil {
			e.T.Fatal(err)
		}
	}
	ring := mustParse(line)
	return line, keys.New(keys.Config{Store: e.Store, Ring: ring, Now: e.Clock.Now})
}

// Claims verifies an ID token or another JWT of the server and returns its claims.
// Numbers are float64.
func (e *Engine) Claims(jws string) map[string]any {
	e.T.Helper()
	payload, _, err := e.Keys.Verify(context.Background(), jws)
	if err != nil {
		e.T.Fatalf("%v: %q", err, jws)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		e.T.Fatal(err)
	}
	return claims
}

var (
	postedTo    = regexp.MustCompile(`<form method="post" action="([^"]*)" id="form-post">`)
	postedField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)
)

// Landing is where an authorization response arrives, by whatever way it comes: the redirect
// URI with its own query, the mode (query, fragment or form_post) and the
// parameters. The mode is empty if the reply is no response.
func (r Reply) Landing() (uri, mode string, params url.Values) {
	location := r.Header.Get("Location")
	if base, fragment, ok := strings.Cut(location, "#"); ok {
		params, _ = url.ParseQuery(fragment)
		return base, "fragment", params
	}
	if r.Callback() != nil {
		base, _, _ := strings.Cut(location, "?")
		return base, "query", r.Callback()
	}
	to := postedTo.FindStringSubmatch(r.Body)
	if r.StatusCode != http.StatusOK || to == nil {
		return "", "", nil
	}
	params = url.Values{}
	for _, m := range postedField.FindAllStringSubmatch(r.Body, -1) {
		params.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	return html.UnescapeString(to[1]), "form_post", params
}

// Ask sends the authorization request of c and says yes if there is a consent
// page; more as in [Browser.Code].
func (b *Browser) Ask(c Party, more ...string) Reply {
	b.e.T.Helper()
	reply := b.Authorize(Request(c, more...))
	if reply.RequestID() != "" {
		reply = b.Answer(reply, "yes")
	}
	return reply
}

// Get follows a path of the server, such as where a sign-in leads back to.
func (b *Browser) Get(path string) Reply {
	b.e.T.Helper()
	return b.Do(http.MethodGet, path, nil)
}

// Push sends the request of c ahead (RFC 9126) and returns the request_uri.
func (e *Engine) Push(c Party, form url.Values) string {
	e.T.Helper()
	reply := e.As(c, "/oauth/par", form)
	var made struct {
		RequestURI string `json:"request_uri"`
	}
	if err := json.Unmarshal([]byte(reply.Body), &made); err != nil || made.RequestURI == "" {
		e.T.Fatalf("pushed request: %d %s", reply.StatusCode, reply.Body)
	}
	return made.RequestURI
}
