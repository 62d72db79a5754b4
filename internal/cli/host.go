package cli

import (
	"net"
	"net/http"
	"net/url"
	"strings"
)

// hosts answers only requests for a host that is ours. A page of another site
// whose name was made to point here (DNS rebinding) sends its own name, and so
// does who hopes to find it again in a link that we write.
type hosts struct {
	ours map[string]bool // as canonicalHost writes them
	next http.Handler
}

// onlyOurs lets through requests for the issuer's host, for the address that is
// listened on, and for the hosts of server.hosts.
func onlyOurs(issuer string, listener net.Addr, more []string, next http.Handler) http.Handler {
	ours := append([]string{}, more...)
	if u, err := url.Parse(issuer); err == nil {
		ours = append(ours, u.Host)
	}
	if a, ok := listener.(*net.TCPAddr); ok {
		names := []string{a.IP.String()}
		if a.IP.IsLoopback() {
			names = append(names, "localhost", "127.0.0.1", "::1")
		}
		_, port, _ := net.SplitHostPort(a.String()) // net wrote it
		for _, name := range names {
			ours = append(ours, net.JoinHostPort(name, port))
		}
	}
	h := hosts{map[string]bool{}, next}
	for _, host := range ours {
		h.ours[canonicalHost(host)] = true
	}
	return h
}

// canonicalHost is a host as it is compared: in lower case, and without the port
// that the scheme implies, which clients may leave out.
func canonicalHost(host string) string {
	host = strings.ToLower(host)
	return strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":80")
}

// ServeHTTP answers 421 (RFC 9110 §15.5.20) for a host that is not ours. Who
// watches the server may ask by whatever address they know.
func (h hosts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !h.ours[canonicalHost(r.Host)] && r.URL.Path != "/healthz" && r.URL.Path != "/readyz" {
		http.Error(w, "This server does not answer for that host. Its operator can add a host to server.hosts.", http.StatusMisdirectedRequest)
		return
	}
	h.next.ServeHTTP(w, r)
}
