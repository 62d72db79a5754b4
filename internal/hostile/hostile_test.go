package hostile

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	defaultRequests = 2000
	tooSlow         = 20 * time.Second
	mostFailures    = 10
	freshAfter      = 200
)

func TestStrangerChangesNothing(t *testing.T) {
	s := newSite(t)
	seeds := who{other: s.victim}.seeds()
	before := s.fingerprint(t, t.Context(), "")
	s.attack(t, func() []seed { return seeds }, 1)
	compare(t, before, s.fingerprint(t, t.Context(), ""))
}

func TestAttackerTouchesNothingOfTheVictim(t *testing.T) {
	s := newSite(t)
	before := s.fingerprint(t, t.Context(), s.victim.subject)
	// Attackers may sign themselves out and revoke what is theirs, so there is
	// always a fresh one.
	s.attack(t, func() []seed { return who{me: s.attacker(t), other: s.victim}.seeds() }, 2)
	compare(t, before, s.fingerprint(t, t.Context(), s.victim.subject))
}

// TestSeedsAreValid: mutations of requests that no route answers would prove
// nothing, so each seed does reach something when it is sent unchanged by whom
// it concerns.
func TestSeedsAreValid(t *testing.T) {
	s := newSite(t)
	w := &wire{host: s.host}
	defer w.close()
	sample := who{me: s.victim, other: s.victim}.seeds()
	for i := range sample {
		me := s.attacker(t)
		sd := who{me: me, other: me}.seeds()[i]
		s.expect(t, w, sd)
	}
	for i := range (who{me: s.victim}).admin(s.victim) {
		s.expect(t, w, who{me: s.administrator(t), other: s.victim}.admin(s.attacker(t))[i])
	}
}

// expect sends a seed unchanged.
func (s *site) expect(t *testing.T, w *wire, sd seed) {
	t.Helper()
	a := from(sd)
	resp, body, err := w.exchange(t.Context(), a.method, a.bytes(s.host))
	must(t, err)
	if resp.Close {
		w.close()
	}
	if sd.want == 0 && resp.StatusCode >= 400 || sd.want != 0 && resp.StatusCode != sd.want {
		t.Errorf("%s %s: %s, want %d: %.300s", sd.method, sd.path, resp.Status, sd.want, body)
	}
}

// compare holds the database to what it was.
func compare(t *testing.T, before, after map[string]int) {
	t.Helper()
	if len(before) == 0 {
		t.Fatal("the fingerprint is empty: this comparison could not fail")
	}
	for _, row := range slices.Sorted(maps.Keys(before)) {
		if after[row] != before[row] {
			t.Errorf("gone or changed: %.500s", row)
		}
	}
	for _, row := range slices.Sorted(maps.Keys(after)) {
		if before[row] == 0 {
			t.Errorf("new: %.500s", row)
		}
	}
}

// attack sends every seed with every method and content type in random order,
// and then random mutations until the budget is spent. Every so often it takes
// fresh seeds.
func (s *site) attack(t *testing.T, seeds func() []seed, stream uint64) {
	t.Helper()
	budget := environment(t, "VALETKEY_HOSTILE_REQUESTS", defaultRequests) / 2
	start := environment(t, "VALETKEY_HOSTILE_SEED", int(time.Now().UnixNano()))
	t.Logf("VALETKEY_HOSTILE_SEED=%d", start)
	random := rand.New(rand.NewPCG(uint64(start), stream))

	w := &wire{host: s.host}
	defer w.close()
	var list []seed
	counts, failures := map[int]int{}, 0
	variants := len(methods) + len(contentTypes)
	order := random.Perm(len(seeds()) * variants)
	for n := range max(budget, len(order)) {
		if n%freshAfter == 0 {
			list = seeds()
		}
		var a attempt
		if n < len(order) {
			a = variant(list[order[n]/variants], order[n]%variants)
		} else {
			a = mutate(random, pick(random, list))
		}
		request := a.bytes(s.host)
		status, problem := w.judge(t.Context(), a.method, request)
		counts[status]++
		if problem != "" && failures < mostFailures {
			failures++
			t.Errorf("%s\n%.600q", problem, request)
		}
	}
	if log := s.log.String(); strings.Contains(log, "panic") || strings.Contains(log, "level=ERROR") {
		t.Errorf("the server's log:\n%.5000s", log)
	}
	t.Logf("answers by status: %v", counts)
}

// variant is a seed with one of the methods or one of the content types.
func variant(s seed, n int) attempt {
	a := from(s)
	if n < len(methods) {
		a.method = methods[n]
	} else {
		a.contentType = contentTypes[n-len(methods)]
	}
	return a
}

// wire is a connection that is made anew whenever the server closes it.
type wire struct {
	host string
	conn net.Conn
	in   *bufio.Reader
}

