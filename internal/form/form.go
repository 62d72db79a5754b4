// Package form reads OAuth parameters, once, from a form body or a query.
//
// Every parameter appears at most once, or two readers could each see another
// value (RFC 6749 §3.1, §3.2); "resource" alone may repeat (RFC 8707 §2) and is
// read by [Values.Resources]. A parameter without a value counts as absent. Text
// is UTF-8 without NUL, so that every store can keep it and give it back byte
// for byte.
//
// A body is never mixed with the query, and a secret in the query is refused:
// URLs end up in logs (RFC 6749 §2.3.1).
package form

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/valetkey/valetkey/oauth"
)

// MaxBytes bounds a body and a query string.
const MaxBytes = 64 << 10

// Values holds each parameter once, none of them empty. The values of resource
// stand in it together: ask Resources, never the map, for them.
type Values map[string]string

// resource is the only parameter that may be repeated (RFC 8707 §2).
const resource = "resource"

// between stands between the values of resource; no value can hold it.
const between = "\x00"

// New makes values of parameters that were read before, and of resources.
func New(params map[string]string, resources []string) Values {
	v := Values{}
	for name, value := range params {
		if name != resource && value != "" {
			v[name] = value
		}
	}
	v.setResources(resources)
	return v
}

// setResources keeps each resource once.
func (v Values) setResources(list []string) {
	seen := map[string]bool{"": true}
	list = slices.DeleteFunc(slices.Clone(list), func(r string) bool {
		twice := seen[r]
		seen[r] = true
		return twice
	})
	if len(list) > 0 {
		v[resource] = strings.Join(list, between)
	}
}

// Resources returns the values of resource, each once, in their order.
func (v Values) Resources() []string {
	if v[resource] == "" {
		return nil
	}
	return strings.Split(v[resource], between)
}

// Params returns everything but the resources.
func (v Values) Params() map[string]string {
	out := maps.Clone(map[string]string(v))
	delete(out, resource)
	return out
}

// URL returns the values as net/url has them, to be written into a URL.
func (v Values) URL() url.Values {
	out := url.Values{}
	for name, value := range v.Params() {
		out.Set(name, value)
	}
	if list := v.Resources(); list != nil {
		out[resource] = list
	}
	return out
}

// secret lists what must never travel in a URL.
var secret = []string{"client_secret", "client_assertion", "code", "code_verifier", "device_code", "password", "refresh_token", "token"}

// Parse reads the body of a form post. A violation is an [*oauth.Error] of code
// invalid_request; any other error is a broken connection.
func Parse(w http.ResponseWriter, r *http.Request) (Values, error) {
	if err := isForm(r.Header); err != nil {
		return nil, err
	}
	if err := noSecretInQuery(r.URL.RawQuery); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBytes))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "The request body is larger than 64 KiB.", Cause: tooLarge}
	}
	if err != nil {
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "The request body could not be read to its end.", Cause: err}
	}
	return ParseString(string(body))
}

// Query reads the query string. A violation is an [*oauth.Error] of code invalid_request.
func Query(r *http.Request) (Values, error) { return ParseString(r.URL.RawQuery) }

// Repeated is the cause of the refusal when parameters appear twice. The
// authorization endpoint must know which: it does not redirect when the
// redirect URI itself is in doubt.
type Repeated struct{ Names []string }

func (r *Repeated) Error() string { return "repeated parameters: " + strings.Join(r.Names, " ") }

// ParseString reads application/x-www-form-urlencoded text (RFC 6749 Appendix B).
// When the only fault is repeated parameters the values are returned along with
// the error, each with the first value it had.
func ParseString(encoded string) (Values, error) {
	if len(encoded) > MaxBytes {
		return nil, invalid("The parameters are larger than 64 KiB.")
	}
	values, seen := Values{}, map[string]bool{}
	var resources []string
	var repeated Repeated
	for pair := range strings.SplitSeq(encoded, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := text(rawName)
		if err != nil {
			return nil, err
		}
		value, err := text(rawValue)
		if err != nil {
			return nil, err
		}
		if name == resource {
			resources = append(resources, value)
			continue
		}
		if seen[name] {
			repeated.Names = append(repeated.Names, name)
			continue
		}
		seen[name] = true
		if value != "" {
			values[name] = value
		}
	}
	values.setResources(resources)
	if len(repeated.Names) > 0 {
		return values, &oauth.Error{
			Code:        oauth.InvalidRequest,
			Description: fmt.Sprintf("The parameter %s appears more than once.", shown(repeated.Names[0])),
			Cause:       &repeated,
		}
	}
	return values, nil
}

// Require returns the first of the named parameters that is absent as a refusal.
func (v Values) Require(names ...string) error {
	for _, name := range names {
		if v[name] == "" {
			return invalid(fmt.Sprintf("The parameter %s is missing.", name))
		}
	}
	return nil
}

// Only returns the named parameters alone.
func (v Values) Only(names ...string) map[string]string {
	out := make(map[string]string, len(names))
	for _, name := range names {
		if value, ok := v[name]; ok {
			out[name] = value
		}
	}
	return out
}

// isForm checks the media type (RFC 6749 §4.1.3 and its likes).
func isForm(h http.Header) error {
	const form = "application/x-www-form-urlencoded"
	sent := h.Get("Content-Type")
	if sent == form { // as nearly everybody writes it
		return nil
	}
	if mediaType, _, err := mime.ParseMediaType(sent); err != nil || mediaType != form {
		return invalid("The Content-Type must be application/x-www-form-urlencoded.")
	}
	return nil
}

// noSecretInQuery refuses credentials in the URL (RFC 6749 §2.3.1).
func noSecretInQuery(raw string) error {
	if raw == "" {
		return nil
	}
	for pair := range strings.SplitSeq(raw, "&") {
		rawName, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			continue // the query is not read; this is only a warning to the honest
		}
		for _, s := range secret {
			if name == s {
				return invalid(fmt.Sprintf("The parameter %s must be in the request body, never in the URL.", s))
			}
		}
	}
	return nil
}

func text(raw string) (string, error) {
	s, err := url.QueryUnescape(raw)
	if err != nil {
		return "", invalid("The parameters are not well-formed application/x-www-form-urlencoded text.")
	}
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return "", invalid("The parameters must be UTF-8 text without NUL.")
	}
	return s, nil
}

// shown is the name as far as it is safe to repeat in an error.
func shown(name string) string {
	if len(name) > 40 {
		name = name[:40]
	}
	for i := range len(name) {
		if c := name[i]; c != '_' && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return "(an unusual name)"
		}
	}
	return name
}

func invalid(description string) error {
	return &oauth.Error{Code: oauth.InvalidRequest, Description: description}
}
