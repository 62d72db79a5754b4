package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

// What has begun is waited for, but not for ever. Whoever is told that the outcome
// is unknown may find later that it happened.
func TestOutcomeUnknown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := open(t)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		release := make(chan struct{})
		begin := time.Now()
		err := db.Write(ctx, func(ctx context.Context, tx *sql.Tx) error {
			<-release
			return insert(1)(ctx, tx)
		})
		if !errors.Is(err, oauth.TemporarilyUnavailable) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want that the outcome is unknown", err)
		}
		if waited := time.Since(begin); waited != 50*time.Second {
			t.Errorf("waited %v, want 45 s after the time was up", waited)
		}
		close(release)
		if err := db.Write(t.Context(), insert(2)); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		if got := numbers(t, db); got != "1 2" {
			t.Errorf("got rows %q, want both", got)
		}
	})
}
