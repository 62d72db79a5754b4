package cli

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestHostsThatAreOurs(t *testing.T) {
	t.Parallel()
	loopback := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	everywhere := &net.TCPAddr{IP: net.IPv6zero, Port: 8080}
	const ok, refused = http.StatusNoContent, http.StatusMisdirectedRequest
	for _, tt := range []struct {
		issuer   string
		listener net.Addr
		more     []string
		host     string
		want     int
	}{
		{"https://id.example.org", loopback, nil, "id.example.org", ok},
		{"https://id.example.org", loopback, nil, "ID.example.org:443", ok},
		{"https://id.example.org:8443/auth", loopback, nil, "id.example.org:8443", ok},
		{"https://id.example.org:8443/auth", loopback, nil, "id.example.org", refused},
		{"https://id.example.org", loopback, nil, "127.0.0.1:8080", ok},
		{"https://id.example.org", loopback, nil, "localhost:8080", ok},
		{"https://id.example.org", loopback, nil, "[::1]:8080", ok},
		{"https://id.example.org", loopback, nil, "localhost", refused},
		{"https://id.example.org", loopback, nil, "localhost:8081", refused},
		{"https://id.example.org", everywhere, nil, "localhost:8080", refused},
		{"https://id.example.org", everywhere, nil, "10.0.0.5:8080", refused},
		{"https://id.example.org", everywhere, []string{"10.0.0.5:8080", "Id.Internal"}, "10.0.0.5:8080", ok},
		{"https://id.example.org", everywhere, []string{"10.0.0.5:8080", "Id.Internal"}, "id.internal", ok},
		{"https://id.example.org", loopback, nil, "evil.test", refused},
		{"https://id.example.org", loopback, nil, "id.example.org.evil.test", refused},
		{"https://id.example.org", loopback, nil, "evil-id.example.org", refused},
		{"https://id.example.org", loopback, nil, "id.example.org.", refused},
		{"https://id.example.org", loopback, nil, "id.example.org:8080", refused},
		{"https://id.example.org", loopback, nil, "", refused},
	} {
		h := onlyOurs(tt.issuer, tt.listener, tt.more, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(ok) }))
		for path, want := range map[string]int{"/": tt.want, "/healthz": ok, "/readyz": ok, "//healthz": tt.want, "/healthz/": tt.want} {
			r := httptest.NewRequest("GET", "http://unused"+path, nil)
			r.Host = tt.host
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("issuer %s, listening on %v and %v: %s%s answered %d, want %d", tt.issuer, tt.listener, tt.more, tt.host, path, w.Code, want)
			}
		}
	}
}
