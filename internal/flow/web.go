package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/issuer"
)

const (
	// MaxBody bounds what is read of any answer.
	MaxBody = 1 << 20
	timeout = 30 * time.Second
)

// CheckURL wants https, or http on this machine: codes, tokens and secrets must
// not travel in the open.
func CheckURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%q is not an https URL", raw)
	case u.Scheme == "http" && !issuer.Loopback(u.Hostname()):
		return fmt.Errorf("%s is plain http, where anybody on the way can read tokens: only https will do, or http on this machine", raw)
	}
	return nil
}

// web sends requests to places that CheckURL likes, and to no other.
type web struct{ client *http.Client }

func newWeb() *web {
	return &web{&http.Client{
		Timeout:   timeout,
		Transport: guarded{&http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: timeout}},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) >= 5 || req.Method != http.MethodGet || via[0].Header.Get("Authorization") != "" {
				return http.ErrUseLastResponse // neither a form nor a token goes elsewhere
			}
			return nil
		},
	}}
}

// guarded refuses whatever CheckURL does.
type guarded struct{ next http.RoundTripper }

func (g guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := CheckURL(r.URL.String()); err != nil {
		return nil, err
	}
	return g.next.RoundTrip(r)
}

// answer is a response that has been read.
type answer struct {
	status    int
	mediaType string
	body      []byte
}

func (w *web) get(ctx context.Context, address string, headers ...string) (*answer, error) {
	return w.send(ctx, http.MethodGet, address, nil, headers...)
}

func (w *web) post(ctx context.Context, address string, form url.Values, headers ...string) (*answer, error) {
	return w.send(ctx, http.MethodPost, address, form, append(headers, "Content-Type", "application/x-www-form-urlencoded")...)
}

func (w *web) send(ctx context.Context, method, address string, form url.Values, headers ...string) (*answer, error) {
	if err := CheckURL(address); err != nil {
		return nil, &Refusal{err.Error()}
	}
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, unreachable(address, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if err == nil && len(text) > MaxBody {
		err = errors.New("the answer is larger than 1 MiB")
	}
	if err != nil {
		return nil, unreachable(address, err)
	}
	mediaType, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return &answer{resp.StatusCode, mediaType, text}, nil
}

// unreachable says why there was no answer, without the words that net/http
// puts around it.
func unreachable(address string, err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err
	}
	if t, ok := err.(net.Error); ok && t.Timeout() {
		err = errors.New("it took too long")
	}
	return fmt.Errorf("%s cannot be reached: %w", address, err)
}

// refused turns an answer that is not a success into an error: the server's own
// words if it has any (RFC 6749 §5.2).
func (a *answer) refused(address string) error {
	var said struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(a.body, &said) == nil && said.Error != "" {
		return refused(said.Error, said.Description)
	}
	if a.status == http.StatusUnauthorized || a.status == http.StatusForbidden {
		return refusef("%s answers %d %s", address, a.status, http.StatusText(a.status))
	}
	return fmt.Errorf("%s answers %d %s", address, a.status, http.StatusText(a.status))
}

// refused is an error of a server in words.
func refused(code, description string) error {
	if description == "" {
		return refusef("the server says %s", code)
	}
	return refusef("the server says %s: %s", code, strings.TrimSuffix(description, "."))
}

// object reads a JSON object.
func (a *answer) object(address string, v any) error {
	if a.status < 200 || a.status > 299 {
		return a.refused(address)
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		return fmt.Errorf("what %s answers is not the JSON object it should be: %w", address, err)
	}
	return nil
}
