package redirecturi_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/redirecturi"
	"github.com/valetkey/valetkey/oauth"
)

const (
	web     = oauth.WebApplication
	browser = oauth.BrowserApplication
	native  = oauth.NativeApplication
)

// TestParity14_RedirectURITable: the predecessor's own table, and what its rule
// got wrong (13m).
func TestParity14_RedirectURITable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		uri string
		ok  bool
	}{
		{"example.org/", false},
		{"http://", false},
		{"http://example.org/", false},
		{"https://example.org/", true},
		{"https://localhost/", true},
		{"http://127.0.0.1", true},
		{"http://localhost:5100/authorized", true},
		{"http://[::1]:8000/cb", true},
	} {
		if err := redirecturi.Validate(tt.uri, web); (err == nil) != tt.ok {
			t.Errorf("Validate(%q) = %v, want accepted: %v", tt.uri, err, tt.ok)
		}
	}
}

func TestParity13m_UserInformationIsRefused(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{
		"http://localhost:80@evil.com/cb", "http://127.0.0.1@evil.com/cb", "http://127.0.0.1:80@evil.com/", "https://user:pw@web.test/cb", "https://@web.test/cb",
		"com.example.app://user@host/cb",
	} {
		for _, typ := range []oauth.ApplicationType{web, browser, native, oauth.LegacyApplication} {
			if err := redirecturi.Validate(uri, typ); err == nil {
				t.Errorf("Validate(%q, %s) accepts it", uri, typ)
			}
		}
	}
}

func TestValidateSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ  oauth.ApplicationType
		uri  string
		want string // part of the sentence; empty: accepted
	}{
		{web, "", "must not be empty"},
		{web, "https://web.test/" + strings.Repeat("a", 2048), "longer than 2048"},
		{web, "https://web.test/cb?tenant=1", ""},
		{web, "https://192.0.2.1/cb", ""},
		{web, "https://[2001:db8::1]:8443/cb", ""},
		{web, "https://my_host.test/cb", ""},
		{web, "https://web.test/cb#x", "fragment"},
		{web, "https://web.test/cb#", "fragment"},
		{web, "https://*.web.test/cb", "wildcard"},
		{web, "https://web.test/*", "wildcard"},
		{web, "https://web.test\\@evil.test/cb", "backslash"},
		{web, "https://web.test/cb https://evil.test/", "one redirect URI on each line"},
		{web, "https://web.test/\r\nSet-Cookie:x", "control character"},
		{web, "https://web.test/%0d%0aX", "encoded control character"},
		{web, "https://web.test/%zz", "two hexadecimal digits"},
		{web, "https://web.test/%2", "incomplete"},
		{web, "https://wéb.test/cb", "xn--"},
		{web, "https://web.test/\"", "percent-encoded"},
		{web, "/cb", "absolute"},
		{web, "//web.test/cb", "absolute"},
		{web, "https:web.test/cb", "no host"},
		{web, "https:/web.test/cb", "no host"},
		{web, "https:///cb", "no host"},
		{web, "https://:443/cb", "not a domain name"},
		{web, "https://web..test/cb", "not a domain name"},
		{web, "https://web.test./cb", "not a domain name"},
		{web, "https://web.test:/cb", "port"},
		{web, "https://web.test:0/cb", "port"},
		{web, "https://web.test:65536/cb", "port"},
		{web, "https://web.test:0443/cb", "port"},
		{web, "https://[fe80::1%25eth0]/cb", "not an IPv6"},
		{web, "http://web.test/cb", "must use https. http is only allowed for localhost, 127.0.0.1 and [::1]."},
		{web, "http://localhost.evil.test/cb", "must use https"},
		{web, "http://127.0.0.1.evil.test/cb", "must use https"},
		{web, "http://127.0.0.2/cb", "must use https"},
		{web, "http://0.0.0.0/cb", "must use https"},
		{web, "http://2130706433/cb", "not a domain name"},
		{web, "http://0x7f.1/cb", "not a domain name"},
		{web, "http://127.1/cb", "not a domain name"},
		{web, "http://[::ffff:127.0.0.1]/cb", "must use https"},
		{web, "http://localhost./cb", "not a domain name"},
		{web, "com.example.app:/cb", "must use https"},
		{browser, "com.example.app:/cb", "must use https"},
		{browser, "http://localhost:3000/cb", ""},
		{native, "com.example.app:/cb", ""},
		{native, "com.example.app://callback", ""},
		{native, "com.example.app:cb", "no path"},
		{native, "com.example.app:", "no path"},
		{native, "myapp:/cb", "domain name turned around"},
		{native, "http://127.0.0.1:51004/cb", ""},
		{native, "http://[::1]/cb", ""},
		{native, "http://web.test/cb", "must use https"},
		{native, "urn:ietf:wg:oauth:2.0:oob", "another application may own"},
		{oauth.ServiceApplication, "https://web.test/cb", "acts for itself"},
	} {
		err := redirecturi.Validate(tt.uri, tt.typ)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("Validate(%q, %s) = %v, want nil", tt.uri, tt.typ, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("Validate(%q, %s) = %v, want a sentence with %q", tt.uri, tt.typ, err, tt.want)
		}
	}
}

