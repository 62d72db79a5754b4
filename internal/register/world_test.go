package register_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

// engine is a server where clients register in that mode.
func engine(t *testing.T, mode string, change ...func(*valetkey.Config)) *oauthtest.Engine {
	t.Helper()
	return oauthtest.New(t, oauthtest.Options{OpenID: true, Configure: func(c *valetkey.Config) {
		c.Registration.Mode = mode
		for _, ch := range change {
			ch(c)
		}
	}})
}

// reply is an answer of the registration endpoint.
type reply struct {
	oauthtest.TokenReply
	m map[string]any
}

func (r reply) text(name string) string { s, _ := r.m[name].(string); return s }

// ask sends a JSON document, or nothing if doc is nil.
func ask(e *oauthtest.Engine, method, path, token string, doc any) reply {
	e.T.Helper()
	var body string
	switch doc := doc.(type) {
	case nil:
	case string:
		body = doc
	default:
		b, err := json.Marshal(doc)
		if err != nil {
			e.T.Fatal(err)
		}
		body = string(b)
	}
	req, err := http.NewRequest(method, e.URL+path, strings.NewReader(body))
	if err != nil {
		e.T.Fatal(err)
	}
	if doc != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	r := reply{TokenReply: e.Read(req)}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		if err := json.Unmarshal([]byte(r.Body), &r.m); err != nil {
			e.T.Errorf("%v in %s", err, r.Body)
		}
	}
	return r
}

// doc is a document of pairs over one redirect URI.
func doc(pairs ...any) map[string]any {
	m := map[string]any{"redirect_uris": []string{"https://app.test/cb"}, "client_name": "App"}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}

func post(e *oauthtest.Engine, d any) reply { return ask(e, "POST", "/oauth/register", "", d) }

func local(r reply) string {
	return strings.TrimPrefix(r.text("registration_client_uri"), oauthtest.Issuer)
}

// party is the client that was registered.
func party(e *oauthtest.Engine, r reply) oauthtest.Party {
	e.T.Helper()
	c, err := e.Store.Client(context.Background(), r.text("client_id"))
	if err != nil {
		e.T.Fatal(err)
	}
	return oauthtest.Party{Client: c, Secret: oauth.Secret(r.text("client_secret"))}
}
