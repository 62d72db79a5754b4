package overload

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

// Limits of a class.
type Limits struct {
	InFlight int           // how many are under way at a time
	Queue    int           // how many wait for a place
	Wait     time.Duration // for how long at most
}

// Requests are the limits of classes of HTTP requests. As many may be under way as
// make the largest group that the database commits at once.
func Requests() Limits {
	n := max(256, 64*runtime.GOMAXPROCS(0))
	return Limits{InFlight: n, Queue: 2 * n, Wait: time.Second}
}

// Hashing are the limits of what keeps a processor busy for long, the hashing of
// passwords: one processor, if there are several, stays free for everything else.
// The wait ends before the patience of whoever signs in does.
func Hashing() Limits {
	n := max(1, runtime.GOMAXPROCS(0)-1)
	return Limits{InFlight: n, Queue: 256, Wait: 2 * time.Second}
}

// Class is work of one kind. It is safe for concurrent use.
type Class struct {
	name    string
	limits  Limits
	places  chan struct{}
	queued  atomic.Int64
	refused atomic.Uint64
}

// New returns a class.
func New(name string, l Limits) *Class {
	return &Class{name: name, limits: l, places: make(chan struct{}, l.InFlight)}
}

// Enter takes a place and waits for one if need be; the caller calls Leave when
// the work is done. It returns a refusal, temporarily_unavailable, when too many
// wait already or none became free in time, and the error of ctx when that ends.
func (c *Class) Enter(ctx context.Context) error {
	select {
	case c.places <- struct{}{}:
		return nil
	default:
	}
	if c.queued.Add(1) > int64(c.limits.Queue) {
		c.queued.Add(-1)
		return c.refuse()
	}
	defer c.queued.Add(-1)
	late := time.NewTimer(c.limits.Wait)
	defer late.Stop()
	select { // in the order in which they came
	case c.places <- struct{}{}:
		return nil
	case <-late.C:
		return c.refuse()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Leave gives the place back.
func (c *Class) Leave() { <-c.places }

func (c *Class) refuse() error {
	c.refused.Add(1)
	return &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "The server is busy. Try again in a moment."}
}

// Load tells how busy the class is.
func (c *Class) Load() oauth.Load {
	return oauth.Load{
		Class: c.name, InFlight: len(c.places), Places: c.limits.InFlight,
		Queued: int(c.queued.Load()), Refused: c.refused.Load(),
	}
}
