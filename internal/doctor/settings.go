package doctor

import (
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/internal/issuer"
)

const day = 24 * time.Hour

func checkConfiguration(v *visit) {
	if v.Invalid != nil {
		v.problem("%v. The server does not start with it.", v.Invalid)
		return
	}
	v.ok("The configuration is sound.")
}

func checkIssuer(v *visit) {
	u, err := url.Parse(v.Config.Issuer)
	switch {
	case err != nil || issuer.Check(v.Config.Issuer) != nil:
		// said by the configuration
	case u.Scheme == "https":
		v.ok("The issuer is https, so cookies are Secure.")
	case v.Config.Server.TLSCert != "":
		v.problem("The server speaks https (server.tls_cert) and the issuer %s does not: links and cookies are made for http. Write https in issuer.", v.Config.Issuer)
	default:
		v.note("The issuer %s is plain http on this machine, and cookies are not Secure: this is a site to try things on. Others need https.", v.Config.Issuer)
	}
}

// checkAddress looks at what listens, and for whom.
func checkAddress(v *visit) {
	host, _, err := net.SplitHostPort(v.Config.Addr)
	switch {
	case err != nil: // said by the configuration
	case v.Config.Server.TLSCert != "" || issuer.Loopback(host):
		v.ok("The server listens on %s.", v.Config.Addr)
	default:
		v.warn("The server listens on %s without TLS, where others than this machine's proxy can reach it, and passwords travel in the open. Listen on loopback (addr), or set server.tls_cert, or see to it that only the proxy gets there.", v.Config.Addr)
	}
	if v.Config.TestEndpoints {
		v.warn("The test endpoints /oauth/info and /oauth/invalid are on. Set test_endpoints to false where people work.")
	}
}

func checkProxies(v *visit) {
	proxied := strings.HasPrefix(v.Config.Issuer, "https:") && v.Config.Server.TLSCert == ""
	trusted := v.Config.Server.TrustedProxies
	for _, p := range trusted {
		if p.Bits() == 0 {
			v.problem("server.trusted_proxies holds %s, which is everybody: anybody may claim any address and so pass by every limit and fill the audit trail with lies. Name the proxies only.", p)
			return
		}
	}
	switch {
	case proxied && len(trusted) == 0:
		v.warn("The issuer is https and the server speaks http, so there is a proxy; server.trusted_proxies does not name it. Everybody seems to come from the proxy's address, and limits hold for all of them together. Name its address, for example 127.0.0.1.")
	case !proxied && len(trusted) > 0 && v.Config.Server.TLSCert == "":
		v.note("server.trusted_proxies is set and the issuer is plain http: whoever reaches the server from there may say what address they have.")
	default:
		v.ok("X-Forwarded-For is believed from %s.", names(trusted, "nobody"))
	}
}

func names[T interface{ String() string }](list []T, otherwise string) string {
	var out []string
	for _, e := range list {
		out = append(out, e.String())
	}
	if len(out) == 0 {
		return otherwise
	}
	return strings.Join(out, ", ")
}

func checkRegistration(v *visit) {
	c := v.Config
	if c.Registration.Mode == "open" {
		v.warn("Anybody may register a client (registration.mode is open). Set it to token unless strangers' programs must be able to.")
	}
	if c.Signup {
		v.note("Anybody may make an account (signup is on).")
	}
	if c.ClientDocuments.Enabled && len(c.ClientDocuments.Allow) == 0 {
		v.note("Clients that nobody reviewed may describe themselves at any URL (client_documents.enabled). client_documents.allow would bound the hosts.")
	}
	if len(v.found) == 0 {
		v.ok("Clients are registered by people who may.")
	}
}

// checkCompat names every switch of old behaviour that is on.
func checkCompat(v *visit) {
	docs := map[string]string{}
	for _, f := range config.Fields() {
		docs[f.Key] = f.Doc
	}
	for _, s := range v.Config.Settings() {
		if strings.HasPrefix(s.Key, "compat.") && s.Key != "compat.invenio" && s.Value == "true" {
			v.warn("%s is on (%s): %s Turn it off when no client needs it any more.", s.Key, s.Origin, docs[s.Key])
		}
	}
	if len(v.found) == 0 {
		v.ok("No switch of old behaviour is on.")
	}
}

func checkProfile(v *visit) {
	c := v.Config
	for _, s := range []struct{ key, profile string }{{"profile", c.Profile}, {"registration.profile", c.Registration.Profile}} {
		if s.profile == "oidc-certification" {
			v.warn("%s is oidc-certification, under which clients may leave PKCE out: it is for the conformance plans of the OpenID Foundation. Give single clients that profile, if any must have it.", s.key)
		}
	}
	if len(v.found) == 0 {
		v.ok("Clients are held to OAuth 2.1 unless they are registered otherwise.")
	}
}

func checkGrants(v *visit) {
	c := v.Config
	if c.PasswordGrant {
		v.warn("The password grant is on: applications see passwords (RFC 9700 §2.4 forbids it). Move its clients to the code flow and set password_grant to false.")
	}
	if c.PersonalTokens.AllowNoExpiry {
		v.warn("Personal access tokens may live for ever (personal_tokens.allow_no_expiry), and so may a leaked one.")
	}
	if c.PersonalTokens.AllowNoScopes {
		v.note("Personal access tokens may be made without any scope (personal_tokens.allow_no_scopes).")
	}
	if len(v.found) == 0 {
		v.ok("No grant is offered that RFC 9700 forbids.")
	}
}

