package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writeCertificate makes a certificate for localhost with that serial number.
func writeCertificate(t *testing.T, dir string, serial int64) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		stamp := time.Unix(1_700_000_000+serial, 0)
		if err := os.Chtimes(name, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// handshake connects to a server with that configuration.
func handshake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	go tls.Server(far, server).Handshake()
	client.InsecureSkipVerify = true
	conn := tls.Client(near, client)
	err := conn.Handshake()
	return conn.ConnectionState(), err
}

func TestRenewedCertificate(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), time.Unix(1_800_000_000, 0)
	cert, key := writeCertificate(t, dir, 1)
	c, err := loadCertificate(cert, key, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		state, err := handshake(t, c.config(), &tls.Config{})
		if err != nil {
			t.Fatal(err)
		}
		return state.PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Fatalf("serial %d", got)
	}
	writeCertificate(t, dir, 2)
	if got := serial(); got != 1 {
		t.Errorf("the files were read again at once: serial %d", got)
	}
	now = now.Add(certificatePoll)
	if got := serial(); got != 2 {
		t.Errorf("after the renewal: serial %d", got)
	}
	if err := os.WriteFile(key, []byte("half a fil"), 0o600); err != nil {
		t.Fatal(err)
	}
	now = now.Add(certificatePoll)
	if got := serial(); got != 2 {
		t.Errorf("after a broken renewal: serial %d", got)
	}
}

func TestTLSVersionsAndSuites(t *testing.T) {
	t.Parallel()
	cert, key := writeCertificate(t, t.TempDir(), 1)
	c, err := loadCertificate(cert, key, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		client *tls.Config
		want   uint16 // version; zero: refused
	}{
		"the best":     {&tls.Config{}, tls.VersionTLS13},
		"1.2 with GCM": {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}, tls.VersionTLS12},
		"1.2 with CBC": {&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256}}, 0},
		"1.1":          {&tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, 0},
	} {
		state, err := handshake(t, c.config(), tt.client)
		if (err != nil) != (tt.want == 0) || err == nil && state.Version != tt.want {
			t.Errorf("%s: version %x, %v", name, state.Version, err)
		}
	}
}

func TestCertificateThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	cert, _ := writeCertificate(t, t.TempDir(), 1)
	_, other := writeCertificate(t, t.TempDir(), 2)
	for name, files := range map[string][2]string{"no such file": {cert, other + ".none"}, "another's key": {cert, other}, "no PEM": {other, cert}} {
		_, err := loadCertificate(files[0], files[1], time.Now, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "server.tls_key") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
