package faults

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/livetest"
)

// duration reads a time from the environment.
func duration(t *testing.T, name string, otherwise time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return d
}

// impatience is how long a client waits that was told to wait five seconds.
const impatience = 200 * time.Millisecond

// crowd lets n clients do the same for a while and returns how often it was done
// and how often refused, and how long what was done took. Any other answer fails
// the test.
func crowd(t *testing.T, n int, lasts, think time.Duration, do func(context.Context, int) error) (done, refused int64, took []time.Duration) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), lasts)
	defer stop()
	var all sync.WaitGroup
	var yes, no, wrong atomic.Int64
	times := make([][]time.Duration, n)
	for i := range n {
		all.Go(func() {
			for ctx.Err() == nil {
				begin := time.Now()
				err := do(t.Context(), i)
				switch {
				case err == nil:
					yes.Add(1)
					times[i] = append(times[i], time.Since(begin))
				case errors.Is(err, errUnavailable):
					no.Add(1)
					pause(ctx, impatience)
				case wrong.Add(1) < 5:
					t.Error(err)
				}
				pause(ctx, think)
			}
		})
	}
	all.Wait()
	took = slices.Concat(times...)
	slices.Sort(took)
	return yes.Load(), no.Load(), took
}

// percentile of sorted times.
func percentile(took []time.Duration, p int) time.Duration {
	if len(took) == 0 {
		return 0
	}
	return took[min(len(took)-1, len(took)*p/100)].Round(10 * time.Microsecond)
}

// status reads a line of /proc/PID/status, in KiB.
func status(t *testing.T, pid int, name string) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s in /proc/%d/status", name, pid)
	return 0
}

// mostMemory is what the server may ever have taken under a crowd, in KiB: it is
// several times what it takes at work.
const mostMemory = 400 << 10

// Many times more clients than the server has places for: each is served or told
// to come back, and the server neither falls nor swells.
func TestOverload(t *testing.T) {
	server, v := start(t, t.TempDir(), "")
	lasts := duration(t, "VALETKEY_OVERLOAD_TIME", time.Second)
	clients := &http.Transport{MaxIdleConnsPerHost: 4000}
	v.client = &http.Client{Transport: clients, Timeout: time.Minute}
	defer clients.CloseIdleConnections()
	token := func(ctx context.Context, _ int) error { return v.issue(ctx) }

	ctx, stop := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	var slowest time.Duration
	watching.Go(func() {
		client := &http.Client{Timeout: time.Minute}
		for ctx.Err() == nil {
			begin := time.Now()
			resp, err := client.Get(v.site.Issuer + "/healthz")
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("/healthz: %v", err)
				return
			}
			resp.Body.Close()
			slowest = max(slowest, time.Since(begin))
			pause(ctx, 50*time.Millisecond)
		}
	})
	for _, n := range []int{64, 5 * 64, 2000} {
		crowd(t, n, lasts/2, 0, token) // everybody connects
		done, refused, took := crowd(t, n, lasts, 0, token)
		t.Logf("%4d clients: %.0f/s done, p50 %v, p99 %v; %.0f/s refused", n,
			float64(done)/lasts.Seconds(), percentile(took, 50), percentile(took, 99), float64(refused)/lasts.Seconds())
		if done == 0 || refused == 0 && n == 2000 {
			t.Errorf("%d clients: %d done, %d refused; want some of each", n, done, refused)
		}
	}
	stop()
	watching.Wait()
	peak := status(t, server.PID, "VmHWM")
	t.Logf("/healthz took %v at most, memory was %d MiB at most", slowest.Round(time.Millisecond), peak>>10)
	if peak > mostMemory {
		t.Errorf("the server took %d KiB of memory, want %d at most", peak, mostMemory)
	}
	v.verifySome(t, 200)
}

