package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

func newInitialToken(env *Env) *cobra.Command {
	return group(&cobra.Command{
		Use: "initial-token", Short: "Initial access tokens, with which software registers itself",
		Long: `Initial access tokens let software register itself at /oauth/register while
registration.mode is token (RFC 7591 §3). One may be used any number of times.`,
	}, newInitialTokenCreate(env), newInitialTokenList(env), newInitialTokenRevoke(env))
}

func newInitialTokenCreate(env *Env) *cobra.Command {
	var (
		out     output
		in      manage.InitialTokenInput
		expires string
	)
	cmd := &cobra.Command{
		Use:     "create --name NAME",
		Short:   "Make an initial access token",
		Long:    `Makes an initial access token and prints it, and nothing else. It is never shown again.`,
		Example: `  TOKEN=$(valetkey client initial-token create --name partners --expires 30d)`,
		Args:    args(),
	}
	cmd.Flags().StringVar(&in.Name, "name", "", "`NAME`: whom it is for")
	cmd.Flags().StringVar(&expires, "expires", "30d", "`TIME`: a lifetime such as 30d, a date such as 2027-01-31, or never")
	out.flag(cmd)
	s := beside(env, cmd)
	check := func() error {
		if in.Name == "" {
			return usagef("--name is missing")
		}
		return out.check()
	}
	cmd.RunE = s.with(check, func(cmd *cobra.Command, h *house, _ []string) (err error) {
		if in.ExpiresAt, err = expiry(expires, env.Now(), 0); err != nil {
			return err
		}
		t, secret, err := h.server.Desk().CreateInitialToken(cmd.Context(), operator, in)
		if err != nil {
			return err
		}
		if h.loaded.Registration.Mode != "token" {
			fmt.Fprintf(env.Stderr, "registration.mode is %s, so nobody asks for this token now.\n", h.loaded.Registration.Mode)
		}
		if out.json() {
			v := showToken(t, env.Now())
			v.Token = string(secret)
			return out.one(env, v)
		}
		env.printf("%s\n", string(secret))
		return nil
	})
	return cmd
}

func newInitialTokenList(env *Env) *cobra.Command {
	var out output
	cmd := &cobra.Command{Use: "list", Short: "List the initial access tokens that were not revoked, newest first", Args: args()}
	out.flag(cmd)
	s := beside(env, cmd)
	cmd.RunE = s.with(out.check, func(cmd *cobra.Command, h *house, _ []string) error {
		tokens, err := everyToken(cmd.Context(), h, manage.TokenQuery{All: true, Kind: oauth.InitialToken})
		if err != nil {
			return err
		}
		now := env.Now()
		items, rows := []tokenJSON{}, [][]string{}
		for _, t := range tokens {
			items = append(items, showToken(t, now))
			rows = append(rows, []string{t.ID, t.Name, t.Subject, state(t, now), date(t.IssuedAt, ""), date(t.ExpiresAt, "never")})
		}
		return out.list(env, items, []string{"ID", "NAME", "MADE BY", "STATE", "MADE", "EXPIRES"}, rows)
	})
	return cmd
}

func newInitialTokenRevoke(env *Env) *cobra.Command {
	cmd := &cobra.Command{Use: "revoke ID", Short: "Revoke an initial access token; what was registered with it stays", Args: args("ID")}
	s := beside(env, cmd)
	cmd.RunE = s.with(nil, func(cmd *cobra.Command, h *house, args []string) error {
		desk := h.server.Desk()
		t, err := desk.Token(cmd.Context(), operator, args[0])
		if errors.Is(err, manage.ErrNotFound) || err == nil && t.Kind != oauth.InitialToken {
			return notFoundf("there is no initial access token %q", args[0])
		}
		if err != nil {
			return err
		}
		if err := desk.RevokeToken(cmd.Context(), operator, t.ID); err != nil {
			return err
		}
		env.printf("Initial access token %s is revoked.\n", t.ID)
		return nil
	})
	return cmd
}
