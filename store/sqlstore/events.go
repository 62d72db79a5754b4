package sqlstore

import (
	"context"
	"strings"

	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

const eventColumns = `id, at, type, actor, subject, client_id, token_id, network, request_id, detail`

func intoEvent(e *oauth.Event) []any {
	return []any{&e.ID, sqldb.ScanTime(&e.At), &e.Type, toOpt(&e.Actor), toOpt(&e.Subject), toOpt(&e.ClientID),
		toOpt(&e.TokenID), toOpt(&e.Network), toOpt(&e.RequestID), toOpt(&e.Detail)}
}

const sqlRecordEvent = `INSERT INTO oauth_events (` + eventColumns + `) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
	ON CONFLICT (id) DO NOTHING`

// RecordEvent implements [oauth.Recorder].
func (s *Store) RecordEvent(ctx context.Context, e oauth.Event) error {
	return s.writeOne(ctx, func(ctx context.Context) error {
		// What strangers sent may be in here, and must not keep the event out.
		return created(s.insert(ctx, sqlRecordEvent, e.ID, micros(e.At), string(e.Type), opt(printable(e.Actor)),
			opt(printable(e.Subject)), opt(printable(e.ClientID)), opt(printable(e.TokenID)), opt(printable(e.Network)),
			opt(printable(e.RequestID)), opt(printable(e.Detail))))
	})
}

const sqlEvents = `SELECT ` + eventColumns + ` FROM oauth_events`

// ListEvents implements [store.Events].
func (s *Store) ListEvents(ctx context.Context, f store.EventQuery, p store.Page) ([]*oauth.Event, error) {
	var q query
	way := down.turned(p)
	q.after(p, "id", "?", way)
	if f.ClientID != "" {
		q.where("client_id = ?", f.ClientID)
	}
	if f.Type != "" {
		q.where("type = ?", string(f.Type))
	}
	order := way.order("id")
	if f.Involving == "" {
		return rows(ctx, s, q.page(sqlEvents, order, p), q.args, intoEvent)
	}
	// Two queries that each have an index, and no row in common.
	involving, limit := q.arg(f.Involving), q.arg(max(p.Limit, 1))
	part := func(cond string) string {
		return "SELECT * FROM (" + sqlEvents + " WHERE " + strings.Join(append(q.conds[:len(q.conds):len(q.conds)], cond), " AND ") +
			" ORDER BY " + order + " LIMIT " + limit + ") AS part"
	}
	text := part("subject = "+involving) + " UNION ALL " +
		part("actor = "+involving+" AND actor IS DISTINCT FROM subject") + " ORDER BY " + order + " LIMIT " + limit
	return rows(ctx, s, text, q.args, intoEvent)
}
