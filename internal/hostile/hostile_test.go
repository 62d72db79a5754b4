package hostile

import (
	"bufio"
	"bytes"
	"context"
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
	"testing"
	"time"
)

const (
	defaultRequests = 2000
	tooSlow         = 5 * time.Second
	mostFailures    = 10
)

func TestStrangerChangesNothing(t *testing.T) {
	s := newSite(t)
	wave := who{other: s.victim}
	before := s.fingerprint(t, t.Context(), "")
	s.attack(t, wave.seeds(), 1)
	compare(t, before, s.fingerprint(t, t.Context(), ""))
}

func TestAttackerTouchesNothingOfTheVictim(t *testing.T) {
	s := newSite(t)
	wave := who{me: s.attacker, other: s.victim}
	before := s.fingerprint(t, t.Context(), s.victim.subject)
	s.attack(t, wave.seeds(), 2)
	compare(t, before, s.fingerprint(t, t.Context(), s.victim.subject))
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

// attack sends every seed as it is, with every method and content type, and
// then random mutations until the budget is spent.
func (s *site) attack(t *testing.T, seeds []seed, stream uint64) {
	t.Helper()
	budget := environment(t, "VALETKEY_HOSTILE_REQUESTS", defaultRequests) / 2
	start := environment(t, "VALETKEY_HOSTILE_SEED", int(time.Now().UnixNano()))
	t.Logf("VALETKEY_HOSTILE_SEED=%d", start)
	random := rand.New(rand.NewPCG(uint64(start), stream))

	w := &wire{host: s.host}
	defer w.close()
	counts, failures := map[int]int{}, 0
	try := func(a attempt) {
		request := a.bytes(s.host)
		status, problem := w.judge(t.Context(), a.method, request)
		counts[status]++
		if problem != "" && failures < mostFailures {
			failures++
			t.Errorf("%s\n%.2000q", problem, request)
		}
	}
	for _, sd := range seeds {
		for _, method := range methods {
			a := from(sd)
			a.method = method
			try(a)
		}
		for _, contentType := range contentTypes {
			a := from(sd)
			a.contentType = contentType
			try(a)
		}
	}
	for n := len(seeds) * (len(methods) + len(contentTypes)); n < budget; n++ {
		try(mutate(random, pick(random, seeds)))
	}
	if log := s.log.String(); strings.Contains(log, "panic") || strings.Contains(log, "level=ERROR") {
		t.Errorf("the server's log:\n%.5000s", log)
	}
	t.Logf("answers by status: %v", counts)
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
	registered := strings.HasPrefix(location, "https://app.example/callback?")
	local := u.Scheme == "" && u.Host == "" && !strings.HasPrefix(location, "//") && !strings.Contains(location, `\`)
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
