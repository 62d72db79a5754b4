package memstore

import (
	"context"
	"slices"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// change is one row of what has changed. Rows are never undone: that something
// may have changed does no harm.
type change struct {
	store.Change
	noted time.Time // when Purge first saw it
}

// note says that the row may have changed.
func (s *Store) note(kind store.ChangeKind, id string) {
	s.changes = append(s.changes, change{Change: store.Change{Kind: kind, ID: id}})
}

// noteToken does so for a token of a kind that others may remember.
func (s *Store) noteToken(t *oauth.Token) {
	if t.Kind == oauth.AccessToken || t.Kind == oauth.PersonalToken {
		s.note(store.TokenChanged, t.ID)
	}
}

// Changes implements [store.Changes]. A cursor is one more than the number of
// changes that there were when it was given out.
func (s *Store) Changes(ctx context.Context, since store.Cursor) (out []store.Change, next store.Cursor, err error) {
	err = s.do(ctx, func() error {
		next = s.changesGone + store.Cursor(len(s.changes)) + 1
		if since <= s.changesGone || since > next {
			out = []store.Change{{Kind: store.EverythingChanged}}
			return nil
		}
		for _, c := range s.changes[since-s.changesGone-1:] {
			out = append(out, c.Change)
		}
		return nil
	})
	return out, next, err
}

// purgeChanges forgets all that has been seen by Purge long ago.
func (s *Store) purgeChanges(now time.Time) int {
	old := now.Add(-store.ChangeMemory)
	for i, c := range s.changes {
		if c.noted.IsZero() {
			s.changes[i].noted = now
		}
	}
	n := slices.IndexFunc(s.changes, func(c change) bool { return !c.noted.Before(old) })
	if n < 0 {
		n = len(s.changes)
	}
	s.changes = slices.Clone(s.changes[n:])
	s.changesGone += store.Cursor(n)
	return n
}
