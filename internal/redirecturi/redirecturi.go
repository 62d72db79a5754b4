// Package redirecturi decides which redirect URIs a client may register, and
// whether the one in an authorization request is registered.
//
// The rules come from RFC 6749 §3.1.2, RFC 8252 and RFC 9700 §2.1. A redirect
// URI is an absolute URI in plain ASCII without user information, fragment or
// wildcard. Applications on the web use https; http is for the person's own
// machine only. A native application may also have a private-use scheme, which
// must hold a dot because it is a domain name turned around (RFC 8252 §7.1).
//
// Registered and requested URI are compared character by character (RFC 9700
// §4.1.3). One thing may differ: the port of an http URI on a loopback IP
// address, because a native application takes whatever port is free (RFC 8252
// §7.3). Nothing is ever decoded, lower-cased or resolved before comparing.
package redirecturi

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/valetkey/valetkey/oauth"
)

// MaxLength is the longest redirect URI accepted, in bytes.
const MaxLength = 2048

// neverSchemes run code, show local data or stand for another document.
var neverSchemes = []string{"javascript", "data", "vbscript", "file", "blob", "about", "view-source", "filesystem"}

// Validate reports why a client of type typ may not register uri, or nil. The
// error is a sentence for the person who typed it and begins with the URI.
func Validate(uri string, typ oauth.ApplicationType) error {
	for _, check := range []func(string) error{length, characters, wildcard, fragment, escapes} {
		if err := check(uri); err != nil {
			return err
		}
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" {
		return refuse(uri, "is not an absolute URI. It must begin with a scheme and a host, as https://app.example/callback does.")
	}
	if slices.Contains(neverSchemes, u.Scheme) {
		return refuse(uri, "uses the scheme %s:, which is never allowed.", u.Scheme)
	}
	if u.User != nil {
		return refuse(uri, "holds a user name or password before the host (everything up to the @). Remove it.")
	}
	switch {
	case typ == oauth.ServiceApplication:
		return refuse(uri, "is not needed: a service acts for itself and has no redirect URI.")
	case u.Scheme == "https", u.Scheme == "http":
		return web(uri, u)
	case typ == oauth.NativeApplication:
		return privateUse(uri, u)
	default:
		return refuse(uri, "must use https. Only native applications may use a scheme of their own.")
	}
}

// length: a URI that no browser or header would carry is refused before it is parsed.
func length(uri string) error {
	switch {
	case uri == "":
		return sentence("A redirect URI must not be empty.")
	case len(uri) > MaxLength:
		return refuse(uri, "is longer than %d characters.", MaxLength)
	}
	return nil
}

// characters: RFC 3986 §2 knows printable ASCII only, and no backslash, which
// browsers read as a slash.
func characters(uri string) error {
	for _, r := range uri {
		switch {
		case r == '\\':
			return refuse(uri, "holds a backslash. Use / instead.")
		case r == ' ' || r == '\t':
			return refuse(uri, "holds a space. Write one redirect URI on each line.")
		case r < ' ' || r == 0x7f:
			return refuse(uri, "holds a control character. Remove it.")
		case r > 0x7f:
			return refuse(uri, "holds characters outside ASCII. Write the host in its xn-- form and percent-encode the rest.")
		case strings.ContainsRune("\"<>^`{|}", r):
			return refuse(uri, "holds the character %q, which must be percent-encoded in a URI.", r)
		}
	}
	return nil
}

func wildcard(uri string) error {
	if strings.Contains(uri, "*") {
		return refuse(uri, "holds a wildcard (*). Redirect URIs are compared character by character; register each one in full.")
	}
	return nil
}

// fragment: RFC 6749 §3.1.2.
func fragment(uri string) error {
	if strings.Contains(uri, "#") {
		return refuse(uri, "holds a fragment (the part after #). A redirect URI must not have one.")
	}
	return nil
}

// escapes: every % begins an escape (RFC 3986 §2.1), and none hides a control character.
func escapes(uri string) error {
	for i := strings.IndexByte(uri, '%'); i >= 0; {
		if len(uri) < i+3 {
			return refuse(uri, "ends in an incomplete percent-encoding.")
		}
		c, err := strconv.ParseUint(uri[i+1:i+3], 16, 8)
		if err != nil {
			return refuse(uri, "holds a %% that is not followed by two hexadecimal digits.")
		}
		if c < ' ' || c == 0x7f {
			return refuse(uri, "holds an encoded control character. Remove it.")
		}
		next := strings.IndexByte(uri[i+3:], '%')
		if next < 0 {
			break
		}
		i += 3 + next
	}
	return nil
}

