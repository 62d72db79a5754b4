// Package target decides which protected resources an access token is meant for
// (RFC 8707).
//
// A server knows itself, under its issuer, and the resources that its operator
// listed; a request for any other is refused with invalid_target. An
// authorization bounds what its tokens may be meant for, and a token request may
// ask for less. A token that was asked for without a resource is for the
// server's own API.
//
// Resources are compared as people write them: the case of scheme and host does
// not matter, nor does one slash at the end. What is kept, and what tokens say,
// is always the listed spelling.
package target

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/valetkey/valetkey/oauth"
)

// Targets are the protected resources that a server issues tokens for.
type Targets struct {
	issuer string
	origin string // of the issuer
	known  map[string]oauth.Resource
}

// New returns the issuer itself and the listed resources.
func New(issuer string, list []oauth.Resource) (*Targets, error) {
	t := &Targets{issuer: issuer, known: map[string]oauth.Resource{}}
	self, err := url.Parse(issuer)
	if err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	t.origin = origin(self)
	if err := t.add(oauth.Resource{URI: issuer}); err != nil {
		return nil, err
	}
	for _, r := range list {
		if err := t.add(r); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *Targets) add(r oauth.Resource) error {
	name, err := key(r.URI)
	if err != nil {
		return fmt.Errorf("resource %q: %w", r.URI, err)
	}
	if _, twice := t.known[name]; twice {
		return fmt.Errorf("resource %q is listed twice; the issuer is always one", r.URI)
	}
	if !slices.Contains([]string{"", oauth.FormatOpaque, oauth.FormatJWT}, r.Format) {
		return fmt.Errorf("resource %q: there is no format %q of access tokens; use opaque or jwt", r.URI, r.Format)
	}
	t.known[name] = r
	return nil
}

// Read returns the resources that a request names, each once and in the listed
// spelling (RFC 8707 §2). A refusal is invalid_target.
func (t *Targets) Read(values []string) ([]string, error) {
	var out []string
	for _, value := range values {
		name, err := key(value)
		if err != nil {
			return nil, refuse("The parameter resource must be an absolute URI without a fragment.")
		}
		r, known := t.known[name]
		if !known {
			return nil, refuse("The parameter resource names a protected resource that this server does not issue tokens for.")
		}
		if !slices.Contains(out, r.URI) {
			out = append(out, r.URI)
		}
	}
	return out, nil
}

// Narrow returns what a token may be meant for: what the token request names, if
// all of it lies within the bound of the authorization (RFC 8707 §2.2); the bound,
// if it names nothing. No bound is the server's own API.
func (t *Targets) Narrow(bound, values []string) ([]string, error) {
	asked, err := t.Read(values)
	if err != nil {
		return nil, err
	}
	if len(asked) == 0 {
		return bound, nil
	}
	within := bound
	if len(within) == 0 {
		within = []string{t.issuer}
	}
	for _, r := range asked {
		if !slices.Contains(within, r) {
			return nil, refuse("The parameter resource asks for more than was authorized.")
		}
	}
	return asked, nil
}

// Own reports whether a token for these resources may be used at the server's
// own APIs: it names none, or one on the issuer's origin.
func (t *Targets) Own(resources []string) bool {
	return len(resources) == 0 || slices.ContainsFunc(resources, func(r string) bool {
		u, err := url.Parse(r)
		return err == nil && origin(u) == t.origin
	})
}

// JWT reports whether the access token of a client for these resources is a JSON
// Web Token (RFC 9068). A resource that has a format of its own decides over the
// client. A client that sees pairwise subjects gets none: the token would tell
// it the subject's own.
func (t *Targets) JWT(c *oauth.Client, resources []string) bool {
	if c.Metadata.SubjectType == oauth.SubjectPairwise {
		return false
	}
	if len(resources) == 0 {
		resources = []string{t.issuer}
	}
	return slices.ContainsFunc(resources, func(uri string) bool {
		format := c.Metadata.AccessTokenFormat
		if name, err := key(uri); err == nil && t.known[name].Format != "" {
			format = t.known[name].Format
		}
		return format == oauth.FormatJWT
	})
}

// Names are what people call the resources.
func (t *Targets) Names(resources []string) []string {
	var out []string
	for _, uri := range resources {
		name := uri
		if k, err := key(uri); err == nil && t.known[k].Name != "" {
			name = t.known[k].Name
		}
		out = append(out, name)
	}
	return out
}

// key is a resource in the form in which it is compared.
func key(uri string) (string, error) {
	u, err := url.Parse(uri)
	switch {
	case err != nil || !u.IsAbs() || u.Host == "" && u.Opaque == "":
		return "", errors.New("it is not an absolute URI")
	case strings.Contains(uri, "#"):
		return "", errors.New("it has a fragment")
	}
	rest := uri[len(u.Scheme)+1:]
	if u.Host != "" {
		rest = strings.TrimPrefix(rest, "//")
		end := strings.IndexAny(rest, "/?")
		if end < 0 {
			end = len(rest)
		}
		rest = "//" + strings.ToLower(rest[:end]) + rest[end:]
	}
	return u.Scheme + ":" + strings.TrimSuffix(rest, "/"), nil
}

// origin is the scheme, host and port of a URL.
func origin(u *url.URL) string {
	if u.Host == "" {
		return ""
	}
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return u.Scheme + "://" + host + ":" + port
}

func refuse(description string) error {
	return &oauth.Error{Code: oauth.InvalidTarget, Description: description}
}
