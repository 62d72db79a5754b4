package cli

import (
	"os"
	"runtime"
	"runtime/debug"
)

// ballast is memory that is reserved and never touched, so the machine never
// gives it. The collector, which starts when the heap has doubled, counts it: what
// a busy server allocates is collected every 24 MiB and more, not every few,
// which was a sixth of all its work. A heap that is large by itself doubles as ever.
const ballast = 24 << 20

// trim prepares the heap of a server that has just been built: it lets go of what
// building it has left, and takes the ballast in until release is called. An
// operator who says GOGC or GOMEMLIMIT knows better.
func trim() (release func()) {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return func() {}
	}
	debug.FreeOSMemory()
	reserved := make([]byte, ballast)
	return func() { runtime.KeepAlive(reserved) }
}
