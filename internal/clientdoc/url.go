package clientdoc

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/valetkey/valetkey/oauth"
)

// maxURL is the longest URL that may be a client id, in bytes.
const maxURL = 512

// IsURL reports whether a client id claims to be the URL of a document.
func IsURL(id string) bool { return strings.HasPrefix(id, "https://") }

// parse checks the URL of a document (OAuth Client ID Metadata Document §3).
func parse(id string) (*url.URL, error) {
	if len(id) > maxURL {
		return nil, refuse("is longer than 512 characters")
	}
	if strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\\\"<>^`{|}", r) }) {
		return nil, refuse("is not a URL in plain ASCII")
	}
	u, err := url.Parse(id)
	switch {
	case err != nil || u.Scheme != "https" || !strings.HasPrefix(id, "https://") || !validHost(u):
		return nil, refuse("is not an https URL with a host")
	case u.User != nil:
		return nil, refuse("holds a user name or password")
	case strings.Contains(id, "#"):
		return nil, refuse("has a fragment")
	case len(u.Path) < 2:
		return nil, refuse("has no path")
	}
	for segment := range strings.SplitSeq(u.Path, "/") { // decoded: some servers take %2e for a dot
		if segment == "." || segment == ".." {
			return nil, refuse("has a dot segment in its path")
		}
	}
	return u, nil
}

// validHost: a name in lower case that cannot be read in two ways, or an address.
// The fetcher checks it further.
func validHost(u *url.URL) bool {
	host := u.Hostname()
	return host != "" && host == strings.ToLower(host) && !strings.HasSuffix(host, ".")
}

func refuse(format string, args ...any) error {
	return &oauth.Error{Code: oauth.InvalidClient, Description: "The client_id " + fmt.Sprintf(format, args...) + ", so it leads to no client metadata document."}
}

// hosts is a list of hosts and of domains whose hosts are all meant.
type hosts struct {
	exact   map[string]bool
	domains []string // ".example.org"
}

// CheckHosts reports which entry is neither a host nor *. before one.
func CheckHosts(list []string) error {
	for _, entry := range list {
		name := strings.TrimPrefix(entry, "*.")
		_, err := netip.ParseAddr(name)
		if address := err == nil; address && name == entry || !address && validName(name) {
			continue
		}
		return fmt.Errorf("%q is neither a host such as app.example.org nor a pattern such as *.example.org", entry)
	}
	return nil
}

func readHosts(list []string) hosts {
	h := hosts{exact: map[string]bool{}}
	for _, entry := range list {
		entry = strings.ToLower(entry)
		if domain, ok := strings.CutPrefix(entry, "*"); ok {
			h.domains = append(h.domains, domain)
			continue
		}
		h.exact[entry] = true
	}
	return h
}

func (h hosts) empty() bool { return len(h.exact) == 0 && len(h.domains) == 0 }

// holds compares a parsed host: the whole of it, or whole labels at its end.
func (h hosts) holds(host string) bool {
	if h.exact[host] {
		return true
	}
	for _, domain := range h.domains {
		if strings.HasSuffix(host, domain) && len(host) > len(domain) {
			return true
		}
	}
	return false
}

func validName(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			return false
		}
	}
	return len(name) <= 253
}
