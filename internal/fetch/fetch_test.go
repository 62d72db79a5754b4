package fetch_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/fetch"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func now() time.Time { return noon }

// phonebook answers look-ups from a table, and counts them. A host with several
// answers gives the next at each question, as a name does that is being rebound.
type phonebook struct {
	mu    sync.Mutex
	hosts map[string][][]string
	asked map[string]int
}

func (b *phonebook) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	answers, there := b.hosts[host]
	if !there {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	n := b.asked[host]
	b.asked[host]++
	var out []netip.Addr
	for _, a := range answers[min(n, len(answers)-1)] {
		out = append(out, netip.MustParseAddr(a))
	}
	return out, nil
}

func book(hosts map[string][][]string) *phonebook {
	return &phonebook{hosts: hosts, asked: map[string]int{}}
}

// listener counts every connection that it gets on loopback.
type listener struct {
	*httptest.Server
	hits atomic.Int64
	port string
}

func listen(t *testing.T, tls bool, h http.HandlerFunc) *listener {
	t.Helper()
	l := &listener{}
	l.Server = httptest.NewUnstartedServer(h)
	l.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			l.hits.Add(1)
		}
	}
	if tls {
		l.StartTLS()
	} else {
		l.Start()
	}
	t.Cleanup(l.Close)
	u, err := url.Parse(l.URL)
	if err != nil {
		t.Fatal(err)
	}
	l.port = u.Port()
	return l
}

func (l *listener) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(l.Certificate())
	return pool
}

func ok(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }

// Attack M33: what a client registers must not lead us into our own network.
func TestM33_NoHitsOnLoopback(t *testing.T) {
	t.Parallel()
	l := listen(t, true, ok)
	plain := listen(t, false, ok)
	names := book(map[string][][]string{
		"inner.example":    {{"127.0.0.1"}},
		"mixed.example":    {{"93.184.215.14", "127.0.0.1"}},
		"mixed6.example":   {{"2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::1"}},
		"mapped.example":   {{"::ffff:127.0.0.1"}},
		"nat64.example":    {{"64:ff9b::7f00:1"}},
		"localhost":        {{"127.0.0.1"}},
		"nowhere.example":  {{}},
		"metadata.example": {{"169.254.169.254"}},
	})
	f := fetch.New(fetch.Config{Now: now, Resolver: names, Roots: l.roots(), Timeout: time.Second})
	for _, raw := range []string{
		"https://127.0.0.1:PORT/", "http://127.0.0.1:PLAIN/", "https://[::1]:PORT/", "https://[::ffff:127.0.0.1]:PORT/",
		"https://[::ffff:7f00:1]:PORT/", "https://[64:ff9b::127.0.0.1]:PORT/", "https://[::127.0.0.1]:PORT/", "https://0.0.0.0:PORT/",
		"https://[::]:PORT/", "https://2130706433:PORT/", "https://0x7f000001:PORT/", "https://017700000001:PORT/",
		"https://127.1:PORT/", "https://0177.0.0.1:PORT/", "https://127.0.0.01:PORT/", "https://[::1%25lo]:PORT/", "https://[127.0.0.1]:PORT/",
		"https://localhost:PORT/", "https://localhost.:PORT/", "https://LOCALHOST:PORT/", "https://%6c%6f%63%61%6c%68%6f%73%74:PORT/",
		"https://inner.example:PORT/", "https://mixed.example:PORT/", "https://mixed6.example:PORT/", "https://mapped.example:PORT/",
		"https://nat64.example:PORT/", "https://nowhere.example:PORT/", "https://unknown.example:PORT/",
		"http://inner.example:PLAIN/", "https://public.example@127.0.0.1:PORT/", "https://user:pw@inner.example:PORT/",
		"https://169.254.169.254/", "https://metadata.example/", "https://10.0.0.1/", "https://192.168.0.1/", "https://172.31.0.1/",
		"https://100.64.0.1/", "https://[fe80::1]/", "https://[fc00::1]/", "https://[fd00:ec2::254]/", "https://224.0.0.1/", "https://255.255.255.255/",
		"https://[ff02::1]/", "https://[2002:7f00:1::]/", "https://[2001:0:7f00:1::]/", "https://[64:ff9b:1::7f00:1]/",
		"file:///etc/passwd", "gopher://127.0.0.1:PLAIN/_x", "ftp://127.0.0.1/", "//127.0.0.1:PORT/", "/path", "", "https:", "https:///x", "https:127.0.0.1",
		"https://inner.example:22/", "https://inner.example:25/", "https://inner.example:6379/", "https://inner.example:0/", "https://inner.example:99999/",
		"https://inner.example:/", "https://127.0.0.1:PORT\\@x.example/", "https://127.0.0.1:PORT/ ", "https://127.0.0.1:PORT/\r\nX: y", "https://ex\u00e4mple.example/",
		"https://x.example/" + strings.Repeat("x", 2048),
	} {
		raw = strings.NewReplacer("PORT", l.port, "PLAIN", plain.port).Replace(raw)
		doc, err := f.Get(context.Background(), raw, fetch.Options{})
		var told *fetch.Error
		if !errors.As(err, &told) {
			t.Errorf("%q: got %v, %v; want a refusal", raw, doc, err)
			continue
		}
		if strings.Contains(told.Reason, "127.0") || strings.Contains(told.Reason, "connect") || told.Reason == "" {
			t.Errorf("%q: %q tells about the network", raw, told.Reason)
		}
		if status, err := f.PostForm(context.Background(), raw, url.Values{"logout_token": {"x"}}); err == nil {
			t.Errorf("%q: posted, and got %d", raw, status)
		}
	}
	if n := l.hits.Load() + plain.hits.Load(); n != 0 {
		t.Errorf("loopback was hit %d times", n)
	}
}

