package accounts_test

import (
	"database/sql"
	"fmt"
	"log"
	"net/http"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/accounts/sqlaccounts"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// The door beside a program's own pages.
func ExampleNew() {
	db, err := sql.Open("sqlite", sqlstore.SQLiteDSN("people.db"))
	if err != nil {
		log.Fatal(err)
	}
	door, err := accounts.New(accounts.Config{
		Issuer: "https://id.example.org",
		Store:  sqlaccounts.New(sqlstore.New(db, sqlstore.SQLite)),
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, pattern := range door.Patterns() {
		mux.Handle(pattern, door)
	}
	mux.HandleFunc("GET /hello", func(w http.ResponseWriter, r *http.Request) {
		session, err := door.Session(r)
		if err != nil || session == nil {
			http.Redirect(w, r, "/login/?next=/hello", http.StatusFound)
			return
		}
		fmt.Fprintln(w, "You are", session.Subject)
	})
}

func ExampleParseEmail() {
	for _, s := range []string{" Maria@Example.org ", "maria@example.org@evil.test"} {
		email, err := accounts.ParseEmail(s)
		fmt.Println(email, err)
	}
	// Output:
	// maria@example.org <nil>
	//  email: Enter an e-mail address like maria@example.org.
}
