package memstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Store is a [store.Store] in memory. Use New.
type Store struct {
	*state
	// tx is nil for the store itself, and the open transaction for the view of
	// it that InTx hands out.
	tx *transaction
}

// state is shared by a store and the views of it. Rows are never changed in
// place: a write replaces the whole row, so that undoing it is putting the old
// one back.
type state struct {
	mu       sync.Mutex
	undo     []func()
	clients  map[string]*oauth.Client
	secrets  map[string]*oauth.ClientSecret
	grants   map[string]*oauth.Grant
	codes    map[string]*oauth.AuthorizationCode
	tokens   map[string]*oauth.Token
	requests map[string]*oauth.AuthorizationRequest
	pushed   map[string]*oauth.PushedRequest
	devices  map[string]*oauth.DeviceCode
	replays  map[string]*time.Time // until when each is remembered
	sessions map[string]*session
	// signedIn has the clients of the sessions, by pairKey.
	signedIn map[string]*oauth.SessionClient
	keys     map[string]*store.SigningKey
	events   map[string]*oauth.Event
	// What has changed, and how many changes before that are forgotten.
	changes     []change
	changesGone store.Cursor
}

type transaction struct{ over bool }

// txKey marks a context that belongs to a transaction of the state.
type txKey struct{ *state }

var errOver = errors.New("memstore: the transaction is over")

// New returns an empty store.
func New() *Store {
	return &Store{state: &state{
		clients:  map[string]*oauth.Client{},
		secrets:  map[string]*oauth.ClientSecret{},
		grants:   map[string]*oauth.Grant{},
		codes:    map[string]*oauth.AuthorizationCode{},
		tokens:   map[string]*oauth.Token{},
		requests: map[string]*oauth.AuthorizationRequest{},
		pushed:   map[string]*oauth.PushedRequest{},
		devices:  map[string]*oauth.DeviceCode{},
		replays:  map[string]*time.Time{},
		sessions: map[string]*session{},
		signedIn: map[string]*oauth.SessionClient{},
		keys:     map[string]*store.SigningKey{},
		events:   map[string]*oauth.Event{},
	}}
}

var _ store.Store = (*Store)(nil)

// InTx implements [store.Store].
func (s *Store) InTx(ctx context.Context, fn func(ctx context.Context, tx store.Store) error) error {
	if tx := s.joined(ctx); tx != nil {
		return s.do(ctx, func() error { return fn(ctx, &Store{s.state, tx}) })
	}
	return s.do(ctx, func() error {
		tx := new(transaction)
		defer func() { tx.over = true }()
		return fn(context.WithValue(context.WithoutCancel(ctx), txKey{s.state}, tx), &Store{s.state, tx})
	})
}

// joined returns the transaction that s or ctx belongs to, or nil.
func (s *Store) joined(ctx context.Context) *transaction {
	if s.tx != nil {
		return s.tx
	}
	tx, _ := ctx.Value(txKey{s.state}).(*transaction)
	return tx
}

// do runs fn in the transaction of s or ctx, or else alone in one of its own.
func (s *Store) do(ctx context.Context, fn func() error) (err error) {
	if tx := s.joined(ctx); tx != nil {
		if tx.over {
			return errOver
		}
		return fn()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	done := false
	defer func() {
		if !done { // a panic, or a test that ended with FailNow
			if r := recover(); r != nil {
				err = fmt.Errorf("memstore: panic in a transaction: %v", r)
			}
		}
		if !done || err != nil {
			for i := len(s.undo) - 1; i >= 0; i-- {
				s.undo[i]()
			}
		}
		clear(s.undo)
		s.undo = s.undo[:0]
	}()
	err = fn()
	done = true
	return err
}

// put writes a row and remembers how to take that back.
func put[V any](s *Store, rows map[string]*V, id string, row *V) {
	old, had := rows[id]
	s.undo = append(s.undo, func() {
		if had {
			rows[id] = old
		} else {
			delete(rows, id)
		}
	})
	rows[id] = row
}

// drop deletes a row and remembers how to take that back.
func drop[V any](s *Store, rows map[string]*V, id string) {
	old := rows[id]
	s.undo = append(s.undo, func() { rows[id] = old })
	delete(rows, id)
}

// edit replaces a row by a copy that change has worked on.
func edit[V any](s *Store, rows map[string]*V, id string, change func(*V)) {
	row := *rows[id]
	change(&row)
	put(s, rows, id, &row)
}

// dropWhere deletes up to limit rows that match and returns how many it deleted.
func dropWhere[V any](s *Store, rows map[string]*V, limit int, match func(*V) bool) int {
	n := 0
	for id, row := range rows {
		if n == limit {
			break
		}
		if match(row) {
			drop(s, rows, id)
			n++
		}
	}
	return n
}

// at gives a time the precision of the contract: microseconds, UTC.
func at(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

// list keeps an empty slice as nil, and never shares memory with the caller.
func list(s []string) []string { return append([]string(nil), s...) }

// follows reports whether the row comes after those of the pages before.
func follows(id string, p store.Page) bool {
	return p.After == "" || inOrder(p.After, id, p) < 0
}

// inOrder compares ids as they follow one another on the page.
func inOrder(a, b string, p store.Page) int {
	if p.Reverse {
		return cmp.Compare(a, b)
	}
	return cmp.Compare(b, a)
}

// cut returns the page of rows, which are sorted, that follows the id After.
func cut[V any](rows []*V, p store.Page, id func(*V) string) []*V {
	if p.After != "" {
		i := 0
		for i < len(rows) && id(rows[i]) != p.After {
			i++
		}
		rows = rows[min(i+1, len(rows)):]
	}
	return rows[:min(len(rows), max(p.Limit, 1))]
}