func TestM09_SchemesThatAreNeverAllowed(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{
		"javascript:alert(1)", "JavaScript:alert(1)", "javascript://web.test/%0aalert(1)", "javascript://web.test/", "data:text/html,x", "vbscript:x", "file:///etc/passwd",
		"blob:https://web.test/1", "about:blank", "view-source:https://web.test/", "java\tscript:alert(1)", " javascript:alert(1)",
	} {
		for _, typ := range []oauth.ApplicationType{web, browser, native, oauth.LegacyApplication} {
			if redirecturi.Validate(uri, typ) == nil {
				t.Errorf("Validate(%q, %s) accepts it", uri, typ)
			}
		}
	}
}

func TestM01_OnlyWhatIsRegisteredMatches(t *testing.T) {
	t.Parallel()
	registered := []string{"https://web.test/cb", "com.example.app:/cb", "http://localhost:3000/cb"}
	for uri, want := range map[string]bool{
		"https://web.test/cb":           true,
		"com.example.app:/cb":           true,
		"":                              false,
		"https://web.test/cb/":          false,
		"https://web.test/cb?x=1":       false,
		"https://web.test/cb#x":         false,
		"https://web.test/":             false,
		"https://web.test/cb/../evil":   false,
		"https://web.test/%63b":         false,
		"https://web.test:443/cb":       false,
		"https://evil.test/cb":          false,
		"https://web.test/cb\n":         false,
		"http://web.test/cb":            false,
		"http://localhost:3001/cb":      false,
		"https://web.test.evil.test/cb": false,
	} {
		if got := redirecturi.Match(registered, uri); got != want {
			t.Errorf("Match(%q) = %v, want %v", uri, got, want)
		}
	}
}

func TestM03_CaseMatters(t *testing.T) {
	t.Parallel()
	for _, uri := range []string{"https://web.test/CB", "HTTPS://web.test/cb", "https://WEB.test/cb"} {
		if redirecturi.Match([]string{"https://web.test/cb"}, uri) {
			t.Errorf("Match(%q) is true", uri)
		}
	}
}

func TestM05_NothingIsAPattern(t *testing.T) {
	t.Parallel()
	for _, tt := range [][2]string{
		{"https://a.web.test/cb", "https://aXweb.test/cb"}, {"https://web.test/.", "https://web.test/x"},
		{"https://web.test/(a|b)", "https://web.test/a"}, {"https://web.test/?a=b", "https://web.test/a=b"},
		{"http://127.0.0.1/cb", "http://127x0.0.1/cb"},
	} {
		if redirecturi.Match([]string{tt[0]}, tt[1]) {
			t.Errorf("Match(%q, %q) is true", tt[0], tt[1])
		}
		if !redirecturi.Match([]string{tt[0]}, tt[0]) {
			t.Errorf("Match(%q) does not match itself", tt[0])
		}
	}
}

// TestLoopbackPortMayVary: RFC 8252 §7.3.
func TestLoopbackPortMayVary(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		registered, got string
		want            bool
	}{
		{"http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", true},
		{"http://127.0.0.1:8000/cb?a=b", "http://127.0.0.1:51004/cb?a=b", true},
		{"http://127.0.0.1:8000/cb", "http://127.0.0.1/cb", true},
		{"http://127.0.0.1", "http://127.0.0.1:1", true},
		{"http://[::1]/cb", "http://[::1]:51004/cb", true},
		{"http://127.0.0.1/cb", "http://[::1]:51004/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:51004/CB", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:51004/cb/", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:0/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:70000/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:08000/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1:80@evil.test/cb", false},
		{"http://127.0.0.1/cb", "http://127.0.0.1.evil.test/cb", false},
		{"http://127.0.0.1/cb", "https://127.0.0.1:51004/cb", false},
		{"https://127.0.0.1/cb", "https://127.0.0.1:51004/cb", false},
		{"http://localhost/cb", "http://localhost:51004/cb", false},
		{"https://web.test/cb", "https://web.test:8443/cb", false},
	} {
		if got := redirecturi.Match([]string{tt.registered}, tt.got); got != tt.want {
			t.Errorf("Match(%q, %q) = %v, want %v", tt.registered, tt.got, got, tt.want)
		}
	}
}

func TestOrigin(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"https://web.test/cb?x=1":   "https://web.test",
		"https://web.test:8443/cb":  "https://web.test:8443",
		"http://127.0.0.1:51004/cb": "http://127.0.0.1:51004",
		"http://[::1]:51004/cb":     "http:",
		"com.example.app:/cb":       "com.example.app:",
		"cb":                        "",
		"":                          "",
	} {
		if got := redirecturi.Origin(uri); got != want {
			t.Errorf("Origin(%q) = %q, want %q", uri, got, want)
		}
	}
}

