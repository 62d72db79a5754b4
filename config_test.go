package valetkey_test

import (
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store/memstore"
)

func TestNewRefusesNonsense(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*valetkey.Config)
		want   string // part of the error; empty: none
	}{
		"nothing":             {func(*valetkey.Config) {}, ""},
		"a path":              {func(c *valetkey.Config) { c.Issuer += "/auth" }, ""},
		"no issuer":           {func(c *valetkey.Config) { c.Issuer = "" }, "Config.Issuer: it is missing"},
		"plain http":          {func(c *valetkey.Config) { c.Issuer = "http://example.org" }, "plain http"},
		"scheme in capitals":  {func(c *valetkey.Config) { c.Issuer = "HTTPS://example.org" }, "is not a URL"},
		"a path no mux takes": {func(c *valetkey.Config) { c.Issuer += "/a//b" }, "its path"},
		"a pattern as path":   {func(c *valetkey.Config) { c.Issuer += "/{id}" }, "its path"},
		"no store":            {func(c *valetkey.Config) { c.Store = nil }, "Config.Store is missing"},
		"no login":            {func(c *valetkey.Config) { c.Login = nil }, "Config.Login is missing"},
		"no users":            {func(c *valetkey.Config) { c.Users = nil }, "Config.Users is missing"},
		"a long-lived code":   {func(c *valetkey.Config) { c.Lifetimes.Code = time.Hour }, "Lifetimes.Code is 1h0m0s"},
		"expires_in of zero":  {func(c *valetkey.Config) { c.Lifetimes.AccessToken = time.Millisecond }, "Lifetimes.AccessToken is 1ms"},
		"a negative lifetime": {func(c *valetkey.Config) { c.Lifetimes.Audit = -time.Hour }, "Lifetimes.Audit is -1h0m0s"},
		"default over max":    {func(c *valetkey.Config) { c.PersonalTokens.Max = time.Hour }, "PersonalTokens.Default is longer"},
		"a scope twice":       {func(c *valetkey.Config) { c.Scopes = []oauth.Scope{{Name: "a"}, {Name: "a"}} }, "registered twice"},
		"a bad keyring":       {func(c *valetkey.Config) { c.Keyring = "short:YWJj" }, "keyring"},
		"a keyring":           {func(c *valetkey.Config) { c.Keyring = keyring.Line("a") }, ""},
		"own words for openid": {func(c *valetkey.Config) {
			c.Keyring, c.Scopes = keyring.Line("a"), []oauth.Scope{{Name: "openid", Description: "Sign in with us"}}
		}, ""},
		"signers alone": {func(c *valetkey.Config) { c.Signers = []oauth.Signer{{KeyID: "a"}} }, "need a Keyring"},
		"a signer of nothing": {func(c *valetkey.Config) {
			c.Keyring, c.Signers = keyring.Line("a"), []oauth.Signer{{KeyID: "a", Algorithm: "ES256"}}
		}, `signer "a" has no Signer`},
		"keys that rotate daily": {func(c *valetkey.Config) { c.Keyring, c.Lifetimes.KeyRotation = keyring.Line("a"), 24*time.Hour }, "rotate every 24h0m0s"},
		"keys that stay":         {func(c *valetkey.Config) { c.Keyring, c.Lifetimes.KeyRotation = keyring.Line("a"), -1 }, ""},
		"HS256 access tokens":    {func(c *valetkey.Config) { c.AccessTokenAlg = "HS256" }, "neither RS256 nor ES256"},
		"a bad prefix":           {func(c *valetkey.Config) { c.TokenPrefix = "Not_Good" }, "prefix"},
	} {
		c := valetkey.Config{Issuer: "https://example.org", Store: memstore.New(), Login: myLogin, Users: myUsers}
		tt.change(&c)
		_, err := valetkey.New(c)
		if tt.want == "" && err != nil {
			t.Errorf("%s: got %v, want none", name, err)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}
