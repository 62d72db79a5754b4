package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"
)

// checkFiles looks who else on this machine can read what nobody else should.
func checkFiles(v *visit) {
	dir, sqlite := strings.CutPrefix(v.Config.DB, "sqlite:")
	files := []struct{ what, name string }{
		{"the secret keys", v.Config.SecretFile("keyring")},
		{"the mail password", v.Config.SecretFile("mail.password")},
		{"the salt of imported passwords", v.Config.SecretFile("imported_password_salt")},
		{"the private key of the certificate", v.Config.Server.TLSKey},
	}
	if sqlite {
		files = append(files, struct{ what, name string }{"the database", dir})
	}
	for _, f := range files {
		info, err := os.Stat(f.name)
		switch {
		case f.name == "" || errors.Is(err, os.ErrNotExist) && f.name == dir: // the database may have to be made yet
		case err != nil:
			v.problem("The file of %s cannot be read: %v.", f.what, err)
		case runtime.GOOS == "windows": // where the mode says nothing
		case info.Mode().Perm()&0o007 != 0:
			v.problem("other users of this machine can read %s: chmod 600 %s", f.what, f.name)
		case info.Mode().Perm()&0o070 != 0:
			v.warn("The group of %s can read %s. If it has members: chmod 600 %s", f.name, f.what, f.name)
		}
	}
	const old = 2 * 366 * day
	if info, err := os.Stat(v.Config.SecretFile("keyring")); err == nil && v.Now().Sub(info.ModTime()) > old {
		v.note("The secret keys have not changed for %s. \"valetkey secret rotate\" puts a new one before the old.", days(v.Now().Sub(info.ModTime())))
	}
	if len(v.found) == 0 {
		v.ok("Nobody else on this machine can read the files of secrets.")
	}
}

// soon is how near its end a certificate is told of. Those that renew by
// themselves do so a month before, or a third of their life.
const soon = 14 * day

// checkCertificate looks at the certificate that the server itself serves.
func checkCertificate(v *visit) {
	name := v.Config.Server.TLSCert
	if name == "" || v.Config.Server.TLSKey == "" {
		return
	}
	pair, err := tls.LoadX509KeyPair(name, v.Config.Server.TLSKey)
	if err != nil {
		v.problem("server.tls_cert %s with server.tls_key %s: %v. The server does not start with them.", name, v.Config.Server.TLSKey, err)
		return
	}
	leaf := pair.Leaf
	u, err := url.Parse(v.Config.Issuer)
	if err == nil && leaf.VerifyHostname(u.Hostname()) != nil {
		v.problem("The certificate %s is not for %s, the host of the issuer; it is for %s. Get one that is.", name, u.Hostname(), strings.Join(append(leaf.DNSNames, ipNames(leaf)...), ", "))
	}
	v.expiry("The certificate "+name, leaf)
	between := x509.NewCertPool()
	for _, der := range pair.Certificate[1:] {
		if c, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(c)
		}
	}
	_, err = leaf.Verify(x509.VerifyOptions{Intermediates: between, CurrentTime: leaf.NotBefore.Add(time.Second)})
	if unknown := (x509.UnknownAuthorityError{}); errors.As(err, &unknown) {
		v.warn("The certificate %s does not lead to an authority that this machine trusts (it is of %s). Put the whole chain into the file, the server's own first; with an authority of your own, see to it that every client knows it.", name, leaf.Issuer)
	}
}

func ipNames(c *x509.Certificate) (out []string) {
	for _, ip := range c.IPAddresses {
		out = append(out, ip.String())
	}
	return out
}

// expiry says how long a certificate is good.
func (v *visit) expiry(what string, c *x509.Certificate) {
	switch left := c.NotAfter.Sub(v.Now()); {
	case left <= 0:
		v.problem("%s expired on %s: no client goes on. Renew it.", what, c.NotAfter.UTC().Format(time.DateOnly))
	case v.Now().Before(c.NotBefore):
		v.problem("%s is good from %s only. Look at the clock of this machine.", what, c.NotBefore.UTC().Format(time.DateTime))
	case left < soon && left < c.NotAfter.Sub(c.NotBefore)/3:
		v.warn("%s expires in %s, on %s. Look why it has not been renewed.", what, days(left), c.NotAfter.UTC().Format(time.DateOnly))
	default:
		v.ok("%s is good until %s.", what, c.NotAfter.UTC().Format(time.DateOnly))
	}
}
