package metrics

import "sync"

// maxSeries is how many combinations of labels one metric may have. The program's
// own are a few hundred.
const maxSeries = 1000

// series finds the counter of a combination of labels without making its name.
type series[K comparable, V any] struct {
	*table[K, V]
}

type table[K comparable, V any] struct {
	make  func(K) V
	other K // stands for all that are too many

	mu   sync.RWMutex
	made map[K]V
}

func seriesOf[K comparable, V any](makeOne func(K) V, other K) series[K, V] {
	return series[K, V]{&table[K, V]{make: makeOne, other: other, made: map[K]V{}}}
}

func (t *table[K, V]) of(k K) V {
	t.mu.RLock()
	v, ok := t.made[k]
	t.mu.RUnlock()
	if ok {
		return v
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if v, ok = t.made[k]; ok {
		return v
	}
	if len(t.made) >= maxSeries {
		k = t.other
		if v, ok = t.made[k]; ok {
			return v
		}
	}
	v = t.make(k)
	t.made[k] = v
	return v
}
