package cli

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/valetkey/valetkey/store/sqlstore"
)

const (
	// hearAgain is how long to wait before listening again. Nothing depends on it:
	// the server reads what has changed in any case.
	hearAgain = 5 * time.Second
	// tellTogether is for how long changes are gathered before the others are told.
	tellTogether = 10 * time.Millisecond
)

// tellChanges returns what is to be called when this server has changed something
// that others may remember; nil if there are no others.
func (h *house) tellChanges() func() {
	if h.database.dialect != sqlstore.PostgreSQL || h.loaded.RevocationBound == 0 {
		return nil
	}
	h.changed = make(chan struct{}, 1)
	return func() {
		select {
		case h.changed <- struct{}{}:
		default: // they will be told
		}
	}
}

// exchangeChanges tells other servers on the same PostgreSQL database at once that
// something has changed, and hears it from them, until ctx ends. It holds one
// connection beside the pool. Behind a pooler that gives each transaction another
// connection nothing is heard, and nothing is lost but time.
//
// They are told after the commit, by a statement of its own for all changes of a
// moment: PostgreSQL lets transactions that notify commit one after another only.
func (h *house) exchangeChanges(ctx context.Context) {
	if h.changed == nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.hearChanges(ctx)
	}()
	defer func() { <-done }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.changed:
		}
		if _, err := h.db.ExecContext(ctx, "NOTIFY valetkey_changes"); err != nil && ctx.Err() == nil {
			h.log.DebugContext(ctx, "other servers are not told what has changed", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(tellTogether):
		}
	}
}

func (h *house) hearChanges(ctx context.Context) {
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
