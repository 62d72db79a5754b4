package cli

import (
	"errors"
	"net"
	"os"
	"strconv"
	"syscall"
)

// firstPassed is the number of the first file that whoever started us passed
// (sd_listen_fds(3)).
const firstPassed = 3

// listen takes the address, or says in a sentence why not. A socket that systemd,
// or who does as it does, has opened for us is used instead: it stays open while
// the server is restarted, and whoever connects meanwhile waits.
func listen(addr string) (net.Listener, error) {
	if l, err := passed(); l != nil || err != nil {
		return l, err
	}
	l, err := net.Listen("tcp", addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, unavailablef("%s is taken by another program: stop that, or choose another address with --addr", addr)
	case errors.Is(err, syscall.EACCES):
		return nil, unavailablef("%s may be used by root only: choose a port above 1023 with --addr and put a proxy before it", addr)
	case err != nil:
		return nil, unavailablef("%s cannot be listened on: %w", addr, err)
	}
	return l, nil
}

// passed returns the socket that was passed, or nil. LISTEN_PID says whom it is
// for: programs that we start inherit the variables, but no socket.
func passed() (net.Listener, error) {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	if n := os.Getenv("LISTEN_FDS"); n != "1" {
		return nil, unavailablef("LISTEN_FDS is %q: this server listens on one socket; name one address in the socket unit", n)
	}
	file := os.NewFile(firstPassed, "LISTEN_FD_3")
	defer file.Close() // the listener has its own
	l, err := net.FileListener(file)
	if err != nil {
		return nil, unavailablef("the socket that was passed cannot be listened on: %w", err)
	}
	return l, nil
}
