package sqlstore_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// What databases in the field have applied must never change: they would be
// refused after an upgrade.
func TestReleasedMigrations(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		d    sqlstore.Dialect
		want []string
	}{
		{sqlstore.SQLite, []string{"65aa51d8984789f621c375e40c36f3738e497a60aa435c45e2d00d99d4bcf870"}},
		{sqlstore.PostgreSQL, []string{"84d9bac312ca1ba70eecf5ba96ceb300ae16b8d5f7074a06e7a20f5128b6474e"}},
	} {
		got, err := sqlstore.New(nil, tc.d).Line().Migrations()
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range tc.want {
			if got[i].Checksum != want {
				t.Errorf("%v: migration %s was released, and has been changed", tc.d, got[i].Name)
			}
		}
	}
}

// upTo is the line of migrations as it was when it had n of them.
func upTo(t *testing.T, st *sqlstore.Store, n int) {
	t.Helper()
	line, old := st.Line(), fstest.MapFS{}
	files, err := fs.ReadDir(line.FS, ".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files[:n] {
		text, err := fs.ReadFile(line.FS, f.Name())
		if err != nil {
			t.Fatal(err)
		}
		old[f.Name()] = &fstest.MapFile{Data: text}
	}
	line.FS = old
	if _, err := st.DB().Migrate(t.Context(), line); err != nil {
		t.Fatal(err)
	}
}

// A database that only 0001 has made keeps what is in it.
func testUpgrade(t *testing.T, st *sqlstore.Store) {
	upTo(t, st, 1)
	at := testTime.UnixMicro()
	hash := oauth.HashSecret("x")
	for _, row := range []struct {
		into string
		args []any
	}{
		{`oauth_clients (id, type, name, owner, auth_method, redirect_uris, grant_types, require_pkce, first_party, internal, disabled, created_at, updated_at)
			VALUES ('c1', 'web', 'One', 'alice', 'none', '["https://c.example/cb"]', 'authorization_code refresh_token', $1, $2, $2, $2, $3, $3)`, []any{true, false, at}},
		{`oauth_client_secrets (id, client_id, hash, hint, created_at) VALUES ('s1', 'c1', $1, 'wxyz', $2)`, []any{hash[:], at}},
		{`oauth_grants (id, client_id, subject, scopes, created_at) VALUES ('g1', 'c1', 'bob', 'a b', $1)`, []any{at}},
		{`oauth_codes (id, hash, grant_id, client_id, subject, issued_at, expires_at) VALUES ('ac', $1, 'g1', 'c1', 'bob', $2, $2)`, []any{hash[:], at}},
		{`oauth_tokens (id, kind, hash, grant_id, scopes, issued_at, internal) VALUES ('t1', 'refresh', $1, 'g1', 'a', $2, $3)`, []any{hash[:], at, false}},
		{`oauth_requests (id, session_id, subject, client_id, response_type, redirect_uri, redirect_uri_sent, created_at, expires_at)
			VALUES ('r1', 'sid', 'bob', 'c1', 'code', 'https://c.example/cb', $1, $2, $2)`, []any{true, at}},
		{`oauth_keys (id, algorithm, state, sealed, public, created_at) VALUES ('k2', 'ES256', 'active', 'two', $1, $2)`, []any{[]byte{2}, at}},
		{`oauth_keys (id, algorithm, state, sealed, public, created_at, retired_at, expires_at) VALUES ('k1', 'ES256', 'retiring', 'one', $1, $2, $2, $2)`, []any{[]byte{1}, at}},
		{`oauth_events (id, at, type, actor) VALUES ('e1', $1, 'sign_in', 'bob')`, []any{at}},
	} {
		if _, err := st.DB().Pool().ExecContext(t.Context(), "INSERT INTO "+row.into, row.args...); err != nil {
			t.Fatalf("%v\n%s", err, row.into)
		}
	}
	migrated(t, st)

	ctx := t.Context()
	for _, tc := range []struct {
		what string
		read func() (any, error)
		want any
	}{
		{"client", func() (any, error) { return st.Client(ctx, "c1") },
			&oauth.Client{ID: "c1", Type: oauth.WebApplication, Name: "One", Owner: "alice", AuthMethod: oauth.AuthNone, RedirectURIs: []string{"https://c.example/cb"},
				GrantTypes: []string{"authorization_code", "refresh_token"}, RequirePKCE: true, CreatedAt: testTime, UpdatedAt: testTime}},
		{"clients by hand", func() (any, error) {
			byHand := oauth.RegisteredByHand
			list, err := st.ListClients(ctx, store.ClientQuery{Registration: &byHand}, store.Page{Limit: 10})
			return len(list), err
		}, 1},
		{"secrets", func() (any, error) { return st.ClientSecrets(ctx, "c1") },
			[]*oauth.ClientSecret{{ID: "s1", ClientID: "c1", Hash: hash, Hint: "wxyz", CreatedAt: testTime}}},
		{"grants", func() (any, error) { return st.LiveGrants(ctx, "bob", "c1") },
			[]*oauth.Grant{{ID: "g1", ClientID: "c1", Subject: "bob", Scopes: []string{"a", "b"}, CreatedAt: testTime}}},
		{"code", func() (any, error) { return st.Code(ctx, "ac") },
			&oauth.AuthorizationCode{ID: "ac", Hash: hash, GrantID: "g1", ClientID: "c1", Subject: "bob", IssuedAt: testTime, ExpiresAt: testTime}},
		{"token", func() (any, error) { return st.Token(ctx, "t1") },
			&oauth.Token{ID: "t1", Kind: oauth.RefreshToken, Hash: hash, GrantID: "g1", ClientID: "c1", Subject: "bob", Scopes: []string{"a"}, IssuedAt: testTime}},
		{"request", func() (any, error) { return st.Request(ctx, "r1") },
			&oauth.AuthorizationRequest{ID: "r1", SessionID: "sid", Subject: "bob", ClientID: "c1", ResponseType: "code", RedirectURI: "https://c.example/cb",
				RedirectURISent: true, CreatedAt: testTime, ExpiresAt: testTime}},
		{"keys", func() (any, error) { return st.SigningKeys(ctx) },
			[]*store.SigningKey{{ID: "k2", Algorithm: "ES256", State: store.KeyActive, Sealed: "two", Public: []byte{2}, CreatedAt: testTime, ActiveAt: testTime},
				{ID: "k1", Algorithm: "ES256", State: store.KeyRetiring, Sealed: "one", Public: []byte{1}, CreatedAt: testTime, ActiveAt: testTime, RetiredAt: testTime, ExpiresAt: testTime}}},
		{"events", func() (any, error) { return st.ListEvents(ctx, store.EventQuery{}, store.Page{Limit: 10}) },
			[]*oauth.Event{{ID: "e1", At: testTime, Type: "sign_in", Actor: "bob"}}},
	} {
		got, err := tc.read()
		if err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: got %+v (error %v), want %+v", tc.what, got, err, tc.want)
		}
	}
	// And goes on living.
	if err := st.RotateToken(ctx, "t1", "t2", testTime); err != nil {
		t.Error(err)
	}
	next := &store.SigningKey{ID: "k3", Algorithm: "ES256", State: store.KeyNext, Sealed: "x", CreatedAt: testTime}
	if err := st.CreateKey(ctx, next); err != nil {
		t.Error(err)
	}
	if err := st.ActivateKey(ctx, "k3", testTime); !errors.Is(err, store.ErrUsed) {
		t.Errorf("second active key: got error %v, want %v", err, store.ErrUsed)
	}
	if n, _, err := st.Purge(ctx, store.UnusedClients, store.Horizon{Registrations: testTime.Add(time.Hour)}, "", 10); n != 0 || err != nil {
		t.Errorf("purge of registrations: got %d (error %v), want none: nobody registered itself", n, err)
	}
	if err := st.DeleteClient(ctx, "c1"); err != nil {
		t.Error(err)
	}
}

