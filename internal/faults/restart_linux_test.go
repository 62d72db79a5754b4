package faults

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/livetest"
)

// number reads a number from the environment.
func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// The server is restarted again and again, on a socket that stays open, under
// clients that keep their connections. Nobody's request is lost: a connection that
// breaks is tried again once, and then there is an answer.
func TestRestartLosesNothing(t *testing.T) {
	t.Parallel()
	binary(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	site, err := livetest.NewSite(t.Context(), binary(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	site.Addr, site.Socket = listener.Addr().String(), socket
	site.Issuer = "http://" + site.Addr
	site.Env = append(site.Env, "VALETKEY_ISSUER="+site.Issuer, "VALETKEY_SERVER_DRAIN=200ms")
	server, err := site.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { server.Stop() }()
	v, err := newTraffic(t.Context(), site)
	if err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var requests, again atomic.Int64
	for _, w := range v.workers {
		all.Go(func() {
			for ctx.Err() == nil {
				err := w.do(ctx)
				var broken *net.OpError
				if ctx.Err() == nil && err != nil && (errors.As(err, &broken) || isEOF(err)) {
					again.Add(1)
					t.Logf("again: %s: %v", w.name, err)
					err = w.do(ctx)
				}
				if ctx.Err() == nil && err != nil && !errors.Is(err, errIdle) {
					t.Errorf("%s: %v", w.name, err)
				}
				requests.Add(1)
				pause(ctx, 20*time.Millisecond)
			}
		})
	}
	restarts := number(t, "VALETKEY_RESTARTS", 3)
	var longest time.Duration
	for n := range restarts {
		pause(ctx, 300*time.Millisecond)
		begin := time.Now()
		if err := server.Stop(); err != nil {
			t.Errorf("restart %d: %v", n, err)
		}
		longest = max(longest, time.Since(begin))
		if server, err = site.Start(t.Context()); err != nil {
			t.Fatalf("restart %d: %v", n, err)
		}
	}
	pause(ctx, 300*time.Millisecond)
	stop()
	all.Wait()
	if longest > 10*time.Second {
		t.Errorf("it took %v to stop", longest)
	}
	v.verify(t)
	t.Logf("%d requests over %d restarts, %d of them tried twice; the longest stop took %v", requests.Load(), restarts, again.Load(), longest.Round(time.Millisecond))
}

func isEOF(err error) bool { return fmt.Sprint(errors.Unwrap(err)) == "EOF" }
