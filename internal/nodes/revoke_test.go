package nodes

import (
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/valetkey/valetkey/internal/livetest"
)

// warm makes every node remember the token, and shows that the cut one answers
// from memory: it does so without a database.
func (w *world) warm(token string) {
	w.t.Helper()
	for range 3 {
		for node := range w.addrs {
			want(w.t, "the token on each node", w.introspect(node, token), "active")
			want(w.t, "ping on each node", w.ping(node, token), http.StatusOK)
		}
	}
}

func (w *world) revoke(node int, token string) {
	w.t.Helper()
	status, _ := w.post(node, w.app, "/oauth/revoke", url.Values{"token": {token}})
	want(w.t, "revoking", status, http.StatusOK)
}

// What one node revokes is dead there when it has answered, and everywhere when
// the bound has passed.
func TestRevocationReachesEveryNode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for round, how := range []struct {
		name   string
		revoke func(node int, tok *oauth2.Token)
	}{
		{"the access token", func(node int, tok *oauth2.Token) { w.revoke(node, tok.AccessToken) }},
		{"the grant, by its refresh token", func(node int, tok *oauth2.Token) { w.revoke(node, tok.RefreshToken) }},
		{"the access token", func(node int, tok *oauth2.Token) { w.revoke(node, tok.AccessToken) }},
	} {
		at := round % len(w.addrs)
		tok := w.token()
		w.warm(tok.AccessToken)
		how.revoke(at, tok)
		answered := time.Now()
		want(t, how.name+": where it was revoked", w.introspect(at, tok.AccessToken), "inactive")
		want(t, how.name+": where it was revoked", w.ping(at, tok.AccessToken), http.StatusUnauthorized)
		var seen time.Duration
		for node := range w.addrs {
			for w.introspect(node, tok.AccessToken) == "active" {
				// What was sent after the bound has no excuse.
				if since := time.Since(answered); since > 2*bound {
					t.Fatalf("%s: alive on node %d %v after it was revoked on node %d", how.name, node, since, at)
				}
			}
			seen = max(seen, time.Since(answered))
		}
		t.Logf("%s, revoked on node %d: the last node knew after %v", how.name, at, seen)
		time.Sleep(time.Until(answered.Add(bound)))
		for node := range w.addrs {
			want(t, how.name+": after the bound", w.introspect(node, tok.AccessToken), "inactive")
			want(t, how.name+": after the bound", w.ping(node, tok.AccessToken), http.StatusUnauthorized)
		}
	}

	// The person, the client and its secret are no different.
	tok := w.token()
	w.warm(tok.AccessToken)
	command := func(args ...string) {
		t.Helper()
		_, err := w.site.Run(t.Context(), "", args...)
		must(t, err)
		time.Sleep(bound)
	}
	command("user", "disable", w.alice.Email)
	for node := range w.addrs {
		want(t, "the token of a disabled user", w.introspect(node, tok.AccessToken), "inactive")
	}
	_, err := w.site.Run(t.Context(), "", "user", "enable", w.alice.Email)
	must(t, err)
	for node := range w.addrs { // memory may say yes, never no
		want(t, "the token of a user who was enabled again, at once", w.introspect(node, tok.AccessToken), "active")
	}
	command("client", "delete", w.app.ClientID, "--force")
	for node := range w.addrs {
		want(t, "the token of a deleted client", w.introspect(node, tok.AccessToken), "inactive")
	}
}

