package cache

import (
	"context"
	"hash/maphash"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valetkey/valetkey/internal/overload"
)

// Table remembers the rows of one kind.
type Table[V any] struct {
	cache *Cache
	load  func(ctx context.Context, id string) (*V, error)
	// keep tells whether to keep a row, and what makes it forgotten.
	keep   func(id string, v *V, now time.Time) (of [4]place, keep bool)
	age    time.Duration
	limit  int // bytes in a shard
	seed   maphash.Seed
	shards [shards]shard[V]
}

const shards = 32

type shard[V any] struct {
	mu    sync.RWMutex
	rows  map[string]*row[V]
	bytes int

	hits, misses atomic.Int64
}

// row is one remembered row. Nothing in it changes but used.
type row[V any] struct {
	value *V
	count int64 // of the stamps when its look-up began
	at    time.Time
	of    [4]place
	size  int
	used  atomic.Bool // since the shard was last full
}

// overhead is what a row costs beyond what its size says: key, map, row.
const overhead = 160

func newTable[V any](c *Cache, bytes int64, age time.Duration, load func(context.Context, string) (*V, error),
	keep func(string, *V, time.Time) ([4]place, bool)) *Table[V] {
	t := &Table[V]{cache: c, load: load, keep: keep, age: age, limit: int(bytes / shards), seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].rows = map[string]*row[V]{}
	}
	return t
}

// Get returns the row, and whether it was remembered. It looks up what is not
// remembered; the zero time, see [Cache.Current], remembers nothing. The row must
// not be written to.
func (t *Table[V]) Get(ctx context.Context, id string, at time.Time) (v *V, remembered bool, err error) {
	if v := t.Recall(id, at); v != nil {
		return v, true, nil
	}
	v, err = t.Load(ctx, id)
	return v, false, err
}

// Recall returns the row if it is remembered, else nil. It must not be written to.
func (t *Table[V]) Recall(id string, at time.Time) *V {
	if at.IsZero() {
		return nil
	}
	s := t.shard(id)
	s.mu.RLock()
	r := s.rows[id]
	s.mu.RUnlock()
	if r == nil || at.Sub(r.at) >= t.age || t.cache.stamps.since(r.count, &r.of) {
		s.misses.Add(1)
		return nil
	}
	s.hits.Add(1)
	if !r.used.Load() {
		r.used.Store(true)
	}
	return r.value
}

// Load looks the row up and remembers it. The row must not be written to.
func (t *Table[V]) Load(ctx context.Context, id string) (*V, error) {
	ctx, done := overload.Bound(ctx)
	defer done()
	count, began := t.cache.stamps.now(), t.cache.cfg.Now()
	v, err := t.load(ctx, id)
	if err != nil || !t.cache.running() || inTx(ctx, t.cache) {
		return v, err
	}
	if of, keep := t.keep(id, v, began); keep {
		t.put(id, &row[V]{value: v, count: count, at: began, of: of, size: weigh(reflect.ValueOf(v).Elem()) + len(id) + overhead})
	}
	return v, nil
}

func (t *Table[V]) put(id string, r *row[V]) {
	if r.size > t.limit {
		return
	}
	s := t.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.rows[id]; old != nil {
		if old.count > r.count { // looked up later than this one
			return
		}
		s.bytes -= old.size
		delete(s.rows, id)
	}
	if s.bytes+r.size > t.limit {
		s.makeRoom(t.limit - r.size)
	}
	s.rows[id] = r
	s.bytes += r.size
}

// makeRoom drops rows until the shard has at most that many bytes: those that
// nobody has asked for lately, as the map happens to present them; after a few
// spared ones, any.
func (s *shard[V]) makeRoom(bytes int) {
	const spare = 8
	for spared := 0; s.bytes > bytes; {
		for id, r := range s.rows {
			if r.used.Swap(false) && spared < spare {
				spared++
				continue
			}
			s.bytes -= r.size
			delete(s.rows, id)
			if s.bytes <= bytes {
				return
			}
		}
	}
}

// sweep drops what is too old to be believed.
func (t *Table[V]) sweep(now time.Time) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for id, r := range s.rows {
			if now.Sub(r.at) >= t.age {
				s.bytes -= r.size
				delete(s.rows, id)
			}
		}
		s.mu.Unlock()
	}
}

func (t *Table[V]) add(to *Stats) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		to.Entries += len(s.rows)
		to.Bytes += int64(s.bytes)
		s.mu.RUnlock()
		to.Hits += s.hits.Load()
		to.Misses += s.misses.Load()
	}
}

func (t *Table[V]) shard(id string) *shard[V] {
	return &t.shards[maphash.String(t.seed, id)%shards]
}
