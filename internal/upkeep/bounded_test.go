package upkeep_test

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/upkeep"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/sqlstore"
)

func TestTablesStayBoundedSQLite(t *testing.T)     { t.Parallel(); staysBounded(t, openSQLite(t)) }
func TestTablesStayBoundedPostgreSQL(t *testing.T) { t.Parallel(); staysBounded(t, openPostgres(t)) }

// The same people do the same each day. After as many days as anything is kept,
// no table grows any more.
func staysBounded(t *testing.T, st *sqlstore.Store) {
	const day = 24 * time.Hour
	start := time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)
	d := &days{t: t, Store: st, now: start, refresh: map[string]string{}}
	d.client("app", "")
	d.refresh["alice"], d.refresh["bob"] = d.stayAwake("alice"), d.stayAwake("bob")

	var before map[string]int
	for i := range 100 {
		d.now = start.Add(time.Duration(i) * day)
		for _, subject := range []string{"alice", "bob", "carol"} {
			d.day(subject)
		}
		horizon := func() store.Horizon {
			month := d.now.Add(-30 * day)
			return store.Horizon{Dead: d.now, Events: month, Keys: month, Registrations: month}
		}
		if _, err := upkeep.Once(t.Context(), upkeep.Of(st, horizon)); err != nil {
			t.Fatal(err)
		}
		if i == 49 {
			before = d.counts()
		}
	}
	after := d.counts()
	for table, n := range after {
		if n != before[table] {
			t.Errorf("%s: got %d rows after 100 days, and %d after 50", table, n, before[table])
		}
	}
	if after["oauth_tokens"] == 0 || after["oauth_events"] == 0 || after["oauth_grants"] == 0 {
		t.Errorf("got %v, want some of what is kept", after)
	}
}

type days struct {
	*sqlstore.Store
	t       *testing.T
	now     time.Time
	refresh map[string]string // of whom it never expires
}

func (d *days) must(err error) {
	d.t.Helper()
	must(d.t, err)
}

func (d *days) id() (string, [32]byte) {
	id := mint.NewID(d.now)
	return id, sha256.Sum256([]byte(id))
}

func (d *days) client(id string, how oauth.Registration) {
	d.t.Helper()
	d.must(d.CreateClient(d.t.Context(), &oauth.Client{ID: id, Type: oauth.WebApplication, Name: id, AuthMethod: oauth.AuthBasic,
		RedirectURIs: []string{"https://client.example/cb"}, GrantTypes: []string{oauth.GrantAuthorizationCode},
		Registration: how, CreatedAt: d.now, UpdatedAt: d.now}))
}

func (d *days) grant(subject string) string {
	d.t.Helper()
	id, _ := d.id()
	d.must(d.CreateGrant(d.t.Context(), &oauth.Grant{ID: id, ClientID: "app", Subject: subject, Scopes: []string{"records:read"}, CreatedAt: d.now}))
	return id
}

func (d *days) token(kind oauth.TokenKind, grant, subject string, expires time.Time) string {
	d.t.Helper()
	id, hash := d.id()
	token := oauth.Token{ID: id, Hash: hash, Kind: kind, GrantID: grant, Subject: subject, IssuedAt: d.now, ExpiresAt: expires}
	if grant != "" {
		token.ClientID = "app"
	}
	d.must(d.CreateToken(d.t.Context(), &token))
	return id
}

// stayAwake begins a chain of refresh tokens that never expire.
func (d *days) stayAwake(subject string) string {
	d.t.Helper()
	return d.token(oauth.RefreshToken, d.grant(subject), subject, time.Time{})
}

