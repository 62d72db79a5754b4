package fetch

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/overload"
	"github.com/valetkey/valetkey/oauth"
)

const (
	// MaxBytes is the largest body that is read unless Options say otherwise.
	MaxBytes = 64 << 10
	// maxURL is the longest URL that is fetched, in bytes.
	maxURL = 2048
	// maxHeader bounds the header of an answer, in bytes.
	maxHeader = 16 << 10
	// mostAddresses of a host are tried.
	mostAddresses = 4
	// atOnce is how many requests are under way at the same time: strangers can
	// make us send some, and must not make us send many.
	atOnce = 64
)

// Resolver finds the addresses of a host; *net.Resolver does.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Config says what may be fetched. Now is required.
type Config struct {
	// For names what is fetched, in Load.
	For string
	// Allow lists host names, and networks as CIDR prefixes, that need not be public.
	Allow []string
	// Roots are the certificate authorities; nil: the system's.
	Roots *x509.CertPool
	// Resolver asks for addresses; nil: net.DefaultResolver.
	Resolver Resolver
	Now      func() time.Time
	// Timeout bounds one request from its first look-up to its last byte; 5 s if
	// zero, which is also the most.
	Timeout time.Duration
}

// Fetcher asks other servers. It keeps nothing between requests.
type Fetcher struct {
	cfg       Config
	allow     allowed
	transport *http.Transport
	room      *overload.Class
}

const longest = 5 * time.Second

// New returns a fetcher.
func New(c Config) *Fetcher {
	if c.Resolver == nil {
		c.Resolver = net.DefaultResolver
	}
	c.Timeout = min(cmp.Or(c.Timeout, longest), longest)
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	f := &Fetcher{cfg: c, allow: allow(c.Allow), room: overload.New(c.For, overload.Limits{InFlight: atOnce, Queue: atOnce, Wait: c.Timeout})}
	f.transport = &http.Transport{
		Proxy:                  nil, // a proxy would resolve the name again
		DialContext:            f.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots, Time: c.Now},
		DisableKeepAlives:      true, // a kept connection would outlive the check of its address
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxHeader,
		Protocols:              protocols,
	}
	return f
}

// Options bends one request; zero fields take the default.
type Options struct {
	Accept   string // media types for the Accept header
	MaxBytes int64  // largest body; MaxBytes if zero
}

// Document is what a server answered with status 200.
type Document struct {
	Body        []byte
	ContentType string // as it was sent, parameters and all; it proves nothing
	// Expires is until when the document may be kept (RFC 9111 §4.2.1), between a
	// minute and a day from now.
	Expires time.Time
}

// Error says why something was not fetched.
type Error struct {
	// Reason is a clause in plain ASCII that may be told to whoever named the URL.
	Reason string
	// Cause is for the log only.
	Cause error
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return "fetch: " + e.Reason + ": " + e.Cause.Error()
	}
	return "fetch: " + e.Reason
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Reason is what may be told about err: the reason of an [*Error] in it, or a
// clause that says nothing more.
func Reason(err error) string {
	if e := (*Error)(nil); errors.As(err, &e) {
		return e.Reason
	}
	return unreachable
}

// unreachable is told whether there is no such host, it may not be asked, or it
// does not answer: which of these it was would map the inner network.
const unreachable = "it could not be reached"

// Get fetches a URL. A fragment is not sent. Errors are [*Error].
func (f *Fetcher) Get(ctx context.Context, rawURL string, o Options) (*Document, error) {
	ctx, done, err := f.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	header := http.Header{"Accept": {cmp.Or(o.Accept, "*/*")}}
	resp, err := f.send(ctx, http.MethodGet, rawURL, header, nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, &Error{Reason: "it was answered with status " + strconv.Itoa(resp.StatusCode) + " instead of 200"}
	}
	if encoding := resp.Header.Get("Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		return nil, &Error{Reason: "it was answered in a content coding that was not asked for"}
	}
	most := cmp.Or(o.MaxBytes, MaxBytes)
	body, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return nil, &Error{Reason: "its answer did not arrive in time", Cause: err}
	}
	if int64(len(body)) > most {
		return nil, &Error{Reason: fmt.Sprintf("its answer is larger than %d KiB", most>>10)}
	}
	return &Document{Body: body, ContentType: resp.Header.Get("Content-Type"), Expires: expires(resp.Header, f.cfg.Now())}, nil
}

