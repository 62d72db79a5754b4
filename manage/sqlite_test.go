package manage_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// eachStore runs a test over the reference store and over SQLite.
func eachStore(t *testing.T, test func(t *testing.T, o *office, s store.Store)) {
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		s := memstore.New()
		test(t, officeOver(t, s), s)
	})
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		db, err := sql.Open("sqlite", sqlstore.SQLiteDSN(filepath.Join(t.TempDir(), "desk.db")))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		s := sqlstore.New(db, sqlstore.SQLite)
		if err := s.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		test(t, officeOver(t, s), s)
	})
}

// officeOver is a desk with a fixed clock, for many at once, that lets two
// tokens live.
func officeOver(t *testing.T, s store.Store) *office {
	t.Helper()
	o := newOffice(t, manage.Policy{})
	d, err := manage.New(manage.Config{
		Store: s, Mint: o.mint, Scopes: o.Scopes(), Users: people{"ada": {Subject: "ada"}},
		Now: func() time.Time { return start }, Policy: manage.Policy{MaxPersonalTokens: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Desk = d
	return o
}

// TestRacersGetOneTokenOfAName: the check of the name and the quota and the
// insert are one.
func TestRacersGetOneTokenOfAName(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, o *office, _ store.Store) {
		race := func(name func(i int) string) (made int) {
			var mu sync.Mutex
			var all sync.WaitGroup
			for i := range 16 {
				all.Go(func() {
					_, _, err := o.CreateToken(t.Context(), ada, manage.TokenInput{Name: name(i), Scopes: []string{"records:read"}, ExpiresAt: start.Add(time.Hour)})
					var invalid *manage.Invalid
					var refused *manage.Refused
					switch {
					case err == nil:
						mu.Lock()
						made++
						mu.Unlock()
					case !errors.As(err, &invalid) && !errors.As(err, &refused):
						t.Errorf("a racer gets the fault %v", err)
					}
				})
			}
			all.Wait()
			return made
		}
		if made := race(func(int) string { return "same" }); made != 1 {
			t.Errorf("%d tokens of one name, want 1", made)
		}
		if made := race(func(i int) string { return fmt.Sprint("other ", i) }); made != 1 {
			t.Errorf("%d more tokens, want 1: two are the limit", made)
		}
	})
}

// TestDeskOverEveryStore: each verb once, down to the rows.
func TestDeskOverEveryStore(t *testing.T) {
	t.Parallel()
	eachStore(t, func(t *testing.T, o *office, s store.Store) {
		ctx := t.Context()
		client, first := o.application(ada, web(func(in *manage.ApplicationInput) {
			in.Scopes, in.DefaultScopes, in.Description = []string{"records:read", "user:email"}, []string{"records:read"}, "Über\nzwei Zeilen"
		}))
		got, err := o.Application(ctx, ada, client.ID)
		if err != nil || got.Client.Description != client.Description || !slices.Equal(got.Client.Scopes, client.Scopes) ||
			!slices.Equal(got.Client.DefaultScopes, client.DefaultScopes) || len(got.Secrets) != 1 {
			t.Fatalf("application = %+v, %v", got, err)
		}
		second, err := o.RotateSecret(ctx, ada, client.ID, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		secrets, err := s.ClientSecrets(ctx, client.ID)
		if err != nil || len(secrets) != 2 {
			t.Fatalf("%d secrets, %v", len(secrets), err)
		}
		for _, row := range secrets {
			switch row.Hash {
			case oauth.HashSecret(first):
				if !row.ExpiresAt.Equal(start.Add(time.Hour)) {
					t.Errorf("the first secret expires at %v", row.ExpiresAt)
				}
			case oauth.HashSecret(second):
				if !row.ExpiresAt.IsZero() {
					t.Errorf("the second secret expires at %v", row.ExpiresAt)
				}
			default:
				t.Error("a secret that nobody was given")
			}
		}
		if _, err := o.UpdateApplication(ctx, ada, client.ID, web(func(in *manage.ApplicationInput) { in.Public = true })); err != nil {
			t.Error(err)
		}
		if got, err := o.Application(ctx, ada, client.ID); err != nil || len(got.Secrets) != 0 || !got.Client.Public() {
			t.Errorf("public application = %+v, %v", got, err)
		}

		token, _ := o.token(ada, manage.TokenInput{Name: "export", Scopes: []string{"records:read", "records:write"}, ExpiresAt: start.Add(time.Hour)})
		if _, err := o.UpdateToken(ctx, ada, token.ID, manage.TokenInput{Name: "narrow", Scopes: []string{"records:read"}}); err != nil {
			t.Error(err)
		}
		_, secret, err := o.RegenerateToken(ctx, ada, token.ID, start.Add(2*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		row, err := s.Token(ctx, token.ID)
		if err != nil || row.Hash != oauth.HashSecret(secret) || row.Name != "narrow" || !slices.Equal(row.Scopes, []string{"records:read"}) || !row.ExpiresAt.Equal(start.Add(2*time.Hour)) {
			t.Errorf("row = %+v, %v", row, err)
		}
		if err := o.RevokeToken(ctx, ada, token.ID); err != nil {
			t.Error(err)
		}
		for _, id := range []string{token.ID, "\x00", "\xff", ""} {
			_, err = o.Token(ctx, ada, id)
			wantNotFound(t, "token", err)
			_, err = o.Application(ctx, ada, "x"+id)
			wantNotFound(t, "application", err)
			_, err = o.Authorization(ctx, ada, id)
			wantNotFound(t, "authorization", err)
		}

		if err := o.DeleteApplication(ctx, ada, client.ID); err != nil {
			t.Error(err)
		}
		events, err := o.Activity(ctx, ada, manage.EventQuery{}, manage.Page{Limit: 50})
		if err != nil || len(events) != 8 {
			t.Errorf("%d events, %v, want 8", len(events), err)
		}
	})
}
