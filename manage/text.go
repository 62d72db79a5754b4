package manage

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Longest texts, in characters.
const (
	maxApplicationName = 60
	maxTokenName       = 40
	maxDescription     = 500
	maxWebsite         = 2048
)

// plain reports whether s may be shown to other people: valid UTF-8 without
// control characters, line breaks, and the invisible characters that turn the
// direction of text around or hide in it (Unicode TR #36).
func plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.Is(unicode.C, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
	})
}

// name checks the name of something, already trimmed.
func (e *Invalid) name(value string, most int, tooLong string) {
	switch {
	case value == "":
		e.add("name", "Give it a name.")
	case !plain(value):
		e.add("name", "The name must not hold control characters or invisible ones.")
	case utf8.RuneCountInString(value) > most:
		e.add("name", tooLong)
	}
}

// description checks a text of several lines, already trimmed.
func (e *Invalid) description(value string) {
	switch {
	case !plain(strings.NewReplacer("\r\n", " ", "\n", " ", "\t", " ").Replace(value)):
		e.add("description", "The description must not hold control characters or invisible ones.")
	case utf8.RuneCountInString(value) > maxDescription:
		e.add("description", "The description must be at most 500 characters long.")
	}
}

// website checks the link that people may follow from the consent page. A
// website on the person's own machine leads everybody else astray, so it goes
// only with redirect URIs on that machine: an application under development.
func (e *Invalid) website(value string, required, local bool) {
	if value == "" {
		if required {
			e.add("website", "Give the address of the application's website.")
		}
		return
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		e.add("website", "The website must be an address that begins with https:// or http://.")
	case u.User != nil:
		e.add("website", "The website must not hold a user name or password.")
	case len(value) > maxWebsite:
		e.add("website", "The website must be at most 2048 characters long.")
	case !plain(value) || strings.ContainsAny(value, " \\"):
		e.add("website", "The website must not hold spaces, backslashes or control characters.")
	case loopback(u) && !local:
		e.add("website", "The website may be on your own machine only while the redirect URIs are there too.")
	}
}

// loopback reports whether the URL names the machine of whoever opens it.
func loopback(u *url.URL) bool {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	a, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && (a.Unmap().IsLoopback() || a.IsUnspecified())
}
