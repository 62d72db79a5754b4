package crashtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
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
	site    *livetest.Site
	server  *livetest.Server
	ledger  *ledger
	service *oauth2.Config // client credentials
	web     *oauth2.Config // code flow
	public  *oauth2.Config // code flow; its refresh tokens rotate
	makePAT string         // personal access token that may make others
	made    atomic.Int64   // personal access tokens asked for so far
	workers []*worker
	chains  []*chain
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

var person = livetest.Person{Email: "person@example.org", Password: "correct horse battery staple"}

func (l *load) populate(ctx context.Context) (err error) {
	if err := l.site.CreatePerson(ctx, person); err != nil {
		return err
	}
	if l.service, err = l.site.CreateApplication(ctx, "Service", "--type", "service"); err != nil {
		return err
	}
	if l.web, err = l.site.CreateApplication(ctx, "Web", "--type", "web", "--redirect-uri", livetest.RedirectURI); err != nil {
		return err
	}
	if l.public, err = l.site.CreateApplication(ctx, "Browser", "--type", "browser", "--redirect-uri", livetest.RedirectURI); err != nil {
		return err
	}
	if l.makePAT, err = l.site.CreateToken(ctx, person, "maker", "tokens:write", "user:email"); err != nil {
		return err
	}
	l.add("client credentials", l.clientCredentials)
	l.add("client credentials", l.clientCredentials)
	l.add("personal access token", l.personalToken)
	l.add("revocation", l.revocation)
	l.add("revocation", l.revocation)
	for n := range 2 {
		flow, err := l.codeFlow(ctx)
		if err != nil {
			return err
		}
		l.add("code flow", flow)
		chain, err := l.newChain(ctx, n)
		if err != nil {
			return err
		}
		l.chains = append(l.chains, chain)
		l.add("refresh", chain.refresh)
	}
	return nil
}

func (l *load) add(name string, do func(context.Context) error) {
	l.workers = append(l.workers, &worker{name: name, do: do})
}

// work tells how often each kind of thing was done.
func (l *load) work() map[string]int64 {
	done := map[string]int64{}
	for _, w := range l.workers {
		done[w.name] += w.done.Load()
	}
	return done
}

const serviceToken = "a client credentials token"

func (l *load) clientCredentials(ctx context.Context) error {
	token, err := l.token(ctx, l.service, url.Values{"grant_type": {"client_credentials"}})
	if err != nil {
		return err
	}
	l.ledger.issued(token.AccessToken, serviceToken)
	return nil
}

func (l *load) personalToken(ctx context.Context) error {
	wanted := fmt.Sprintf(`{"name":"made %d","scopes":["user:email"],"expires_at":%q}`, l.made.Add(1), time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	body, err := l.send(ctx, http.MethodPost, "/api/v1/tokens", "application/json", wanted,
		func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+l.makePAT) })
	if err != nil {
		return err
	}
	var made struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(body, &made); err != nil || made.Token == "" {
		return &refused{http.StatusOK, string(body)}
	}
	l.ledger.issued(made.Token, "a personal access token")
	return nil
}

// revocation kills one client credentials token (RFC 7009).
func (l *load) revocation(ctx context.Context) error {
	token, ok := l.ledger.take(serviceToken)
	if !ok {
		time.Sleep(time.Millisecond) // the others will make one
		return nil
	}
	_, err := l.send(ctx, http.MethodPost, "/oauth/revoke", formType, url.Values{"token": {token}}.Encode(), as(l.service))
	if err != nil {
		return err
	}
	l.ledger.revoked(token, serviceToken)
	return nil
}

// codeFlow signs in and agrees once, so that each round is a redirect and a redemption.
func (l *load) codeFlow(ctx context.Context) (func(context.Context) error, error) {
	visitor := livetest.NewVisitor(person, nil)
	round := func(ctx context.Context) error {
		verifier := oauth2.GenerateVerifier()
		code, err := visitor.Authorize(l.web, verifier)
		if err != nil {
			return err
		}
		token, err := l.token(ctx, l.web, url.Values{
			"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {livetest.RedirectURI}, "code_verifier": {verifier},
		})
		if err != nil {
			return err
		}
		l.ledger.issued(token.AccessToken, "an access token of the code flow")
		return nil
	}
	return round, round(ctx)
}

// chain is one refresh token and its successors.
type chain struct {
	load    *load
	n       int
	current string
}

func (l *load) newChain(ctx context.Context, n int) (*chain, error) {
	token, err := livetest.NewVisitor(person, nil).Token(ctx, l.public)
	if err != nil {
		return nil, err
	}
	return &chain{load: l, n: n, current: token.RefreshToken}, nil
}

func (c *chain) refresh(ctx context.Context) error {
	token, err := c.load.token(ctx, c.load.public, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.current}})
	if err != nil {
		return err
	}
	if token.RefreshToken == c.current {
		return &refused{http.StatusOK, "the refresh token did not rotate"}
	}
	c.current = token.RefreshToken
	c.load.ledger.issued(token.AccessToken, "an access token of a refresh")
	return nil
}

// verify repeats the refresh that the kill may have cut off.
func (c *chain) verify(ctx context.Context) error {
	if err := c.refresh(ctx); err != nil {
		return fmt.Errorf("lost: refresh chain %d is broken: %w", c.n, err)
	}
	return nil
}

// alive tells whether a protected resource accepts the token.
func (l *load) alive(ctx context.Context, token string) (bool, error) {
	_, err := l.send(ctx, http.MethodGet, "/oauth/ping", "", "", func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+token)
	})
	if r, ok := err.(*refused); ok && r.status == http.StatusUnauthorized {
		return false, nil
	}
	return err == nil, err
}

func (l *load) token(ctx context.Context, app *oauth2.Config, form url.Values) (*oauth2.Token, error) {
	if app.ClientSecret == "" {
		form.Set("client_id", app.ClientID)
	}
	body, err := l.send(ctx, http.MethodPost, "/oauth/token", formType, form.Encode(), as(app))
	if err != nil {
		return nil, err
	}
	var token oauth2.Token
	if err := json.Unmarshal(body, &token); err != nil || token.AccessToken == "" {
		return nil, &refused{http.StatusOK, string(body)}
	}
	return &token, nil
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
	resp, err := http.DefaultClient.Do(req)
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