// authority reads the host the way a browser does (WHATWG URL §4.4): slashes and
// backslashes end it, and everything up to the last @ is user information. It
// shares no code with net/url.
func authority(uri string) (scheme, host string, userinfo bool) {
	scheme, rest, ok := strings.Cut(uri, ":")
	if !ok {
		return "", "", false
	}
	rest = strings.TrimLeft(rest, "/\\")
	if i := strings.IndexAny(rest, "/\\?#"); i >= 0 {
		rest = rest[:i]
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest, userinfo = rest[i+1:], true
	}
	if i := strings.LastIndexByte(rest, ':'); i > strings.LastIndexByte(rest, ']') {
		rest = rest[:i]
	}
	return strings.ToLower(scheme), rest, userinfo
}

// FuzzRedirectURI holds Validate and Match against a reader of another make:
// what is accepted goes, in a browser, to the host that net/url sees, and where
// the rules say it may go; what matches is what was registered but for a port.
func FuzzRedirectURI(f *testing.F) {
	for _, uri := range []string{
		"https://web.test/cb", "http://localhost:80@evil.com/cb", "http://[::1]:8000/cb", "http://127.0.0.1:1/cb?x=%2f", "com.example.app:/cb", "https://web.test\\@evil/",
		"https:\\\\evil", "http://127.0.0.1:08/", "javascript:alert(1)", "https://a.b:65535?x", "https://[::1%25a]/", "http://0x7f.1/", "https://web.test/%00",
	} {
		f.Add(uri, "http://127.0.0.1:8000/cb")
	}
	f.Add("http://127.0.0.1:51004/cb", "http://127.0.0.1/cb")
	f.Fuzz(func(t *testing.T, uri, registered string) {
		for _, typ := range []oauth.ApplicationType{web, native} {
			if redirecturi.Validate(uri, typ) == nil {
				accepted(t, uri, typ)
			}
		}
		if redirecturi.Validate(registered, native) != nil {
			return
		}
		if redirecturi.Match([]string{registered}, uri) && uri != registered {
			a, errA := url.Parse(registered)
			b, errB := url.Parse(uri)
			if errA != nil || errB != nil || a.Scheme != "http" || a.Hostname() != b.Hostname() || a.Hostname() != "127.0.0.1" && a.Hostname() != "::1" {
				t.Fatalf("%q matches %q", uri, registered)
			}
			a.Host, b.Host = "x", "x"
			if *a != *b || redirecturi.Validate(uri, native) != nil {
				t.Fatalf("%q matches %q and differs in more than the port", uri, registered)
			}
		}
	})
}

func accepted(t *testing.T, uri string, typ oauth.ApplicationType) {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatalf("%q is accepted and cannot be parsed: %v", uri, err)
	}
	scheme, host, userinfo := authority(uri)
	own := typ == native && strings.Contains(scheme, ".")
	switch {
	case userinfo && !own, u.User != nil, u.Fragment != "", u.Opaque != "", scheme != u.Scheme:
		t.Fatalf("%q is accepted for %s", uri, typ)
	case own:
	case scheme == "http" && host != "localhost" && host != "127.0.0.1" && host != "[::1]",
		scheme != "http" && scheme != "https":
		t.Fatalf("%q is accepted for %s", uri, typ)
	case strings.Trim(host, "[]") != u.Hostname():
		t.Fatalf("%q is accepted: a browser goes to %q, net/url sees %q", uri, host, u.Hostname())
	}
	if strings.ContainsAny(uri, "*#\\ \r\n\x00") || len(uri) > redirecturi.MaxLength {
		t.Fatalf("%q is accepted", uri)
	}
	if src := redirecturi.Origin(uri); src == "" || strings.ContainsAny(src, " ;,'\"*") {
		t.Fatalf("%q has the CSP source %q", uri, src)
	}
	if !redirecturi.Match([]string{uri}, uri) {
		t.Fatalf("%q does not match itself", uri)
	}
}

func TestA14_PlainHTTPIsForLoopback(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]bool{
		"https://app.example/cb": true, "http://127.0.0.1/cb": true, "http://[::1]:8080/cb": true, "http://localhost:5100/cb": true,
		"http://app.example/cb": false, "http://127.0.0.1.evil.test/cb": false, "http://localhost.evil.test/cb": false, "http://10.0.0.1/cb": false,
	} {
		for _, typ := range []oauth.ApplicationType{oauth.WebApplication, oauth.BrowserApplication, oauth.NativeApplication} {
			if err := redirecturi.Validate(uri, typ); (err == nil) != want {
				t.Errorf("%s of a %s application: %v", uri, typ, err)
			}
		}
	}
}

func TestA15_SchemesAreDomainNames(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]bool{"com.example.app:/cb": true, "org.example:/cb": true, "myapp:/cb": false, "app:cb": false} {
		if err := redirecturi.Validate(uri, oauth.NativeApplication); (err == nil) != want {
			t.Errorf("%s: %v", uri, err)
		}
		if redirecturi.Validate(uri, oauth.WebApplication) == nil {
			t.Errorf("%s is allowed on the web", uri)
		}
	}
}
