package resource_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/resource"
)

// exampleVerifier knows one token; a real API uses Introspection.
func exampleVerifier(_ context.Context, token oauth.Secret) (*oauth.Principal, error) {
	if token != "good" {
		return nil, &oauth.Error{Code: oauth.InvalidToken, Description: "The access token is unknown, expired or revoked."}
	}
	return &oauth.Principal{Subject: "alice", Scopes: []string{"records:read"}, Method: oauth.ByAccessToken}, nil
}

func show(h http.Handler, token string) {
	r := httptest.NewRequest("GET", "/records", nil)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(strings.TrimSpace(fmt.Sprint(w.Code, " ", w.Header().Get("WWW-Authenticate"))))
}

func ExampleNew() {
	guard, err := resource.New(resource.Config{Verify: exampleVerifier, Realm: "records"})
	if err != nil {
		log.Fatal(err)
	}
	show(guard.RequireAuth(http.NotFoundHandler()), "")
	// Output: 401 Bearer realm="records"
}

func ExampleGuard_RequireScopes() {
	guard, err := resource.New(resource.Config{Verify: exampleVerifier})
	if err != nil {
		log.Fatal(err)
	}
	records := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("the records of", resource.PrincipalFrom(r.Context()).Subject)
	})
	show(guard.RequireScopes("records:read")(records), "good")
	show(guard.RequireScopes("records:write")(records), "good")
	// Output:
	// the records of alice
	// 200
	// 403 Bearer realm="api", error="insufficient_scope", error_description="The access token does not have every scope that this resource needs.", scope="records:write"
}

func ExampleGuard_AllowAnonymous() {
	guard, err := resource.New(resource.Config{Verify: exampleVerifier})
	if err != nil {
		log.Fatal(err)
	}
	h := guard.AllowAnonymous(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(resource.PrincipalFrom(r.Context()) == nil)
	}))
	show(h, "")
	show(h, "good")
	show(h, "dead") // a bad token is never overlooked
	// Output:
	// true
	// 200
	// false
	// 200
	// 401 Bearer realm="api", error="invalid_token", error_description="The access token is unknown, expired or revoked."
}

// An API in another process checks tokens in JWT form by itself.
func ExampleJWT() {
	verify, err := resource.JWT(resource.JWTConfig{
		Issuer:   "https://id.example.org",
		Audience: "https://api.example.org", // what clients send as resource
		JWKS:     "https://id.example.org/oauth/jwks",
	})
	if err != nil {
		log.Fatal(err)
	}
	guard, err := resource.New(resource.Config{Verify: verify})
	if err != nil {
		log.Fatal(err)
	}
	show(guard.RequireScopes("records:read")(http.NotFoundHandler()), "not-a-jwt")
	// Output: 401 Bearer realm="api", error="invalid_token", error_description="The access token is not one that this API takes, or it has expired."
}

// An API in another process asks the authorization server about each token.
func ExampleIntrospection() {
	verify, err := resource.Introspection(resource.IntrospectionConfig{
		URL:          "https://id.example.org/oauth/introspect",
		ClientID:     os.Getenv("API_CLIENT_ID"),
		ClientSecret: oauth.Secret(os.Getenv("API_CLIENT_SECRET")),
		Cache:        time.Minute, // a revoked token may open doors for so long
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	guard, err := resource.New(resource.Config{Verify: verify})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("GET /records", guard.RequireScopes("records:read")(http.NotFoundHandler()))
	// Output: resource: introspection needs a ClientID and a ClientSecret (RFC 7662 §2.1)
}