// What the operator allows is reached, at the address that was checked, after one
// look-up.
func TestM33_OneResolutionAndTheAddressThatWasChecked(t *testing.T) {
	t.Parallel()
	l := listen(t, true, ok)
	names := book(map[string][][]string{"example.com": {{"127.0.0.1"}, {"192.0.2.1"}}})
	f := fetch.New(fetch.Config{Now: now, Resolver: names, Roots: l.roots(), Allow: []string{"127.0.0.0/8"}})
	doc, err := f.Get(context.Background(), "https://example.com:"+l.port+"/x#fragment", fetch.Options{Accept: "text/plain"})
	if err != nil || string(doc.Body) != "hello" {
		t.Fatalf("got %v, %v", doc, err)
	}
	if n := names.asked["example.com"]; n != 1 || l.hits.Load() != 1 {
		t.Errorf("%d look-ups and %d connections, want one each", n, l.hits.Load())
	}
	// The same name again: now it points elsewhere, where nothing is allowed.
	if doc, err := f.Get(context.Background(), "https://example.com:"+l.port+"/", fetch.Options{}); err == nil || l.hits.Load() != 1 {
		t.Errorf("a kept connection or address was used: %v, %d connections", doc, l.hits.Load())
	}
}

func TestWhatTheOperatorAllows(t *testing.T) {
	t.Parallel()
	l, plain := listen(t, true, ok), listen(t, false, ok)
	names := book(map[string][][]string{"example.com": {{"127.0.0.1"}}, "other.example": {{"127.0.0.1"}}, "mapped.example": {{"::ffff:127.0.0.1"}}})
	for _, tt := range []struct {
		allow, url string
		ok         bool
	}{
		{"example.com", "https://example.com:PORT/", true},
		{"EXAMPLE.com", "https://Example.COM:PORT/", true},
		{"example.com", "http://example.com:PLAIN/", true},
		{"example.com", "http://other.example:PLAIN/", false},
		{"example.com", "https://sub.example.com:PORT/", false},
		{"127.0.0.1", "http://127.0.0.1:PLAIN/", true},
		{"127.0.0.0/8", "https://example.com:PORT/", true},
		{"127.0.0.0/8", "http://example.com:PLAIN/", false}, // a network says nothing about the wire
		{"127.0.0.0/8", "http://mapped.example:PLAIN/", false},
		{"10.0.0.0/8", "https://example.com:PORT/", false},
		{"example.com", "https://example.com:22/", false},
	} {
		f := fetch.New(fetch.Config{Now: now, Resolver: names, Roots: l.roots(), Allow: []string{tt.allow}, Timeout: time.Second})
		raw := strings.NewReplacer("PORT", l.port, "PLAIN", plain.port).Replace(tt.url)
		if _, err := f.Get(context.Background(), raw, fetch.Options{}); (err == nil) != tt.ok {
			t.Errorf("allow %s, %s: %v", tt.allow, tt.url, err)
		}
	}
	for entry, good := range map[string]bool{"example.com": true, "10.0.0.0/8": true, "::1": true, "localhost": true, "https://x": false, "10.0.0.0/33": false, "": false, "a b": false, "x:80": false} {
		if err := fetch.CheckAllow([]string{entry}); (err == nil) != good {
			t.Errorf("CheckAllow(%q) = %v", entry, err)
		}
	}
}

