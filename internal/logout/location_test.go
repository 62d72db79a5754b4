package logout

import (
	"net/url"
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	for attempts, want := range map[int]time.Duration{0: 10 * time.Second, 1: 20 * time.Second, 9: 5120 * time.Second, 10: 2 * time.Hour, 1 << 30: 2 * time.Hour} {
		if got := backoff(attempts); got != want {
			t.Errorf("after %d attempts: %v, want %v", attempts, got, want)
		}
	}
}

// Whatever state holds, the client gets it back, once, and its own URI unchanged.
func FuzzLocation(f *testing.F) {
	for _, state := range []string{"", "x", "a b&c=d#e", "%00", "é", "\r\nSet-Cookie: a=b", "&post=1"} {
		f.Add("https://web.test/bye", state)
		f.Add("https://web.test/bye?a=%41+b&c", state)
		f.Add("com.example.app:/bye", state)
		f.Add("https://web.test/bye?state=theirs&%73tate&x=y", state)
	}
	f.Fuzz(func(t *testing.T, uri, state string) {
		registered, err := url.Parse(uri)
		if err != nil || registered.Fragment != "" || registered.Opaque != "" {
			t.Skip()
		}
		got, err := url.Parse((&request{uri: uri, state: state}).location())
		if err != nil {
			t.Fatalf("%q with %q: %v", uri, state, err)
		}
		if uri == "" || state == "" {
			if got.String() != registered.String() {
				t.Fatalf("%q with %q: %s", uri, state, got)
			}
			return
		}
		if got.Scheme != registered.Scheme || got.Host != registered.Host || got.Path != registered.Path || got.Fragment != "" {
			t.Fatalf("%q with %q leads to %s", uri, state, got)
		}
		query := got.Query()
		if len(query["state"]) != 1 || query.Get("state") != state {
			t.Fatalf("%q with %q: state %q", uri, state, query["state"])
		}
		query.Del("state")
		own := registered.Query()
		own.Del("state") // ours counts
		if query.Encode() != own.Encode() {
			t.Fatalf("%q with %q: the query is %s", uri, state, query.Encode())
		}
	})
}
