package manage_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/memstore"
)

func ExampleNew() {
	ctx := context.Background()
	secrets, err := mint.New("vk", [][]byte{[]byte("a key of the keyring")})
	if err != nil {
		log.Fatal(err)
	}
	scopes, err := oauth.NewScopes(oauth.Scope{Name: "records:read", Description: "Read your records"})
	if err != nil {
		log.Fatal(err)
	}
	desk, err := manage.New(manage.Config{
		Store: memstore.New(), Mint: secrets, Scopes: scopes, Now: time.Now,
		Users: people{"ada": {Subject: "ada"}},
	})
	if err != nil {
		log.Fatal(err)
	}

	ada := manage.Actor{Subject: "ada"}
	token, secret, err := desk.CreateToken(ctx, ada, manage.TokenInput{
		Name: "nightly", Scopes: []string{"records:read"}, ExpiresAt: time.Now().AddDate(0, 0, 30),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.Name, token.Scopes, secret)

	_, err = desk.Token(ctx, manage.Actor{Subject: "eve"}, token.ID)
	fmt.Println(errors.Is(err, manage.ErrNotFound))

	_, _, err = desk.CreateApplication(ctx, ada, manage.ApplicationInput{
		Name: "Uploader", Website: "https://uploader.example", RedirectURIs: []string{"http://uploader.example/cb"},
	})
	var invalid *manage.Invalid
	if errors.As(err, &invalid) {
		fmt.Println(invalid.Fields()["redirect_uris"])
	}
	// Output:
	// nightly [records:read] [redacted]
	// true
	// Line 1: `http://uploader.example/cb` must use https. http is only allowed for localhost, 127.0.0.1 and [::1].
}
