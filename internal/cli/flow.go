package cli

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/valetkey/valetkey/internal/flow"
)

func newFlow(env *Env) *cobra.Command {
	return group(&cobra.Command{
		Use:   "flow",
		Short: "Be an OAuth client of any server",
		Long: `Runs one OAuth flow as a client, against any server, and prints what comes of
it. The server is named by --issuer, whose metadata says the rest, or by single
endpoints.

Secrets are read from files, from standard input or from CLIENT_SECRET, never
from arguments. OAUTH_ISSUER, CLIENT_ID and CLIENT_SECRET are the lines that the
page of an application shows.`,
	}, newFlowCode(env), newFlowDevice(env), newFlowClient(env), newFlowRefresh(env), newFlowIntrospect(env), newFlowUserinfo(env))
}

// flowFlags say which server, and as which client.
type flowFlags struct {
	output
	env                         *Env
	issuer, id, secretFile      string
	authMethod                  string
	scopes, resources           []string
	server                      flow.Server
	authorization, device, jwks bool // which endpoints the command uses
	token, introspect, userinfo bool
	public                      bool // a client without an id will do
}

func (f *flowFlags) add(env *Env, cmd *cobra.Command) {
	f.env = env
	fs := cmd.Flags()
	fs.StringVar(&f.issuer, "issuer", "", "issuer `URL` of the server; its metadata names the endpoints (OAUTH_ISSUER)")
	for _, e := range []struct {
		used       bool
		into       *string
		name, what string
	}{
		{f.authorization, &f.server.Authorization, "authorization-endpoint", "authorization"},
		{f.device, &f.server.Device, "device-endpoint", "device authorization"},
		{f.token, &f.server.Token, "token-endpoint", "token"},
		{f.introspect, &f.server.Introspection, "introspection-endpoint", "introspection"},
		{f.userinfo, &f.server.UserInfo, "userinfo-endpoint", "UserInfo"},
	} {
		if e.used {
			fs.StringVar(e.into, e.name, "", "`URL` of the "+e.what+" endpoint, instead of what the metadata says")
		}
	}
	if f.jwks {
		fs.StringVar(&f.server.JWKS, "jwks-uri", "", "`URL` of the server's public keys, instead of what the metadata says")
	}
	if !f.public {
		fs.StringVar(&f.id, "client-id", "", "`ID` of the client (CLIENT_ID)")
		fs.StringVar(&f.secretFile, "client-secret-file", "", "`FILE` with the client's secret; - for standard input (CLIENT_SECRET; without any the client is public)")
		fs.StringVar(&f.authMethod, "auth-method", "", "`METHOD` of the secret: client_secret_basic or client_secret_post (default: the one the server knows)")
	}
	if f.token {
		fs.StringArrayVar(&f.scopes, "scope", nil, "a `SCOPE` to ask for; may be given several times, or hold several with spaces between them")
		fs.StringArrayVar(&f.resources, "resource", nil, "`URI` of a protected resource that the token is for; may be given several times")
	}
	f.output.flag(cmd)
}

// client finds the server and reads the secret.
func (f *flowFlags) client(ctx context.Context) (*flow.Client, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	f.issuer, f.id = cmp.Or(f.issuer, f.env.lookup("OAUTH_ISSUER")), cmp.Or(f.id, f.env.lookup("CLIENT_ID"))
	switch {
	case f.id == "" && !f.public:
		return nil, usagef("--client-id is missing")
	case f.authMethod != "" && f.authMethod != "client_secret_basic" && f.authMethod != "client_secret_post":
		return nil, usagef("--auth-method is %q; it is client_secret_basic or client_secret_post", f.authMethod)
	}
	secret, err := f.secret()
	if err != nil {
		return nil, err
	}
	server, err := f.discover(ctx)
	if err != nil {
		return nil, err
	}
	c := &flow.Client{
		Server: server, ID: f.id, Secret: secret, Resources: f.resources,
		Post: f.authMethod == "client_secret_post" || f.authMethod == "" && server.UsePost(),
	}
	for _, s := range f.scopes {
		c.Scopes = append(c.Scopes, strings.Fields(s)...)
	}
	return c, nil
}

func (f *flowFlags) secret() (string, error) {
	if f.secretFile == "" {
		return f.env.lookup("CLIENT_SECRET"), nil
	}
	secret, err := f.env.secret("Client secret", f.secretFile, false)
	return string(secret), err
}

// discover is the server by its metadata, with what the flags say in its place.
func (f *flowFlags) discover(ctx context.Context) (*flow.Server, error) {
	given := f.server
	s := &flow.Server{}
	if f.issuer != "" {
		var err error
		if s, err = flow.Discover(ctx, f.issuer); err != nil {
			return nil, told(err)
		}
	}
	for _, e := range []struct {
		used         bool
		into         *string
		given, named string
	}{
		{f.authorization, &s.Authorization, given.Authorization, "authorization"},
		{f.device, &s.Device, given.Device, "device"},
		{f.token, &s.Token, given.Token, "token"},
		{f.introspect, &s.Introspection, given.Introspection, "introspection"},
		{f.userinfo, &s.UserInfo, given.UserInfo, "userinfo"},
	} {
		*e.into = cmp.Or(e.given, *e.into)
		switch {
		case !e.used || *e.into != "":
		case f.issuer == "":
			return nil, usagef("which server? Name its issuer by --issuer, or its endpoints one by one: --%s-endpoint is missing", e.named)
		default:
			return nil, notFoundf("%s has no %s endpoint, as its metadata says", f.issuer, e.named)
		}
	}
	s.JWKS = cmp.Or(given.JWKS, s.JWKS)
	return s, told(s.Check())
}

// told gives errors of the flows their exit codes.
func told(err error) error {
	var refusal *flow.Refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal):
		return refusedf("%w", err)
	}
	return unavailablef("%w", err)
}

// credential reads a token that the command is about: from the file, or from
// standard input.
func (e *Env) credential(what, file string) (string, error) {
	s, err := e.secret(what, cmp.Or(file, "-"), false)
	return strings.TrimSpace(string(s)), err
}