// A node that is cut off from the database lives on memory for as long as the
// bound, and refuses then. It comes back by itself, and to the truth.
func TestNodeThatIsCutOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dead, alive := w.token(), w.token()
	w.warm(dead.AccessToken)
	w.warm(alive.AccessToken)

	start := time.Now()
	w.cut.cut()
	first := w.introspect(cutNode, alive.AccessToken)
	if time.Since(start) < bound/2 && first != "active" {
		t.Errorf("cut off for a moment, the node answers %s: it does not live on memory", first)
	}
	w.revoke(0, dead.AccessToken)
	time.Sleep(bound)
	for range 3 {
		for what, tok := range map[string]*oauth2.Token{"a token that was revoked elsewhere": dead, "a live token": alive} {
			want(t, what+", on a node that is cut off", w.introspect(cutNode, tok.AccessToken), fmt.Sprint(http.StatusServiceUnavailable))
			want(t, what+", on a node that is cut off", w.ping(cutNode, tok.AccessToken), http.StatusServiceUnavailable)
		}
	}
	want(t, "the other nodes meanwhile", w.introspect(second, alive.AccessToken), "active")

	w.cut.heal()
	healed := time.Now()
	for w.introspect(cutNode, alive.AccessToken) != "active" {
		if since := time.Since(healed); since > 2*time.Second {
			t.Fatalf("%v after the cut was healed the node does not answer", since)
		}
	}
	t.Logf("back %v after the cut was healed", time.Since(healed))
	for range 3 {
		want(t, "revoked during the cut", w.introspect(cutNode, dead.AccessToken), "inactive")
		want(t, "revoked during the cut", w.ping(cutNode, dead.AccessToken), http.StatusUnauthorized)
	}
}

// A command beside a server writes to the same file, and the server obeys within
// the bound.
func TestCommandBesideAServer(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds and starts the real program")
	}
	binary, err := program()
	must(t, err)
	site, err := livetest.NewSite(t.Context(), binary, t.TempDir())
	must(t, err)
	server, err := site.Start(t.Context())
	must(t, err)
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	w := &world{t: t, site: site, addrs: []string{site.Addr}}
	alice := livetest.Person{Email: "alice@example.org", Password: "a long enough secret 17"}
	must(t, site.CreatePerson(t.Context(), alice))
	token, err := site.CreateToken(t.Context(), alice, "one")
	must(t, err)
	for range 3 {
		want(t, "the token", w.ping(0, token), http.StatusOK)
	}
	_, err = site.Run(t.Context(), "", "token", "delete", "--name", "one", "--user", alice.Email, "--force")
	must(t, err)
	answered := time.Now()
	for w.ping(0, token) != http.StatusUnauthorized {
		if since := time.Since(answered); since > 2*bound {
			t.Fatalf("alive %v after the command that revoked it", since)
		}
	}
	t.Logf("the server knew after %v", time.Since(answered))
	time.Sleep(time.Until(answered.Add(bound)))
	want(t, "after the bound", w.ping(0, token), http.StatusUnauthorized)
}

// Whoever asks after a revocation was answered is never told that the token lives,
// however many ask meanwhile.
func TestNeverAfterTheAnswer(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds and starts the real program")
	}
	binary, err := program()
	must(t, err)
	site, err := livetest.NewSite(t.Context(), binary, t.TempDir())
	must(t, err)
	server, err := site.Start(t.Context())
	must(t, err)
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	w := &world{t: t, site: site, addrs: []string{site.Addr}}
	w.app, err = site.CreateApplication(t.Context(), "Service", "--type", "service")
	must(t, err)
	const tokens, callers = 40, 4
	dead := make([]atomic.Bool, tokens)
	var all []string
	for range tokens {
		status, answer := w.post(0, w.app, "/oauth/token", url.Values{"grant_type": {"client_credentials"}})
		want(t, "a token", status, http.StatusOK)
		access, _ := answer["access_token"].(string)
		all = append(all, access)
	}
	var group sync.WaitGroup
	stop := make(chan struct{})
	var lived, refused atomic.Int64
	for caller := range callers {
		group.Go(func() {
			for i := caller; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				n := i % tokens
				was := dead[n].Load() // before we ask
				status, answer, err := w.tryPost(0, w.app, "/oauth/introspect", url.Values{"token": {all[n]}})
				if err != nil || status != http.StatusOK || was && answer["active"] != false {
					t.Errorf("token %d, revoked before=%v: %d %v, %v", n, was, status, answer, err)
					return
				}
				if answer["active"] == true {
					lived.Add(1)
				} else {
					refused.Add(1)
				}
			}
		})
	}
	for n, token := range all {
		w.revoke(0, token)
		dead[n].Store(true)
	}
	close(stop)
	group.Wait()
	t.Logf("%d answers that a token lives, %d that it does not", lived.Load(), refused.Load())
	if lived.Load() == 0 || refused.Load() == 0 {
		t.Error("nobody asked in time")
	}
}
