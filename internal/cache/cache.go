package cache

import (
	"context"
	"hash/maphash"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

const (
	// maxAge bounds how long any row is believed.
	maxAge = time.Minute
	// DefaultBytes is how much is remembered if nothing else is said.
	DefaultBytes = 16 << 20
)

// Config says what is remembered and for how long. Store, Users and Now are
// required.
type Config struct {
	Store store.Store
	Users oauth.UserSource
	// UsersNoted: every change of a user is noted as store.SubjectChanged by the
	// transaction that makes it.
	UsersNoted bool
	// Bound is how long a change elsewhere may go unseen; 0: nothing is remembered.
	Bound  time.Duration
	Bytes  int64 // DefaultBytes if 0
	Now    func() time.Time
	Logger *slog.Logger // hears when the changes cannot be read; nil: nobody
	// Changed is called, and must not block, when this process has changed what
	// others may remember; nil: they find it when they read.
	Changed func()
}

// Secrets are the secrets of one client, oldest first.
type Secrets struct{ List []*oauth.ClientSecret }

// Cache remembers rows. It is safe for concurrent use.
type Cache struct {
	Tokens  *Table[oauth.Token] // access and personal access tokens alone are kept
	Clients *Table[oauth.Client]
	Secrets *Table[Secrets] // by client id
	Grants  *Table[oauth.Grant]
	Users   *Table[oauth.User] // by subject

	cfg    Config
	stamps stamps
	read   atomic.Pointer[reading] // the last good one; nil while Run does not run
	poke   chan struct{}
}

// reading is when a good reading of the changes began.
type reading struct {
	at   time.Time
	wall time.Time // without the monotonic clock, which stands still while a machine sleeps
}

// New returns an empty cache. It remembers nothing before Run has begun.
func New(c Config) *Cache {
	if c.Bytes == 0 {
		c.Bytes = DefaultBytes
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	m := &Cache{cfg: c, poke: make(chan struct{}, 1)}
	m.stamps.seed = maphash.MakeSeed()
	aged := min(c.Bound, maxAge)
	if c.UsersNoted {
		aged = maxAge
	}
	m.Tokens = newTable(m, c.Bytes/2, maxAge, c.Store.Token, m.keepToken)
	m.Clients = newTable(m, c.Bytes/8, maxAge, c.Store.Client, m.keepClient)
	m.Secrets = newTable(m, c.Bytes/8, maxAge, m.loadSecrets, m.keepSecrets)
	m.Grants = newTable(m, c.Bytes/8, maxAge, c.Store.Grant, m.keepGrant)
	m.Users = newTable(m, c.Bytes/8, aged, m.loadUser, m.keepUser)
	return m
}

// Current is the time by which rows are remembered: now, or the zero time if
// nothing may be believed, because the changes were not read for the bound.
func (m *Cache) Current() time.Time {
	last := m.read.Load()
	if last == nil {
		return time.Time{}
	}
	now := m.cfg.Now()
	if age := now.Sub(last.at); age >= m.cfg.Bound || age <= -m.cfg.Bound || now.Round(0).Sub(last.wall) >= m.cfg.Bound {
		return time.Time{}
	}
	return now
}

func (m *Cache) running() bool { return m.read.Load() != nil }

// Forget forgets what this process has changed. Whoever changes rows in another way
// than through Store calls it after the commit and before anybody is told.
func (m *Cache) Forget(changes ...store.Change) {
	m.forget(changes)
	if m.cfg.Changed != nil && len(changes) > 0 {
		m.cfg.Changed()
	}
}

func (m *Cache) forget(changes []store.Change) {
	for _, c := range changes {
		m.stamps.forget(c)
	}
}

// Poke makes Run read what has changed now.
func (m *Cache) Poke() {
	select {
	case m.poke <- struct{}{}:
	default: // it will
	}
}

// Run reads what has changed until ctx is done. Only while it runs is anything
// remembered.
func (m *Cache) Run(ctx context.Context) {
	if m.cfg.Bound <= 0 {
		return
	}
	const together = 5 * time.Millisecond // pokes that come in a burst are one
	defer m.read.Store(nil)
	var at store.Cursor
	var fault error
	var swept time.Time
	for ctx.Err() == nil {
		next, err := m.readChanges(ctx, at)
		at = next
		if ctx.Err() == nil && (err == nil) != (fault == nil) {
			m.tell(ctx, err)
		}
		fault = err
		if now := m.cfg.Now(); now.Sub(swept) >= maxAge {
			m.sweep(now)
			swept = now
		}
		select {
		case <-ctx.Done():
		case <-time.After(m.cfg.Bound / 4):
		case <-m.poke:
			select {
			case <-ctx.Done():
			case <-time.After(min(together, m.cfg.Bound/4)):
			}
		}
	}
}

func (m *Cache) tell(ctx context.Context, err error) {
	if err != nil {
		m.cfg.Logger.WarnContext(ctx, "what other nodes have changed cannot be read; nothing is answered from memory until it can", "error", err)
		return
	}
	m.cfg.Logger.InfoContext(ctx, "what other nodes have changed can be read again")
}

// readChanges forgets what has changed since the cursor and returns the next one.
// A failure keeps the cursor: the next reading tells what this one missed.
func (m *Cache) readChanges(ctx context.Context, since store.Cursor) (store.Cursor, error) {
	ctx, cancel := context.WithTimeout(ctx, max(m.cfg.Bound, time.Second))
	defer cancel()
	began := m.cfg.Now()
	changes, next, err := m.cfg.Store.Changes(ctx, since)
	if err != nil {
		return since, err
	}
	m.forget(changes)
	m.read.Store(&reading{at: began, wall: began.Round(0)})
	return next, nil
}

func (m *Cache) sweep(now time.Time) {
	m.Tokens.sweep(now)
	m.Clients.sweep(now)
	m.Secrets.sweep(now)
	m.Grants.sweep(now)
	m.Users.sweep(now)
}

// Stats is what the cache holds and how it does.
type Stats struct {
	Hits, Misses int64 // since the start; look-ups that must go to the database are neither
	Entries      int
	Bytes        int64 // an estimate
	// Behind is how long ago the last good reading of the changes began; beyond the
	// bound nothing is answered from memory. Negative: nothing is read.
	Behind time.Duration
}

// Stats returns the figures of the moment.
func (m *Cache) Stats() Stats {
	s := Stats{Behind: -1}
	if last := m.read.Load(); last != nil {
		s.Behind = max(0, m.cfg.Now().Sub(last.at))
	}
	m.Tokens.add(&s)
	m.Clients.add(&s)
	m.Secrets.add(&s)
	m.Grants.add(&s)
	m.Users.add(&s)
	return s
}