// Attack M33: redirects, bombs and dawdlers.
func TestM33_AnswersThatHarm(t *testing.T) {
	t.Parallel()
	inner := listen(t, false, ok)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 10<<20))
	z.Close()
	l := listen(t, false, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/302":
			w.Header().Set("Location", inner.URL)
			w.WriteHeader(http.StatusFound)
			io.WriteString(w, "secret-of-the-body")
		case "/big":
			w.Write(bytes.Repeat([]byte("secret-of-the-body"), 10<<20/18))
		case "/bomb":
			if r.Header.Get("Accept-Encoding") != "identity" {
				t.Errorf("Accept-Encoding is %q", r.Header.Get("Accept-Encoding"))
			}
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb.Bytes())
		case "/unasked": // gzip without a word
			w.Write(bomb.Bytes())
		case "/header":
			w.Header().Set("X-Long", strings.Repeat("x", 64<<10))
		case "/slow":
			for range 100 {
				io.WriteString(w, "x")
				w.(http.Flusher).Flush()
				select {
				case <-r.Context().Done():
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
		case "/silent":
			<-r.Context().Done()
		case "/404":
			http.Error(w, "secret-of-the-body", http.StatusNotFound)
		case "/exact":
			w.Write(make([]byte, fetch.MaxBytes))
		}
	})
	f := fetch.New(fetch.Config{Now: now, Allow: []string{"127.0.0.1"}, Timeout: 500 * time.Millisecond})
	for path, reason := range map[string]string{
		"/302": "status 302", "/big": "larger than 64 KiB", "/bomb": "content coding", "/header": "could not be reached",
		"/slow": "in time", "/silent": "could not be reached", "/404": "status 404",
	} {
		start := time.Now()
		doc, err := f.Get(context.Background(), l.URL+path, fetch.Options{})
		if err == nil || !strings.Contains(fetch.Reason(err), reason) {
			t.Errorf("%s: got %v, %v; want %q", path, doc, err, reason)
		}
		if err != nil && strings.Contains(err.Error(), "secret-of-the-body") {
			t.Errorf("%s: the error echoes the body: %v", path, err)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s took %v", path, took)
		}
	}
	if doc, err := f.Get(context.Background(), l.URL+"/unasked", fetch.Options{}); err != nil || len(doc.Body) != bomb.Len() {
		t.Errorf("what came as gzip was taken apart: %v", err)
	}
	if doc, err := f.Get(context.Background(), l.URL+"/exact", fetch.Options{}); err != nil || len(doc.Body) != fetch.MaxBytes {
		t.Errorf("a body of exactly the bound: %v", err)
	}
	if _, err := f.Get(context.Background(), l.URL+"/exact", fetch.Options{MaxBytes: 100}); err == nil {
		t.Error("the caller's own bound does not count")
	}
	if status, err := f.PostForm(context.Background(), l.URL+"/302", url.Values{}); err != nil || status != http.StatusFound {
		t.Errorf("PostForm = %d, %v; want the redirect itself", status, err)
	}
	if n := inner.hits.Load(); n != 0 {
		t.Errorf("a redirect was followed %d times", n)
	}
}

// No proxy of the environment is asked, no cookie kept, and the form arrives.
func TestPlainRequests(t *testing.T) {
	proxy := listen(t, false, ok)
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("HTTPS_PROXY", proxy.URL)
	var got []string
	l := listen(t, false, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, fmt.Sprintf("%s %s %s %q %s", r.Method, r.Header.Get("Accept"), r.Header.Get("Content-Type"), r.Header.Get("Cookie"), body))
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
		w.Header().Set("Content-Type", "application/jwk-set+json")
	})
	names := book(map[string][][]string{"example.com": {{"127.0.0.1"}}})
	f := fetch.New(fetch.Config{Now: now, Allow: []string{"example.com"}, Resolver: names})
	at := "http://example.com:" + l.port + "/"
	for range 2 {
		if doc, err := f.Get(context.Background(), at, fetch.Options{Accept: "application/json"}); err != nil || doc.ContentType != "application/jwk-set+json" {
			t.Fatalf("got %v, %v", doc, err)
		}
	}
	if status, err := f.PostForm(context.Background(), at, url.Values{"logout_token": {"a b&c"}}); err != nil || status != 200 {
		t.Fatalf("PostForm = %d, %v", status, err)
	}
	want := []string{`GET application/json  "" `, `GET application/json  "" `, `POST  application/x-www-form-urlencoded "" logout_token=a+b%26c`}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := proxy.hits.Load(); n != 0 {
		t.Errorf("the proxy was asked %d times", n)
	}
}