// While as many people sign in as the server can verify passwords of, tokens are
// looked up as before.
func TestSignInStorm(t *testing.T) {
	_, v := start(t, t.TempDir(), "")
	lasts := duration(t, "VALETKEY_OVERLOAD_TIME", 2*time.Second)
	for range 100 {
		if err := v.issue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	look := func(ctx context.Context, _ int) error { return v.introspect(ctx) }
	crowd(t, 4, lasts/2, 2*time.Millisecond, look)
	before, _, alone := crowd(t, 4, lasts, 2*time.Millisecond, look)

	ctx, stop := context.WithCancel(t.Context())
	var signingIn sync.WaitGroup
	var signedIn, sentAway atomic.Int64
	for range 64 {
		signingIn.Go(func() {
			for ctx.Err() == nil {
				switch err := v.signIn(); {
				case err == nil:
					signedIn.Add(1)
				case errors.Is(err, errUnavailable):
					sentAway.Add(1)
				case ctx.Err() == nil:
					t.Error(err)
					return
				}
			}
		})
	}
	pause(ctx, 300*time.Millisecond)
	since := signedIn.Load()
	during, refused, beside := crowd(t, 4, lasts, 2*time.Millisecond, look)
	since = signedIn.Load() - since
	stop()
	signingIn.Wait()
	t.Logf("introspection alone %d, p50 %v, p99 %v; beside %d sign-ins in %v (%d sent away): %d, p50 %v, p99 %v",
		before, percentile(alone, 50), percentile(alone, 99), since, lasts, sentAway.Load(), during, percentile(beside, 50), percentile(beside, 99))
	if since == 0 || during == 0 || refused > 0 {
		t.Errorf("%d sign-ins; %d introspections done and %d refused; want none refused", since, during, refused)
	}
}

// verifySome is verify for the first n tokens.
func (v *traffic) verifySome(t *testing.T, n int) {
	t.Helper()
	for token := range v.alive {
		if len(v.alive) <= n {
			break
		}
		delete(v.alive, token)
	}
	v.verify(t)
}

// Under the same work for a long time the server takes no more memory, keeps no more
// files open and leaves no more goroutines behind than after a while. VALETKEY_SOAK
// sets how long.
func TestSoak(t *testing.T) {
	private, err := livetest.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	server, v := start(t, t.TempDir(), "", "VALETKEY_METRICS_ADDR="+private)
	lasts := duration(t, "VALETKEY_SOAK", 4*time.Second)
	type sample struct{ files, goroutines, memory int }
	measure := func() sample {
		v.client.CloseIdleConnections() // each is a file and a goroutine
		time.Sleep(300 * time.Millisecond)
		files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", server.PID))
		if err != nil {
			t.Fatal(err)
		}
		return sample{len(files), metric(t, private, "go_goroutines"), status(t, server.PID, "VmRSS")}
	}
	run := func(lasts time.Duration) (done int64) {
		ctx, stop := context.WithTimeout(t.Context(), lasts)
		defer stop()
		var all sync.WaitGroup
		var count atomic.Int64
		for _, w := range v.workers {
			all.Go(func() {
				for ctx.Err() == nil {
					if err := w.do(t.Context()); err != nil && !errors.Is(err, errIdle) {
						t.Errorf("%s: %v", w.name, err)
						return
					}
					count.Add(1)
				}
			})
		}
		all.Wait()
		return count.Load()
	}
	run(lasts / 4)
	early := measure()
	done := run(lasts * 3 / 4)
	late := measure()
	t.Logf("%d requests in %v; files %d then %d, goroutines %d then %d, memory %d MiB then %d MiB", done, lasts*3/4,
		early.files, late.files, early.goroutines, late.goroutines, early.memory>>10, late.memory>>10)
	if late.files > early.files+5 {
		t.Errorf("%d files are open after %d at first", late.files, early.files)
	}
	if late.goroutines > early.goroutines+5 {
		t.Errorf("there are %d goroutines after %d at first", late.goroutines, early.goroutines)
	}
	// What the Go runtime has not given back yet varies by some MiB.
	if grown := late.memory - early.memory; grown > 48<<10 {
		t.Errorf("memory grew by %d KiB", grown)
	}
	v.verifySome(t, 200)
}

// metric reads a number without labels from the private listener.
func metric(t *testing.T, addr, name string) int {
	t.Helper()
	resp, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			n, err := strconv.Atoi(rest)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
