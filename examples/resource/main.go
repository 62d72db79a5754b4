// Resource is an API in a process of its own. It knows nothing of the
// authorization server but its URL, and asks it about every token (RFC 7662).
//
// Register it at the server as an application that acts for itself (type
// "service"), so that it may ask, then
//
//	export RESOURCE_CLIENT_ID=… RESOURCE_CLIENT_SECRET=…
//	go run ./examples/resource -scope test:scope
//	curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:5200/
package main

import (
	"encoding/json"
	"flag"
	"log"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/resource"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:5200", "address to listen on")
	issuer := flag.String("issuer", "http://127.0.0.1:5000", "URL of the authorization server")
	scope := flag.String("scope", "test:scope", "scope that a token must have")
	cache := flag.Duration("cache", 0, "how long a token may be served without asking again")
	flag.Parse()

	api, err := newAPI(*issuer, *scope, os.Getenv("RESOURCE_CLIENT_ID"), oauth.Secret(os.Getenv("RESOURCE_CLIENT_SECRET")), *cache)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on http://%s/", *addr)
	log.Fatal(http.ListenAndServe(*addr, api))
}

// newAPI wires the API.
func newAPI(issuer, scope, id string, secret oauth.Secret, cache time.Duration) (http.Handler, error) {
	verify, err := resource.Introspection(resource.IntrospectionConfig{
		URL: issuer + "/oauth/introspect", ClientID: id, ClientSecret: secret, Cache: cache,
	})
	if err != nil {
		return nil, err
	}
	guard, err := resource.New(resource.Config{Verify: verify, Realm: "example", Logger: slog.Default()})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", guard.RequireScopes(scope)(http.HandlerFunc(hello)))
	return mux, nil
}

func hello(w http.ResponseWriter, r *http.Request) {
	who := resource.PrincipalFrom(r.Context())
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"subject": who.Subject, "client": who.ClientID, "scopes": who.Scopes})
}
