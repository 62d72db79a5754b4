package clientkeys

import (
	"context"
	"errors"
	"time"

	"github.com/valetkey/valetkey/internal/fetch"
)

const (
	// longest is how long a fetched set is used at most, whatever its server says.
	longest = time.Hour
	// stale is how much longer it is used while it cannot be fetched.
	stale = 15 * time.Minute
	// refetch is how often an unknown key makes us ask again.
	refetch = time.Minute
	// retry is how soon after a failure we ask again.
	retry = 10 * time.Second
	// mostSets bounds the memory.
	mostSets = 1000
)

// remote is a key set behind a URL, as far as it is known.
type remote struct {
	set     Set       // nil: never fetched
	expires time.Time // of set
	failed  time.Time // when it was last asked for in vain
	why     error
	forced  time.Time     // when an unknown key last made us ask
	busy    chan struct{} // somebody is asking; closed when they have the answer
}

// remote returns the set behind a URL. With anew it does not take the kept one,
// unless that was done a short time ago.
func (k *Keys) remote(ctx context.Context, url string, anew bool) (Set, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		now := k.cfg.Now()
		r := k.entry(url, now)
		if anew && now.Sub(r.forced) < refetch {
			anew = false
		}
		if !anew && r.set != nil && now.Before(r.expires) {
			return r.set, nil
		}
		if !anew && r.why != nil && now.Sub(r.failed) < retry {
			return r.usable(now)
		}
		if r.busy == nil {
			k.ask(ctx, url, r, anew)
			return r.usable(k.cfg.Now())
		}
		busy := r.busy
		k.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
		}
		k.mu.Lock()
		if ctx.Err() != nil {
			return nil, errors.New("could not be waited for")
		}
		anew = false // what the other one got is new
	}
}

// usable is what there is after an attempt to fetch.
func (r *remote) usable(now time.Time) (Set, error) {
	if r.set != nil && now.Before(r.expires.Add(stale)) {
		return r.set, nil
	}
	return nil, r.why
}

// ask fetches the set. The lock is held on entry and on return, not in between.
// Others may wait for the answer, so it does not end with the request that asks.
func (k *Keys) ask(ctx context.Context, url string, r *remote, anew bool) {
	now := k.cfg.Now()
	if anew {
		r.forced = now
	}
	done := make(chan struct{})
	r.busy = done
	k.mu.Unlock()
	set, expires, err := k.fetch(context.WithoutCancel(ctx), url)
	k.mu.Lock()
	r.busy = nil
	close(done)
	if err != nil {
		r.failed, r.why = k.cfg.Now(), err
		return
	}
	r.set, r.expires, r.why = set, expires, nil
	if most := now.Add(longest); most.Before(expires) {
		r.expires = most
	}
}

func (k *Keys) fetch(ctx context.Context, url string) (Set, time.Time, error) {
	doc, err := k.cfg.Fetch.Get(ctx, url, fetch.Options{Accept: "application/jwk-set+json, application/json", MaxBytes: MaxSet})
	if err != nil {
		return nil, time.Time{}, err
	}
	set, err := ParseSet(doc.Body)
	return set, doc.Expires, err
}

// entry returns what is known of a URL. When there are too many, it forgets the
// sets that can no longer be used, and if none is, any.
func (k *Keys) entry(url string, now time.Time) *remote {
	if r, there := k.sets[url]; there {
		return r
	}
	if len(k.sets) >= mostSets {
		for other, r := range k.sets {
			if r.busy == nil && !now.Before(r.expires.Add(stale)) {
				delete(k.sets, other)
			}
		}
	}
	for other := range k.sets {
		if len(k.sets) < mostSets {
			break
		}
		delete(k.sets, other)
	}
	r := &remote{}
	k.sets[url] = r
	return r
}