func TestCertificatesCount(t *testing.T) {
	t.Parallel()
	l := listen(t, true, ok)
	names := book(map[string][][]string{"example.com": {{"127.0.0.1"}}, "wrong.example": {{"127.0.0.1"}}})
	allow := []string{"127.0.0.0/8"}
	if _, err := fetch.New(fetch.Config{Now: now, Resolver: names, Allow: allow, Roots: l.roots()}).Get(context.Background(), "https://wrong.example:"+l.port, fetch.Options{}); err == nil {
		t.Error("a certificate for another name is accepted")
	}
	if _, err := fetch.New(fetch.Config{Now: now, Resolver: names, Allow: allow, Roots: x509.NewCertPool()}).Get(context.Background(), "https://example.com:"+l.port, fetch.Options{}); err == nil {
		t.Error("a certificate of nobody we know is accepted")
	}
}

func TestExpires(t *testing.T) {
	t.Parallel()
	header := http.Header{}
	l := listen(t, false, func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range header {
			w.Header()[name] = values
		}
	})
	f := fetch.New(fetch.Config{Now: now, Allow: []string{"127.0.0.1"}})
	date := noon.Add(-time.Hour).Format(http.TimeFormat) // their clock is slow
	for name, tt := range map[string]struct {
		header http.Header
		want   time.Duration
	}{
		"nothing said":       {http.Header{}, 15 * time.Minute},
		"max-age":            {http.Header{"Cache-Control": {"public, max-age=600"}}, 10 * time.Minute},
		"max-age quoted":     {http.Header{"Cache-Control": {`Max-Age="600"`}}, 10 * time.Minute},
		"max-age of old age": {http.Header{"Cache-Control": {"max-age=600"}, "Age": {"120"}}, 8 * time.Minute},
		"too short":          {http.Header{"Cache-Control": {"max-age=0"}}, time.Minute},
		"too long":           {http.Header{"Cache-Control": {"max-age=99999999999999999999"}}, 24 * time.Hour},
		"no-store":           {http.Header{"Cache-Control": {"max-age=600", "no-store"}}, time.Minute},
		"nonsense":           {http.Header{"Cache-Control": {"max-age=-1, =, ;;"}}, 15 * time.Minute},
		"Expires":            {http.Header{"Date": {date}, "Expires": {noon.Add(-30 * time.Minute).Format(http.TimeFormat)}}, 30 * time.Minute},
		"Expires is 0":       {http.Header{"Date": {date}, "Expires": {"0"}}, time.Minute},
		"max-age wins":       {http.Header{"Date": {date}, "Expires": {"0"}, "Cache-Control": {"max-age=600"}}, 10 * time.Minute},
	} {
		header = tt.header
		doc, err := f.Get(context.Background(), l.URL, fetch.Options{})
		if err != nil || doc.Expires.Sub(noon) != tt.want {
			t.Errorf("%s: kept for %v (%v), want %v", name, doc.Expires.Sub(noon), err, tt.want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		"https://example.com/x", "https://[::1]:8443/", "http://127.0.0.1/", "https://0x7f.1/", "https://a@b/", "https://x:443#y", "https:\\\\x", "https://%31%32%37.0.0.1/",
	} {
		f.Add(seed)
	}
	fetcher := fetch.New(fetch.Config{Now: now, Resolver: book(nil)})
	f.Fuzz(func(t *testing.T, raw string) {
		if fetcher.Check(raw) != nil {
			return
		}
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "https" || u.User != nil || u.Host == "" {
			t.Fatalf("%q passes and is no https URL with a host", raw)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err != nil {
			last := u.Hostname()[strings.LastIndexByte(u.Hostname(), '.')+1:]
			if last == "" || strings.Trim(last, "0123456789") == "" {
				t.Fatalf("%q passes, and its host %q is an address to some", raw, u.Hostname())
			}
		} else if a.Zone() != "" {
			t.Fatalf("%q passes with a zone", raw)
		}
	})
}