// A node of the version before, which knows nothing of what was added since, can
// be started beside the newer ones; and what it revokes they hear of.
func testVersionBefore(t *testing.T, st *sqlstore.Store) {
	migrated(t, st)
	upTo(t, st, 2)
	ctx := t.Context()
	_, at, err := st.Changes(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	// As it does it, in its own words.
	for _, text := range []string{
		`INSERT INTO oauth_clients (id, type, name, auth_method, require_pkce, first_party, internal, disabled, created_at, updated_at) VALUES ('c1', 'web', 'One', 'none', true, false, false, false, 1, 1)`,
		`INSERT INTO oauth_grants (id, client_id, subject, created_at) VALUES ('g1', 'c1', 'bob', 1)`,
		`INSERT INTO oauth_tokens (id, kind, hash, grant_id, issued_at, internal) VALUES ('t1', 'access', $1, 'g1', 1, false)`,
		`UPDATE oauth_grants SET revoked_at = COALESCE(revoked_at, 2) WHERE id = 'g1'`,
		`UPDATE oauth_tokens SET revoked_at = COALESCE(revoked_at, 2) WHERE id = 't1'`,
		`UPDATE oauth_clients SET disabled = true WHERE id = 'c1'`,
		`DELETE FROM oauth_clients WHERE id = 'c1'`,
	} {
		var args []any
		if strings.Contains(text, "$1") {
			args = []any{[]byte{1}}
		}
		if _, err := st.DB().Pool().ExecContext(ctx, text, args...); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	got, _, err := st.Changes(ctx, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []store.Change{{Kind: store.GrantChanged, ID: "g1"}, {Kind: store.TokenChanged, ID: "t1"}, {Kind: store.ClientChanged, ID: "c1"}} {
		if !slices.Contains(got, want) {
			t.Errorf("told of %v, want %v among it", got, want)
		}
	}
}

func TestVersionBeforeSQLite(t *testing.T) {
	t.Parallel()
	testVersionBefore(t, emptySQLite(t, filepath.Join(t.TempDir(), "test.db")))
}

func TestVersionBeforePostgreSQL(t *testing.T) {
	t.Parallel()
	testVersionBefore(t, emptyPostgres(t))
}

func TestUpgradeSQLite(t *testing.T) {
	t.Parallel()
	testUpgrade(t, emptySQLite(t, filepath.Join(t.TempDir(), "test.db")))
}

func TestUpgradePostgreSQL(t *testing.T) {
	t.Parallel()
	testUpgrade(t, emptyPostgres(t))
}
