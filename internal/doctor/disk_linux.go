package doctor

import (
	"path/filepath"
	"syscall"
)

// freeSpace is what an ordinary user may still write where the file lies.
func freeSpace(path string) (bytes uint64, known bool) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &fs); err != nil {
		return 0, false
	}
	return fs.Bavail * uint64(fs.Bsize), true
}
