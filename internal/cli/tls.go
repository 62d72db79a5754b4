package cli

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificatePoll is how often the certificate's files are looked at again.
const certificatePoll = 30 * time.Second

// certificate keeps the server's certificate, and takes up a renewed one
// without a restart. A renewal that cannot be read leaves the old one in use.
type certificate struct {
	certFile, keyFile string
	now               func() time.Time
	log               *slog.Logger

	mu      sync.Mutex
	loaded  *tls.Certificate
	changed time.Time // modification time of the newer of the two files
	looked  time.Time
}

// loadCertificate reads the files, or says in a sentence why they cannot be used.
func loadCertificate(certFile, keyFile string, now func() time.Time, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, now: now, log: log}
	if err := c.load(); err != nil {
		return nil, invalidf("server.tls_cert %s with server.tls_key %s: %w", certFile, keyFile, err)
	}
	return c, nil
}

func (c *certificate) load() error {
	changed, err := c.modified()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.loaded, c.changed, c.looked = &pair, changed, c.now()
	return nil
}

func (c *certificate) modified() (newest time.Time, err error) {
	for _, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return newest, err
		}
		if info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return newest, nil
}

// get is [tls.Config].GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Sub(c.looked) < certificatePoll {
		return c.loaded, nil
	}
	c.looked = c.now()
	if changed, err := c.modified(); err == nil && changed.Equal(c.changed) {
		return c.loaded, nil
	}
	if err := c.load(); err != nil {
		c.log.Warn("the renewed certificate cannot be used; the old one stays", "error", err)
	} else {
		c.log.Info("the renewed certificate is in use")
	}
	return c.loaded, nil
}

// config is the TLS that is spoken: 1.3, or 1.2 with the suites that RFC 9325
// §4.2 recommends. Go's own list for 1.2 still has suites with CBC.
func (c *certificate) config() *tls.Config {
	return &tls.Config{
		GetCertificate: c.get,
		MinVersion:     tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
	}
}
