package cli

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/valetkey/valetkey/store/sqlstore"
)

// hearAgain is how long to wait before listening again. Nothing depends on it:
// the server reads what has changed in any case.
const hearAgain = 5 * time.Second

// hearChanges lets the server know at once when another one on the same
// PostgreSQL database has changed what it may remember, until ctx ends. It holds
// one connection beside the pool. Behind a pooler that gives each transaction
// another connection nothing is heard, and nothing is lost but time.
func (h *house) hearChanges(ctx context.Context) {
	if h.database.dialect != sqlstore.PostgreSQL || h.loaded.RevocationBound == 0 {
		return
	}
	source, _, err := h.database.driver()
	if err != nil {
		return // the pool could not have been opened
	}
	for ctx.Err() == nil {
		if err := hear(ctx, source, h.server.ReadChanges); err != nil && ctx.Err() == nil {
			h.log.DebugContext(ctx, "what other servers change is not heard", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(hearAgain):
		}
	}
}

func hear(ctx context.Context, source string, heard func()) error {
	conn, err := pgx.Connect(ctx, source)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN valetkey_changes"); err != nil {
		return err
	}
	for {
		heard()
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
	}
}
