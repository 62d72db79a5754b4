package clientauth

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What a stranger sends as client id, of whatever length, costs next to nothing
// to remember.
func TestThrottleKeepsNoClientIDs(t *testing.T) {
	throttle := newThrottle(func() time.Time { return time.Unix(1_700_000_000, 0) })
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	long := strings.Repeat("x", 64<<10)
	before := heap()
	for i := range 1000 {
		throttle.add(fmt.Sprintf("%d%s", i, long))
	}
	if grown := int64(heap()) - int64(before); grown > 8<<20 {
		t.Errorf("1000 failures by long client ids take %d KiB", grown>>10)
	}
	runtime.KeepAlive(throttle)
}
