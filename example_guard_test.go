package valetkey_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/oauth"
)

// exampleServer is a server of a host app; see ExampleNew.
func exampleServer() *valetkey.Server {
	as, err := valetkey.New(valetkey.Config{Issuer: "https://example.org", Store: myStore, Login: myLogin, Users: myUsers})
	if err != nil {
		log.Fatal(err)
	}
	return as
}

// ask sends one request by alice's browser and tells the answer's status.
func ask(h http.Handler, method string, headers ...string) {
	r := httptest.NewRequest(method, "https://example.org/records", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code)
}

// A browser that is signed in may read as it is. To change something it sends
// the proof that a page of the host made the request.
func ExampleServer_RequireAuth() {
	as := exampleServer()
	h := as.RequireAuth(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := valetkey.PrincipalFrom(r.Context())
		fmt.Println(who.Subject, "by", who.Method)
	}))
	ask(h, "GET")
	ask(h, "GET", "Cookie", "user=alice")
	ask(h, "POST", "Cookie", "user=alice")
	session := &oauth.Session{Subject: "alice", ID: "alice"} // what Login.Session gives the host's page
	ask(h, "POST", "Cookie", "user=alice", "X-CSRF-Token", as.Proof(session))
	// Output:
	// 401
	// alice by session
	// 200
	// 400
	// alice by session
	// 200
}

func ExampleServer_RequireScopes() {
	as := exampleServer()
	mux := http.NewServeMux()
	mux.Handle("GET /records", as.RequireScopes("records:read")(http.NotFoundHandler()))
	mux.Handle("POST /records", as.RequireScopes("records:read", "records:write")(http.NotFoundHandler()))
	ask(mux, "GET")
	ask(mux, "POST", "Authorization", "Bearer unknown")
	// Output:
	// 401
	// 401
}

func ExampleServer_AllowAnonymous() {
	h := exampleServer().AllowAnonymous(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if who := valetkey.PrincipalFrom(r.Context()); who != nil {
			fmt.Println("hello", who.Subject)
			return
		}
		fmt.Println("hello, whoever you are")
	}))
	ask(h, "GET")
	ask(h, "GET", "Cookie", "user=alice")
	// Output:
	// hello, whoever you are
	// 200
	// hello alice
	// 200
}
