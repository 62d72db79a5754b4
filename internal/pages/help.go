package pages

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/valetkey/valetkey/oauth"
)

// Help explains to a developer how one application talks to this server.
type Help struct {
	Authorize, Token, Revoke, Introspect, Metadata string // absolute URLs
	Device                                         string // absolute URL; empty if the application does not use it
	Example                                        string // an authorization request; empty if the application makes none
	Curl, Go, Env                                  string // ready to paste
}

// HelpFor writes the help for one application of the issuer.
func HelpFor(issuer string, c *oauth.Client) Help {
	issuer = strings.TrimSuffix(issuer, "/")
	h := Help{
		Authorize: issuer + "/oauth/authorize", Token: issuer + "/oauth/token", Revoke: issuer + "/oauth/revoke",
		Introspect: issuer + "/oauth/introspect", Metadata: metadataURL(issuer),
	}
	if c.MayUse(oauth.GrantAuthorizationCode) && len(c.RedirectURIs) > 0 {
		q := url.Values{"response_type": {"code"}, "client_id": {c.ID}, "redirect_uri": {c.RedirectURIs[0]}, "state": {"choose-a-random-text"}}
		if scope := oauth.ScopeString(c.Scopes); scope != "" {
			q.Set("scope", scope)
		}
		if c.RequirePKCE {
			// The challenge of RFC 7636, Appendix B; its verifier is in the curl line.
			q.Set("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
			q.Set("code_challenge_method", "S256")
		}
		h.Example = h.Authorize + "?" + q.Encode()
	}
	if c.MayUse(oauth.GrantDeviceCode) {
		h.Device = issuer + "/oauth/device_authorization"
	}
	h.Curl, h.Go, h.Env = curl(h, c), golang(h, c), env(issuer, c, "")
	return h
}

// metadataURL inserts the well-known path before the issuer's own (RFC 8414 §3.1).
func metadataURL(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	u.Path = "/.well-known/oauth-authorization-server" + u.Path
	return u.String()
}

// shell quotes text for a POSIX shell.
func shell(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func curl(h Help, c *oauth.Client) string {
	address := h.Token
	if h.Example == "" && h.Device != "" {
		address = h.Device
	}
	lines := []string{"curl " + address}
	switch c.AuthMethod {
	case oauth.AuthNone:
		lines = append(lines, "-d client_id="+shell(c.ID))
	case oauth.AuthPost:
		lines = append(lines, "-d client_id="+shell(c.ID), `-d client_secret="$CLIENT_SECRET"`)
	default:
		lines = append(lines, `-u `+shell(c.ID)+`:"$CLIENT_SECRET"`)
	}
	switch {
	case h.Example == "" && h.Device != "":
		lines = append(lines, "--data-urlencode scope="+shell(oauth.ScopeString(c.Scopes)))
	case h.Example == "":
		lines = append(lines, "-d grant_type="+oauth.GrantClientCredentials)
	default:
		lines = append(lines, "-d grant_type="+oauth.GrantAuthorizationCode, `-d code="$CODE"`, "--data-urlencode redirect_uri="+shell(c.RedirectURIs[0]))
		if c.RequirePKCE {
			lines = append(lines, "-d code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
		}
	}
	return strings.Join(lines, " \\\n  ")
}

func golang(h Help, c *oauth.Client) string {
	secret := `os.Getenv("CLIENT_SECRET")`
	if c.Public() {
		secret = `""`
	}
	if h.Example == "" && h.Device != "" {
		return fmt.Sprintf("config := oauth2.Config{ // golang.org/x/oauth2\n\tClientID:     %q,\n\tClientSecret: %s,\n\tEndpoint:     oauth2.Endpoint{DeviceAuthURL: %q, TokenURL: %q},\n}\nanswer, err := config.DeviceAuth(ctx)\n// … show answer.UserCode and answer.VerificationURI\ntoken, err := config.DeviceAccessToken(ctx, answer)",
			c.ID, secret, h.Device, h.Token)
	}
	if h.Example == "" {
		return fmt.Sprintf("config := clientcredentials.Config{ // golang.org/x/oauth2/clientcredentials\n\tClientID:     %q,\n\tClientSecret: %s,\n\tTokenURL:     %q,\n}\nclient := config.Client(ctx)", c.ID, secret, h.Token)
	}
	return fmt.Sprintf("config := oauth2.Config{ // golang.org/x/oauth2\n\tClientID:     %q,\n\tClientSecret: %s,\n\tRedirectURL:  %q,\n\tEndpoint:     oauth2.Endpoint{AuthURL: %q, TokenURL: %q},\n}\nverifier := oauth2.GenerateVerifier()\naddress := config.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier))\n// … the browser comes back with a code\ntoken, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))",
		c.ID, secret, c.RedirectURIs[0], h.Authorize, h.Token)
}

// env is the configuration of an application; an empty secret is left out.
func env(issuer string, c *oauth.Client, secret string) string {
	lines := []string{"OAUTH_ISSUER=" + issuer, "CLIENT_ID=" + c.ID}
	if secret != "" {
		lines = append(lines, "CLIENT_SECRET="+secret)
	}
	if len(c.RedirectURIs) > 0 {
		lines = append(lines, "REDIRECT_URI="+c.RedirectURIs[0])
	}
	return strings.Join(lines, "\n")
}

// EnvFor is the configuration of an application with its new secret.
func EnvFor(issuer string, c *oauth.Client, secret string) string {
	return env(strings.TrimSuffix(issuer, "/"), c, secret)
}

// CurlFor tries a personal access token.
func CurlFor(issuer, token string) string {
	return fmt.Sprintf("curl -H %s %s/oauth/ping", shell("Authorization: Bearer "+token), strings.TrimSuffix(issuer, "/"))
}
