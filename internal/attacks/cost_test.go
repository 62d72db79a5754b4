package attacks

import (
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

var update = flag.Bool("update", false, "write testdata/cost-*.txt anew")

// What each request makes the database do, so that nobody makes it do more
// unnoticed: statements, commits, and on PostgreSQL messages to and fro. Once with
// what a server remembers, and once where every request asks the database.
func TestCost(t *testing.T) {
	t.Parallel()
	for _, postgres := range []bool{false, true} {
		name := "sqlite"
		if postgres {
			name = "postgresql"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if postgres {
				postgresSchema(t) // or skip
			}
			var table strings.Builder
			fmt.Fprintf(&table, "%-34s %28s   %28s\n", "", "remembering", "asking every time")
			fmt.Fprintf(&table, "%-34s %28s   %28s\n", "operation", "statements commits trips", "statements commits trips")
			var columns [2]map[string]work
			var order []string
			for i, bound := range []time.Duration{time.Minute, -1} {
				columns[i], order = costs(t, postgres, bound)
			}
			for _, op := range order {
				line := fmt.Sprintf("%-34s", op)
				for i, c := range columns {
					w := c[op]
					trips := fmt.Sprint(w.trips)
					if !postgres {
						trips = "-"
					}
					line += strings.Repeat(" ", 1+2*i) + fmt.Sprintf("%14d %7d %5s", w.statements, w.commits, trips)
				}
				table.WriteString(strings.TrimRight(line, " ") + "\n")
			}
			file := "testdata/cost-" + name + ".txt"
			if *update {
				must(t, os.MkdirAll("testdata", 0o755))
				must(t, os.WriteFile(file, []byte(table.String()), 0o644))
			}
			want, err := os.ReadFile(file)
			must(t, err)
			if got := table.String(); got != string(want) {
				t.Errorf("got\n%s\nwant\n%s\nif that is meant: go test ./internal/attacks -run TestCost -update", got, want)
			}
		})
	}
}

// costs measures every operation on a site of its own.
func costs(t *testing.T, postgres bool, bound time.Duration) (costs map[string]work, order []string) {
	t.Helper()
	meter := &meter{}
	s := newSite(t, options{postgres: postgres, meter: meter, server: func(c *valetkey.Config) { c.RevocationBound = bound }})
	s.alice.signIn()
	s.alice.flow(s.web)
	costs = map[string]work{}

	// measure does it some times and keeps the least, which is without what is
	// done once a minute, or after the answer.
	const times = 6
	measure := func(op string, prepare func() func()) {
		t.Helper()
		order = append(order, op)
		for i := range times {
			do := prepare()
			s.rest()
			before := meter.read()
			do()
			w := meter.read().minus(before)
			if least, ok := costs[op]; i == 0 || !ok || w.trips < least.trips {
				costs[op] = w
			}
		}
	}
	again := func(do func()) func() func() { return func() func() { return do } }
	key := oauthtest.NewSigner(t, "ES256", "k")
	robot := s.register("robot", oauth.ServiceApplication)
	s.change(robot, func(c *oauth.Client) {
		c.AuthMethod, c.Metadata.JWKS = oauth.AuthPrivateKeyJWT, oauthtest.JWKS(t, key)
	})
	cc := url.Values{"grant_type": {"client_credentials"}}
	token := s.tok(s.m2m, cc).Access
	user := s.alice.flow(s.web, "scope", "openid records:read")
	_, pat := s.pat(s.alice, "records:read")

	measure("client credentials", again(func() { s.tok(s.m2m, cc).want(t, 200, "") }))
	measure("authorize, consent remembered", again(func() { s.alice.az(ask(s.web)) }))
	measure("redeem a code", func() func() {
		code := s.alice.code(s.web)
		return func() { s.tok(s.web, redeem(s.web, code)).want(t, 200, "") }
	})
	measure("redeem a code, openid", func() func() {
		code := s.alice.code(s.web, "scope", "openid records:read")
		return func() { s.tok(s.web, redeem(s.web, code)).want(t, 200, "") }
	})
	measure("refresh, confidential client", again(func() { s.tok(s.web, refresh(user.Refresh)).want(t, 200, "") }))
	spa := s.alice.flow(s.spa).Refresh
	measure("refresh, rotating", again(func() {
		a := s.tok(s.spa, refresh(spa))
		a.want(t, 200, "")
		spa = a.Refresh
	}))
	measure("introspect", again(func() { s.active(s.rs, token) }))
	measure("userinfo", again(func() {
		if a := s.do("GET", "/oauth/userinfo", "", "Authorization", "Bearer "+user.Access); a.StatusCode != http.StatusOK {
			t.Errorf("userinfo: %v", a)
		}
	}))
	measure("guarded resource, personal token", again(func() {
		if !s.reads(pat) {
			t.Error("the token does not read")
		}
	}))
	forged := token[:len(token)-1] + "~"
	measure("guarded resource, forged token", again(func() { s.reads(forged) }))
	measure("revoke an access token", func() func() {
		made := s.tok(s.m2m, cc).Access
		return func() { s.rev(s.m2m, made).want(t, 200, "") }
	})
	measure("client credentials, signed client", func() func() {
		asserted := s.asserted(robot, key, nil)
		return func() { s.tok(nil, asserted).want(t, 200, "") }
	})
	measure("push a request", again(func() { s.as(s.web, "/oauth/par", ask(s.web)).want(t, 201, "") }))
	measure("make a personal token", func() func() {
		form := s.alice.get("/account/settings/applications/tokens/new/").form()
		form.Set("name", "made "+time.Now().Format(time.RFC3339Nano))
		form["scopes"] = []string{"records:read"}
		return func() {
			if a := s.alice.post("/account/settings/applications/tokens/new/", form); a.StatusCode >= 400 {
				t.Errorf("a personal token: %v", a)
			}
		}
	})
	measure("sign in", func() func() {
		fresh := s.alice.elsewhere()
		return func() { fresh.login(fresh.password) }
	})
	measure("settings page", again(func() { s.alice.get("/account/settings/applications/") }))
	return costs, order
}

// rest waits until what is done after an answer is done.
func (s *site) rest() {
	s.settle()
	for quiet, last := 0, s.o.meter.read(); quiet < 3; {
		time.Sleep(time.Millisecond)
		if now := s.o.meter.read(); now == last {
			quiet++
		} else {
			quiet, last = 0, now
		}
	}
}
