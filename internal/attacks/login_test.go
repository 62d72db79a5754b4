package attacks

import (
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/accounts"
)

// Signing in: throttling, factors, enumeration.

// Guesses at one account through both doors at once, the login page and the
// password grant: they share one budget.
func TestM81_ParallelGuessesAtEveryDoor(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{password: true})
	const free = 5
	tracks := s.warm(crowd * 3)
	login := func(p *person, password string) *http.Request {
		return p.elsewhere().formRequest("/login/", url.Values{"username": {p.email}, "password": {password}})
	}
	grant := func(p *person, password string) *http.Request {
		return s.machineRequest(s.legacy, "/oauth/token", url.Values{"grant_type": {"password"}, "username": {p.email}, "password": {password}})
	}
	for round := range rounds {
		victim := s.join("guessed"+string(rune('0'+round))+"@web.test", "Guessed", false)
		known := victim.elsewhere().signIn()
		answers := s.race(tracks, repeated(crowd*3, func(i int) *http.Request {
			if i%2 == 0 {
				return login(victim, "wrong password")
			}
			return grant(victim, "wrong password")
		}))
		evaluated, refused := 0, 0
		for _, a := range answers {
			switch got := a.tokens(t); {
			case a.StatusCode == http.StatusUnprocessableEntity, a.StatusCode == http.StatusBadRequest && !strings.Contains(a.body, "Too many"):
				evaluated++
			case a.StatusCode == http.StatusTooManyRequests, a.StatusCode == http.StatusBadRequest && got.Error == "invalid_grant":
				refused++
			default:
				t.Errorf("answered %v", a)
			}
		}
		if evaluated != free || refused != crowd*3-free {
			t.Errorf("%d guesses were evaluated and %d refused, want %d and the rest", evaluated, refused, free)
		}
		// The right password among the late guesses is not taken, by either door.
		for _, a := range s.race(tracks, []*http.Request{login(victim, victim.password), grant(victim, victim.password)}) {
			if a.StatusCode == http.StatusSeeOther || a.StatusCode == http.StatusOK {
				t.Errorf("the right password during the wait: %v", a)
			}
		}
		// Its owner, at a browser known to the account, does not wait; and others a
		// minute at most.
		known.post("/logout/", url.Values{})
		known.signIn()
		s.clock.Move(time.Minute)
		victim.elsewhere().signIn()
	}
}

// A crowd that signs in honestly is not a crowd of guessers.
func TestRaceSignInsThatAreRight(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{})
	tracks := s.warm(crowd)
	for range rounds {
		answers := s.race(tracks, repeated(crowd, func(i int) *http.Request {
			p := []*person{s.alice, s.mallory}[i%2]
			return p.elsewhere().formRequest("/login/", url.Values{"username": {p.email}, "password": {p.password}})
		}))
		for _, a := range answers {
			if a.StatusCode != http.StatusSeeOther {
				t.Fatalf("answered %v", a)
			}
		}
	}
	if n := s.count("SELECT count(*) FROM accounts_sessions"); n != crowd*rounds {
		t.Errorf("there are %d sessions, want %d", n, crowd*rounds)
	}
}

func TestM83_OneTimePasswords(t *testing.T) {
	t.Parallel()
	absent(t, "one-time passwords and recovery codes")
}

var nonce = regexp.MustCompile(`[A-Z2-7]{26}|v1\.[A-Za-z0-9_.-]+`)

