package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/valetkey/valetkey/internal/livetest"
)

// errUnavailable is the only answer that a server in trouble may give: 503 with
// Retry-After.
var errUnavailable = errors.New("503 with Retry-After")

// errIdle: there is no token to do it to.
var errIdle = errors.New("nothing to do")

// traffic is what clients want of a site, and what they were told.
type traffic struct {
	site    *livetest.Site
	client  *http.Client
	service *oauth2.Config
	public  *oauth2.Config
	visitor *livetest.Visitor
	workers []*worker
	chains  []*chain

	mu    sync.Mutex
	alive map[string]bool // acknowledged, by access token
	dead  map[string]bool

	longest   atomic.Int64 // nanoseconds that an answer took
	notReady  atomic.Int64 // answers of /readyz
	unhealthy atomic.Int64 // answers of /healthz that were not 200
}

// worker does one thing again and again.
type worker struct {
	name        string
	do          func(context.Context) error
	done        atomic.Int64
	unavailable atomic.Int64
	since       atomic.Int64 // successes that began after the repair
}

var person = livetest.Person{Email: "person@example.org", Password: "correct horse battery staple"}

func newTraffic(ctx context.Context, site *livetest.Site) (*traffic, error) {
	// Longer than any answer may take: whoever is let down by the server notices.
	v := &traffic{site: site, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: time.Minute},
		alive: map[string]bool{}, dead: map[string]bool{}}
	err := site.CreatePerson(ctx, person)
	if err != nil {
		return nil, err
	}
	if v.service, err = site.CreateApplication(ctx, "Service", "--type", "service"); err != nil {
		return nil, err
	}
	if v.public, err = site.CreateApplication(ctx, "Browser", "--type", "browser", "--redirect-uri", livetest.RedirectURI); err != nil {
		return nil, err
	}
	v.visitor = livetest.NewVisitor(person, nil)
	v.add("token", v.issue)
	v.add("token", v.issue)
	v.add("revoke", v.revoke)
	v.add("introspect", v.introspect)
	v.add("page", v.page)
	v.add("sign in", func(ctx context.Context) error {
		pause(ctx, 200*time.Millisecond) // each takes a processor for a while
		return v.signIn()
	})
	for range 2 {
		token, err := v.visitor.Token(ctx, v.public)
		if err != nil {
			return nil, err
		}
		c := &chain{v, token.RefreshToken}
		v.chains = append(v.chains, c)
		v.add("refresh", c.refresh)
	}
	return v, nil
}

func (v *traffic) add(name string, do func(context.Context) error) {
	v.workers = append(v.workers, &worker{name: name, do: do})
}

