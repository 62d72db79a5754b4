// Consumer is a third-party application: it asks a person for access to their
// account at an OAuth 2 server, and uses it.
//
// Register it at the server's settings page (Applications, New application) with
// the website http://127.0.0.1:5100/ and the redirect URI
// http://127.0.0.1:5100/authorized, then
//
//	export CONSUMER_CLIENT_ID=… CONSUMER_CLIENT_SECRET=…
//	go run ./examples/consumer
//
// and open http://127.0.0.1:5100/. Without a secret it is a public client. What
// goes wrong is seen in the query part of the URL, as the server said it.
package main

import (
	"cmp"
	"flag"
	"log"
	"net/http"
	"os"
	"strings"

	"golang.org/x/oauth2"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:5100", "address to listen on")
	issuer := flag.String("issuer", "http://127.0.0.1:5000", "URL of the authorization server")
	resource := flag.String("resource", "", "URL of the protected resource (default the root of the issuer)")
	scope := flag.String("scope", "test:scope", "scopes to ask for, separated by spaces")
	flag.Parse()

	id, secret := os.Getenv("CONSUMER_CLIENT_ID"), os.Getenv("CONSUMER_CLIENT_SECRET")
	if id == "" {
		log.Fatalf("Register this application at %s/account/settings/applications/ and set CONSUMER_CLIENT_ID and CONSUMER_CLIENT_SECRET.", *issuer)
	}
	c := newConsumer(*issuer, cmp.Or(*resource, *issuer+"/"), "http://"+*addr+"/authorized", id, secret, strings.Fields(*scope))
	log.Printf("open http://%s/", *addr)
	log.Fatal(http.ListenAndServe(*addr, c))
}

// newConsumer wires the application.
func newConsumer(issuer, resource, redirect, id, secret string, scopes []string) *consumer {
	style := oauth2.AuthStyleInHeader
	if secret == "" {
		style = oauth2.AuthStyleInParams // a public client only says who it is
	}
	return &consumer{
		issuer: issuer, resource: resource,
		config: oauth2.Config{
			ClientID: id, ClientSecret: secret, RedirectURL: redirect, Scopes: scopes,
			Endpoint: oauth2.Endpoint{
				AuthURL:   issuer + "/oauth/authorize",
				TokenURL:  issuer + "/oauth/token",
				AuthStyle: style,
			},
		},
		visits: map[string]*visit{},
	}
}