func TestM85_NobodyLearnsWhoHasAnAccount(t *testing.T) {
	t.Parallel()
	s := newSite(t, options{password: true})
	s.alice.signIn()
	s.mallory.signIn()
	disabled := s.join("disabled@web.test", "Disabled", false)
	must(t, s.door.DisableUser(t.Context(), disabled.subject))
	invited, err := s.door.CreateUser(t.Context(), accounts.NewUser{Email: "invited@web.test"})
	must(t, err)
	people := []string{s.alice.email, disabled.email, invited.Email}

	shape := func(a answer, email string) string {
		var names []string
		for name, values := range a.Header {
			if name == "Date" || name == "X-Request-Id" || name == "Content-Length" { // the page holds the address as it was typed
				continue
			}
			for _, v := range values {
				names = append(names, name+": "+nonce.ReplaceAllString(v, "…"))
			}
		}
		slices.Sort(names)
		body := strings.ReplaceAll(strings.ReplaceAll(a.body, email, "X"), url.QueryEscape(email), "X")
		return a.Status + "\n" + strings.ReplaceAll(strings.Join(names, "\n"), url.QueryEscape(email), "X") + "\n" + nonce.ReplaceAllString(body, "…")
	}
	for name, try := range map[string]func(email string) answer{
		"login": func(email string) answer {
			return s.alice.elsewhere().post("/login/", url.Values{"username": {email}, "password": {"wrong password"}})
		},
		"login page": func(email string) answer {
			return s.alice.elsewhere().get("/login/?hint=" + url.QueryEscape(email))
		},
		"reset": func(email string) answer {
			return s.alice.elsewhere().post("/lost-password/", url.Values{"email": {email}})
		},
		"sign-up": func(email string) answer {
			return s.alice.elsewhere().post("/signup/", url.Values{"email": {email}, "name": {"X"}})
		},
		"password grant": func(email string) answer {
			return s.tok(s.legacy, url.Values{"grant_type": {"password"}, "username": {email}, "password": {"wrong password"}}).answer
		},
	} {
		for i := range 8 { // past the limits, too
			s.clock.Move(time.Millisecond)
			const nobody = "nobody@web.test"
			want := shape(try(nobody), nobody)
			for _, email := range people {
				if got := shape(try(email), email); got != want {
					t.Fatalf("%s, try %d, %s gets\n%s\nnobody gets\n%s", name, i+1, email, got, want)
				}
			}
		}
		s.clock.Move(time.Hour)
	}
	// Other people's things, and things that are not there, are answered alike.
	hers, _ := s.pat(s.alice, "records:read")
	for _, path := range []string{"/account/settings/applications/tokens/%s/", "/account/settings/applications/tokens/%s/revoke/", "/account/settings/applications/clients/%s/", "/admin/users/%s/", "/api/v1/tokens/%s"} {
		for _, id := range []string{hers, s.alice.subject, "web"} {
			there, nowhere := s.mallory.get(strings.Replace(path, "%s", id, 1)), s.mallory.get(strings.Replace(path, "%s", hers[:21]+"0", 1))
			if shape(there, id) != shape(nowhere, hers[:21]+"0") {
				t.Errorf("%s tells that %s is there: %v, not %v", path, id, there, nowhere)
			}
		}
	}
	s.clock.Move(time.Hour)
	s.alice.signIn()
}

// Nobody's password costs the same work as somebody's. Work is told by the memory
// that it takes, of which a hash is nearly all: clocks are too coarse a witness. The
// test has the process to itself.
func TestM85_NobodyCostsAsMuch(t *testing.T) {
	const hash = 32 << 20 // bytes
	s := newSite(t, options{hash: accounts.Argon2{Memory: hash >> 10, Time: 1, Threads: 1}})
	must(t, s.door.DisableUser(t.Context(), s.mallory.subject))
	for _, email := range []string{s.alice.email, "nobody@web.test", s.mallory.email} {
		s.clock.Move(2 * time.Minute)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a := s.root.elsewhere().post("/login/", url.Values{"username": {email}, "password": {"wrong password"}})
		runtime.ReadMemStats(&after)
		if a.StatusCode != http.StatusUnprocessableEntity {
			t.Fatalf("%s: %v", email, a)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took < hash || took > hash+hash/4 {
			t.Errorf("%s takes %d bytes, a hash takes %d", email, took, hash)
		}
	}
}
