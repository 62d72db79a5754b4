package conformance_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
)

// serve runs a relying party's own web server on loopback, over TLS, and
// returns its origin.
func serve(t *testing.T, op *provider, h http.HandlerFunc) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(op.Dir, "cert.pem"), filepath.Join(op.Dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(h)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.StartTLS()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "https://localhost:" + port
}
