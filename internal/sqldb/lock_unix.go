//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package sqldb

import (
	"os"
	"syscall"
)

func lock(name string) (release func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if err == syscall.EWOULDBLOCK {
			return nil, errLocked
		}
		return nil, err
	}
	// The file stays: to delete it would let two servers lock two files of one name.
	return func() { f.Close() }, nil
}
