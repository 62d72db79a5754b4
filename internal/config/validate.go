package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/issuer"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/oauth"
)

// Validate refuses a configuration that a server cannot or must not run with.
// The error is an [*Error] that says what to change and where the value is from.
func (l *Loaded) Validate() error {
	for _, check := range []struct {
		key  string
		rule func(*Config) error
	}{
		{"issuer", func(c *Config) error { return issuer.Check(c.Issuer) }},
		{"addr", checkAddr},
		{"db", checkDB},
		{"product", checkProduct},
		{"token_prefix", checkTokenPrefix},
		{"keyring", checkKeyring},
		{"templates", checkTemplates},
		{"signup", checkSignup},
		{"scopes", checkScopes},
		{"revocation_bound", checkRevocationBound},
		{"lifetimes.code", checkCodeLifetime},
		{"lifetimes.access_token", atLeastASecond(func(c *Config) Duration { return c.Lifetimes.AccessToken })},
		{"lifetimes.refresh_token", atLeastASecond(func(c *Config) Duration { return c.Lifetimes.RefreshToken })},
		{"lifetimes.request", atLeastASecond(func(c *Config) Duration { return c.Lifetimes.Request })},
		{"lifetimes.refresh_repeat", atLeastASecond(func(c *Config) Duration { return c.Lifetimes.RefreshRepeat })},
		{"lifetimes.id_token", atLeastASecond(func(c *Config) Duration { return c.Lifetimes.IDToken })},
		{"lifetimes.pushed_request", checkPushedRequest},
		{"lifetimes.device_code", checkDeviceCode},
		{"lifetimes.signing_key", checkSigningKey},
		{"registration.unused", checkUnused},
		{"registration.burst", checkBurst},
		{"resources", checkResources},
		{"fetch.allow", checkFetchAllow},
		{"lifetimes.reauthentication", atLeastASecond(func(c *Config) Duration { return c.Lifetimes.Reauthentication })},
		{"lifetimes.audit", atLeastASecond(func(c *Config) Duration { return c.Lifetimes.Audit })},
		{"personal_tokens.default", checkPersonalDefault},
		{"personal_tokens.max_per_user", checkMaxPerUser},
		{"sessions.idle", atLeastASecond(func(c *Config) Duration { return c.Sessions.Idle })},
		{"sessions.absolute", atLeastASecond(func(c *Config) Duration { return c.Sessions.Absolute })},
		{"sessions.remember", atLeastASecond(func(c *Config) Duration { return c.Sessions.Remember })},
		{"sessions.acr", checkACR},
		{"jwt.header", checkHeader},
		{"jwt.type", checkScheme},
		{"jwt.lifetime", atLeastASecond(func(c *Config) Duration { return c.JWT.Lifetime })},
		{"mail.from", checkMailFrom},
		{"mail.port", checkMailPort},
		{"server.hosts", checkHosts},
		{"server.tls_cert", checkTLS},
		{"metrics.addr", checkMetrics},
		{"tracing.otlp_endpoint", checkTracing},
	} {
		if err := check.rule(&l.Config); err != nil {
			return &Error{check.key + " (" + l.Origin(check.key) + ")", err}
		}
	}
	return nil
}

func checkAddr(c *Config) error {
	_, port, err := net.SplitHostPort(c.Addr)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("%q is not an address and a port such as 127.0.0.1:8080", c.Addr)
	}
	return nil
}

// checkMetrics: whoever reaches the address may read profiles.
func checkMetrics(c *Config) error {
	a := c.Metrics.Addr
	if a == Off {
		return nil
	}
	host, port, err := net.SplitHostPort(a)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return fmt.Errorf("%q is not an address and a port such as 127.0.0.1:9098, nor off", a)
	}
	if !issuer.Loopback(host) && !c.Metrics.Expose {
		return fmt.Errorf("%s can be reached from other machines, and nobody is asked there who they are. Choose a loopback address, or set metrics.expose and keep strangers off", a)
	}
	return nil
}

func checkTracing(c *Config) error {
	e := c.Tracing.Endpoint
	if e == "" {
		return nil
	}
	if u, err := url.Parse(e); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
		return fmt.Errorf("%q is not a URL such as http://127.0.0.1:4318", e)
	}
	return nil
}

func checkDB(c *Config) error {
	_, _, err := c.Database()
	return err
}

func checkProduct(c *Config) error {
	if strings.TrimSpace(c.Product) == "" {
		return errors.New("it is empty; give the service a name")
	}
	return nil
}

func checkTokenPrefix(c *Config) error {
	if p := c.TokenPrefix; p == "" || len(p) > 10 || strings.Trim(p, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return fmt.Errorf("%q is not one to ten lower-case letters and digits", p)
	}
	return nil
}

func checkKeyring(c *Config) error {
	if c.Keyring == "" {
		return errors.New(`there are no secret keys. "valetkey init" makes a file of them; name it as keyring_file, VALETKEY_KEYRING_FILE or --keyring-file`)
	}
	_, err := keyring.Parse(c.Keyring)
	return err
}

func checkTemplates(c *Config) error {
	if c.Templates == "" {
		return nil
	}
	if info, err := os.Stat(c.Templates); err != nil || !info.IsDir() {
		return fmt.Errorf("%q is not a directory", c.Templates)
	}
	return nil
}

func checkSignup(c *Config) error {
	if c.Signup && c.Mail.Host == "" {
		return errors.New("it needs mail.host: the link that makes an account goes by mail")
	}
	return nil
}

func checkScopes(c *Config) error {
	for i, s := range c.Scopes {
		if s.Description == "" {
			return fmt.Errorf("scope %d (%q) has no description. People read it when they decide; say what it lets an application do, for example: Read your records", i+1, s.Name)
		}
	}
	_, err := oauth.NewScopes(c.OAuthScopes()...)
	return err
}

