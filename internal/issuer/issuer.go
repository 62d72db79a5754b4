// Package issuer says which URLs may name an authorization server (RFC 8414 §2).
// The library, the bundled accounts and the configuration ask the same question
// and get the same answer.
package issuer

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Check refuses an issuer that clients could not compare byte for byte, that
// would let secrets travel in the open, or below whose path no route could lie.
// The error is a sentence that begins with the issuer, or with "it".
func Check(issuer string) error {
	if issuer == "" {
		return errors.New("it is missing. Set it to the public URL of this server, for example https://id.example.org")
	}
	u, err := url.Parse(issuer)
	secure, plain := strings.HasPrefix(issuer, "https://"), strings.HasPrefix(issuer, "http://")
	switch {
	case err != nil || u.Hostname() == "" || !secure && !plain:
		return fmt.Errorf("%q is not a URL such as https://id.example.org", issuer)
	case u.User != nil || strings.ContainsAny(issuer, "?#"):
		return fmt.Errorf("%q must not hold a user, a query or a fragment", issuer)
	case !portOf(u.Host, u.Port()):
		return fmt.Errorf("%q has a port that there is not", issuer)
	case strings.HasSuffix(u.Path, "/"):
		return fmt.Errorf("%q must not end in a slash", issuer)
	case !plainPath(u.EscapedPath()):
		return fmt.Errorf("%q: its path may hold letters, digits and -._~ only, between single slashes", issuer)
	case plain && !Loopback(u.Hostname()):
		return fmt.Errorf("%q is plain http, which is for loopback addresses only: passwords and tokens would travel in the open. Write https; a proxy in front of this server may terminate TLS", issuer)
	}
	return nil
}

// Path is the path of an issuer, without a slash at the end: where its routes
// begin. It is empty for most.
func Path(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return "" // Check has refused it
	}
	return strings.TrimSuffix(u.Path, "/")
}

// Loopback reports whether the host is this machine and no other.
func Loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// portOf reports whether the host names no port, or one that there is.
func portOf(host, port string) bool {
	if port == "" {
		return !strings.HasSuffix(host, ":")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

// plainPath reports whether a path means the same to every router and proxy:
// unreserved characters (RFC 3986 §2.3), no empty segment and none of dots.
func plainPath(path string) bool {
	if path == "" {
		return true
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if segment == "" || segment == "." || segment == ".." || strings.Trim(segment, unreserved) != "" {
			return false
		}
	}
	return true
}
