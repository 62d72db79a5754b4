package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/internal/doctor"
	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/store/sqlstore"
)

// now is when everything here happens: at the second, as headers have it.
var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// site is one on loopback with these settings and no database.
func site(t *testing.T, settings ...string) *doctor.Site {
	t.Helper()
	flags := map[string]string{"issuer": "https://id.example.org"}
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		flags[name] = value
	}
	l, err := config.Load(config.Sources{Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	return &doctor.Site{Config: l, Now: func() time.Time { return now }}
}

// onSQLite adds a database that is up to date.
func onSQLite(t *testing.T, s *doctor.Site, dsn func(path string) string) *sqlstore.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "site.db")
	store := open(t, "sqlite", sqlstore.SQLiteDSN(path), sqlstore.SQLite)
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if dsn != nil {
		store = open(t, "sqlite", dsn(path), sqlstore.SQLite)
	}
	s.Config.DB = "sqlite:" + path
	with(s, store)
	return store
}

func open(t *testing.T, driver, source string, d sqlstore.Dialect) *sqlstore.Store {
	t.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return sqlstore.New(db, d)
}

func with(s *doctor.Site, store *sqlstore.Store) {
	s.DB, s.Lines, s.Ping, s.Connections = store.DB(), []sqldb.Line{store.Line()}, store.Ping, 20
}

// wants fails unless that check finds that, and returns all findings.
func wants(t *testing.T, found []doctor.Finding, severity doctor.Severity, check, says string) {
	t.Helper()
	for _, f := range found {
		if f.Check == check && f.Severity == severity && strings.Contains(f.Says, says) {
			return
		}
	}
	t.Errorf("got %s\nwant %s of %q: %q", listed(found), severity, check, says)
}

func lacks(t *testing.T, found []doctor.Finding, severity doctor.Severity) {
	t.Helper()
	for _, f := range found {
		if f.AtLeast(severity) {
			t.Errorf("got %s of %q: %s", f.Severity, f.Check, f.Says)
		}
	}
}

func listed(found []doctor.Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "\n  %s %s: %s", f.Severity, f.Check, f.Says)
	}
	return b.String()
}

func TestSoundSite(t *testing.T) {
	t.Parallel()
	s := site(t, "server-trusted-proxies=127.0.0.1")
	onSQLite(t, s, nil)
	found := s.Examine(t.Context())
	lacks(t, found, doctor.Warning)
	wants(t, found, doctor.OK, "integrity", "sound")
	wants(t, found, doctor.OK, "writing", "can be written")
	if got := s.AtStart(t.Context()); len(got) > 0 {
		t.Errorf("at the start: %s", listed(got))
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	const warning, problem, note = doctor.Warning, doctor.Problem, doctor.Note
	for _, test := range []struct {
		settings string
		severity doctor.Severity
		check    string
		says     string
	}{
		{"addr=0.0.0.0:8080", warning, "address", "without TLS"},
		{"test-endpoints=true", warning, "address", "/oauth/info"},
		{"server-drain=1s", warning, "proxies", "does not name it"},
		{"server-trusted-proxies=0.0.0.0/0", problem, "proxies", "everybody"},
		{"server-trusted-proxies=127.0.0.1,::/0", problem, "proxies", "::/0"},
		{"issuer=http://127.0.0.1", note, "issuer", "not Secure"},
		{"registration-mode=open", warning, "registration", "Anybody may register"},
		{"client-documents-enabled=true", note, "registration", "nobody reviewed"},
		{"compat-query-token=true", warning, "compat", "compat.query_token is on (flag --compat-query-token)"},
		{"compat-hybrid=true", warning, "compat", "compat.hybrid"},
		{"profile=oidc-certification", warning, "profile", "PKCE"},
		{"registration-profile=oidc-certification", warning, "profile", "registration.profile"},
		{"password-grant=true", warning, "grants", "RFC 9700"},
		{"personal-tokens-allow-no-expiry=true", warning, "grants", "for ever"},
		{"lifetimes-access-token=25h", warning, "lifetimes", "lifetimes.access_token"},
		{"lifetimes-refresh-repeat=1h", warning, "lifetimes", "thief"},
		{"lifetimes-audit=1d", note, "lifetimes", "audit trail"},
		{"sessions-binding=off", warning, "sessions", "sessions.binding"},
		{"fetch-allow=0.0.0.0/0", problem, "fetch", "every address"},
		{"fetch-allow=10.1.0.0/16", note, "fetch", "10.1.0.0/16"},
		{"mail-tls=none,mail-host=smtp.example.org", warning, "mail", "without TLS"},
		{"metrics-addr=0.0.0.0:9098", warning, "metrics", "profiles can hold secrets"},
		{"log-level=debug", note, "log", "debug"},
	} {
		t.Run(test.settings, func(t *testing.T) {
			t.Parallel()
			settings := []string{test.settings}
			if a, b, ok := strings.Cut(test.settings, ",mail"); ok {
				settings = []string{a, "mail" + b}
			}
			wants(t, site(t, settings...).Examine(t.Context()), test.severity, test.check, test.says)
		})
	}
}

// certificate writes a pair for the host that is good for that long.
func certificate(t *testing.T, host string, from, to time.Time) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test"}, DNSNames: []string{host}, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestCertificateOfTheServer(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, test := range []struct {
		name, host string
		from, to   time.Duration
		severity   doctor.Severity
		says       string
	}{
		{"good", "id.example.org", -30 * day, 60 * day, doctor.OK, "good until 2027-01-19"},
		{"expired", "id.example.org", -90 * day, -time.Hour, doctor.Problem, "expired on 2026-11-20"},
		{"soon", "id.example.org", -80 * day, 10 * day, doctor.Warning, "expires in 10 days"},
		{"six days of life", "id.example.org", -2 * day, 4 * day, doctor.OK, "good until"},
		{"not yet", "id.example.org", day, 10 * day, doctor.Problem, "Look at the clock"},
		{"another host", "www.example.org", -day, 60 * day, doctor.Problem, "is for www.example.org"},
		{"nobody's", "id.example.org", -day, 60 * day, doctor.Warning, "does not lead to an authority"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cert, key := certificate(t, test.host, now.Add(test.from), now.Add(test.to))
			found := site(t, "server-tls-cert="+cert, "server-tls-key="+key).Examine(t.Context())
			wants(t, found, test.severity, "certificate", test.says)
		})
	}
	found := site(t, "server-tls-cert=/nowhere/cert.pem", "server-tls-key=/nowhere/key.pem").Examine(t.Context())
	wants(t, found, doctor.Problem, "certificate", "no such file")
}
