//go:build !unix

package livetest

import (
	"os"
	"syscall"
)

// runAs: there is no root here.
func runAs(uint32, uint32) *syscall.SysProcAttr { return nil }

func pause(*os.Process) {}

func resume(*os.Process) {}
