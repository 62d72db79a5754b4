package valetkey_test

import (
	"log"
	"net/http"
	"os"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/oauth"
)

// A host that can end the browser's session lets clients ask for it, and tells
// them of sessions that it ends by itself.
func ExampleServer_EndSession() {
	as, err := valetkey.New(valetkey.Config{
		Issuer:  "https://example.org",
		Store:   myStore,
		Login:   myLogin,
		Users:   myUsers,
		Keyring: oauth.Secret(os.Getenv("KEYRING")), // what it signs with makes it an OpenID Provider
		Logout: func(w http.ResponseWriter, r *http.Request) error {
			http.SetCookie(w, &http.Cookie{Name: "user", Path: "/", MaxAge: -1}) // and delete the session's row
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", as) // /oauth/logout is its end_session_endpoint
	mux.HandleFunc("POST /sign-out-everywhere", func(w http.ResponseWriter, r *http.Request) {
		var sids []string // of the sessions that the host has just ended
		if err := as.EndSession(r.Context(), sids...); err != nil {
			http.Error(w, "Try again in a moment.", http.StatusServiceUnavailable)
			return
		}
		as.SessionChanged(w) // this browser's was one of them
	})
}
