package metrics

import (
	"context"
	"database/sql"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

// Sources are asked when somebody reads the metrics. What is nil has no metrics.
type Sources struct {
	Version, Go, Database string // for the build

	Load    []func() []oauth.Load
	Pool    func() sql.DBStats
	Writers func() int
	Cache   func() Cache
	Ready   func() bool
	// Backlog counts expired tokens up to a limit, and says when the first expired.
	Backlog func(ctx context.Context, limit int) (n int, oldest time.Time, err error)
	// Logouts counts the logout notices that are due, up to a limit.
	Logouts func(ctx context.Context, limit int) (n int, err error)
	Keys    func(context.Context) ([]Key, error)
	Now     func() time.Time // required
}

// Cache is what the memory does.
type Cache struct {
	Hits, Misses int64
	Entries      int
	Bytes        int64
	Behind       time.Duration // negative: nothing is read
}

// Key is a signing key that is in use.
type Key struct {
	Algorithm, State string
	Since            time.Time // when it came into that state
}

const (
	// patience is how long the database may take to answer.
	patience = 2 * time.Second
	// mostBacklog is how far expired tokens are counted.
	mostBacklog = 100_000
	// mostLogouts is how far logout notices are.
	mostLogouts = 1000
)

// pull asks the sources. A gauge that none of them set this time is taken away.
func (m *Metrics) pull(ctx context.Context) {
	m.pulling.Lock()
	defer m.pulling.Unlock()
	now := map[string]bool{}
	gauge := func(value float64, name string, labels ...string) {
		full := named(name, labels...)
		now[full] = true
		m.set.GetOrCreateGauge(full, nil).Set(value)
	}
	m.pullMemory(gauge)
	m.pullDatabase(ctx, gauge)
	for name := range m.pulled {
		if !now[name] {
			m.set.UnregisterMetric(name)
		}
	}
	m.pulled = now
}

// gauge sets one.
type gauge func(value float64, name string, labels ...string)

// pullMemory asks what answers at once.
func (m *Metrics) pullMemory(gauge gauge) {
	s := m.sources
	gauge(1, buildInfo, s.Version, s.Go, s.Database)
	for _, load := range s.Load {
		for _, l := range load() {
			gauge(float64(l.InFlight), inFlight, l.Class)
			gauge(float64(l.Places), places, l.Class)
			gauge(float64(l.Queued), queued, l.Class)
			m.set.GetOrCreateCounter(named(refusedWork, l.Class)).Set(l.Refused)
		}
	}
	if s.Pool != nil {
		p := s.Pool()
		gauge(float64(p.InUse), connections, "in_use")
		gauge(float64(p.Idle), connections, "idle")
		gauge(float64(p.MaxOpenConnections), connectionsMax)
		m.set.GetOrCreateCounter(connectionWaits).Set(uint64(p.WaitCount))
		m.set.GetOrCreateFloatCounter(waitSeconds).Set(p.WaitDuration.Seconds())
	}
	if s.Writers != nil {
		gauge(float64(s.Writers()), writers)
	}
	if s.Cache != nil {
		c := s.Cache()
		m.set.GetOrCreateCounter(cacheHits).Set(uint64(c.Hits))
		m.set.GetOrCreateCounter(cacheMisses).Set(uint64(c.Misses))
		gauge(float64(c.Entries), cacheEntries)
		gauge(float64(c.Bytes), cacheBytes)
		if c.Behind >= 0 {
			gauge(c.Behind.Seconds(), cacheBehind)
		}
	}
}

// pullDatabase asks what has to ask the database.
func (m *Metrics) pullDatabase(ctx context.Context, gauge gauge) {
	s := m.sources
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if s.Ready != nil {
		yes := 0.0
		if s.Ready() {
			yes = 1
		}
		gauge(yes, ready)
	}
	if s.Backlog != nil {
		n, oldest, err := s.Backlog(ctx, mostBacklog)
		if m.answered("backlog", err) {
			gauge(float64(n), backlogRows)
			age := 0.0
			if n > 0 {
				age = s.Now().Sub(oldest).Seconds()
			}
			gauge(age, backlogSeconds)
		}
	}
	if s.Logouts != nil {
		n, err := s.Logouts(ctx, mostLogouts)
		if m.answered("logouts", err) {
			gauge(float64(n), logouts)
		}
	}
	if s.Keys != nil {
		list, err := s.Keys(ctx)
		if m.answered("keys", err) {
			for _, k := range oldest(list) {
				gauge(s.Now().Sub(k.Since).Seconds(), keyAge, k.Algorithm, k.State)
			}
		}
	}
}

// oldest is the oldest key of each algorithm and state; of retiring ones there may
// be several.
func oldest(list []Key) map[[2]string]Key {
	out := map[[2]string]Key{}
	for _, k := range list {
		at := [2]string{k.Algorithm, k.State}
		if first, ok := out[at]; !ok || k.Since.Before(first.Since) {
			out[at] = k
		}
	}
	return out
}

// answered counts the source that did not.
func (m *Metrics) answered(source string, err error) bool {
	c := m.set.GetOrCreateCounter(named(unanswered, source))
	if err != nil {
		c.Inc()
	}
	return err == nil
}
