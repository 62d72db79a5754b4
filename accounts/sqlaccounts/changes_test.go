package sqlaccounts_test

import (
	"context"
	"slices"
	"testing"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Whoever remembers who somebody is must hear of every change, and not of
// sign-ins.
func testChangesAreNoted(t *testing.T, s rooms) {
	ctx := t.Context()
	must(t, s.CreateAccount(ctx, account("alice")))
	_, at, err := s.trail.Changes(ctx, 0)
	must(t, err)
	told := func() bool {
		t.Helper()
		changes, next, err := s.trail.Changes(ctx, at)
		must(t, err)
		at = next
		return slices.Contains(changes, store.Change{Kind: store.SubjectChanged, ID: "alice"})
	}
	must(t, s.InTx(ctx, func(ctx context.Context, tx accounts.Store) error { return tx.HoldAccounts(ctx, "alice") }),
		s.ConfirmPassword(ctx, "alice", "hash of alice", "rehash", now), s.CreateSession(ctx, session("s1", "alice")),
		s.SetPassword(ctx, "alice", "other"))
	if told() {
		t.Error("signing in is told as a change")
	}
	for _, change := range []struct {
		what string
		do   func() error
	}{
		{"SetProfile", func() error { return s.SetProfile(ctx, "alice", "Alice", oauth.UserClaims{Nickname: "al"}) }},
		{"VerifyEmail", func() error { return s.VerifyEmail(ctx, "alice", "alice@example.org") }},
		{"SetAdmin", func() error { return s.SetAdmin(ctx, "alice", true) }},
		{"SetDisabled", func() error { return s.SetDisabled(ctx, "alice", true) }},
		{"DeleteAccount", func() error { return s.DeleteAccount(ctx, "alice") }},
	} {
		must(t, change.do())
		if !told() {
			t.Errorf("%s is not told as a change", change.what)
		}
	}
}

func TestChangesAreNotedSQLite(t *testing.T) { t.Parallel(); testChangesAreNoted(t, openSQLite(t)) }
func TestChangesAreNotedPostgreSQL(t *testing.T) {
	t.Parallel()
	testChangesAreNoted(t, openPostgres(t))
}
