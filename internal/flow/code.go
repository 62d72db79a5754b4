package flow

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"golang.org/x/oauth2"
)

// CallbackPath is where the browser comes back to on this machine (RFC 8252 §7.3).
const CallbackPath = "/callback"

// Code runs the authorization code flow through a browser (RFC 6749 §4.1, RFC
// 8252 §7.3). It listens on the port, or on any free one if that is 0; open shows
// the person the address. prompt may be empty.
func (c *Client) Code(ctx context.Context, port int, prompt string, open func(address string)) (*Answer, error) {
	if c.Server.Authorization == "" {
		return nil, errors.New("the server's metadata names no authorization endpoint")
	}
	if err := CheckURL(c.Server.Authorization); err != nil {
		return nil, &Refusal{err.Error()}
	}
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, fmt.Errorf("nothing can listen for the browser on this machine: %w", err)
	}
	config, w, verifier := c.config(), c.wire(nil), oauth2.GenerateVerifier()
	config.RedirectURL = "http://" + listener.Addr().String() + CallbackPath
	back := &callback{state: rand.Text(), server: c.Server, answers: make(chan url.Values, 1)}
	server := &http.Server{Handler: back, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second}
	go server.Serve(listener)
	defer func() {
		done, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		server.Shutdown(done) // lets the last page reach the browser
	}()

	nonce, options := "", []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier)}
	if slices.Contains(c.Scopes, "openid") {
		nonce = rand.Text()
		options = append(options, oauth2.SetAuthURLParam("nonce", nonce))
	}
	if prompt != "" {
		options = append(options, oauth2.SetAuthURLParam("prompt", prompt))
	}
	address := config.AuthCodeURL(back.state, options...)
	if len(c.Resources) > 0 {
		address += "&" + url.Values{"resource": c.Resources}.Encode()
	}
	open(address)
	var got url.Values
	select {
	case got = <-back.answers:
	case <-ctx.Done():
		return nil, refusef("the browser did not come back in time")
	}
	if err := back.check(got); err != nil {
		return nil, err
	}
	_, err = config.Exchange(w.into(ctx), got.Get("code"), oauth2.VerifierOption(verifier))
	a, err := w.answer(err)
	if err != nil {
		return nil, err
	}
	a.Nonce = nonce
	return a, nil
}

// callback takes the one answer that carries our state. Whatever else comes is
// not for us, and does not end the wait.
type callback struct {
	state   string
	server  *Server
	answers chan url.Values
}

func (b *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	query := r.URL.Query()
	switch {
	case r.Method != http.MethodGet || r.URL.Path != CallbackPath:
		w.WriteHeader(http.StatusNotFound)
		page(w, "There is nothing here")
		return
	case subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(b.state)) != 1:
		w.WriteHeader(http.StatusBadRequest)
		page(w, "This is not the answer that valetkey waits for")
		return
	}
	select {
	case b.answers <- query:
	default: // the page was loaded again
	}
	if err := b.check(query); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		page(w, "That did not work: "+err.Error())
		return
	}
	page(w, "You can close this page and go back to the terminal")
}

func page(w http.ResponseWriter, sentence string) {
	fmt.Fprintf(w, "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"color-scheme\" content=\"light dark\">\n<title>valetkey flow</title>\n<h1>%s.</h1>\n</html>\n", html.EscapeString(sentence))
}

// check is RFC 9207 §2.4, and RFC 6749 §4.1.2, §4.1.2.1.
func (b *callback) check(q url.Values) error {
	for name, values := range q {
		if len(values) > 1 {
			return refusef("the answer has the parameter %s more than once", name)
		}
	}
	iss := q.Get("iss")
	switch {
	case iss == "" && b.server.NamesIssuer:
		return refusef("the answer does not say which server it comes from, although the server promises that (iss is missing)")
	case iss != "" && b.server.Issuer != "" && iss != b.server.Issuer:
		return refusef("the answer comes from another server: iss is %q, not %q", iss, b.server.Issuer)
	case q.Get("error") != "":
		return refused(q.Get("error"), q.Get("error_description"))
	case q.Get("code") == "":
		return refusef("the answer holds neither a code nor an error")
	}
	return nil
}
