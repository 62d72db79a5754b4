package csrf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/valetkey/valetkey/oauth"
)

// ErrCrossOrigin: the browser says that another site made the request.
var ErrCrossOrigin = errors.New("csrf: the request comes from another site")

// ProtectOptions says whose session a request has and what a refusal looks like.
type ProtectOptions struct {
	// Session returns the session of the request, or nil. Required.
	Session func(*http.Request) (*oauth.Session, error)
	// Refuse answers a request that is not let through. reason is ErrCrossOrigin
	// (in a chain), an *Error of this package, or the error of Session. Nil: a
	// plain 403.
	Refuse func(w http.ResponseWriter, r *http.Request, reason error)
}

// Protect lets through what cannot have been made by another site. Requests
// that change nothing (GET, HEAD, OPTIONS) pass.
func (g *Guard) Protect(o ProtectOptions, next http.Handler) http.Handler {
	refuse := o.Refuse
	if refuse == nil {
		refuse = func(w http.ResponseWriter, _ *http.Request, _ error) {
			http.Error(w, "The request was refused because it seems to come from another site.", http.StatusForbidden)
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := g.check(w, r, o); err != nil {
			refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

var crossOrigin = http.NewCrossOriginProtection()

func (g *Guard) check(w http.ResponseWriter, r *http.Request, o ProtectOptions) error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	if err := crossOrigin.Check(r); err != nil {
		return fmt.Errorf("%w: %w", ErrCrossOrigin, err)
	}
	origin := r.Header.Get("Origin")
	if r.Header.Get("Sec-Fetch-Site") != "" {
		return nil
	}
	if origin != "" {
		// CrossOriginProtection compares hosts only, so it would let in a page that
		// somebody on the wire served for http://our-host.
		if strings.HasPrefix(g.cfg.Issuer, "https:") && !strings.HasPrefix(origin, "https:") {
			return fmt.Errorf("%w: its origin is not https", ErrCrossOrigin)
		}
		return nil
	}
	// Nothing says where the request comes from: an old or an odd browser, or no
	// browser at all. Without a session there is nothing to abuse.
	s, err := o.Session(r)
	if err != nil || s == nil {
		return err
	}
	token := r.Header.Get(Header)
	if token == "" {
		if token, err = formToken(w, r); err != nil {
			return err
		}
	}
	return g.Verify(token, s)
}

// maxForm is how much of a body is looked through for the proof.
const maxForm = 64 << 10

// formToken reads the proof out of the form and leaves the body as it was.
func formToken(w http.ResponseWriter, r *http.Request) (string, error) {
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(strings.TrimSpace(media), "application/x-www-form-urlencoded") {
		return "", ErrMissing
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	if err != nil {
		return "", ErrMissing
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	form, err := url.ParseQuery(string(body))
	if err != nil || len(form[Field]) != 1 {
		return "", ErrMissing
	}
	return form.Get(Field), nil
}

// Sentence says to a person why their form was refused; it is empty for an error
// that is not about the form.
func Sentence(reason error) string {
	var proof *Error
	switch {
	case errors.Is(reason, ErrCrossOrigin):
		return "The form was sent from another site, so it was not accepted."
	case errors.As(reason, &proof):
		return "The form is too old or not from this browser. Go back, load the page again and send it once more."
	}
	return ""
}
