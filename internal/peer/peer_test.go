package peer_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/valetkey/valetkey/internal/peer"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, tt := range []struct {
		name, remote string
		forwarded    []string
		trusted      []netip.Prefix
		want         string // network
	}{
		{"direct", "192.0.2.77:1234", nil, nil, "192.0.2.0/24"},
		{"direct, IPv6", "[2001:db8:1:2::3]:1234", nil, nil, "2001:db8:1::/48"},
		{"IPv4 in IPv6", "[::ffff:192.0.2.77]:1234", nil, nil, "192.0.2.0/24"},
		{"a stranger's header is not believed", "192.0.2.77:1", []string{"198.51.100.9"}, proxies, "192.0.2.0/24"},
		{"nor one without trusted proxies", "10.1.1.1:1", []string{"198.51.100.9"}, nil, "10.1.1.0/24"},
		{"a proxy's header is", "10.1.1.1:1", []string{"198.51.100.9"}, proxies, "198.51.100.0/24"},
		{"only as far as it was written by proxies", "10.1.1.1:1", []string{"203.0.113.1, 198.51.100.9, 10.2.2.2"}, proxies, "198.51.100.0/24"},
		{"two headers are one list", "10.1.1.1:1", []string{"203.0.113.1", "198.51.100.9"}, proxies, "198.51.100.0/24"},
		{"nonsense stops the walk", "10.1.1.1:1", []string{"198.51.100.9, nonsense"}, proxies, "10.1.1.0/24"},
		{"unknown", "@", nil, nil, ""},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tt.remote
		for _, f := range tt.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		var got peer.Peer
		w := httptest.NewRecorder()
		peer.Identify(tt.trusted, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = peer.From(r.Context()) })).ServeHTTP(w, r)
		if got.Network() != tt.want {
			t.Errorf("%s: network is %q, want %q", tt.name, got.Network(), tt.want)
		}
		if id := w.Header().Get("X-Request-Id"); id == "" || id != got.RequestID {
			t.Errorf("%s: X-Request-Id is %q, want %q", tt.name, id, got.RequestID)
		}
	}
}

func TestIdentifyKeepsThePeerThereIs(t *testing.T) {
	t.Parallel()
	var ids []string
	inner := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { ids = append(ids, peer.From(r.Context()).RequestID) })
	outer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner(w, r)
		peer.Identify(nil, inner).ServeHTTP(w, r)
	})
	peer.Identify(nil, outer).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if len(ids) != 2 || ids[0] != ids[1] {
		t.Errorf("request ids are %v, want the same one twice", ids)
	}
}
