package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/valetkey/valetkey/internal/cli"
)

// receiver is a collector: OTLP over HTTP.
type receiver struct {
	mu   sync.Mutex
	raw  bytes.Buffer
	got  []*spans.Span
	from []string // service names
}

func (c *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var req collector.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || proto.Unmarshal(body, &req) != nil {
		http.Error(w, "not OTLP", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(body)
	for _, rs := range req.ResourceSpans {
		for _, a := range rs.Resource.Attributes {
			if a.Key == "service.name" {
				c.from = append(c.from, a.Value.GetStringValue())
			}
		}
		for _, ss := range rs.ScopeSpans {
			c.got = append(c.got, ss.Spans...)
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

// said is an attribute of the span as text; "" if it has none.
func said(s *spans.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			if n := a.Value.GetIntValue(); n != 0 {
				return http.StatusText(int(n))
			}
			return a.Value.GetStringValue()
		}
	}
	return ""
}

type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

var servingAt = regexp.MustCompile(`"msg":"serving","addr":"([^"]+)"`)

// The program, a collector, and requests as clients send them.
func TestTraces(t *testing.T) {
	t.Parallel()
	heard := &receiver{}
	server := httptest.NewServer(heard)
	defer server.Close()

	dir, out := t.TempDir(), &output{}
	run := func(ctx context.Context, args ...string) int {
		env := &cli.Env{Stdin: strings.NewReader(""), Stdout: out, Stderr: out, Now: time.Now, NewTracer: newTracer}
		return cli.Run(ctx, env, args)
	}
	if code := run(t.Context(), "init", "--dir", dir, "--issuer", "http://127.0.0.1:5999"); code != 0 {
		t.Fatalf("init ended with %d: %s", code, out)
	}
	config := filepath.Join(dir, "valetkey.yaml")
	created := &output{}
	env := &cli.Env{Stdin: strings.NewReader(""), Stdout: created, Stderr: out, Now: time.Now}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, "serve", "--config", config, "--addr", "127.0.0.1:0", "--metrics-addr", "off", "--server-drain", "0s", "--tracing-otlp-endpoint", server.URL)
	}()
	addr := ""
	for begin := time.Now(); addr == ""; time.Sleep(5 * time.Millisecond) {
		if m := servingAt.FindStringSubmatch(out.String()); m != nil {
			addr = m[1]
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("the program does not serve: %s", out)
		}
	}
	if code := cli.Run(t.Context(), env, []string{"client", "create", "--config", config, "--name", "Robot", "--type", "service", "--id", "robot", "-o", "json"}); code != 0 {
		t.Fatalf("client create ended with %d: %s", code, out)
	}
	secret := regexp.MustCompile(`vk_cs_[0-9A-Za-z]{58}`).FindString(created.String())
	if secret == "" {
		t.Fatalf("client create printed %s", created)
	}

	const trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	var requestID, token string
	send := func(secret string) {
		t.Helper()
		req, err := http.NewRequest("POST", "http://"+addr+"/oauth/token?secret=in-the-query", strings.NewReader("grant_type=client_credentials"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Traceparent", "00-"+trace+"-"+parent+"-01")
		req.Header.Set("Baggage", "secret=in-the-baggage")
		req.SetBasicAuth("robot", url.QueryEscape(secret))
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, _ := io.ReadAll(res.Body)
		if m := regexp.MustCompile(`"access_token":"([^"]+)"`).FindSubmatch(body); m != nil {
			token = string(m[1])
		}
		requestID = res.Header.Get("X-Request-Id")
	}
	send(secret)
	send("vk_cs_wrong-in-the-header")
	if token == "" {
		t.Fatalf("no token was issued: %s", out)
	}
	stop()
	if code := <-ended; code != 0 {
		t.Fatalf("serve ended with %d: %s", code, out)
	}

	heard.mu.Lock()
	defer heard.mu.Unlock()
	if len(heard.got) != 2 || len(heard.from) == 0 || heard.from[0] != "valetkey" {
		t.Fatalf("the collector got %d spans from %v", len(heard.got), heard.from)
	}
	for i, want := range []map[string]string{
		{"http.response.status_code": "OK", "oauth.client_id": "robot", "oauth.grant_type": "client_credentials", "error.type": ""},
		{"http.response.status_code": "Unauthorized", "oauth.client_id": "", "oauth.grant_type": "client_credentials", "error.type": "invalid_client", "valetkey.request_id": requestID},
	} {
		s := heard.got[i]
		if s.Name != "POST /oauth/token" || s.Kind != spans.Span_SPAN_KIND_SERVER || s.EndTimeUnixNano < s.StartTimeUnixNano || said(s, "http.route") != "/oauth/token" {
			t.Errorf("got span %v", s)
		}
		if got := strings.ToLower(hexOf(s.TraceId)); got != trace {
			t.Errorf("the trace is %s, want that of the caller", got)
		}
		if got := hexOf(s.ParentSpanId); got != parent {
			t.Errorf("the parent is %s, want the caller's span", got)
		}
		for key, value := range want {
			if got := said(s, key); got != value {
				t.Errorf("span %d: %s is %q, want %q", i, key, got, value)
			}
		}
	}
	if n := strings.Count(out.String(), `"trace_id":"`+trace+`"`); n != 2 {
		t.Errorf("the log names the trace %d times, want in both lines: %s", n, out)
	}
	for _, secret := range []string{secret, token, "in-the-query", "in-the-baggage", "wrong-in-the-header"} {
		if bytes.Contains(heard.raw.Bytes(), []byte(secret)) {
			t.Errorf("%s is in what was sent to the collector", secret)
		}
	}
}

func hexOf(b []byte) string {
	const digits = "0123456789abcdef"
	var out []byte
	for _, c := range b {
		out = append(out, digits[c>>4], digits[c&15])
	}
	return string(out)
}
