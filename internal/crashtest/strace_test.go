package crashtest

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/livetest"
)

// acked is how many replies are looked at.
const acked = 500

// R2: between the write that keeps what a reply promises and the reply, the disk
// was waited for.
func TestRepliesFollowTheDisk(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("traces the real program")
	}
	strace, err := exec.LookPath("strace")
	if err != nil {
		livetest.Lacking(t, "strace is not installed")
	}
	ctx := t.Context()
	load := onSQLite(t, ctx)
	trace := filepath.Join(t.TempDir(), "trace")
	stop := attach(t, ctx, strace, trace, load.server.PID)

	// Eight at once, so that groups commit together, and each token revoked again.
	const crowd = 8
	var wg sync.WaitGroup
	for range crowd {
		wg.Go(func() {
			for range acked / crowd / 2 {
				token, err := load.token(ctx, load.service, url.Values{"grant_type": {"client_credentials"}})
				if err == nil {
					_, err = load.send(ctx, http.MethodPost, "/oauth/revoke", formType, url.Values{"token": {token.AccessToken}}.Encode(), as(load.service))
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range acked - acked/crowd/2*2*crowd {
		if err := load.personalToken(ctx); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	stop()

	calls, err := readTrace(trace)
	if err != nil {
		t.Fatal(err)
	}
	seen, faults := judge(calls)
	if seen != acked {
		t.Errorf("the trace has %d replies that promise something, want %d", seen, acked)
	}
	for i, fault := range faults {
		if i == 5 {
			t.Fatalf("and %d more", len(faults)-i)
		}
		t.Error(fault)
	}
	t.Logf("%d replies, each after the disk; %d calls in the trace", seen, len(calls))
}

// attach traces the process until stop is called.
func attach(t *testing.T, ctx context.Context, strace, trace string, pid int) (stop func()) {
	t.Helper()
	cmd := exec.CommandContext(ctx, strace, "-f", "-ttt", "-y", "-s", "5000", "-e", "trace=read,recvfrom,write,writev,sendto,pwrite64,pwritev,fsync,fdatasync",
		"-o", trace, "-p", strconv.Itoa(pid))
	says, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(says)
	for lines.Scan() && !strings.Contains(lines.Text(), " attached") {
		if strings.Contains(lines.Text(), "not permitted") || strings.Contains(lines.Text(), "not implemented") {
			cmd.Wait()
			livetest.Lacking(t, "strace may not trace here: "+lines.Text())
		}
	}
	go func() {
		for lines.Scan() {
		}
	}()
	time.Sleep(100 * time.Millisecond) // the other threads
	return func() {
		cmd.Process.Signal(syscall.SIGINT) // it lets go of the server
		cmd.Wait()
	}
}

// call is one system call. Its beginning and its end are places in the trace.
type call struct {
	name, file, data string
	begun, ended     int
}

var (
	quoted    = `"((?:[^"\\]|\\.)*)"`
	wholeCall = regexp.MustCompile(`^(\d+) +[\d.]+ (\w+)\(\d+<([^>]*)>(?:, ` + quoted + `)?`)
	halfCall  = regexp.MustCompile(wholeCall.String() + `.*<unfinished \.\.\.>$`)
	otherHalf = regexp.MustCompile(`^(\d+) +[\d.]+ <\.\.\. (\w+) resumed>(?:, )?(?:` + quoted + `)?`)
)

// readTrace reads what strace wrote, in which one call may be two lines.
func readTrace(file string) (calls []*call, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	open := map[string]*call{} // by thread
	n := 0
	for line := range bytes.Lines(text) {
		line := strings.TrimRight(string(line), "\n")
		n++
		if m := halfCall.FindStringSubmatch(line); m != nil {
			open[m[1]] = &call{name: m[2], file: m[3], data: m[4], begun: n}
			calls = append(calls, open[m[1]])
		} else if m := otherHalf.FindStringSubmatch(line); m != nil {
			if c := open[m[1]]; c != nil && c.name == m[2] {
				c.data, c.ended = c.data+m[3], n
				delete(open, m[1])
			}
		} else if m := wholeCall.FindStringSubmatch(line); m != nil {
			calls = append(calls, &call{name: m[2], file: m[3], data: m[4], begun: n, ended: n})
		}
	}
	return calls, nil
}

func (c *call) socket() bool {
	return strings.HasPrefix(c.file, "socket:") || strings.HasPrefix(c.file, "TCP")
}
func (c *call) database() bool {
	return strings.HasSuffix(c.file, ".db") || strings.HasSuffix(c.file, ".db-wal")
}
func (c *call) sync() bool { return c.name == "fsync" || c.name == "fdatasync" }

// tokenID is the look-up id inside a token, as it is in the row.
var tokenID = regexp.MustCompile(`vk_[a-z]+_([0-9A-Za-z]{22})`)

// judge holds every reply of success to a POST against the disk. The request came
// in before, on the same connection; the token that is in the reply, or in the
// request to revoke it, is in the page that was written for it.
func judge(calls []*call) (seen int, faults []string) {
	asked := map[string]*call{} // by connection
	for i, reply := range calls {
		if !reply.socket() {
			continue
		}
		// net/http waits for the next request with a read of one byte.
		if (reply.name == "read" || reply.name == "recvfrom") && (strings.HasPrefix(reply.data, "POST /") || strings.HasPrefix(reply.data, "OST /")) {
			asked[reply.file] = reply
		}
		if reply.name != "write" && reply.name != "sendto" || !strings.HasPrefix(reply.data, "HTTP/1.1 20") || asked[reply.file] == nil {
			continue
		}
		request := asked[reply.file]
		delete(asked, reply.file)
		seen++
		id := ""
		for _, text := range []string{reply.data, body(request.data)} {
			if m := tokenID.FindStringSubmatch(text); m != nil && id == "" {
				id = m[1]
			}
		}
		if id == "" {
			faults = append(faults, "a reply without a token: "+reply.data)
		} else if !kept(calls[:i], request, reply, id) {
			faults = append(faults, fmt.Sprintf("token %s was answered at line %d of the trace, and no disk was waited for after it was written", id, reply.begun))
		}
	}
	return seen, faults
}

// body leaves the headers out: one of them holds a token, too.
func body(request string) string {
	_, body, _ := strings.Cut(request, `\r\n\r\n`)
	return body
}

// kept looks for a write of the id after the request, and a sync after that write
// and before the reply.
func kept(before []*call, request, reply *call, id string) bool {
	written := 0
	for _, c := range before {
		switch {
		case !c.database():
		case written == 0 && !c.sync() && c.begun > request.ended && strings.Contains(c.data, id):
			written = c.ended
		case written > 0 && c.sync() && c.begun > written && c.ended > 0 && c.ended < reply.begun:
			return true
		}
	}
	return false
}
