package manage

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/valetkey/valetkey/internal/clientmeta"
)

// Longest texts, in characters.
const (
	maxApplicationName = clientmeta.MaxName
	maxTokenName       = 40
	maxDescription     = 500
	maxWebsite         = 2048
)

// name checks the name of something, already trimmed.
func (e *Invalid) name(value string, most int, tooLong string) {
	switch {
	case value == "":
		e.add("name", "Give it a name.")
	case !clientmeta.Plain(value):
		e.add("name", "The name must not hold control characters or invisible ones.")
	case utf8.RuneCountInString(value) > most:
		e.add("name", tooLong)
	}
}

// description checks a text of several lines, already trimmed.
func (e *Invalid) description(value string) {
	switch {
	case !clientmeta.Plain(strings.NewReplacer("\r\n", " ", "\n", " ", "\t", " ").Replace(value)):
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
	case !clientmeta.Plain(value) || strings.ContainsAny(value, " \\"):
		e.add("website", "The website must not hold spaces, backslashes or control characters.")
	case clientmeta.Loopback(u) && !local:
		e.add("website", "The website may be on your own machine only while the redirect URIs are there too.")
	}
}
