package doctor

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/issuer"
	"github.com/valetkey/valetkey/store"
)

// What clocks may differ. Codes live a minute, and proofs (RFC 9449) are believed
// for as long.
const (
	clocksDiffer = 5 * time.Second
	clocksWrong  = 30 * time.Second
)

// checkPublic asks for the metadata at the public URL, as a client does.
func checkPublic(v *visit) {
	base := v.Config.Issuer
	if issuer.Check(base) != nil {
		return
	}
	resp, body, err := v.get(base + "/.well-known/openid-configuration")
	if err != nil {
		v.unreachable(base, err)
		return
	}
	if t := resp.TLS; t != nil && len(t.PeerCertificates) > 0 {
		v.expiry("The certificate of "+base, t.PeerCertificates[0])
	}
	v.clock("The clock at "+base, resp.Header.Get("Date"))
	where, mine := v.metadata(base, resp, body)
	if !mine {
		return
	}
	v.ok("%s is reached, and is the issuer that it says it is.", base)
	v.published(where)
	v.wellKnown(base)
	v.loginPage(base)
}

// get fetches what a client would. The body is bounded.
func (v *visit) get(target string) (*http.Response, []byte, error) {
	req, err := http.NewRequestWithContext(v.ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, nil, err
	}
	resp, err := v.HTTP.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp, body, err
}

// unreachable says why nothing came back.
func (v *visit) unreachable(base string, err error) {
	var (
		host    x509.HostnameError
		unknown x509.UnknownAuthorityError
		bad     x509.CertificateInvalidError
		wrapped *url.Error
	)
	switch {
	case errors.As(err, &bad) && bad.Reason == x509.Expired:
		v.problem("The certificate of %s is not good now (%s to %s; it is %s): renew it, or set the clock of this machine.", base,
			bad.Cert.NotBefore.UTC().Format(time.DateOnly), bad.Cert.NotAfter.UTC().Format(time.DateOnly), v.Now().UTC().Format(time.DateOnly))
	case errors.As(err, &host):
		v.problem("The certificate of %s is for another host: %v.", base, host)
	case errors.As(err, &unknown):
		v.problem("The certificate of %s does not lead to an authority that this machine trusts: serve the whole chain, or add your own authority to this machine's.", base)
	case errors.Is(err, http.ErrSchemeMismatch):
		v.problem("%s does not speak TLS there: the proxy must terminate it, or the server (server.tls_cert).", base)
	default:
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		v.problem("%s cannot be reached from here: %v. Start the server, and look at the name, the firewall and the proxy; if only this machine cannot get there, run \"valetkey doctor\" elsewhere, or with --offline.", base, err)
	}
}

// clock compares a Date header with ours.
func (v *visit) clock(whose, date string) {
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	v.difference(whose, at)
}

func (v *visit) difference(whose string, at time.Time) {
	d, word := at.Sub(v.Now()), "ahead of"
	if d < 0 {
		d, word = -d, "behind"
	}
	switch {
	case d > clocksWrong:
		v.problem("%s is %s %s this machine's: codes and proofs are refused. Let both keep time by NTP.", whose, d.Round(time.Second), word)
	case d > clocksDiffer:
		v.warn("%s is %s %s this machine's. Let both keep time by NTP.", whose, d.Round(time.Second), word)
	default:
		v.ok("%s agrees with this machine's.", whose)
	}
}

// metadata compares the issuer, and returns where the keys are.
func (v *visit) metadata(base string, resp *http.Response, body []byte) (jwks string, mine bool) {
	doc := struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
	}{}
	switch {
	case resp.StatusCode == http.StatusMisdirectedRequest:
		v.problem("The server does not know itself as %s: the proxy does not pass the Host on. Let it (nginx: proxy_set_header Host $host), or add the host it sends to server.hosts.", base)
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		v.problem("%s sends clients elsewhere (%d, Location: %s), and they do not follow. Make issuer the URL that answers, or take the redirect away.", base, resp.StatusCode, resp.Header.Get("Location"))
	case resp.StatusCode != http.StatusOK:
		v.problem("%s answers %d at /.well-known/openid-configuration: the proxy must pass every path to the server, and the server must run.", base, resp.StatusCode)
	case json.Unmarshal(body, &doc) != nil || doc.Issuer == "":
		v.problem("What answers at %s is no metadata of an OpenID provider: another program is there.", base)
	case doc.Issuer != base:
		v.problem("The server at %s says that it is %q: clients refuse that (OpenID Connect Discovery §4.3). Make issuer the URL that clients use, or send them to that one.", base, doc.Issuer)
	default:
		return doc.JWKS, true
	}
	return "", false
}

// published looks for the keys of our database at the public URL.
func (v *visit) published(where string) {
	if v.Keys == nil || !strings.HasPrefix(where, v.Config.Issuer+"/") {
		return
	}
	ours, err := v.Keys(v.ctx)
	if err != nil {
		return // said by the check of the keys
	}
	resp, body, err := v.get(where)
	set := struct {
		Keys []struct {
			ID string `json:"kid"`
		} `json:"keys"`
	}{}
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answers %d", resp.StatusCode)
	}
	if err == nil {
		err = json.Unmarshal(body, &set)
	}
	if err != nil {
		v.problem("The public keys at %s cannot be read: %v. Nobody can verify a token.", where, err)
		return
	}
	for _, k := range ours {
		if k.State == store.KeyActive && !slices.ContainsFunc(set.Keys, func(p struct {
			ID string `json:"kid"`
		}) bool {
			return p.ID == k.ID
		}) {
			v.problem("The signing key %s of this database is not published at %s: a server on another database answers there, or a cache keeps the keys for too long.", k.ID, where)
			return
		}
	}
	v.ok("The signing keys of this database are published at %s.", where)
}

// wellKnown: RFC 8414 §3.1 wants the document between the host and the path of the
// issuer, which is a place that proxies forget.
func (v *visit) wellKnown(base string) {
	u, err := url.Parse(base)
	if err != nil {
		return
	}
	u.Path = "/.well-known/oauth-authorization-server" + u.Path
	resp, _, err := v.get(u.String())
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("it answers %d", resp.StatusCode)
	}
	if err != nil {
		v.problem("The metadata at %s cannot be read: %v. The proxy must pass that path on, too (RFC 8414 §3.1).", u, err)
	}
}

// loginPage looks whether what protects pages survives the way.
func (v *visit) loginPage(base string) {
	resp, _, err := v.get(base + "/login/")
	switch {
	case err != nil || resp.StatusCode != http.StatusOK:
		v.problem("The sign-in page %s/login/ cannot be had through the public URL.", base)
		return
	case !strings.Contains(resp.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'"):
		v.warn("The pages at %s come without our Content-Security-Policy: the proxy takes it away or overwrites it. Let it pass.", base)
	}
	for _, c := range resp.Cookies() {
		if strings.HasPrefix(base, "https:") && !c.Secure {
			v.problem("The cookie %s comes from %s without Secure: the proxy rewrites cookies. Let it pass them as they are.", c.Name, base)
		}
	}
}