// through runs the traffic while the fault comes, lasts and is repaired, and until
// everybody has been served again.
func (v *traffic) through(t *testing.T, fault func() error, lasts time.Duration, repair func() error) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	var repaired atomic.Bool
	faults := make(chan error, 100)
	complain := func(err error) {
		select {
		case faults <- err:
		default: // there are enough
		}
	}
	for _, w := range v.workers {
		all.Go(func() {
			for ctx.Err() == nil {
				after := repaired.Load()
				err := w.do(ctx)
				switch {
				case ctx.Err() != nil, errors.Is(err, errIdle):
				case errors.Is(err, errUnavailable):
					w.unavailable.Add(1)
				case err != nil:
					complain(fmt.Errorf("%s: %w", w.name, err))
				default:
					w.done.Add(1)
					if after {
						w.since.Add(1)
					}
				}
				pause(ctx, 10*time.Millisecond)
			}
		})
	}
	all.Go(func() {
		for ctx.Err() == nil {
			if status, _, err := v.send(ctx, http.MethodGet, "/healthz", nil, nil); ctx.Err() == nil && (err != nil || status != http.StatusOK) {
				v.unhealthy.Add(1)
				complain(fmt.Errorf("/healthz: status %d, %w", status, err))
			}
			if _, _, err := v.send(ctx, http.MethodGet, "/readyz", nil, nil); err != nil {
				v.notReady.Add(1)
			}
			pause(ctx, 100*time.Millisecond)
		}
	})

	pause(ctx, time.Second)
	if err := fault(); err != nil {
		t.Fatalf("the fault could not be made: %v", err)
	}
	pause(ctx, lasts)
	for begin := time.Now(); (v.refused() == 0 || v.notReady.Load() == 0) && time.Since(begin) < time.Minute; {
		pause(ctx, 50*time.Millisecond) // on a busy machine it takes longer to be noticed
	}
	if err := repair(); err != nil {
		t.Fatalf("the fault could not be repaired: %v", err)
	}
	repaired.Store(true)
	begin := time.Now()
	recovered := map[string]time.Duration{}
	for len(recovered) < len(v.workers) && time.Since(begin) < time.Minute {
		for n, w := range v.workers {
			id := fmt.Sprint(w.name, " ", n)
			if _, seen := recovered[id]; !seen && w.since.Load() > 0 {
				recovered[id] = time.Since(begin)
			}
		}
		pause(ctx, 5*time.Millisecond)
	}
	var slowest time.Duration
	for n, w := range v.workers {
		took, ok := recovered[fmt.Sprint(w.name, " ", n)]
		if !ok {
			t.Errorf("%s did not recover within a minute", w.name)
		}
		slowest = max(slowest, took)
	}
	pause(ctx, 500*time.Millisecond) // and it stays so
	stop()
	all.Wait()
	close(faults)
	for err := range faults {
		t.Error(err)
	}
	for _, w := range v.workers {
		t.Logf("%-10s %5d done, %4d times 503", w.name, w.done.Load(), w.unavailable.Load())
	}
	t.Logf("everybody was served again %v after the repair; the longest answer took %v; /readyz said no %d times",
		slowest.Round(time.Millisecond), time.Duration(v.longest.Load()).Round(time.Millisecond), v.notReady.Load())
	if v.refused() == 0 {
		t.Error("nobody noticed the fault")
	}
	if v.notReady.Load() == 0 {
		t.Error("/readyz did not notice the fault")
	}
}

// refused is how often somebody was told to come back later.
func (v *traffic) refused() (n int64) {
	for _, w := range v.workers {
		n += w.unavailable.Load()
	}
	return n
}

// verify holds the server to everything it has acknowledged.
func (v *traffic) verify(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	if status, _, err := v.send(ctx, http.MethodGet, "/readyz", nil, nil); status != http.StatusOK {
		t.Errorf("/readyz: %d, %v", status, err)
	}
	check := func(tokens map[string]bool, want bool, what string) {
		for token := range tokens {
			active, err := v.active(ctx, token)
			if err != nil || active != want {
				t.Errorf("%s: active is %v (%v)", what, active, err)
				return
			}
		}
	}
	check(v.alive, true, "lost: a token that was handed out")
	check(v.dead, false, "revived: a token that was revoked")
	for n, c := range v.chains {
		if err := c.refresh(ctx); err != nil {
			t.Errorf("refresh chain %d is broken: %v", n, err)
		}
	}
	t.Logf("%d tokens are alive and %d dead as acknowledged", len(v.alive), len(v.dead))
}

func (v *traffic) issue(ctx context.Context) error {
	token, err := v.token(ctx, v.service, url.Values{"grant_type": {"client_credentials"}})
	if err == nil {
		v.mu.Lock()
		v.alive[token.AccessToken] = true
		v.mu.Unlock()
	}
	return err
}

// take takes a living token out of those that are vouched for.
func (v *traffic) take(remove bool) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	for token := range v.alive {
		if remove {
			delete(v.alive, token)
		}
		return token
	}
	return ""
}

