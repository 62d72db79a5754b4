package attacks

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/cli"
)

// program is "valetkey serve" as an operator starts it, in this process.
type program struct {
	t    *testing.T
	addr string // where it listens
	out  *output
}

// issuerOfProgram is what the operator configured; a proxy would answer there.
const issuerOfProgram = "https://id.web.test"

// output is what the program prints.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

var servingAt = regexp.MustCompile(`"addr":"([^"]+)"`)

func startProgram(t *testing.T, settings ...string) *program {
	t.Helper()
	dir := t.TempDir()
	p := &program{t: t, out: &output{}}
	run := func(ctx context.Context, args ...string) int {
		env := &cli.Env{Stdin: strings.NewReader(""), Stdout: p.out, Stderr: p.out, Now: time.Now}
		return cli.Run(ctx, env, args)
	}
	if code := run(t.Context(), "init", "--dir", dir, "--issuer", issuerOfProgram); code != 0 {
		t.Fatalf("init ended with %d: %s", code, p.out)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	args := append([]string{"serve", "--config", filepath.Join(dir, "valetkey.yaml"), "--addr", "127.0.0.1:0", "--metrics-addr", "127.0.0.1:0", "--server-drain", "0s"}, settings...)
	go func() { ended <- run(ctx, args...) }()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("serve ended with %d: %s", code, p.out)
		}
	})
	for p.addr == "" {
		select {
		case code := <-ended:
			ended <- code
			t.Fatalf("serve ended with %d: %s", code, p.out)
		case <-time.After(5 * time.Millisecond):
		}
		if m := servingAt.FindStringSubmatch(p.out.String()); m != nil {
			p.addr = m[1]
		}
	}
	return p
}

