package accounts_test

import (
	"errors"
	"io"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/oauth"
)

// M81: guesses sent at once do not slip past the limit, and the right password
// among the late ones does not get in.
func TestM81_ParallelGuesses(t *testing.T) {
	if testing.Short() {
		t.Skip("the crowd is served within seconds only at full speed, not under the race detector")
	}
	t.Parallel()
	h := newHouse(t)
	h.alice()
	var wg sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for range 200 {
		wg.Go(func() {
			resp := h.do("POST", "/login/", credentials(alice, "wrong password"), nil)
			mu.Lock()
			statuses[resp.StatusCode]++
			mu.Unlock()
		})
	}
	wg.Wait()
	if got := h.door.Evaluated(); got > 5 {
		t.Errorf("%d guesses were evaluated, want at most 5", got)
	}
	if statuses[422] != 5 || statuses[429] != 195 {
		t.Errorf("statuses %v, want 5 times 422 and 195 times 429", statuses)
	}
	resp := h.do("POST", "/login/", credentials(alice, password), nil)
	if resp.StatusCode != http.StatusTooManyRequests || len(resp.Cookies()) != 0 {
		t.Errorf("the right password during the wait: %s", resp.Status)
	}
}

// A crowd that knows the password is no crowd of guessers: what they spend is
// taken back before it is too much, however many come at once.
func TestParallelSignInsAreNotThrottled(t *testing.T) {
	if testing.Short() {
		t.Skip("the crowd is served within seconds only at full speed, not under the race detector")
	}
	t.Parallel()
	h := newHouse(t)
	h.alice()
	for _, crowd := range []int{16, 64, 150} {
		var wg sync.WaitGroup
		var mu sync.Mutex
		statuses := map[int]int{}
		for range crowd {
			wg.Go(func() {
				resp := h.do("POST", "/login/", credentials(alice, password), nil)
				mu.Lock()
				statuses[resp.StatusCode]++
				mu.Unlock()
			})
		}
		wg.Wait()
		if statuses[http.StatusSeeOther] != crowd {
			t.Errorf("%d at once: %v, want all of them 303", crowd, statuses)
		}
	}
}

// M82: strangers cannot lock the owner out. A browser that signed in before does
// not wait, and any other waits a minute at most.
func TestM82_OwnerIsNotLockedOut(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	p := h.visitor().signIn(alice, password)
	p.send(p.open("/logout/").Form())
	for range 20 {
		h.do("POST", "/login/", credentials(alice, "wrong password"), nil)
		h.now.Advance(time.Minute)
	}
	h.do("POST", "/login/", credentials(alice, "wrong password"), nil) // the next wait begins
	resp := h.do("POST", "/login/", credentials(alice, password), nil)
	wait, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	if resp.StatusCode != http.StatusTooManyRequests || wait < 1 || wait > 60 {
		t.Errorf("a stranger: %s, Retry-After %q; want 429 and at most 60", resp.Status, resp.Header.Get("Retry-After"))
	}
	body, _ := io.ReadAll(resp.Body)
	if !strings.Contains(string(body), "Try again in "+strconv.Itoa(wait)+" seconds") {
		t.Errorf("the page does not say how long to wait")
	}
	p.signIn(alice, password)
	h.now.Advance(time.Minute)
	h.visitor().signIn(alice, password)
}

func TestDeviceHasItsOwnBudget(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	bob := h.create(accounts.NewUser{Email: "bob@example.org", Password: "bob's own password"})
	p := h.visitor().signIn(alice, password)
	p.send(p.open("/logout/").Form())
	for i := range 11 {
		page := p.login("/login/", alice, "wrong password")
		if want := map[bool]int{false: 422, true: 429}[i >= 10]; page.Status != want {
			t.Fatalf("attempt %d from the known browser: %v, want %d", i+1, page, want)
		}
	}
	// The other counters were not touched, and alice's device is nothing to bob.
	h.visitor().signIn(alice, password)
	for range 6 {
		p.login("/login/", bob.Email, "wrong password")
	}
	if page := p.login("/login/", bob.Email, "bob's own password"); page.Status != 429 {
		t.Errorf("bob from alice's browser: %v, want 429", page)
	}
}