// day is what one person does on one day.
func (d *days) day(subject string) {
	d.t.Helper()
	ctx, soon, tomorrow := d.t.Context(), d.now.Add(10*time.Minute), d.now.Add(24*time.Hour)

	// through the pages, with a code, tokens and one rotation
	id, hash := d.id()
	d.must(d.CreatePushedRequest(ctx, &oauth.PushedRequest{ID: id, Hash: hash, ClientID: "app", Form: map[string]string{"response_type": "code"}, CreatedAt: d.now, ExpiresAt: soon}))
	d.must(d.UsePushedRequest(ctx, id, d.now))
	id, _ = d.id()
	d.must(d.CreateRequest(ctx, &oauth.AuthorizationRequest{ID: id, SessionID: "s", Subject: subject, ClientID: "app", ResponseType: oauth.ResponseTypeCode,
		RedirectURI: "https://client.example/cb", CreatedAt: d.now, ExpiresAt: soon}))
	d.must(d.UseRequest(ctx, id, d.now))
	grant := d.grant(subject)
	id, hash = d.id()
	d.must(d.CreateCode(ctx, &oauth.AuthorizationCode{ID: id, Hash: hash, GrantID: grant, ClientID: "app", Subject: subject,
		RedirectURI: "https://client.example/cb", IssuedAt: d.now, ExpiresAt: soon}))
	d.must(d.UseCode(ctx, id, d.now))
	d.token(oauth.AccessToken, grant, subject, d.now.Add(time.Hour))
	first, second := d.token(oauth.RefreshToken, grant, subject, tomorrow), d.token(oauth.RefreshToken, grant, subject, tomorrow)
	d.must(d.RotateToken(ctx, first, second, d.now))

	// with a television, and not after all
	id, hash = d.id()
	revoked := d.grant(subject)
	d.must(d.CreateDeviceCode(ctx, &oauth.DeviceCode{ID: id, Hash: hash, UserCode: id, ClientID: "app", IssuedAt: d.now, ExpiresAt: soon, Interval: 5 * time.Second}))
	d.must(d.ApproveDeviceCode(ctx, id, revoked, d.now))
	d.must(d.ClaimDevice(ctx, id, d.now))
	d.token(oauth.RefreshToken, revoked, subject, time.Time{})
	d.must(d.RevokeGrant(ctx, revoked, d.now))

	// a personal token for an hour, and one taken back
	d.token(oauth.PersonalToken, "", subject, d.now.Add(time.Hour))
	d.must(d.RevokeToken(ctx, d.token(oauth.PersonalToken, "", subject, time.Time{}), d.now))

	// an app that stays awake
	if token, ok := d.refresh[subject]; ok {
		old, err := d.Token(ctx, token)
		d.must(err)
		d.refresh[subject] = d.token(oauth.RefreshToken, old.GrantID, subject, time.Time{})
		d.must(d.RotateToken(ctx, token, d.refresh[subject], d.now))
	}

	// a session that ends, an app that nobody uses, a secret, and the trail
	sid, _ := d.id()
	d.must(d.AddSessionClient(ctx, &oauth.SessionClient{SID: sid, ClientID: "app", Subject: subject, ExpiresAt: tomorrow}))
	_, err := d.EndSession(ctx, sid, d.now)
	d.must(err)
	d.must(d.DeleteSessionClient(ctx, sid, "app"))
	unused, _ := d.id()
	d.client(unused, oauth.RegisteredDynamically)
	id, hash = d.id()
	d.must(d.CreateClientSecret(ctx, &oauth.ClientSecret{ID: id, ClientID: "app", Hash: hash, CreatedAt: d.now, ExpiresAt: tomorrow}))
	d.must(d.SeenJTI(ctx, id, d.now, soon))
	d.must(d.RecordEvent(ctx, oauth.Event{ID: id, At: d.now, Type: oauth.EventSignIn, Subject: subject}))
}

// counts are the rows of each table.
func (d *days) counts() map[string]int {
	d.t.Helper()
	list := `SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'oauth_%'`
	if d.DB().Dialect() == sqlstore.PostgreSQL {
		list = `SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'oauth_%'`
	}
	rows, err := d.DB().Pool().QueryContext(d.t.Context(), list)
	d.must(err)
	var tables []string
	for rows.Next() {
		var name string
		d.must(rows.Scan(&name))
		tables = append(tables, name)
	}
	d.must(rows.Err())
	counts := map[string]int{}
	for _, table := range tables {
		var n int
		d.must(d.DB().Pool().QueryRowContext(d.t.Context(), fmt.Sprintf("SELECT count(*) FROM %s", table)).Scan(&n))
		counts[table] = n
	}
	return counts
}