func (p *program) do(method, host, path, body string, headers ...string) answer {
	p.t.Helper()
	req, err := http.NewRequest(method, "http://"+p.addr+path, strings.NewReader(body))
	must(p.t, err)
	req.Host = host
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	must(p.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(p.t, err)
	return answer{res, string(text)}
}

// The program answers for its own hosts only: whoever points another name at its
// listener (DNS rebinding) gets nothing, on loopback neither.
func TestM27_TheProgramRefusesOtherHosts(t *testing.T) {
	t.Parallel()
	p := startProgram(t, "--server-hosts", "id.internal,10.0.0.5:8080")
	_, port, _ := strings.Cut(p.addr, ":")
	const metadata, login = "/.well-known/oauth-authorization-server", "/account/settings/applications/"
	for _, host := range []string{"evil.test", "evil.test:" + port, "id.web.test.evil.test", "evilid.web.test", "id.web.test.", "id.web.test@evil.test", "id.web.test:" + port,
		"10.0.0.5", "id.internal:" + port, "127.0.0.1", "127.0.0.1:1", "localhost", "0.0.0.0:" + port, "127.0.0.2:" + port, "[::ffff:127.0.0.1]:" + port} {
		for _, path := range []string{metadata, login, "/login/", "/oauth/token", "/api/v1/tokens", "/", "/assets/", "//healthz", "/healthz/../login/"} {
			a := p.do("GET", host, path, "", "X-Forwarded-Host", "id.web.test")
			if a.StatusCode != http.StatusMisdirectedRequest || strings.Contains(a.body, host) || a.Header.Get("Location") != "" {
				t.Errorf("Host %s, %s: %v, want 421", host, path, a)
			}
		}
		for _, path := range []string{"/healthz", "/readyz"} {
			if a := p.do("GET", host, path, ""); a.StatusCode != http.StatusOK {
				t.Errorf("Host %s, %s: %v, want 200", host, path, a)
			}
		}
	}
	for _, host := range []string{"id.web.test", "ID.web.test:443", p.addr, "localhost:" + port, "[::1]:" + port, "id.internal", "10.0.0.5:8080"} {
		a := p.do("GET", host, metadata, "", "X-Forwarded-Host", "evil.test", "Forwarded", "host=evil.test;proto=http")
		if a.StatusCode != http.StatusOK || a.tokens(t).Issuer != issuerOfProgram || strings.Contains(a.body, "evil") {
			t.Errorf("Host %s: %v", host, a)
		}
		if a := p.do("GET", host, login, "", "X-Forwarded-Host", "evil.test"); a.StatusCode != http.StatusFound || !strings.HasPrefix(a.Header.Get("Location"), "/login/") {
			t.Errorf("Host %s: %v", host, a)
		}
	}
}

// Listening on loopback is no credential.
func TestM95_LoopbackIsNoCredential(t *testing.T) {
	t.Parallel()
	p := startProgram(t)
	for _, host := range []string{"evil.test", p.addr} {
		for path, body := range map[string]string{"/api/v1/tokens": `{"name":"x","scopes":["tokens:write"]}`, "/api/v1/applications": `{"name":"x"}`,
			"/oauth/token": "grant_type=client_credentials", "/oauth/introspect": "token=x", "/setup/x/": "email=a@b.test&password=whatever", "/admin/users/new/": "email=a@b.test"} {
			for _, contentType := range []string{"text/plain", "application/json", formType, ""} {
				a := p.do("POST", host, path, body, "Content-Type", contentType, "Origin", "https://evil.test", "Sec-Fetch-Site", "cross-site")
				if a.StatusCode < 400 || a.StatusCode > 499 {
					t.Errorf("POST %s as %q for %s: %v", path, contentType, host, a)
				}
			}
		}
		for _, path := range []string{"/api/v1/tokens", "/api/v1/activity", "/admin/users/", "/debug/pprof/", "/debug/vars", "/metrics", "/setup/"} {
			a := p.do("GET", host, path, "")
			toLogin := a.StatusCode == http.StatusFound && strings.HasPrefix(a.Header.Get("Location"), "/login/")
			if a.StatusCode < 400 && !toLogin {
				t.Errorf("GET %s for %s: %v", path, host, a)
			}
		}
	}
	// The only way in is the link on the terminal.
	_, rest, found := strings.Cut(p.out.String(), issuerOfProgram+"/setup/")
	secret, _, _ := strings.Cut(rest, "\n")
	if !found {
		t.Fatalf("no link: %s", p.out)
	}
	form := url.Values{"email": {"root@web.test"}, "name": {"Root"}, "password": {"the long passphrase of Root"}}.Encode()
	if a := p.do("POST", "evil.test", "/setup/"+secret, form, "Content-Type", formType); a.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("the link for another host: %v", a)
	}
	if a := p.do("POST", "id.web.test", "/setup/"+secret, form, "Content-Type", formType, "Origin", "https://evil.test"); a.StatusCode != http.StatusForbidden {
		t.Errorf("the link from another site: %v", a)
	}
	a := p.do("POST", "id.web.test", "/setup/"+secret, form, "Content-Type", formType, "Origin", issuerOfProgram)
	if a.StatusCode != http.StatusSeeOther {
		t.Fatalf("the control: %v", a)
	}
	session := cookieHeader(a)
	for _, contentType := range []string{"text/plain", "application/json", "text/plain;application/json"} {
		for _, headers := range [][]string{{"Origin", "https://evil.test"}, {"Sec-Fetch-Site", "cross-site"}, {}} {
			headers = append(headers, "Content-Type", contentType, "Cookie", session)
			if a := p.do("POST", "id.web.test", "/api/v1/tokens", `{"name":"x","scopes":["tokens:read"]}`, headers...); a.StatusCode != http.StatusForbidden && a.StatusCode != http.StatusBadRequest {
				t.Errorf("%s with %v and a session: %v", contentType, headers[:2], a)
			}
		}
	}
	if a := p.do("GET", "id.web.test", "/api/v1/tokens", "", "Cookie", session); a.StatusCode != http.StatusOK {
		t.Errorf("the control reads: %v", a)
	}
	if out := p.out.String(); strings.Contains(out[strings.Index(out, secret)+len(secret):], secret) {
		t.Error("the link is in the log")
	}
}
