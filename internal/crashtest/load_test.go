package crashtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"github.com/valetkey/valetkey/internal/livetest"
)

// load is a server and the work that keeps it busy.
type load struct {
	site     *livetest.Site
	server   *livetest.Server
	postgres *livetest.Postgres // nil: SQLite
	ledger   *ledger
	http     *http.Client // follows no redirect

	service *oauth2.Config // client credentials
	web     *oauth2.Config // code flow, with ID tokens
	public  *oauth2.Config // code flow; its refresh tokens rotate
	device  *oauth2.Config // device flow
	api     string         // personal access token for the REST API
	initial string         // initial access token
	made    atomic.Int64   // names given so far
	// throttled counts sign-ins that were told to wait.
	throttled atomic.Int64

	workers []*worker
	chains  []*chain
	setting *setting
	signed  signed
}

// worker does one kind of thing again and again.
type worker struct {
	name string
	do   func(ctx context.Context) error
	done atomic.Int64
}

// refused is an answer that a server in good health must not give.
type refused struct {
	status int
	body   string
}

func (r *refused) Error() string { return fmt.Sprintf("status %d: %.300s", r.status, r.body) }

// cutOff tells whether the connection broke; any other error is an answer that a
// server in good health does not give.
func cutOff(err error) bool {
	var unsent *url.Error
	var broken net.Error
	return errors.As(err, &unsent) || errors.As(err, &broken) || errors.Is(err, io.ErrUnexpectedEOF)
}

// unavailable tells whether the server said so (503).
func unavailable(err error) bool {
	var r *refused
	var stuck *livetest.Stuck
	return errors.As(err, &r) && r.status == http.StatusServiceUnavailable ||
		errors.As(err, &stuck) && stuck.Page.Status == http.StatusServiceUnavailable
}

var person = livetest.Person{Email: "person@example.org", Password: "correct horse battery staple"}

func (l *load) populate(ctx context.Context) (err error) {
	l.http = &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if err := l.site.CreatePerson(ctx, person); err != nil {
		return err
	}
	web := []string{"--redirect-uri", livetest.RedirectURI}
	for _, app := range []struct {
		into **oauth2.Config
		name string
		args []string
	}{
		{&l.service, "Service", []string{"--type", "service"}},
		{&l.web, "Web", append([]string{"--type", "web"}, web...)},
		{&l.public, "Browser", append([]string{"--type", "browser"}, web...)},
		{&l.device, "Television", []string{"--type", "native", "--grant", "device_code", "--grant", "refresh_token"}},
	} {
		if *app.into, err = l.site.CreateApplication(ctx, app.name, app.args...); err != nil {
			return err
		}
	}
	l.web.Scopes = []string{"openid"}
	if l.api, err = l.site.CreateToken(ctx, person, "maker", "tokens:write", "applications:write", "applications:read", "user:email"); err != nil {
		return err
	}
	initial, err := l.site.Run(ctx, "", "client", "initial-token", "create", "--name", "load")
	if err != nil {
		return err
	}
	l.initial = strings.TrimSpace(initial)
	if l.setting, err = l.newSetting(ctx); err != nil {
		return err
	}
	l.hire("client credentials", 2, l.clientCredentials)
	l.hire("personal access token", 1, l.personalToken)
	l.hire("revocation", 2, l.ending(serviceToken, personalToken, registration))
	l.hire("sign-in and consent", 1, l.signIn)
	l.hire("sign-out", 1, l.ending(session))
	devices, err := l.devices(ctx)
	if err != nil {
		return err
	}
	l.hire("device", 1, devices)
	l.hire("registration", 1, l.register)
	l.hire("setting", 1, l.setting.change)
	l.hire("key rotation", 1, l.rotateKey)
	for n := range 2 {
		flow, err := l.codeFlow(ctx)
		if err != nil {
			return err
		}
		l.hire("code flow", 1, flow)
		chain, err := l.newChain(ctx, n)
		if err != nil {
			return err
		}
		l.chains = append(l.chains, chain)
		l.hire("refresh", 1, chain.refresh)
	}
	return nil
}

func (l *load) hire(name string, n int, do func(context.Context) error) {
	for range n {
		l.workers = append(l.workers, &worker{name: name, do: do})
	}
}

// work tells how often each kind of thing was done.
func (l *load) work() map[string]int64 {
	done := map[string]int64{}
	for _, w := range l.workers {
		done[w.name] += w.done.Load()
	}
	return done
}

// bearer is a token that a protected resource accepts.
func (l *load) bearer(token, what string, end func(ctx context.Context) error) *fact {
	return &fact{what, func(ctx context.Context) (bool, error) {
		return works(l.send(ctx, http.MethodGet, "/oauth/ping", "", "", withToken(token)))
	}, end}
}

// works reads an answer that is a success or says that the credentials are not good.
func works(_ []byte, err error) (bool, error) {
	if r, ok := err.(*refused); ok && r.status == http.StatusUnauthorized {
		return false, nil
	}
	return err == nil, err
}

func withToken(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

func (l *load) token(ctx context.Context, app *oauth2.Config, form url.Values) (*answer, error) {
	if app.ClientSecret == "" {
		form.Set("client_id", app.ClientID)
	}
	body, err := l.send(ctx, http.MethodPost, "/oauth/token", formType, form.Encode(), as(app))
	if err != nil {
		return nil, err
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil || a.AccessToken == "" {
		return nil, &refused{http.StatusOK, string(body)}
	}
	return &a, nil
}

// answer is what is read of a token response.
type answer struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	IDToken      string `json:"id_token"`
}

const formType = "application/x-www-form-urlencoded"

// as authenticates a request as a confidential client.
func as(app *oauth2.Config) func(*http.Request) {
	return func(r *http.Request) {
		if app.ClientSecret != "" {
			r.SetBasicAuth(url.QueryEscape(app.ClientID), url.QueryEscape(app.ClientSecret))
		}
	}
}

// send does one request. An answer counts as given only when all of it has
// arrived.
func (l *load) send(ctx context.Context, method, path, contentType, body string, with func(*http.Request)) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, l.site.Issuer+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	with(req)
	resp, err := l.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, &refused{resp.StatusCode, string(bytes.TrimSpace(answer))}
	}
	return answer, nil
}

// pause is how long a worker waits that has nothing to do.
const pause = 5 * time.Millisecond
