package valetkey_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/memstore"
)

// hostLogin is a host app's own login: here whoever has the cookie "user" is signed in.
type hostLogin struct{}

func (hostLogin) Session(r *http.Request) (*oauth.Session, error) {
	c, err := r.Cookie("user")
	if err != nil {
		return nil, nil // nobody is signed in
	}
	return &oauth.Session{Subject: c.Value, ID: c.Value, AuthTime: time.Now()}, nil
}

func (hostLogin) Login(w http.ResponseWriter, r *http.Request, req oauth.LoginRequest) {
	http.Redirect(w, r, "/sign-in?next="+url.QueryEscape(req.ReturnTo), http.StatusSeeOther)
}

// hostUsers is a host app's own users.
type hostUsers struct{}

func (hostUsers) User(_ context.Context, subject string) (*oauth.User, error) {
	if subject != "alice" {
		return nil, oauth.ErrUserNotFound
	}
	return &oauth.User{Subject: "alice", Name: "Alice", Email: "alice@example.org"}, nil
}

var myLogin, myUsers, myStore = hostLogin{}, hostUsers{}, memstore.New()

// A host app mounts the server beside its own routes.
func ExampleNew() {
	as, err := valetkey.New(valetkey.Config{
		Issuer: "https://example.org",
		Store:  myStore, // sqlstore.New(db, sqlstore.SQLite)
		Login:  myLogin, // who is at the keyboard?
		Users:  myUsers, // who is subject X?
		Scopes: []oauth.Scope{
			{Name: "records:read", Group: "Records", Description: "Read your records"},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	records := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := valetkey.PrincipalFrom(r.Context())
		fmt.Fprintf(w, "the records of %s", who.Subject)
	})
	mux := http.NewServeMux()
	mux.Handle("/", as) // /oauth/…, /.well-known/…, /account/settings/applications/…, /api/v1/…
	mux.Handle("GET /api/records", as.RequireScopes("records:read")(records))

	fmt.Println(get(mux, "/api/records", ""))
	fmt.Println(get(mux, "/api/records", "user=alice"))
	// Output:
	// 401 Bearer realm="api"
	// 200 the records of alice
}

// get sends one request and tells the status with the challenge or the answer.
func get(h http.Handler, path, cookie string) string {
	r := httptest.NewRequest("GET", path, nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	res := w.Result()
	if challenge := res.Header.Get("WWW-Authenticate"); challenge != "" {
		return fmt.Sprint(res.StatusCode, " ", challenge)
	}
	body, _ := io.ReadAll(res.Body)
	return fmt.Sprintf("%d %s", res.StatusCode, body)
}
