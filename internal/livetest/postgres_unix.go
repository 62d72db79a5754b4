//go:build unix

package livetest

import (
	"os"
	"syscall"
)

// runAs starts a process as another user.
func runAs(uid, gid uint32) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
}

// pause stops a process in its steps (SIGSTOP).
func pause(p *os.Process) { p.Signal(syscall.SIGSTOP) }

// resume lets it go on.
func resume(p *os.Process) { p.Signal(syscall.SIGCONT) }
