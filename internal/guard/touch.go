package guard

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

const (
	touchEvery   = time.Minute
	touchTimeout = 10 * time.Second
	// maxMemo bounds the memory of uses; one that is forgotten is recorded once more.
	maxMemo = 10_000
	// maxTouches bounds the writes under way. A use beyond it is not recorded;
	// the next one will be.
	maxTouches = 4
)

// toucher records when tokens and grants were last used, at most once a minute
// each. The request does not wait for it, and a failure does not fail the
// request.
type toucher struct {
	store  store.Store
	now    func() time.Time
	logger *slog.Logger
	slots  chan struct{}
	busy   sync.WaitGroup

	mu   sync.Mutex
	memo map[string]time.Time // by token or grant id: when a use was last recorded
}

func newToucher(s store.Store, now func() time.Time, l *slog.Logger) *toucher {
	return &toucher{store: s, now: now, logger: l, slots: make(chan struct{}, maxTouches), memo: map[string]time.Time{}}
}

// touch notes a use of t. Personal tokens know themselves when they were last
// used; of the others, their grant does.
func (u *toucher) touch(ctx context.Context, t *oauth.Token) {
	now, network := u.now(), peer.From(ctx).Network()
	switch {
	case t.Kind == oauth.PersonalToken:
		u.record(ctx, t.ID, now, func(ctx context.Context) error { return u.store.TouchToken(ctx, t.ID, now, network) })
	case t.GrantID != "":
		u.record(ctx, t.GrantID, now, func(ctx context.Context) error { return u.store.TouchGrant(ctx, t.GrantID, now) })
	}
}

func (u *toucher) record(ctx context.Context, id string, now time.Time, write func(context.Context) error) {
	if !u.due(id, now) {
		return
	}
	u.busy.Go(func() {
		defer func() { <-u.slots }()
		// The use is a fact even if the client has hung up by now.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), touchTimeout)
		defer cancel()
		if err := write(ctx); err != nil && !errors.Is(err, store.ErrNotFound) {
			u.logger.WarnContext(ctx, "a token's last use could not be recorded", "error", err)
		}
	})
}

// due takes a slot and remembers the use, unless one was recorded within the
// minute or all slots are taken.
func (u *toucher) due(id string, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if last, seen := u.memo[id]; seen && now.Sub(last) < touchEvery {
		return false
	}
	select {
	case u.slots <- struct{}{}:
	default:
		return false
	}
	if len(u.memo) >= maxMemo {
		u.forget(now)
	}
	u.memo[id] = now
	return true
}

// forget drops what is no longer of use; if that is not much, everything.
func (u *toucher) forget(now time.Time) {
	for id, last := range u.memo {
		if now.Sub(last) >= touchEvery {
			delete(u.memo, id)
		}
	}
	if len(u.memo) > maxMemo/2 {
		clear(u.memo)
	}
}

func (u *toucher) wait() { u.busy.Wait() }
