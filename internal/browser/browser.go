// Package browser is a small web browser without JavaScript, for tests and
// measurements: it keeps cookies, follows redirects, and fills in and sends the
// forms of a page as a person would.
//
//	b := browser.New(nil)
//	page, err := b.Open(base + "/login/")
//	page, err = b.Send(page.Form().Set("username", "reader").Set("password", "…"))
//
// It does not go where the server at hand is not: a redirect to a URL that
// starts with one of StopAt is kept in Page.Location instead of followed.
package browser

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

const (
	maxRedirects = 20
	maxBody      = 4 << 20
)

// Browser is one signed-in or anonymous person's browser. It is not safe for
// concurrent use.
type Browser struct {
	// StopAt lists the beginnings of URLs that are not visited.
	StopAt []string
	// Headers are sent with every request, as a real browser sends its own.
	Headers http.Header

	client http.Client
}

// New returns a browser with an empty cookie jar. A nil transport is a fresh one.
func New(transport http.RoundTripper) *Browser {
	if transport == nil {
		transport = &http.Transport{}
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // it has no way to fail without a public suffix list
	}
	b := &Browser{Headers: http.Header{"User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) valetkey-test"}}}
	b.client = http.Client{Transport: transport, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	return b
}

// Page is what the browser shows after it has followed every redirect.
type Page struct {
	URL    *url.URL
	Status int
	Header http.Header
	Body   []byte
	// Location is the URL of StopAt that the server sent the browser to; nil if none.
	Location *url.URL
	// Requests counts the requests it took to get here.
	Requests int
}

// Open visits a URL.
func (b *Browser) Open(address string) (*Page, error) {
	return b.visit(http.MethodGet, address, nil, "")
}

// Send submits a form.
func (b *Browser) Send(f *Form) (*Page, error) {
	if f == nil {
		return nil, fmt.Errorf("browser: the page has no form")
	}
	if f.Method == http.MethodGet {
		u := *f.Action
		u.RawQuery = f.Values.Encode()
		return b.visit(http.MethodGet, u.String(), nil, f.page)
	}
	return b.visit(http.MethodPost, f.Action.String(), f.Values, f.page)
}

// Cookies returns the cookies the browser would send to the URL.
func (b *Browser) Cookies(u *url.URL) []*http.Cookie { return b.client.Jar.Cookies(u) }

// visit sends one request and follows what comes back. A form comes from the
// page whose address is from.
func (b *Browser) visit(method, address string, form url.Values, from string) (*Page, error) {
	for n := 1; n <= maxRedirects; n++ {
		req, err := b.request(method, address, form, from)
		if err != nil {
			return nil, err
		}
		resp, err := b.client.Do(req)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
		resp.Body.Close()
		if err != nil {
			return nil, err
		}
		page := &Page{URL: req.URL, Status: resp.StatusCode, Header: resp.Header, Body: body, Requests: n}
		next, err := resp.Location()
		if err != nil || resp.StatusCode < 300 || resp.StatusCode > 399 {
			return page, nil
		}
		if b.stops(next.String()) {
			page.Location = next
			return page, nil
		}
		// Every redirect of this server after a form means GET (RFC 9110 §15.4.4).
		method, address, form = http.MethodGet, next.String(), nil
	}
	return nil, fmt.Errorf("browser: more than %d redirects, the last to %s", maxRedirects, address)
}

func (b *Browser) request(method, address string, form url.Values, from string) (*http.Request, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequest(method, address, body)
	if err != nil {
		return nil, err
	}
	for name, values := range b.Headers {
		req.Header[name] = values
	}
	req.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if method == http.MethodPost && from != "" {
		if u, err := url.Parse(from); err == nil {
			req.Header.Set("Origin", u.Scheme+"://"+u.Host)
			if u.Host == req.URL.Host {
				req.Header.Set("Sec-Fetch-Site", "same-origin")
			}
		}
	}
	return req, nil
}

func (b *Browser) stops(address string) bool {
	for _, prefix := range b.StopAt {
		if strings.HasPrefix(address, prefix) {
			return true
		}
	}
	return false
}

// Contains reports whether the page's HTML contains the text.
func (p *Page) Contains(text string) bool { return bytes.Contains(p.Body, []byte(text)) }

// String tells where the browser is, for messages.
func (p *Page) String() string {
	const most = 400
	text := strings.Join(strings.Fields(string(p.Body)), " ")
	if len(text) > most {
		text = text[:most] + "…"
	}
	return fmt.Sprintf("%d at %s: %s", p.Status, p.URL, text)
}
