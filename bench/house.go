package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/accounts/sqlaccounts"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// houseArgument makes this program serve Valetkey with passwords that cost
// nothing to verify: an address, and the directory of an installation.
const houseArgument = "serve-house"

// serveHouse is the same door and the same server as the program's, on the same
// database; only the hash has the least cost that there is. It shows what the
// pages and the rows of a sign-in cost without it.
func serveHouse(args []string) error {
	if len(args) != 2 {
		return errors.New("want an address and a directory")
	}
	ctx, addr, dir := context.Background(), args[0], args[1]
	db, err := openSQLite("sqlite", filepath.Join(dir, "valetkey.db"))
	if err != nil {
		return err
	}
	keys, err := os.ReadFile(filepath.Join(dir, "valetkey.keys"))
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	store := sqlstore.New(db, sqlstore.SQLite)
	var server *valetkey.Server
	door, err := accounts.New(accounts.Config{
		Issuer: "http://" + addr, Store: sqlaccounts.New(store), Menu: valetkey.Menu(), Keyring: oauth.Secret(keys), Audit: store,
		OnDelete: store.DeleteSubject, Logger: log, Hash: accounts.Argon2{Memory: 8, Time: 1, Threads: 1},
		SessionEnded:   func(ctx context.Context, sids ...string) error { return server.EndSession(ctx, sids...) },
		SessionChanged: func(w http.ResponseWriter) { server.SessionChanged(w) },
		SignOut:        "/oauth/logout",
	})
	if err != nil {
		return err
	}
	for n := range people {
		p := person(n)
		if _, err := door.CreateUser(ctx, accounts.NewUser{Email: p.Email, Password: oauth.Secret(p.Password)}); err != nil {
			return err
		}
	}
	server, err = valetkey.New(valetkey.Config{
		Issuer: "http://" + addr, Store: store, Login: door, Logout: door.Logout, Users: door,
		Keyring: oauth.Secret(keys), Menu: door.Menu(), Logger: log, Now: time.Now,
	})
	if err != nil {
		return err
	}
	go server.Start(ctx)
	mux := http.NewServeMux()
	for _, pattern := range door.Patterns() {
		mux.Handle(pattern, door)
	}
	mux.Handle("/", server)
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return (&http.Server{Handler: mux, ReadHeaderTimeout: answerWithin}).Serve(l)
}

// openSQLite opens the file as the program does, by that driver.
func openSQLite(driver, file string) (*sql.DB, error) {
	const connections = 8
	db, err := sql.Open(driver, sqlstore.SQLiteDSN(file))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}
