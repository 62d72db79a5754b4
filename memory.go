package valetkey

import (
	"fmt"
	"time"

	"github.com/valetkey/valetkey/internal/cache"
	"github.com/valetkey/valetkey/store"
)

// longestBound keeps what was revoked from living on for longer than anybody
// would think of.
const longestBound = time.Minute

// checkBound refuses a bound that would be no promise.
func (c Config) checkBound() error {
	if b := c.RevocationBound; b > longestBound || b > 0 && b < 10*time.Millisecond {
		return fmt.Errorf("valetkey: Config.RevocationBound is %v; a revocation may take from 10ms to a minute to reach every server, or no time at all (below zero: every look-up asks the store)", b)
	}
	return nil
}

// buildMemory puts the memory between the server and its store. From here on
// everything is written through it.
func (s *Server) buildMemory() error {
	s.memory = cache.New(cache.Config{
		Store: s.cfg.Store, Users: s.cfg.Users, UsersNoted: s.cfg.UsersNoted,
		Bound: max(0, s.cfg.RevocationBound), Now: s.cfg.Now, Logger: s.cfg.Logger,
		Changed: s.cfg.Changed,
	})
	s.cfg.Store = s.memory.Store()
	return nil
}

// UserChanged makes this server forget what Config.Users said about the subject. A
// host calls it when it has disabled or deleted a user, before it tells anybody
// that it has; other servers follow within Config.RevocationBound by themselves.
func (s *Server) UserChanged(subject string) {
	s.memory.Forget(store.Change{Kind: store.SubjectChanged, ID: subject})
}

// ReadChanges makes Start read what other servers have changed now, rather than at
// its next turn. It does not wait. Whoever hears early that another server's
// Config.Changed was called, by NOTIFY and LISTEN say, calls it.
func (s *Server) ReadChanges() { s.memory.Poke() }

// MemoryStats is what the server remembers of the store, and how that does.
type MemoryStats = cache.Stats

// Memory returns the figures of the moment.
func (s *Server) Memory() MemoryStats { return s.memory.Stats() }