func (v *traffic) revoke(ctx context.Context) error {
	token := v.take(true)
	if token == "" {
		return errIdle
	}
	_, _, err := v.send(ctx, http.MethodPost, "/oauth/revoke", url.Values{"token": {token}}, v.service)
	if err == nil {
		v.mu.Lock()
		v.dead[token] = true
		v.mu.Unlock()
	}
	return err
}

func (v *traffic) introspect(ctx context.Context) error {
	token := v.take(false)
	if token == "" {
		return errIdle
	}
	_, err := v.active(ctx, token) // somebody may be revoking it
	return err
}

func (v *traffic) active(ctx context.Context, token string) (bool, error) {
	_, body, err := v.send(ctx, http.MethodPost, "/oauth/introspect", url.Values{"token": {token}}, v.service)
	var answer struct{ Active bool }
	if err == nil {
		err = json.Unmarshal(body, &answer)
	}
	return answer.Active, err
}

// page looks at a page of somebody who is signed in.
func (v *traffic) page(context.Context) error {
	begin := time.Now()
	page, err := v.visitor.Open(v.site.Issuer + "/account/settings/applications/")
	if err != nil {
		return err
	}
	v.took(begin)
	if page.Status == http.StatusOK && page.URL.Path != "/account/settings/applications/" {
		return fmt.Errorf("signed out: sent to %v", page.URL)
	}
	return judge(page.Status, page.Header, page.Body)
}

// signIn signs the person in with a browser that has never been here.
func (v *traffic) signIn() error {
	visitor := livetest.NewVisitor(person, v.client.Transport)
	page, err := visitor.Open(v.site.Issuer + "/login/")
	if err != nil {
		return err
	}
	if err := judge(page.Status, page.Header, page.Body); err != nil {
		return err
	}
	page, err = visitor.Send(page.Form().Set("username", person.Email).Set("password", person.Password))
	if err != nil {
		return err
	}
	if page.Status == http.StatusTooManyRequests && page.Header.Get("Retry-After") != "" {
		return errUnavailable
	}
	return judge(page.Status, page.Header, page.Body)
}

// chain is one refresh token and its successors.
type chain struct {
	v       *traffic
	current string
}

func (c *chain) refresh(ctx context.Context) error {
	token, err := c.v.token(ctx, c.v.public, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.current}})
	if err == nil {
		c.current = token.RefreshToken
	}
	return err
}

func (v *traffic) token(ctx context.Context, app *oauth2.Config, form url.Values) (*oauth2.Token, error) {
	_, body, err := v.send(ctx, http.MethodPost, "/oauth/token", form, app)
	if err != nil {
		return nil, err
	}
	var token oauth2.Token
	if err := json.Unmarshal(body, &token); err != nil || token.AccessToken == "" {
		return nil, fmt.Errorf("no token in %s", body)
	}
	return &token, nil
}

func (v *traffic) send(ctx context.Context, method, path string, form url.Values, as *oauth2.Config) (int, []byte, error) {
	if as != nil && as.ClientSecret == "" {
		form.Set("client_id", as.ClientID)
	}
	req, err := http.NewRequestWithContext(ctx, method, v.site.Issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if as != nil && as.ClientSecret != "" {
		req.SetBasicAuth(url.QueryEscape(as.ClientID), url.QueryEscape(as.ClientSecret))
	}
	begin := time.Now()
	resp, err := v.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, err
	}
	v.took(begin)
	return resp.StatusCode, body, judge(resp.StatusCode, resp.Header, body)
}

// judge is nil for what was done, and errUnavailable for what was refused well.
func judge(status int, header http.Header, body []byte) error {
	switch {
	case status < 400:
		return nil
	case status == http.StatusServiceUnavailable && header.Get("Retry-After") != "":
		return errUnavailable
	}
	return fmt.Errorf("status %d, Retry-After %q: %.300s", status, header.Get("Retry-After"), body)
}

func (v *traffic) took(begin time.Time) {
	took := int64(time.Since(begin))
	for {
		longest := v.longest.Load()
		if took <= longest || v.longest.CompareAndSwap(longest, took) {
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