// weakLifetime is a setting that is longer, or shorter, than is wise.
type weakLifetime struct {
	key     string
	of      func(*config.Config) config.Duration
	longest time.Duration
	risk    string
}

var weakLifetimes = []weakLifetime{
	{"lifetimes.access_token", func(c *config.Config) config.Duration { return c.Lifetimes.AccessToken }, day, "an access token in JWT form cannot be taken back before, and a leaked one works that long"},
	{"lifetimes.id_token", func(c *config.Config) config.Duration { return c.Lifetimes.IDToken }, day, "a client believes that long what may no longer be so"},
	{"lifetimes.refresh_token", func(c *config.Config) config.Duration { return c.Lifetimes.RefreshToken }, 366 * day, "a forgotten one works that long"},
	{"lifetimes.refresh_repeat", func(c *config.Config) config.Duration { return c.Lifetimes.RefreshRepeat }, time.Minute, "a thief who repeats a refresh is not noticed that long"},
	{"lifetimes.request", func(c *config.Config) config.Duration { return c.Lifetimes.Request }, time.Hour, "a consent page that was left open can be answered that long"},
	{"lifetimes.reauthentication", func(c *config.Config) config.Duration { return c.Lifetimes.Reauthentication }, day, "who finds an open browser may do sensitive things that long"},
	{"lifetimes.signing_key", func(c *config.Config) config.Duration { return c.Lifetimes.SigningKey }, 400 * day, "a stolen key signs that long"},
	{"personal_tokens.max", func(c *config.Config) config.Duration { return c.PersonalTokens.Max }, 400 * day, "a leaked one works that long"},
	{"sessions.absolute", func(c *config.Config) config.Duration { return c.Sessions.Absolute }, 30 * day, "a stolen session works that long"},
	{"sessions.remember", func(c *config.Config) config.Duration { return c.Sessions.Remember }, 366 * day, "a stolen session works that long"},
	{"jwt.lifetime", func(c *config.Config) config.Duration { return c.JWT.Lifetime }, day, "a page that was left open can be posted that long"},
}

func checkLifetimes(v *visit) {
	for _, w := range weakLifetimes {
		if d := w.of(&v.Config.Config).Std(); d > w.longest {
			v.warn("%s is %v: %s. %v at most is usual.", w.key, config.Duration(d), w.risk, config.Duration(w.longest))
		}
	}
	if d := v.Config.Lifetimes.Audit.Std(); d < 30*day {
		v.note("The audit trail forgets after %v (lifetimes.audit); break-ins are often found later.", config.Duration(d))
	}
	if len(v.found) == 0 {
		v.ok("No lifetime is unusually long.")
	}
}

func checkSessions(v *visit) {
	if v.Config.Sessions.Binding == "off" {
		v.warn("Sessions are tied to nothing but their cookie (sessions.binding is off). Set it to standard.")
		return
	}
	v.ok("Sessions are bound (%s).", v.Config.Sessions.Binding)
}

func checkFetch(v *visit) {
	for _, entry := range v.Config.Fetch.Allow {
		if strings.HasSuffix(entry, "/0") {
			v.problem("fetch.allow holds %s, which is every address: whoever registers a client makes this server fetch from inside your network. Name the hosts.", entry)
		}
	}
	switch {
	case len(v.found) > 0:
	case len(v.Config.Fetch.Allow) > 0:
		v.note("The server fetches from private addresses for clients: %s (fetch.allow).", strings.Join(v.Config.Fetch.Allow, ", "))
	default:
		v.ok("The server fetches from public addresses only.")
	}
}

// checkMetrics: profiles and figures are for who runs the server.
func checkMetrics(v *visit) {
	host, _, err := net.SplitHostPort(v.Config.Metrics.Addr)
	switch {
	case v.Config.Metrics.Addr == "" || err != nil: // off, or said by the configuration
	case !issuer.Loopback(host):
		v.warn("Metrics, profiles and the flight recorder are served on %s to whoever gets there, and profiles can hold secrets. Listen on loopback (metrics.addr), or see to it that only your own machines reach it.", v.Config.Metrics.Addr)
	default:
		v.ok("Metrics are served on %s only.", v.Config.Metrics.Addr)
	}
}

func checkLog(v *visit) {
	if v.Config.Log.Level == "debug" {
		v.note("The log is at debug level, which is much for every day (log.level).")
	}
}

func checkMail(v *visit) {
	c := v.Config.Mail
	switch {
	case c.Host == "":
		v.note("There is no mail (mail.host): people who forget their password need an operator.")
	case c.TLS == "none" && !issuer.Loopback(c.Host):
		v.warn("Mails go to %s without TLS, and with them links that set passwords. Set mail.tls to starttls or tls.", c.Host)
	default:
		v.ok("Mail goes to %s (%s).", c.Host, c.TLS)
	}
}

func checkRelay(v *visit) {
	if v.Mail == nil {
		return
	}
	if err := v.Mail(v.ctx); err != nil {
		v.problem("The mail relay %s:%d cannot be used: %v.", v.Config.Mail.Host, v.Config.Mail.Port, err)
		return
	}
	v.ok("The mail relay %s:%d answers and accepts us. No mail was sent.", v.Config.Mail.Host, v.Config.Mail.Port)
}