// web: https on any host, http on the person's own machine (RFC 8252 §7.3, §8.3).
func web(uri string, u *url.URL) error {
	if !strings.HasPrefix(uri[len(u.Scheme):], "://") || u.Host == "" {
		return refuse(uri, "has no host. It must look like https://app.example/callback.")
	}
	if err := host(uri, u); err != nil {
		return err
	}
	if u.Scheme == "http" && !slices.Contains([]string{"localhost", "127.0.0.1", "[::1]"}, withoutPort(u)) {
		return refuse(uri, "must use https. http is only allowed for localhost, 127.0.0.1 and [::1].")
	}
	return nil
}

// host checks the name or address and the port.
func host(uri string, u *url.URL) error {
	name := withoutPort(u)
	if literal, ok := strings.CutPrefix(name, "["); ok {
		if a, err := netip.ParseAddr(strings.TrimSuffix(literal, "]")); err != nil || !a.Is6() || a.Zone() != "" {
			return refuse(uri, "has a host that is not an IPv6 address.")
		}
	} else if !validName(name) {
		return refuse(uri, "has a host that is not a domain name or an IP address.")
	}
	if port, given := strings.CutPrefix(u.Host[len(name):], ":"); given {
		if !validPort(port) {
			return refuse(uri, "has a port that is not a number from 1 to 65535.")
		}
	}
	return nil
}

// withoutPort is the host as it was written, brackets included.
func withoutPort(u *url.URL) string {
	if i := strings.LastIndexByte(u.Host, ':'); i > strings.LastIndexByte(u.Host, ']') {
		return u.Host[:i]
	}
	return u.Host
}

// validName: labels of letters, digits, hyphens and underscores. A name that
// ends in a number must be an IPv4 address in its plain form, because browsers
// read 0x7f.1 and 2130706433 as addresses too (WHATWG URL §3.5).
func validName(name string) bool {
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			return false
		}
	}
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" || strings.HasPrefix(strings.ToLower(last), "0x") {
		a, err := netip.ParseAddr(name)
		return err == nil && a.Is4()
	}
	return len(name) <= 253
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && port == strconv.FormatUint(n, 10)
}

// privateUse: RFC 8252 §7.1.
func privateUse(uri string, u *url.URL) error {
	switch {
	case !strings.Contains(u.Scheme, "."):
		return refuse(uri, "has the scheme %s:, which another application may own. A scheme of your own must be a domain name turned around, as com.example.app: is.", u.Scheme)
	case u.Opaque != "" || u.Host == "" && u.Path == "":
		return refuse(uri, "has no path. It must look like %s:/callback.", u.Scheme)
	case u.Host != "":
		return host(uri, u)
	}
	return nil
}

// Match reports whether got is one of the registered URIs: equal character by
// character, or both http on the same loopback IP address and equal but for the
// port (RFC 8252 §7.3).
func Match(registered []string, got string) bool {
	if slices.Contains(registered, got) {
		return true
	}
	address, rest, ok := splitLoopback(got)
	if !ok {
		return false
	}
	return slices.ContainsFunc(registered, func(r string) bool {
		a, b, ok := splitLoopback(r)
		return ok && a == address && b == rest
	})
}

// splitLoopback takes the port out of an http URI on a loopback IP address.
// localhost is not one: it is a name and may resolve elsewhere (RFC 8252 §8.3).
func splitLoopback(uri string) (address, rest string, ok bool) {
	for _, address := range []string{"http://127.0.0.1", "http://[::1]"} {
		rest, found := strings.CutPrefix(uri, address)
		if !found {
			continue
		}
		end := strings.IndexAny(rest, "/?")
		if end < 0 {
			end = len(rest)
		}
		if port := rest[:end]; port != "" && (port[0] != ':' || !validPort(port[1:])) {
			return "", "", false
		}
		return address, rest[end:], true
	}
	return "", "", false
}

// Origin is the Content-Security-Policy source expression that covers a
// validated URI: scheme://host[:port], or "scheme:" for a private-use scheme.
// It is "http:" for [::1], because a host source cannot name an IPv6 address
// (CSP Level 3 §2.3.1). It is empty for what is no redirect URI.
func Origin(uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "":
		return ""
	case u.Scheme != "http" && u.Scheme != "https":
		return u.Scheme + ":"
	case strings.HasPrefix(u.Host, "["):
		return u.Scheme + ":"
	case u.Host == "":
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// sentence is an error that a person reads as it stands.
type sentence string

func (s sentence) Error() string { return string(s) }

// refuse quotes the URI, shortened and without what a terminal or a page could misread.
func refuse(uri, format string, args ...any) error {
	const most = 100
	shown := strings.Map(func(r rune) rune {
		if r < ' ' || r == '`' || r > 0x7e {
			return '?'
		}
		return r
	}, uri)
	if len(shown) > most {
		shown = shown[:most] + "…"
	}
	return sentence("`" + shown + "` " + fmt.Sprintf(format, args...))
}
