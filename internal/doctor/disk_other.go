//go:build !linux

package doctor

// freeSpace cannot tell here.
func freeSpace(string) (bytes uint64, known bool) { return 0, false }
