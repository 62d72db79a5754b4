package accounts

import (
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/valetkey/valetkey/oauth"
)

// The list holds the zones of the database that Go brings along, and they are ones.
func TestZones(t *testing.T) {
	t.Parallel()
	if n := len(zones()); n < 400 || !slices.IsSorted(zones()) {
		t.Errorf("%d zones, sorted: %v", n, slices.IsSorted(zones()))
	}
	for _, name := range zones() {
		if _, err := time.LoadLocation(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "Local", "Paris", "europe/paris", "Europe", "Europe/Paris\n", "../etc/passwd"} {
		if _, wrong := zone(name); wrong == "" {
			t.Errorf("%q is taken for a time zone", name)
		}
	}
}

var claimsNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// field makes claims of which one says text.
func field(name, text string) oauth.UserClaims {
	c, address := withAddress(oauth.UserClaims{})
	if name == "preferred_username" {
		c.PreferredUsername = text
	} else {
		*ownFields(&c, address)[name] = text
	}
	return c
}

// read returns what is kept of one.
func read(c oauth.UserClaims, name string) string {
	if name == "preferred_username" {
		return c.PreferredUsername
	}
	c, address := withAddress(c)
	return *ownFields(&c, address)[name]
}

func TestParseClaims(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("n", maxClaim)
	for _, test := range []struct{ name, typed, want string }{ // want "": refused
		{"given_name", "  Anna \t Maria ", "Anna Maria"},
		{"family_name", long, long},
		{"family_name", long + "n", ""},
		{"family_name", "Null", "Null"},
		{"middle_name", "مريم", "مريم"},
		{"nickname", "a\x00b", ""},
		{"nickname", "a\x7fb", ""},
		{"nickname", "gro\u202egro", ""},
		{"nickname", "a\xffb", ""},
		{"preferred_username", "m.stone", "m.stone"},
		{"gender", "non-binary", "non-binary"},
		{"birthdate", "1990-12-31", "1990-12-31"},
		{"birthdate", "0000-02-29", "0000-02-29"},
		{"birthdate", "1990", "1990"},
		{"birthdate", "2026-11-23", "2026-11-23"},
		{"birthdate", "2026-11-24", ""},
		{"birthdate", "2027", ""},
		{"birthdate", "1849", ""},
		{"birthdate", "0000", ""},
		{"birthdate", "0000-13-01", ""},
		{"birthdate", "1990-02-29", ""},
		{"birthdate", "31.12.1990", ""},
		{"birthdate", "1990-12-31T00:00:00Z", ""},
		{"website", "https://example.org/~maria?a=b#c", "https://example.org/~maria?a=b#c"},
		{"profile", "http://[::1]:8080/", "http://[::1]:8080/"},
		{"picture", "javascript:alert(1)", ""},
		{"picture", "data:image/png;base64,AAAA", ""},
		{"picture", "//example.org/x.png", ""},
		{"picture", "https://", ""},
		{"picture", "https://user:secret@example.org/", ""},
		{"picture", "https://example.org/a b", ""},
		{"picture", `https://example.org/"onload=`, ""},
		{"website", "https://example.org/" + strings.Repeat("x", maxURL), ""},
		{"zoneinfo", "Europe/Paris", "Europe/Paris"},
		{"zoneinfo", "UTC", "UTC"},
		{"zoneinfo", "Local", ""},
		{"zoneinfo", "Europe/Atlantis", ""},
		{"zoneinfo", "../../etc/passwd", ""},
		{"zoneinfo", "/etc/localtime", ""},
		{"zoneinfo", "+01:00", ""},
		{"locale", "en-GB", "en-GB"},
		{"locale", "en_gb", "en-GB"},
		{"locale", "zh-hant-tw", "zh-Hant-TW"},
		{"locale", "English", ""},
		{"locale", "und", ""},
		{"phone_number", "+33 (1) 23-45.67/89", "+33123456789"},
		{"phone_number", "+14155552671", "+14155552671"},
		{"phone_number", "0123456789", ""},
		{"phone_number", "+0123456789", ""},
		{"phone_number", "+123456", ""},
		{"phone_number", "+1234567890123456", ""},
		{"phone_number", "+1 800 FLOWERS", ""},
		{"phone_number", "+", ""},
		{"street_address", " 1 Main  Street\r\n\r\n Back yard ", "1 Main Street\nBack yard"},
		{"formatted", strings.Repeat("n", maxLines+1), ""},
		{"country", "Côte d’Ivoire", "Côte d’Ivoire"},
		{"country", "a\nb", "a b"},
	} {
		got, wrong := parseClaims(field(test.name, test.typed), claimsNow)
		switch {
		case test.want == "" && (len(wrong) != 1 || wrong[0].Field != test.name || wrong[0].Message == ""):
			t.Errorf("%s %q: problems %v, want one", test.name, test.typed, wrong)
		case test.want != "" && (len(wrong) != 0 || read(got, test.name) != test.want):
			t.Errorf("%s %q: kept %q (%v), want %q", test.name, test.typed, read(got, test.name), wrong, test.want)
		}
	}
}

// Blank is nothing, and an address of blanks is none: OpenID Connect Core §5.3.2
// tells to leave out what is not there.
func TestParseClaimsLeavesNothingBlank(t *testing.T) {
	t.Parallel()
	c, address := withAddress(oauth.UserClaims{})
	for _, value := range ownFields(&c, address) {
		*value = " \t "
	}
	got, wrong := parseClaims(c, claimsNow)
	if got != (oauth.UserClaims{}) || len(wrong) != 0 {
		t.Errorf("kept %+v, %v", got, wrong)
	}
	if address.Region != " \t " {
		t.Error("the caller's address was changed")
	}
	if _, wrong := parseClaims(oauth.UserClaims{PhoneNumberVerified: true}, claimsNow); len(wrong) != 1 {
		t.Errorf("a verified number that is not there: %v", wrong)
	}
}

// Whatever is typed: what is kept is kept as it is when it is read again, and
// can be shown.
func FuzzParseClaims(f *testing.F) {
	for _, text := range []string{"Maria", "https://example.org/", "1990-12-31", "0000-02-29", "Europe/Paris", "en_GB", "+33 1 23 45 67 89", "a\r\nb", "\u202e", "\xff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, address := withAddress(oauth.UserClaims{})
		for name := range ownFields(&c, address) {
			kept, wrong := parseClaims(field(name, text), claimsNow)
			if len(wrong) > 0 {
				continue
			}
			again, wrong := parseClaims(kept, claimsNow)
			if len(wrong) > 0 || !sameClaims(kept, again) {
				t.Errorf("%s %q: kept %q, then %q %v", name, text, read(kept, name), read(again, name), wrong)
			}
			if !showable(strings.ReplaceAll(read(kept, name), "\n", "")) {
				t.Errorf("%s %q: kept %q", name, text, read(kept, name))
			}
		}
	})
}
