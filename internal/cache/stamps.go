package cache

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/valetkey/valetkey/store"
)

// places is how many stamps there are; 128 KiB of them.
const places = 1 << 14

// stamps tell what was forgotten, and when.
type stamps struct {
	seed  maphash.Seed
	count atomic.Int64
	mu    sync.Mutex // held by whoever forgets, so that no stamp goes back
	at    [places]atomic.Int64
	all   atomic.Int64 // everything was forgotten at this count
}

// place is where the stamp of one id of one kind is; zero is nobody's.
type place uint16

var kinds = map[store.ChangeKind]uint64{
	store.TokenChanged: 1, store.GrantChanged: 2, store.ClientChanged: 3, store.SubjectChanged: 4,
}

// place of the empty id is zero.
func (s *stamps) place(kind store.ChangeKind, id string) place {
	if id == "" {
		return 0
	}
	h := maphash.String(s.seed, id) + kinds[kind]*0x9e3779b97f4a7c15
	return place(h%(places-1)) + 1
}

// now is what a look-up that begins now carries.
func (s *stamps) now() int64 { return s.count.Load() }

func (s *stamps) forget(c store.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.count.Add(1)
	if _, known := kinds[c.Kind]; !known { // everything, or what only a newer version knows
		s.all.Store(n)
		return
	}
	s.at[s.place(c.Kind, c.ID)].Store(n)
}

// since reports whether any of the places was forgotten after count.
func (s *stamps) since(count int64, of *[4]place) bool {
	if s.all.Load() > count {
		return true
	}
	for _, p := range of {
		if s.at[p].Load() > count {
			return true
		}
	}
	return false
}
