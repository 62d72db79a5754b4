package lastuse_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/lastuse"
	"github.com/valetkey/valetkey/store"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// uses counts what was written, by id.
type uses struct {
	mu sync.Mutex
	at map[string][]time.Time
}

func (u *uses) write(id string) func(context.Context, time.Time) error {
	return func(_ context.Context, now time.Time) error {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.at[id] = append(u.at[id], now)
		return nil
	}
}

func TestOnceAMinute(t *testing.T) {
	t.Parallel()
	now := start
	r := lastuse.New(func() time.Time { return now }, nil)
	u := &uses{at: map[string][]time.Time{}}
	for _, step := range []struct {
		after time.Duration
		id    string
	}{
		{0, "a"}, {0, "a"}, {0, "b"}, {59 * time.Second, "a"}, {60 * time.Second, "a"}, {119 * time.Second, "a"},
	} {
		now = start.Add(step.after)
		r.Record(t.Context(), step.id, u.write(step.id))
		r.Wait()
	}
	if got := u.at["a"]; len(got) != 2 || !got[0].Equal(start) || !got[1].Equal(start.Add(time.Minute)) {
		t.Errorf("uses of a: %v, want one at the start and one a minute later", got)
	}
	if got := u.at["b"]; len(got) != 1 {
		t.Errorf("uses of b: %v, want one", got)
	}
}

func TestCallerNeitherWaitsNorFails(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	r := lastuse.New(func() time.Time { return start }, slog.New(slog.NewTextHandler(&log, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	var seen error
	r.Record(ctx, "a", func(ctx context.Context, _ time.Time) error {
		<-release // a caller that waited would never get to close it
		seen = ctx.Err()
		return errors.New("the disk is full")
	})
	cancel()
	close(release)
	r.Wait()
	if seen != nil {
		t.Errorf("the write was cancelled with its request: %v", seen)
	}
	if !strings.Contains(log.String(), "the disk is full") {
		t.Errorf("log %q lacks the cause", log.String())
	}
	log.Reset()
	r.Record(t.Context(), "b", func(context.Context, time.Time) error { return store.ErrNotFound })
	r.Wait()
	if log.Len() > 0 {
		t.Errorf("what is gone was complained about: %s", log.String())
	}
}

// TestWritesAreBounded: a database that hangs does not pile up goroutines, and
// what was dropped is recorded by its next use.
func TestWritesAreBounded(t *testing.T) {
	t.Parallel()
	r := lastuse.New(func() time.Time { return start }, nil)
	release := make(chan struct{})
	u := &uses{at: map[string][]time.Time{}}
	ids := strings.Split("abcdefgh", "")
	for _, id := range ids {
		r.Record(t.Context(), id, func(ctx context.Context, now time.Time) error {
			<-release
			return u.write(id)(ctx, now)
		})
	}
	close(release)
	r.Wait()
	if got := len(u.at); got != 4 {
		t.Errorf("%d writes were under way at once, want 4", got)
	}
	for _, id := range ids {
		r.Record(t.Context(), id, u.write(id))
		r.Wait()
	}
	if got := len(u.at); got != len(ids) {
		t.Errorf("%d of %d were recorded in the end", got, len(ids))
	}
}
