package resource_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/resource"
)

// FuzzAuthorization: whatever a header holds, the verifier sees a token68 that
// stands in it after the word Bearer, or nothing.
func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{"Bearer abc", "bearer a.b-c~d+e/f==", "Bearer  x", "Bearer\tx", "Basic YTpi", "Bearer", "", "Bearer a,b", "Bearer ä", "Bearer =", "DPoP x"} {
		f.Add(seed)
	}
	form := regexp.MustCompile(`^(?i:bearer) [A-Za-z0-9._~+/-]+=*$`)
	f.Fuzz(func(t *testing.T, value string) {
		var seen []oauth.Secret
		g, err := resource.New(resource.Config{Verify: func(_ context.Context, s oauth.Secret) (*oauth.Principal, error) {
			seen = append(seen, s)
			return &oauth.Principal{Subject: "ann"}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
		status := serve(g.RequireAuth(whoami), "GET", "/", "Authorization", value).Code
		good := form.MatchString(value) && len(value) <= len("Bearer ")+8<<10
		if (status == 200) != good || len(seen) > 1 || (len(seen) == 1) != good {
			t.Errorf("%q: got %d after %d verifications, want let in: %t", value, status, len(seen), good)
		}
		if len(seen) == 1 && string(seen[0]) != value[len("Bearer "):] {
			t.Errorf("%q: the verifier saw %q", value, string(seen[0]))
		}
	})
}

// FuzzIntrospectionReply: a principal comes only of a JSON object whose member
// active is true, and never of what encoding/json itself cannot read.
func FuzzIntrospectionReply(f *testing.F) {
	for _, seed := range []string{
		`{"active":true,"sub":"ann","token_type":"Bearer"}`, `{"active":false}`, `{"Active":true}`, `{}`, `[]`, `null`, `{"active":true,"active":false}`,
		`{"active":true,"sub":"ann","token_type":"Bearer","exp":1e400,"scope":" "}`, `{"active":true`, `{"active":true}x`, "\x00", `{"a":{"active":true}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		verify, err := resource.Introspection(resource.IntrospectionConfig{
			URL: "https://id.example/introspect", ClientID: "api", ClientSecret: "x",
			HTTPClient: &http.Client{Transport: answering(body)},
		})
		if err != nil {
			t.Fatal(err)
		}
		p, err := verify(t.Context(), "T")
		if (p == nil) == (err == nil) {
			t.Fatalf("%q: got %v and %v, want one of them", body, p, err)
		}
		if err != nil {
			return
		}
		var members map[string]json.RawMessage // a number nobody reads may have any size
		if err := json.Unmarshal([]byte(body), &members); err != nil || string(members["active"]) != "true" {
			t.Errorf("%q: got %+v", body, p)
		}
	})
}

// answering is a transport that answers everything with the body, as JSON.
type answering string

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(string(a)))}, nil
}
