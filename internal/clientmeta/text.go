package clientmeta

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of texts and lists. MaxName counts characters, maxText bytes.
const (
	MaxName  = 60
	maxText  = 255
	maxScope = 4096
	// MaxURIs is how many redirect URIs a client may have, and how many entries
	// every other list.
	MaxURIs = 20
)

// Plain reports whether s may be shown to other people: valid UTF-8 without
// control characters, line breaks, and the invisible characters that turn the
// direction of text around or hide in it (Unicode TR #36).
func Plain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.Is(unicode.C, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r)
	})
}

// Loopback reports whether the URL names the machine of whoever opens it.
func Loopback(u *url.URL) bool {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	a, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && (a.Unmap().IsLoopback() || a.IsUnspecified())
}

// local reports whether one of the URIs lies on the machine of whoever opens it.
func local(uris []string) bool {
	for _, uri := range uris {
		if u, err := url.Parse(uri); err == nil && Loopback(u) {
			return true
		}
	}
	return false
}

// name is what people will read: plain, and cut if it is long. A client that says
// nothing has to be called something.
func name(s string) (string, error) {
	s = strings.TrimSpace(s)
	switch {
	case !Plain(s):
		return "", bad("client_name", "must not hold control characters or invisible ones.")
	case s == "":
		return "Unnamed application", nil
	case utf8.RuneCountInString(s) > MaxName:
		return string([]rune(s)[:MaxName-1]) + "…", nil
	}
	return s, nil
}

// text checks a short text that machines and administrators read.
func text(member, s string) error {
	switch {
	case !Plain(s):
		return bad(member, "must not hold control characters or invisible ones.")
	case len(s) > maxText:
		return bad(member, "must be at most %d bytes long.", maxText)
	}
	return nil
}

// texts checks a list of them.
func texts(member string, list []string) error {
	if len(list) > MaxURIs {
		return bad(member, "must have at most %d entries.", MaxURIs)
	}
	for _, s := range list {
		if s == "" {
			return bad(member, "must not hold empty entries.")
		}
		if err := text(member, s); err != nil {
			return err
		}
	}
	return nil
}
