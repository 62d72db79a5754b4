package cli

import (
	"github.com/spf13/cobra"

	"github.com/valetkey/valetkey/internal/flow"
)

func newFlowIntrospect(env *Env) *cobra.Command {
	f := flowFlags{introspect: true}
	var file string
	cmd := &cobra.Command{
		Use:     "introspect",
		Short:   "Ask the server what a token is, read from standard input (RFC 7662)",
		Example: `  valetkey flow introspect --issuer https://id.example.org --client-id api --client-secret-file api.secret < access_token`,
		Args:    args(),
	}
	f.add(env, cmd)
	cmd.Flags().StringVar(&file, "token-file", "", "`FILE` with the token, instead of standard input")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := f.client(cmd.Context())
		if err != nil {
			return err
		}
		token, err := env.credential("Token", file)
		if err != nil {
			return err
		}
		said, err := c.Introspect(cmd.Context(), token)
		if err != nil {
			return told(err)
		}
		if f.json() {
			return f.one(env, said)
		}
		env.members(said)
		return nil
	}
	return cmd
}

func newFlowUserinfo(env *Env) *cobra.Command {
	f := flowFlags{userinfo: true, jwks: true, public: true}
	var file string
	cmd := &cobra.Command{
		Use:     "userinfo",
		Short:   "Ask the server who the person is, by an access token on standard input",
		Example: `  valetkey flow userinfo --issuer https://id.example.org < access_token`,
		Args:    args(),
	}
	f.add(env, cmd)
	cmd.Flags().StringVar(&file, "token-file", "", "`FILE` with the access token, instead of standard input")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := f.client(cmd.Context())
		if err != nil {
			return err
		}
		token, err := env.credential("Access token", file)
		if err != nil {
			return err
		}
		said, signed, err := c.Server.Person(cmd.Context(), token)
		if err != nil {
			return told(err)
		}
		if signed != "" { // OpenID Connect Core §5.3.2
			keys, err := c.Server.Keys(cmd.Context())
			if err != nil {
				return told(err)
			}
			read, err := flow.VerifySigned(signed, keys, c.Server.Issuer)
			if err != nil {
				return told(err)
			}
			said = read.Claims
		}
		if f.json() {
			return f.one(env, said)
		}
		env.members(said)
		return nil
	}
	return cmd
}