// PostForm posts a form and returns the status of the answer, whose body is not
// read. Errors are [*Error].
func (f *Fetcher) PostForm(ctx context.Context, rawURL string, form url.Values) (status int, err error) {
	ctx, done, err := f.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer done()
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	resp, err := f.send(ctx, http.MethodPost, rawURL, header, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

// begin waits for a place, within the time there is.
func (f *Fetcher) begin(ctx context.Context) (context.Context, func(), error) {
	ctx, cancel := context.WithTimeout(ctx, f.cfg.Timeout)
	if err := f.room.Enter(ctx); err != nil {
		cancel()
		return nil, nil, &Error{Reason: unreachable, Cause: fmt.Errorf("too many requests under way: %w", err)}
	}
	return ctx, func() { f.room.Leave(); cancel() }, nil
}

// Load tells how many requests are under way.
func (f *Fetcher) Load() oauth.Load { return f.room.Load() }

// send checks the URL, resolves its host once and talks to what it resolved.
func (f *Fetcher) send(ctx context.Context, method, rawURL string, header http.Header, body io.Reader) (*http.Response, error) {
	u, err := f.parse(rawURL)
	if err != nil {
		return nil, err
	}
	addresses, err := f.resolve(ctx, u)
	if err != nil {
		return nil, &Error{Reason: unreachable, Cause: err}
	}
	req, err := http.NewRequestWithContext(context.WithValue(ctx, checkedKey{}, addresses), method, u.String(), body)
	if err != nil {
		return nil, &Error{Reason: "it is not a URL", Cause: err}
	}
	header.Set("User-Agent", "Valetkey")
	header.Set("Accept-Encoding", "identity")
	req.Header = header
	resp, err := f.transport.RoundTrip(req) // one request: redirects are the client's business, and there is none
	if err != nil {
		return nil, &Error{Reason: unreachable, Cause: err}
	}
	return resp, nil
}

// Check reports whether a URL is one that Get would try to fetch, without asking
// anybody. The error is an [*Error].
func (f *Fetcher) Check(rawURL string) error {
	_, err := f.parse(rawURL)
	return err
}

// parse checks a URL as far as it can be without asking anybody.
func (f *Fetcher) parse(rawURL string) (*url.URL, error) {
	if len(rawURL) > maxURL {
		return nil, &Error{Reason: fmt.Sprintf("it is longer than %d characters", maxURL)}
	}
	for i := range len(rawURL) {
		if c := rawURL[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return nil, &Error{Reason: "it is not a URL in plain ASCII"}
		}
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Opaque != "" || u.Host == "" {
		return nil, &Error{Reason: "it is not an absolute URL with a host", Cause: err}
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !f.allow.names[host]):
		return nil, &Error{Reason: "it is not an https URL"}
	case u.User != nil:
		return nil, &Error{Reason: "it holds a user name or password"}
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Zone() != "" || a.Is6() != strings.HasPrefix(u.Host, "[") {
			return nil, &Error{Reason: "its host is not a domain name or an IP address"}
		}
	} else if !validName(host) {
		return nil, &Error{Reason: "its host is not a domain name or an IP address"}
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || badPort(uint16(n)) {
			return nil, &Error{Reason: "its port is not one that web servers use"}
		}
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// resolve returns where the host may be reached: all of its addresses, or none if
// one of them is not public.
func (f *Fetcher) resolve(ctx context.Context, u *url.URL) ([]netip.AddrPort, error) {
	host := strings.ToLower(u.Hostname())
	var found []netip.Addr
	if a, err := netip.ParseAddr(host); err == nil {
		found = []netip.Addr{a}
	} else if found, err = f.cfg.Resolver.LookupNetIP(ctx, "ip", host); err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, errors.New("the host has no address")
	}
	for _, a := range found {
		if !f.allow.names[host] && !f.allow.address(a) && !public(a) {
			return nil, fmt.Errorf("the host has the address %v, which is not public", a)
		}
	}
	found = slices.Clone(found)
	slices.SortStableFunc(found, ipv4First)
	port := uint16(443)
	if u.Scheme == "http" {
		port = 80
	}
	if text := u.Port(); text != "" {
		n, _ := strconv.ParseUint(text, 10, 16) // parse has seen that it is one
		port = uint16(n)
	}
	out := make([]netip.AddrPort, 0, mostAddresses)
	for _, a := range found[:min(len(found), mostAddresses)] {
		out = append(out, netip.AddrPortFrom(a.Unmap(), port))
	}
	return out, nil
}

type checkedKey struct{}

// dial connects to the addresses that were checked, one after the other, whatever
// name it is given. Each gets its share of the time.
func (f *Fetcher) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	addresses, _ := ctx.Value(checkedKey{}).([]netip.AddrPort)
	err := errors.New("no address was checked")
	for _, a := range addresses {
		dialer := &net.Dialer{Timeout: f.cfg.Timeout / time.Duration(len(addresses))}
		var conn net.Conn
		if conn, err = dialer.DialContext(ctx, "tcp", a.String()); err == nil {
			return conn, nil
		}
	}
	return nil, err
}
