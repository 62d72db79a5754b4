package throttle

import (
	"fmt"
	"testing"
	"time"
)

func TestTake(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	th := New(3, 10*time.Second, func() time.Time { return now })
	take := func(source string, want ...bool) {
		t.Helper()
		for i, w := range want {
			if got := th.Take(source); got != w {
				t.Errorf("%s, number %d: %v", source, i+1, got)
			}
		}
	}
	take("a", true, true, true, false, false)
	take("b", true)
	now = now.Add(10 * time.Second)
	take("a", true, false)
	now = now.Add(time.Hour)
	take("a", true, true, true, false)
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	th := New(1, time.Minute, func() time.Time { return now })
	for i := range mostSources + 10 {
		if !th.Take(fmt.Sprint(i)) {
			t.Fatalf("source %d is shut out by others", i)
		}
	}
	if len(th.zeroAt) > mostSources {
		t.Errorf("%d sources are remembered", len(th.zeroAt))
	}
	th.Take("kept")
	if th.Take("kept") {
		t.Error("what is remembered does not count")
	}
}
