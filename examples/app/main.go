// App is a web app with users of its own that is also an OAuth 2 server: it
// keeps notes, and Valetkey lets other programs at them.
//
//	go run ./examples/app
//
// Open http://127.0.0.1:5000/, sign in as ann with the password "ann", make a
// personal access token under Settings, and call the API with it:
//
//	curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:5000/api/notes
//
// Everything is kept in memory and gone when the program ends. A real app would
// use sqlstore on its own database, and https.
package main

import (
	"flag"
	"log"
	"net/http"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/memstore"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:5000", "address to listen on")
	flag.Parse()
	app, err := newApp("http://" + *addr)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("open http://%s/ and sign in as ann, password ann", *addr)
	log.Fatal(http.ListenAndServe(*addr, app))
}

// newApp wires the app: this is all it takes to mount the server.
func newApp(issuer string) (http.Handler, error) {
	people := newPeople()
	server, err := valetkey.New(valetkey.Config{
		Issuer:  issuer,
		Product: "Notes",
		Store:   memstore.New(),
		Login:   people, // who is at the keyboard?
		Users:   people, // who is subject X?
		Scopes: []oauth.Scope{
			{Name: "notes:read", Group: "Notes", Description: "Read your notes"},
			{Name: "notes:write", Group: "Notes", Description: "Write notes in your name"},
		},
	})
	if err != nil {
		return nil, err
	}
	notes := &notes{people: people, proof: server.Proof}

	mux := http.NewServeMux()
	mux.Handle("/", server)
	mux.HandleFunc("GET /{$}", notes.page)
	mux.Handle("GET /api/notes", server.RequireScopes("notes:read")(http.HandlerFunc(notes.list)))
	mux.Handle("POST /api/notes", server.RequireScopes("notes:write")(http.HandlerFunc(notes.add)))
	mux.Handle("/login/", sameOrigin(people.login))
	mux.Handle("/logout/", sameOrigin(people.logout))
	return mux, nil
}

// sameOrigin keeps other sites from sending the app's own forms.
func sameOrigin(h http.HandlerFunc) http.Handler {
	return http.NewCrossOriginProtection().Handler(h)
}
