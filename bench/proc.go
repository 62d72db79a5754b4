package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// spent is what a process has used so far.
type spent struct {
	cpu               time.Duration
	memory, memoryMax int // MiB resident
}

// tick is the unit of the times in /proc/PID/stat on Linux.
const tick = 10 * time.Millisecond

// usage reads what a process has used from /proc.
func usage(pid int) (spent, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return spent{}, err
	}
	// The name in brackets may hold spaces; utime and stime are the 12th and
	// 13th fields after it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var s spent
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return spent{}, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		s.cpu += time.Duration(n) * tick
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return spent{}, err
	}
	s.memory, s.memoryMax = mebibytes(status, "VmRSS:"), mebibytes(status, "VmHWM:")
	return s, nil
}

// mebibytes finds one line of /proc/PID/status, which counts in KiB.
func mebibytes(status []byte, name string) int {
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				kib, _ := strconv.Atoi(f[0])
				return kib / 1024
			}
		}
	}
	return 0
}
