package conformance_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/livetest"
)

// files is where the files are that docs/conformance.md speaks of.
const files = "../../docs/conformance"

// person has every claim there is.
var person = livetest.Person{Email: "anna@example.org", Password: "correct horse battery staple"}

// provider is the program under test.
type provider struct {
	*livetest.Site
	server *livetest.Server
	roots  *x509.CertPool
}

var (
	dir    string // of everything the package makes
	shared = sync.OnceValues(func() (*provider, error) { return newProvider(context.Background(), dir) })
)

func TestMain(m *testing.M) {
	var err error
	if dir, err = os.MkdirTemp("", "valetkey-conformance-"); err != nil {
		panic(err)
	}
	code := m.Run()
	if p, err := shared(); err == nil {
		if err := p.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// op returns the running program. The first test that asks for it waits until
// it is built.
func op(t *testing.T) *provider {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds and runs the program; leave -short out")
	}
	p, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// newProvider follows docs/conformance.md: keys, a certificate, the
// configuration, the user. Only the addresses are others.
func newProvider(ctx context.Context, dir string) (*provider, error) {
	binary, err := livetest.Build(ctx, dir)
	if err != nil {
		return nil, err
	}
	site, err := livetest.NewSite(ctx, binary, dir)
	if err != nil {
		return nil, err
	}
	_, port, _ := strings.Cut(site.Addr, ":")
	site.Issuer = "https://localhost:" + port
	p := &provider{Site: site}
	if p.roots, err = writeCertificate(dir); err != nil {
		return nil, err
	}
	config, err := os.ReadFile(filepath.Join(files, "valetkey.yaml"))
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "valetkey.yaml"), config, 0o600); err != nil {
		return nil, err
	}
	// What the program fetches from a relying party is served with the same certificate.
	site.Env = append(site.Env, "VALETKEY_ISSUER="+site.Issuer, "SSL_CERT_FILE="+filepath.Join(dir, "cert.pem"))
	site.Transport = p.transport()
	claims, err := filepath.Abs(filepath.Join(files, "user.json"))
	if err != nil {
		return nil, err
	}
	if _, err := site.Run(ctx, person.Password+"\n", "user", "create", person.Email, "--password-file", "-", "--verified", "--name", "Anna Tester", "--claims", claims); err != nil {
		return nil, err
	}
	p.server, err = site.Start(ctx)
	return p, err
}

// transport trusts the provider's certificate, and localhost is this machine.
func (p *provider) transport() *http.Transport {
	return &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: p.roots},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", port))
		},
	}
}

// writeCertificate makes cert.pem and key.pem for localhost.
func writeCertificate(dir string) (*x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(filepath.Join(dir, "cert.pem"), certificate, 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600); err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	return roots, nil
}