func TestNetworkLimitCountsFailuresOnly(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *accounts.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	h.alice()
	from := func(address, email, password string) int {
		return h.do("POST", "/login/", credentials(email, password), map[string]string{"X-Forwarded-For": address}).StatusCode
	}
	for i := range 130 {
		if got := from("192.0.2.1", alice, password); got != 303 {
			t.Fatalf("sign-in %d: %d", i, got)
		}
	}
	for i := range 100 {
		if i == 50 { // an account of one's own washes nothing clean
			from("192.0.2.2", alice, password)
		}
		if got := from("192.0.2.2", strconv.Itoa(i)+"@example.org", "wrong password"); got != 422 {
			t.Fatalf("guess %d: %d", i, got)
		}
	}
	if got := from("192.0.2.3", alice, password); got != 429 {
		t.Errorf("from the guesser's network: %d, want 429", got)
	}
	if got := from("198.51.100.1", alice, password); got != 303 {
		t.Errorf("from another network: %d, want 303", got)
	}
}

// Counters that live in memory forgive everything at a restart.
func TestThrottleSurvivesRestart(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	for range 8 {
		h.do("POST", "/login/", credentials(alice, "wrong password"), nil)
	}
	h.open()
	if resp := h.do("POST", "/login/", credentials(alice, password), nil); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("after a restart: %s, want 429", resp.Status)
	}
}

var requestID = regexp.MustCompile(`[A-Z2-7]{26}`)

// M85: an address without an account is answered, and costs, like one with.
func TestM85_NoEnumeration(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	disabled := h.create(accounts.NewUser{Email: "disabled@example.org", Password: password, Disabled: true})
	h.create(accounts.NewUser{Email: "nopassword@example.org"})
	type answer struct {
		status     int
		location   string
		body       string
		cookies    int
		evaluated  int64
		retryAfter string
	}
	ask := func(path, email, form string) answer {
		before := h.door.Evaluated()
		resp := h.do("POST", path, form, nil)
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer{resp.StatusCode, resp.Header.Get("Location"), requestID.ReplaceAllString(strings.ReplaceAll(string(body), email, "X"), "ID"), len(resp.Cookies()), h.door.Evaluated() - before, resp.Header.Get("Retry-After")}
	}
	for path, form := range map[string]string{"/login/": "password=wrong+password&username=", "/lost-password/": "email="} {
		for i := range 8 { // past the limits, too
			h.now.Advance(time.Millisecond)
			want := ask(path, "nobody@example.org", form+"nobody@example.org")
			if path == "/login/" && i < 5 && want.evaluated != 1 {
				t.Errorf("an unknown address cost %d hashes, want 1", want.evaluated)
			}
			for _, email := range []string{alice, disabled.Email, "nopassword@example.org"} {
				if got := ask(path, email, form+email); got != want {
					t.Errorf("%s, try %d, %s:\n%+v\nbut nobody gets\n%+v", path, i+1, email, got, want)
				}
			}
		}
	}
}

func TestVerifyPasswordForThePasswordGrant(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	acc := h.alice()
	if got, err := h.door.VerifyPassword(t.Context(), alice, password); got != acc.ID || err != nil {
		t.Errorf("right password: %q, %v", got, err)
	}
	for range 5 {
		if _, err := h.door.VerifyPassword(t.Context(), alice, "wrong password"); !errors.Is(err, oauth.ErrUserNotFound) {
			t.Errorf("wrong password: %v", err)
		}
	}
	var refusal *oauth.Error
	if _, err := h.door.VerifyPassword(t.Context(), alice, password); !errors.As(err, &refusal) || refusal.Code != oauth.InvalidGrant {
		t.Errorf("throttled: %v", err)
	}
}

// A storm of sign-ins is told to come back; it does not pile up.
func TestBusyHasherAnswers503(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	release := h.door.SaturateHasher()
	resp := h.do("POST", "/login/", credentials(alice, password), nil)
	release()
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("with every slot taken: %s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
	}
	h.visitor().signIn(alice, password)
}
