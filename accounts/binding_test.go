package accounts_test

import (
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/oauth"
)

// machine is where a copied cookie jar is used.
type machine struct{ agent, address string }

// at asks who the jar is signed in as on that machine. The test's proxy tells
// the address.
func (h *house) at(m machine, jar string) string {
	h.t.Helper()
	b, err := io.ReadAll(h.do("GET", "/me", "", map[string]string{"Cookie": jar, "User-Agent": m.agent, "X-Forwarded-For": m.address}).Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(b)
}

func newBoundHouse(t *testing.T, b accounts.Binding) *house {
	return newHouse(t, func(c *accounts.Config) {
		c.Binding = b
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
}

// The table of what a session is bound to: each level, each way to move.
func TestParity0_SameMachineAndSameBrowser(t *testing.T) {
	t.Parallel()
	const newer = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0"
	home := machine{firefox, "192.0.2.7"}
	for _, c := range []struct {
		name     string
		to       machine
		noDevice bool // T1: the device cookie does not come along
		want     map[accounts.Binding]string
	}{
		{"nothing changed", home, false, map[accounts.Binding]string{"off": "", "standard": "", "network": "", "strict": ""}},
		{"T3 minor update", machine{newer, home.address}, false, map[accounts.Binding]string{"off": "", "standard": "", "network": "", "strict": "ended"}},
		{"another address of the network", machine{firefox, "192.0.2.99"}, false, map[accounts.Binding]string{"off": "", "standard": "", "network": "", "strict": "ended"}},
		{"another network", machine{firefox, "198.51.100.7"}, false, map[accounts.Binding]string{"off": "", "standard": "", "network": "stale", "strict": "ended"}},
		{"another browser", machine{chrome, home.address}, false, map[accounts.Binding]string{"off": "", "standard": "stale", "network": "stale", "strict": "ended"}},
		{"T1 device cookie withheld", home, true, map[accounts.Binding]string{"off": "", "standard": "ended", "network": "ended", "strict": "ended"}},
	} {
		for binding, want := range c.want {
			for _, remember := range []string{"", "&remember=yes"} {
				t.Run(fmt.Sprintf("%s/%s%s", c.name, binding, remember), func(t *testing.T) {
					t.Parallel()
					h := newBoundHouse(t, binding)
					acc := h.alice()
					resp := h.do("POST", "/login/", credentials(alice, password)+remember, map[string]string{"User-Agent": home.agent, "X-Forwarded-For": home.address})
					var all, without []string
					for _, ck := range resp.Cookies() {
						all = append(all, ck.Name+"="+ck.Value)
						if ck.Name != "vk_dev" {
							without = append(without, ck.Name+"="+ck.Value)
						}
					}
					jar, moved := strings.Join(all, "; "), strings.Join(all, "; ")
					if c.noDevice {
						moved = strings.Join(without, "; ")
					}
					wants := map[string][2]string{"": {alice, alice}, "stale": {alice + " stale", alice + " stale"}, "ended": {"nobody", "nobody"}}[want]
					if got := h.at(c.to, moved); got != wants[0] {
						t.Errorf("there: %q, want %q", got, wants[0])
					}
					// What was lost there is lost at home too: the cookie is out.
					if got := h.at(home, jar); got != wants[1] {
						t.Errorf("back at home: %q, want %q", got, wants[1])
					}
					for range 3 {
						h.at(c.to, moved)
					}
					told := map[string]oauth.EventType{"stale": oauth.EventSessionStale, "ended": oauth.EventSessionRevoked}[want]
					n := 0
					for _, e := range h.events(acc.ID) {
						if e == told {
							n++
						}
					}
					if told != "" && n != 1 {
						t.Errorf("%d events %s, want one", n, told)
					}
				})
			}
		}
	}
}

// T2: a phone that roams is never signed out at the standard level.
func TestRoamingThroughFiftyNetworks(t *testing.T) {
	t.Parallel()
	h := newBoundHouse(t, accounts.BindingStandard)
	h.alice()
	resp := h.do("POST", "/login/", credentials(alice, password), map[string]string{"User-Agent": firefox, "X-Forwarded-For": "192.0.2.1"})
	var jar []string
	for _, c := range resp.Cookies() {
		jar = append(jar, c.Name+"="+c.Value)
	}
	for i := range 50 {
		if got := h.at(machine{firefox, fmt.Sprintf("198.51.%d.7", i)}, strings.Join(jar, "; ")); got != alice {
			t.Fatalf("network %d: %q", i, got)
		}
	}
}

// A stale session must be confirmed before anything sensitive, and is good again
// afterwards.
func TestStaleSessionIsConfirmed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	p := h.visitor().signIn(alice, password)
	p.Headers.Set("User-Agent", chrome)
	p.mustBe(alice + " stale")
	page := p.open("/account/settings/sessions/revoke?others=yes")
	if page.URL.Path != "/login/" || !page.Contains("confirm it’s you") {
		t.Fatalf("a sensitive page with a stale session: %v", page)
	}
	page = p.send(page.Form().Set("password", password))
	if page.URL.RequestURI() != "/account/settings/sessions/revoke?others=yes" {
		t.Errorf("after confirming: %v", page)
	}
	p.mustBe(alice)
}

// M65: the session cookie has one spelling.
func TestM65_SessionCookieHasOneSpelling(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.alice()
	p := h.visitor().signIn(alice, password)
	sid, device := p.cookie("vk_sid"), p.cookie("vk_dev")
	who := func(sid string) string {
		return h.at(machine{firefox, ""}, "vk_sid="+sid+"; vk_dev="+device)
	}
	if got := who(sid); got != alice {
		t.Fatalf("control: %q", got)
	}
	others := []string{sid + "=", sid + "A", strings.ToLower(sid), strings.ToUpper(sid), "%00" + sid, strings.NewReplacer("-", "+", "_", "/").Replace(sid) + "="}
	for i := range sid {
		others = append(others, sid[:i], sid[i+1:])
		for bit := range 8 {
			b := []byte(sid)
			if b[i] ^= 1 << bit; b[i] > ' ' && b[i] < 0x7f && !strings.ContainsRune(`";,\`, rune(b[i])) {
				others = append(others, string(b))
			}
		}
	}
	for _, other := range others {
		if other == sid {
			continue
		}
		if got := who(other); got != "nobody" {
			t.Errorf("cookie %q for %q: %q", other, sid, got)
		}
	}
}

func TestAgentFamilies(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string][2]string{
		firefox: {"Firefox", "Linux"},
		chrome:  {"Chrome", "Windows"},
		"Mozilla/5.0 (iPhone; CPU iPhone OS 26_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Mobile/15E148 Safari/604.1": {"Safari", "iOS"},
		"Mozilla/5.0 (Linux; Android 16; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36":                         {"Chrome", "Android"},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0":     {"Edge", "macOS"},
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15":                   {"Safari", "macOS"},
		"curl/8.14.1": {"curl", "Other"},
		"":            {"Other", "Other"},
	} {
		a, s := accounts.ParseAgent(agent)
		if got := [2]string{a, s}; !slices.Equal(got[:], want[:]) {
			t.Errorf("%q: %v, want %v", agent, got, want)
		}
	}
}