func checkCodeLifetime(c *Config) error {
	if d := c.Lifetimes.Code; d < second || d > 10*minute {
		return fmt.Errorf("%v is not between 1s and 10m (RFC 6749 §4.1.2)", d)
	}
	return nil
}

// checkPushedRequest: RFC 9126 §2.2.
func checkPushedRequest(c *Config) error {
	if d := c.Lifetimes.PushedRequest; d < 5*second || d > 10*minute {
		return fmt.Errorf("%v is not between 5s and 10m (RFC 9126 §2.2)", d)
	}
	return nil
}

func checkDeviceCode(c *Config) error {
	if d := c.Lifetimes.DeviceCode; d < minute || d > 30*minute {
		return fmt.Errorf("%v is not between 1m and 30m: a person has to fetch another device, and nobody should have time to guess", d)
	}
	return nil
}

// checkSigningKey: a key must be known before it signs.
func checkSigningKey(c *Config) error {
	if d := c.Lifetimes.SigningKey; d < 2*day {
		return fmt.Errorf("%v is too short: a key is published a day before it signs, so two days are the least", d)
	}
	return nil
}

func checkBurst(c *Config) error {
	if n := c.Registration.Burst; n < 1 {
		return fmt.Errorf("%d is not a number of clients", n)
	}
	return nil
}

func checkRevocationBound(c *Config) error {
	if b := c.RevocationBound.Std(); b != 0 && (b < 10*time.Millisecond || b > time.Minute) {
		return fmt.Errorf("%v is no such bound: from 10ms to a minute, or 0 to ask the database every time", b)
	}
	return nil
}

func checkUnused(c *Config) error {
	if d := c.Registration.Unused; d < hour {
		return fmt.Errorf("%v is too short: a person needs time to sign in, so an hour is the least", d)
	}
	return nil
}

// checkResources: RFC 8707 §2.
func checkResources(c *Config) error {
	for i, r := range c.Resources {
		u, err := url.Parse(r.URI)
		switch {
		case err != nil || !u.IsAbs() || u.Host == "" || strings.ContainsAny(r.URI, "# "):
			return fmt.Errorf("resource %d: %q is not an absolute URI without a fragment, such as https://api.example.org", i+1, r.URI)
		case r.Format != "" && r.Format != oauth.FormatOpaque && r.Format != oauth.FormatJWT:
			return fmt.Errorf("resource %d: its format %q is neither opaque nor jwt", i+1, r.Format)
		}
	}
	return nil
}

func checkFetchAllow(c *Config) error {
	for _, entry := range c.Fetch.Allow {
		if _, err := parsePrefix(entry); err == nil {
			continue
		}
		if u, err := url.Parse("//" + entry); err != nil || entry == "" || u.Hostname() != entry {
			return fmt.Errorf("%q is neither a host, such as keys.internal, nor a network, such as 10.1.0.0/16", entry)
		}
	}
	return nil
}

// atLeastASecond: protocols and pages count whole seconds.
func atLeastASecond(of func(*Config) Duration) func(*Config) error {
	return func(c *Config) error {
		if d := of(c); d < second {
			return fmt.Errorf("%v is too short; a second is the shortest", d)
		}
		return nil
	}
}

func checkPersonalDefault(c *Config) error {
	if p := c.PersonalTokens; p.Default < second || p.Default > p.Max {
		return fmt.Errorf("%v is not between 1s and personal_tokens.max, which is %v", p.Default, p.Max)
	}
	return nil
}

func checkMaxPerUser(c *Config) error {
	if c.PersonalTokens.MaxPerUser < 1 {
		return fmt.Errorf("%d is not a number of tokens", c.PersonalTokens.MaxPerUser)
	}
	return nil
}

func checkACR(c *Config) error {
	if a := c.Sessions.ACR; a == "" || strings.ContainsFunc(a, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
		return fmt.Errorf("%q is not one word of ASCII characters such as 1 or urn:example:silver", a)
	}
	return nil
}

func checkHeader(c *Config) error {
	if h := c.JWT.Header; !token(h) {
		return fmt.Errorf("%q is not the name of a header", h)
	}
	return nil
}

func checkScheme(c *Config) error {
	if s := c.JWT.Type; s != "" && !token(s) {
		return fmt.Errorf("%q is not one word such as JWT or Bearer", s)
	}
	return nil
}

// token: RFC 9110 §5.6.2.
func token(s string) bool {
	const tchars = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&'*+-.^_`|~"
	return s != "" && strings.Trim(s, tchars) == ""
}

func checkMailFrom(c *Config) error {
	if _, err := mail.ParseAddress(c.Mail.From); c.Mail.Host != "" && err != nil {
		return fmt.Errorf("%q is not an address. Mail needs a sender, for example: Example ID <id@example.org>", c.Mail.From)
	}
	return nil
}

func checkMailPort(c *Config) error {
	if p := c.Mail.Port; p < 1 || p > 65535 {
		return fmt.Errorf("%d is not a port", p)
	}
	return nil
}

// checkHosts wants what stands in a Host header (RFC 9110 §7.2).
func checkHosts(c *Config) error {
	for _, h := range c.Server.Hosts {
		if u, err := url.Parse("//" + h); err != nil || h == "" || u.Host != h || u.Hostname() == "" {
			return fmt.Errorf("%q is not a host, with or without a port, such as id.internal or 10.0.0.5:8080", h)
		}
	}
	return nil
}

func checkTLS(c *Config) error {
	if (c.Server.TLSCert == "") != (c.Server.TLSKey == "") {
		return errors.New("tls_cert and tls_key go together: one of them is missing")
	}
	return nil
}
