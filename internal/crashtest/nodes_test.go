package crashtest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/valetkey/valetkey/internal/livetest"
)

// R4: two processes on one PostgreSQL, and requests whose last bytes are sent at
// once, every other one to the other process. The races with one process, and
// with two servers in one, are in internal/attacks; there are more of them.

const (
	crowd = 64
	// bound is how long a revocation may take to reach the other process: the
	// setting revocation_bound, and some time to ask.
	bound = 2 * time.Second
)

// pair is two processes on one database.
type pair struct {
	*load
	t     *testing.T
	addrs [2]string
	conns [crowd]net.Conn
}

func TestTwoProcessesRace(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("runs the real program")
	}
	ctx := t.Context()
	p := &pair{load: onPostgreSQL(t, ctx), t: t}
	node, err := p.site.Node()
	if err != nil {
		t.Fatal(err)
	}
	other, err := node.Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Kill() })
	p.addrs = [2]string{p.site.Addr, node.Addr}
	for i := range p.conns {
		if p.conns[i], err = net.Dial("tcp", p.addrs[i%2]); err != nil {
			t.Fatal(err)
		}
		defer p.conns[i].Close()
	}
	rounds := int(number(t, "VALETKEY_RACE_ROUNDS", 3))
	visitor := livetest.NewVisitor(person, nil)
	for range rounds {
		p.code(ctx, visitor)
		p.refresh(ctx, visitor)
		p.revokeAgainstRefresh(ctx, visitor)
	}
	t.Logf("%d rounds", rounds)
}

// code: one of the crowd redeems it, and since others had it too, its tokens die.
func (p *pair) code(ctx context.Context, visitor *livetest.Visitor) {
	verifier := oauth2.GenerateVerifier()
	code, err := visitor.Authorize(p.web, verifier)
	if err != nil {
		p.t.Fatal(err)
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {p.web.RedirectURL}, "code_verifier": {verifier}}
	won := p.race(func(int) *http.Request { return p.request(p.web, "/oauth/token", form) })
	if len(won) != 1 {
		p.t.Fatalf("%d of the crowd redeemed the code, want 1", len(won))
	}
	p.dead(ctx, won[0].AccessToken)
}

// refresh: a client of many threads gets one successor.
func (p *pair) refresh(ctx context.Context, visitor *livetest.Visitor) {
	first, err := visitor.Token(ctx, p.public)
	if err != nil {
		p.t.Fatal(err)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.RefreshToken}, "client_id": {p.public.ClientID}}
	won := p.race(func(int) *http.Request { return p.request(p.public, "/oauth/token", form) })
	successors := map[string]bool{}
	for _, a := range won {
		successors[a.RefreshToken] = true
	}
	if len(won) != crowd || len(successors) != 1 || successors[first.RefreshToken] {
		p.t.Fatalf("%d of the crowd were served, with %d successors; want all, and one", len(won), len(successors))
	}
}

// revokeAgainstRefresh: whatever comes first, everything is dead in the end.
func (p *pair) revokeAgainstRefresh(ctx context.Context, visitor *livetest.Visitor) {
	first, err := visitor.Token(ctx, p.public)
	if err != nil {
		p.t.Fatal(err)
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.RefreshToken}, "client_id": {p.public.ClientID}}
	gone := url.Values{"token": {first.RefreshToken}, "client_id": {p.public.ClientID}}
	won := p.race(func(i int) *http.Request {
		if i%8 == 3 {
			return p.request(p.public, "/oauth/revoke", gone)
		}
		return p.request(p.public, "/oauth/token", form)
	})
	p.dead(ctx, first.AccessToken)
	for _, a := range won {
		if a.AccessToken == "" {
			continue // it was the revocation
		}
		p.dead(ctx, a.AccessToken)
		if _, err := p.token(ctx, p.public, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.RefreshToken}}); err == nil {
			p.t.Fatal("a refresh token is alive after its family was revoked")
		}
	}
}

// dead waits until both processes refuse the token, at most for the bound.
func (p *pair) dead(ctx context.Context, token string) {
	p.t.Helper()
	late := time.Now().Add(bound)
	for _, addr := range p.addrs {
		for {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/oauth/ping", nil)
			if err != nil {
				p.t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := p.http.Do(req)
			if err != nil {
				p.t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode == http.StatusUnauthorized {
				break
			}
			if time.Now().After(late) {
				p.t.Fatalf("%s still takes a token that is dead: %d", addr, resp.StatusCode)
			}
			time.Sleep(pause)
		}
	}
}

func (p *pair) request(app *oauth2.Config, path string, form url.Values) *http.Request {
	req, err := http.NewRequest(http.MethodPost, p.site.Issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", formType)
	as(app)(req)
	return req
}

// race sends all but the last byte of each request, then the last bytes at once,
// and returns the answers of success. Any other must be a refusal.
func (p *pair) race(request func(i int) *http.Request) (won []answer) {
	p.t.Helper()
	var last [crowd][]byte
	for i, conn := range p.conns {
		var b bytes.Buffer
		if err := request(i).Write(&b); err != nil {
			p.t.Fatal(err)
		}
		text := b.Bytes()
		if _, err := conn.Write(text[:len(text)-1]); err != nil {
			p.t.Fatal(err)
		}
		last[i] = text[len(text)-1:]
	}
	time.Sleep(pause)
	var mu sync.Mutex
	var done sync.WaitGroup
	start := make(chan struct{})
	for i, conn := range p.conns {
		done.Go(func() {
			<-start
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			if _, err := conn.Write(last[i]); err != nil {
				p.t.Error(err)
				return
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				p.t.Error(err)
				return
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				p.t.Error(err)
			}
			switch resp.StatusCode {
			case http.StatusOK:
				var a answer
				if len(body) > 0 {
					if err := json.Unmarshal(body, &a); err != nil {
						p.t.Error(err)
					}
				}
				mu.Lock()
				won = append(won, a)
				mu.Unlock()
			case http.StatusBadRequest, http.StatusUnauthorized:
			default:
				p.t.Errorf("answered %d %s", resp.StatusCode, body)
			}
		})
	}
	close(start)
	done.Wait()
	if p.t.Failed() {
		p.t.FailNow()
	}
	return won
}
