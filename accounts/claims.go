package accounts

import (
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/valetkey/valetkey/oauth"
)

const (
	maxClaim   = 100 // characters of a line
	maxLines   = 500 // characters of an address of several lines
	maxURL     = 2000
	firstBirth = 1850 // nobody alive was born before
)

// parseClaims returns the claims as they are kept, or everything that is wrong
// with them. What is kept is plain text: no control characters, no spaces around
// it, nothing that reverses the direction of what stands beside it.
func parseClaims(c oauth.UserClaims, now time.Time) (oauth.UserClaims, []*Invalid) {
	var wrong []*Invalid
	set := func(field string, value *string, parse func(string) (string, string)) {
		if *value = strings.TrimSpace(*value); *value == "" {
			return
		}
		kept, problem := parse(*value)
		if problem != "" {
			wrong = append(wrong, &Invalid{field, problem})
		}
		*value = kept
	}
	set("given_name", &c.GivenName, line)
	set("middle_name", &c.MiddleName, line)
	set("family_name", &c.FamilyName, line)
	set("nickname", &c.Nickname, line)
	set("preferred_username", &c.PreferredUsername, line)
	set("gender", &c.Gender, line)
	set("birthdate", &c.Birthdate, func(s string) (string, string) { return birthdate(s, now) })
	set("profile", &c.Profile, webAddress)
	set("picture", &c.Picture, webAddress)
	set("website", &c.Website, webAddress)
	set("locale", &c.Locale, locale)
	set("zoneinfo", &c.Zoneinfo, zone)
	set("phone_number", &c.PhoneNumber, phone)
	if c.Address != nil {
		a := *c.Address // the caller's stays as it is
		set("formatted", &a.Formatted, lines)
		set("street_address", &a.StreetAddress, lines)
		set("postal_code", &a.PostalCode, line)
		set("locality", &a.Locality, line)
		set("region", &a.Region, line)
		set("country", &a.Country, line)
		if c.Address = &a; a == (oauth.Address{}) {
			c.Address = nil
		}
	}
	if c.PhoneNumberVerified && c.PhoneNumber == "" {
		wrong = append(wrong, &Invalid{"phone_number_verified", "There is no phone number that could be verified."})
	}
	return c, wrong
}

// sameClaims compares what the two say; addresses are pointers.
func sameClaims(a, b oauth.UserClaims) bool {
	var x, y oauth.Address
	if a.Address != nil {
		x = *a.Address
	}
	if b.Address != nil {
		y = *b.Address
	}
	a.Address, b.Address = nil, nil
	return a == b && x == y
}

// all is one error of many, for who has no form to show them beside.
func all(wrong []*Invalid) error {
	var list []error
	for _, w := range wrong {
		list = append(list, w)
	}
	return errors.Join(list...)
}

// The parsers return what is kept, and a sentence if that is not possible.

func line(s string) (string, string) {
	s = strings.Join(strings.Fields(s), " ")
	return s, plain(s, maxClaim)
}

// lines allows several, divided by line feeds (OpenID Connect Core §5.1.1).
func lines(s string) (string, string) {
	var out []string
	for l := range strings.SplitSeq(strings.ReplaceAll(s, "\r\n", "\n"), "\n") {
		if l = strings.Join(strings.Fields(l), " "); l != "" {
			out = append(out, l)
		}
	}
	s = strings.Join(out, "\n")
	return s, plain(strings.ReplaceAll(s, "\n", " "), maxLines)
}

func plain(s string, most int) string {
	switch {
	case utf8.RuneCountInString(s) > most:
		return fmt.Sprintf("Shorten it to %d characters or fewer.", most)
	case !showable(s):
		return "It holds characters that cannot be shown. Type it anew."
	}
	return ""
}

// showable reports whether the text says what it seems to say.
func showable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError
	})
}

func webAddress(s string) (string, string) {
	if len(s) > maxURL {
		return s, fmt.Sprintf("Shorten the address to %d characters or fewer.", maxURL)
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || !showable(s) || strings.ContainsAny(s, " \"<>\\^`{|}") {
		return s, "Enter a web address that starts with https:// or http://, for example https://example.org/maria."
	}
	return s, ""
}

// birthdate: a date, a date whose year is not told (0000), or a year alone
// (OpenID Connect Core §5.1).
func birthdate(s string, now time.Time) (string, string) {
	const help = "Enter the date as YYYY-MM-DD, for example 1990-12-31; with 0000 for a year you do not want to tell; or the year alone."
	format := time.DateOnly
	if len(s) == 4 {
		format = "2006"
	}
	day, err := time.Parse(format, s)
	switch {
	case err != nil || s == "0000":
		return s, help
	case day.Year() == 0:
	case day.Year() < firstBirth || day.After(now):
		return s, fmt.Sprintf("Enter a date between %d and today.", firstBirth)
	}
	return s, ""
}

// zonesText holds the names of the IANA time zone database, one a line, sorted. The
// zones themselves would take fifty times as much, and machines without them differ.
//
//go:embed zones.txt
var zonesText string

var zones = sync.OnceValue(func() []string { return strings.Fields(zonesText) })

func zone(s string) (string, string) {
	if _, known := slices.BinarySearch(zones(), s); known {
		return s, ""
	}
	return s, "Enter a time zone by its IANA name, for example Europe/Paris."
}

func locale(s string) (string, string) {
	tag, err := language.Parse(s)
	if err != nil || len(s) > maxClaim || tag == language.Und {
		return s, "Enter a language tag, for example en-GB."
	}
	return tag.String(), ""
}

// phone: E.164, as OpenID Connect Core §5.1 recommends. What people write between
// the digits is dropped.
func phone(s string) (string, string) {
	digits, ok := strings.CutPrefix(strings.NewReplacer(" ", "", "-", "", ".", "", "/", "", "(", "", ")", "").Replace(s), "+")
	if !ok || len(digits) < 7 || len(digits) > 15 || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return s, "Enter the number with a plus sign and the country code, for example +33 1 23 45 67 89."
	}
	return "+" + digits, ""
}
