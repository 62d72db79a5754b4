package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"

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
		{"issuer", checkIssuer},
		{"addr", checkAddr},
		{"db", checkDB},
		{"product", checkProduct},
		{"token_prefix", checkTokenPrefix},
		{"keyring", checkKeyring},
		{"templates", checkTemplates},
		{"signup", checkSignup},
		{"scopes", checkScopes},
		{"lifetimes.code", checkCodeLifetime},
		{"lifetimes.access_token", positive(func(c *Config) Duration { return c.Lifetimes.AccessToken })},
		{"lifetimes.refresh_token", positive(func(c *Config) Duration { return c.Lifetimes.RefreshToken })},
		{"lifetimes.request", positive(func(c *Config) Duration { return c.Lifetimes.Request })},
		{"lifetimes.refresh_repeat", positive(func(c *Config) Duration { return c.Lifetimes.RefreshRepeat })},
		{"lifetimes.reauthentication", positive(func(c *Config) Duration { return c.Lifetimes.Reauthentication })},
		{"lifetimes.audit", positive(func(c *Config) Duration { return c.Lifetimes.Audit })},
		{"personal_tokens.default", checkPersonalDefault},
		{"personal_tokens.max_per_user", checkMaxPerUser},
		{"sessions.idle", positive(func(c *Config) Duration { return c.Sessions.Idle })},
		{"sessions.absolute", positive(func(c *Config) Duration { return c.Sessions.Absolute })},
		{"sessions.remember", positive(func(c *Config) Duration { return c.Sessions.Remember })},
		{"jwt.header", checkHeader},
		{"jwt.lifetime", positive(func(c *Config) Duration { return c.JWT.Lifetime })},
		{"mail.from", checkMailFrom},
		{"mail.port", checkMailPort},
	} {
		if err := check.rule(&l.Config); err != nil {
			return &Error{check.key + " (" + l.Origin(check.key) + ")", err}
		}
	}
	return nil
}

// checkIssuer holds the issuer to RFC 8414 §2.
func checkIssuer(c *Config) error {
	u, err := url.Parse(c.Issuer)
	switch {
	case c.Issuer == "":
		return errors.New("it is missing. Set it to the public URL of this server, for example https://id.example.org")
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("%q is not a URL such as https://id.example.org", c.Issuer)
	case u.User != nil || strings.ContainsAny(c.Issuer, "?#"):
		return fmt.Errorf("%q must not hold a user, a query or a fragment", c.Issuer)
	case strings.HasSuffix(u.Path, "/"):
		return fmt.Errorf("%q must not end in a slash", c.Issuer)
	case u.Scheme == "http" && !Loopback(u.Hostname()):
		return fmt.Errorf("%q is plain http, which is for loopback addresses only: passwords and tokens would travel in the open. Write https; a proxy in front of this server may terminate TLS", c.Issuer)
	}
	return nil
}

// Loopback reports whether the host is this machine and no other.
func Loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
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

func checkDB(c *Config) error {
	_, err := c.SQLitePath()
	return err
}

// SQLitePath is the path of the database file.
func (c *Config) SQLitePath() (string, error) {
	path, ok := strings.CutPrefix(c.DB, "sqlite:")
	if !ok || path == "" {
		return "", fmt.Errorf("%q is not sqlite:PATH, for example sqlite:valetkey.db", c.DB)
	}
	if strings.ContainsAny(path, "?#%") {
		return "", fmt.Errorf("%q: the path must not hold the characters ?, # and %%", c.DB)
	}
	return path, nil
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
	if d := c.Lifetimes.Code; d <= 0 || d > 10*minute {
		return fmt.Errorf("%v is not between 1s and 10m (RFC 6749 §4.1.2)", d)
	}
	return nil
}

func positive(of func(*Config) Duration) func(*Config) error {
	return func(c *Config) error {
		if of(c) == 0 {
			return errors.New("it must be longer than nothing")
		}
		return nil
	}
}

func checkPersonalDefault(c *Config) error {
	if p := c.PersonalTokens; p.Default == 0 || p.Default > p.Max {
		return fmt.Errorf("%v is not between nothing and personal_tokens.max, which is %v", p.Default, p.Max)
	}
	return nil
}

func checkMaxPerUser(c *Config) error {
	if c.PersonalTokens.MaxPerUser < 1 {
		return fmt.Errorf("%d is not a number of tokens", c.PersonalTokens.MaxPerUser)
	}
	return nil
}

func checkHeader(c *Config) error {
	if h := c.JWT.Header; h == "" || strings.ContainsAny(h, " \t\r\n:") {
		return fmt.Errorf("%q is not the name of a header", h)
	}
	return nil
}

func checkMailFrom(c *Config) error {
	if c.Mail.Host != "" && !strings.Contains(c.Mail.From, "@") {
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
