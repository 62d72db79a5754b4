package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/url"
	"sync"

	"golang.org/x/oauth2"
)

// consumer keeps what each visitor's browser has got.
type consumer struct {
	issuer, resource string
	config           oauth2.Config

	mu     sync.Mutex
	visits map[string]*visit // by the value of the cookie
}

// visit is one visitor's browser.
type visit struct {
	state, verifier string // of the flow under way
	token           *oauth2.Token
	answer          string // of the protected resource
}

func (c *consumer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mux := http.NewServeMux()
	v := c.visit(w, r)
	for pattern, h := range map[string]func(http.ResponseWriter, *http.Request, *visit){
		"GET /{$}":        c.page,
		"POST /authorize": c.authorize,
		"GET /authorized": c.authorized,
		"POST /refresh":   c.refresh,
		"POST /resource":  c.call,
		"POST /forget":    c.forget,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { h(w, r, v) })
	}
	c.mu.Lock() // one request at a time is enough for an example
	defer c.mu.Unlock()
	http.NewCrossOriginProtection().Handler(mux).ServeHTTP(w, r)
}

// visit finds the visitor by a cookie, and gives a new one to who has none.
func (c *consumer) visit(w http.ResponseWriter, r *http.Request) *visit {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cookie, err := r.Cookie("consumer"); err == nil && c.visits[cookie.Value] != nil {
		return c.visits[cookie.Value]
	}
	id, v := rand.Text(), &visit{}
	c.visits[id] = v
	http.SetCookie(w, &http.Cookie{Name: "consumer", Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return v
}

// authorize sends the browser to the server. The state ties the answer to this
// browser (RFC 6749 §10.12), the verifier ties the code to this program (RFC 7636).
func (c *consumer) authorize(w http.ResponseWriter, r *http.Request, v *visit) {
	v.state, v.verifier = rand.Text(), oauth2.GenerateVerifier()
	http.Redirect(w, r, c.config.AuthCodeURL(v.state, oauth2.S256ChallengeOption(v.verifier)), http.StatusSeeOther)
}

// authorized takes the server's answer and exchanges the code for a token.
func (c *consumer) authorized(w http.ResponseWriter, r *http.Request, v *visit) {
	q := r.URL.Query()
	state, verifier := v.state, v.verifier
	v.state, v.verifier = "", "" // good for one answer
	switch {
	case state == "" || q.Get("state") != state:
		home(w, r, "state_mismatch", "This answer belongs to no request of this browser.")
	case q.Has("iss") && q.Get("iss") != c.issuer: // RFC 9207 §2.4
		home(w, r, "issuer_mismatch", "This answer comes from another server.")
	case q.Has("error"):
		home(w, r, q.Get("error"), q.Get("error_description"))
	default:
		token, err := c.config.Exchange(r.Context(), q.Get("code"), oauth2.VerifierOption(verifier))
		v.take(w, r, token, err)
	}
}

// refresh asks for a new token by the refresh token.
func (c *consumer) refresh(w http.ResponseWriter, r *http.Request, v *visit) {
	if v.token == nil || v.token.RefreshToken == "" {
		home(w, r, "no_refresh_token", "There is no refresh token. Ask for a new token by a new flow.")
		return
	}
	token, err := c.config.TokenSource(r.Context(), &oauth2.Token{RefreshToken: v.token.RefreshToken}).Token()
	v.take(w, r, token, err)
}

// call uses the token at the protected resource.
func (c *consumer) call(w http.ResponseWriter, r *http.Request, v *visit) {
	if v.token == nil {
		home(w, r, "no_token", "There is no token yet.")
		return
	}
	answer, err := c.fetch(r.Context(), v.token)
	if err != nil {
		home(w, r, "no_answer", err.Error())
		return
	}
	v.answer = answer
	home(w, r, "", "")
}

func (c *consumer) fetch(ctx context.Context, token *oauth2.Token) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.resource, nil)
	if err != nil {
		return "", err
	}
	token.SetAuthHeader(req)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return resp.Status + "\n" + string(body), err
}

func (c *consumer) forget(w http.ResponseWriter, r *http.Request, v *visit) {
	*v = visit{}
	home(w, r, "", "")
}

// take keeps the token, or shows why there is none.
func (v *visit) take(w http.ResponseWriter, r *http.Request, token *oauth2.Token, err error) {
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused):
		home(w, r, refused.ErrorCode, refused.ErrorDescription)
	case err != nil:
		home(w, r, "no_answer", err.Error())
	default:
		v.token, v.answer = token, ""
		home(w, r, "", "")
	}
}

// home goes back to the page, with an error in the query if there is one.
func home(w http.ResponseWriter, r *http.Request, code, description string) {
	target := "/"
	if code != "" {
		target += "?" + url.Values{"error": {code}, "error_description": {description}}.Encode()
	}
	http.Redirect(w, r, target, http.StatusSeeOther)
}
