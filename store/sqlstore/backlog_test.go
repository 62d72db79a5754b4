package sqlstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/sqlstore"
)

func TestBacklogSQLite(t *testing.T) {
	t.Parallel()
	testBacklog(t, openSQLite(t))
}

func TestBacklogPostgreSQL(t *testing.T) {
	t.Parallel()
	testBacklog(t, openPostgres(t))
}

// What waits for Purge is counted, and nothing waits after it.
func testBacklog(t *testing.T, st *sqlstore.Store) {
	now := time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)
	for i, expires := range []time.Time{{}, now.Add(time.Hour), now.Add(-time.Minute), now.Add(-time.Hour), now.Add(-time.Second)} {
		if err := st.CreateToken(t.Context(), &oauth.Token{
			ID: fmt.Sprint("t", i), Kind: oauth.PersonalToken, Subject: "alice", IssuedAt: now.Add(-2 * time.Hour), ExpiresAt: expires,
		}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(limit, want int, wantOldest time.Time) {
		t.Helper()
		n, oldest, err := st.Backlog(t.Context(), now, limit)
		if err != nil || n != want || !oldest.Equal(wantOldest) {
			t.Errorf("got %d since %v (%v), want %d since %v", n, oldest, err, want, wantOldest)
		}
	}
	check(100, 3, now.Add(-time.Hour))
	check(2, 2, now.Add(-time.Hour))
	if _, _, err := st.Purge(t.Context(), store.ExpiredTokens, store.Horizon{Dead: now}, "", 100); err != nil {
		t.Fatal(err)
	}
	check(100, 0, time.Time{})
}