func (w *wire) close() {
	if w.conn != nil {
		w.conn.Close()
		w.conn = nil
	}
}

// judge sends a request and says what is wrong with the answer.
func (w *wire) judge(ctx context.Context, method string, request []byte) (status int, problem string) {
	start := time.Now()
	resp, body, err := w.exchange(ctx, method, request)
	if errors.Is(err, syscall.ECONNRESET) {
		// net/http hangs up on what it will not read to the end, and the answer
		// may be lost with the rest. A handler that panicked is seen in the log.
		w.close()
		return 0, ""
	}
	if err != nil {
		w.close()
		return 0, fmt.Sprintf("no answer: %v", err)
	}
	if resp.Close {
		w.close()
	}
	if took := time.Since(start); took > tooSlow {
		return resp.StatusCode, fmt.Sprintf("answered after %v", took)
	}
	for _, check := range checks {
		if problem := check(w.host, resp, body); problem != "" {
			return resp.StatusCode, fmt.Sprintf("%s: %s %.3000s", problem, resp.Status, body)
		}
	}
	return resp.StatusCode, ""
}

func (w *wire) exchange(ctx context.Context, method string, request []byte) (*http.Response, []byte, error) {
	fresh := w.conn == nil
	if fresh {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", w.host)
		if err != nil {
			return nil, nil, err
		}
		w.conn, w.in = conn, bufio.NewReader(conn)
	}
	resp, body, err := w.once(method, request)
	if err != nil && !fresh { // the server may have closed an idle connection
		w.close()
		return w.exchange(ctx, method, request)
	}
	return resp, body, err
}

func (w *wire) once(method string, request []byte) (*http.Response, []byte, error) {
	if err := w.conn.SetDeadline(time.Now().Add(2 * tooSlow)); err != nil {
		return nil, nil, err
	}
	// A server may answer and hang up before it has read a large body, so a
	// failed write is not yet the end.
	_, writeErr := w.conn.Write(request)
	resp, err := http.ReadResponse(w.in, &http.Request{Method: method})
	if err != nil {
		if writeErr != nil {
			err = writeErr
		}
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if writeErr != nil {
		resp.Close = true
	}
	return resp, body, err
}

// checks are what holds for every answer, whatever was asked.
var checks = []func(host string, r *http.Response, body []byte) string{
	noServerError, noMarker, noInjectedHeader, noOpenRedirect, noNakedPage,
}

func noServerError(_ string, r *http.Response, _ []byte) string {
	if r.StatusCode >= 500 {
		return "server error"
	}
	return ""
}

// noMarker: what was sent may come back as text only.
func noMarker(_ string, r *http.Response, body []byte) string {
	kind := r.Header.Get("Content-Type")
	if strings.HasPrefix(kind, "application/json") || strings.HasPrefix(kind, "application/problem+json") || strings.HasPrefix(kind, "text/plain") {
		if r.Header.Get("X-Content-Type-Options") != "nosniff" && bytes.Contains(bytes.ToLower(body), []byte(marker)) {
			return "reflected in a body that a browser may take for HTML"
		}
		return ""
	}
	if bytes.Contains(bytes.ToLower(body), []byte(marker)) {
		return "reflected unescaped"
	}
	return ""
}

func noInjectedHeader(_ string, r *http.Response, _ []byte) string {
	if r.Header.Get("X-Injected") != "" || slices.ContainsFunc(r.Header["Set-Cookie"], func(c string) bool { return strings.HasPrefix(c, "x=1") }) {
		return "a smuggled header was set"
	}
	return ""
}

// noOpenRedirect: people are sent to this server or to a registered redirect URI.
func noOpenRedirect(host string, r *http.Response, _ []byte) string {
	location := r.Header.Get("Location")
	if location == "" {
		return ""
	}
	u, err := url.Parse(location)
	if err != nil {
		return "a Location that is not a URL: " + location
	}
	path, _, _ := strings.Cut(location, "?")
	registered := strings.HasPrefix(location, "https://app.example/callback?")
	local := u.Scheme == "" && u.Host == "" && !strings.HasPrefix(location, "//") && !strings.Contains(path, `\`)
	if !registered && !local && u.Host != host {
		return "an open redirect to " + location
	}
	return ""
}

// noNakedPage: every page has a policy that forbids what it does not need.
func noNakedPage(_ string, r *http.Response, _ []byte) string {
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
		return ""
	}
	redirect := r.StatusCode >= 300 && r.StatusCode < 400 // net/http writes a link nobody sees
	if policy := r.Header.Get("Content-Security-Policy"); !redirect && !strings.Contains(policy, "frame-ancestors 'none'") {
		return "a page without Content-Security-Policy"
	}
	return ""
}

// environment reads a number from the environment.
func environment(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	must(t, err)
	return n
}
