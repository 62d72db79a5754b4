package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/valetkey/valetkey/internal/flow"
)

func newJWT(env *Env) *cobra.Command {
	return group(&cobra.Command{Use: "jwt", Short: "Look into JSON Web Tokens"}, newJWTDecode(env), newJWTVerify(env))
}

func newJWTDecode(env *Env) *cobra.Command {
	var out output
	cmd := &cobra.Command{
		Use:   "decode [TOKEN]",
		Short: "Show what a token says, without verifying it",
		Long: `Shows header and claims of a token from the argument or from standard input.
It verifies NOTHING: anybody can write such a token.`,
		Args: atMost("TOKEN"),
	}
	out.flag(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		token, err := env.tokenFrom(args)
		if err != nil {
			return err
		}
		read, err := flow.Decode(token)
		if err != nil {
			return told(err)
		}
		fmt.Fprintln(env.Stderr, "NOT VERIFIED. Anybody could have written this; \"valetkey jwt verify\" checks the signature.")
		return printJWT(env, &out, read, false)
	}
	return cmd
}

func newJWTVerify(env *Env) *cobra.Command {
	var (
		out          output
		want         flow.Expected
		keys, issuer string
	)
	cmd := &cobra.Command{
		Use:   "verify [TOKEN] {--jwks FILE|URL | --issuer URL}",
		Short: "Verify the signature and the claims of a token",
		Long: `Verifies a token from the argument or from standard input: its signature by one
of the keys, exp, nbf and iat, and what else is named. With --issuer the keys come
from the server's metadata, and iss must be that URL.

It ends with 0 if all of it is right, with 4 if not, and with 5 if the keys cannot
be had.`,
		Example: `  valetkey jwt verify --issuer https://id.example.org --audience cli < id_token
  valetkey jwt verify --jwks keys.json --alg ES256 < token`,
		Args: atMost("TOKEN"),
	}
	fs := cmd.Flags()
	fs.StringVar(&keys, "jwks", "", "`FILE|URL` of the public keys, as a JSON Web Key Set")
	fs.StringVar(&issuer, "issuer", "", "issuer `URL` that must have made it")
	fs.StringVar(&want.Audience, "audience", "", "`AUDIENCE` that it must be for")
	fs.StringVar(&want.Nonce, "nonce", "", "`NONCE` that it must hold")
	fs.StringVar(&want.Type, "typ", "", "`TYPE` that its header must say, such as at+jwt")
	fs.StringArrayVar(&want.Algorithms, "alg", nil, "`ALGORITHM` that may have signed it; may be given several times (default: every one with a public key)")
	out.flag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		switch {
		case keys == "" && issuer == "":
			return usagef("which keys? Name them by --jwks, or the server that has them by --issuer")
		case len(want.Algorithms) == 0:
			want.Algorithms = flow.Algorithms()
		}
		for _, alg := range want.Algorithms {
			if !slices.Contains(flow.Algorithms(), alg) {
				return usagef("--alg %s is not among %s", alg, strings.Join(flow.Algorithms(), ", "))
			}
		}
		token, err := env.tokenFrom(args)
		if err != nil {
			return err
		}
		set, err := findKeys(cmd.Context(), keys, issuer)
		if err != nil {
			return err
		}
		want.Issuer, want.Now = issuer, env.Now()
		read, err := flow.Verify(token, set, want)
		if err != nil {
			return told(err)
		}
		fmt.Fprintf(env.Stderr, "The signature is right (%s).%s\n", read.Header["alg"], unchecked(want))
		return printJWT(env, &out, read, true)
	}
	return cmd
}

// unchecked says what nobody asked for, so that nobody takes it for checked.
func unchecked(want flow.Expected) string {
	var missing []string
	if want.Issuer == "" {
		missing = append(missing, "who issued it (--issuer)")
	}
	if want.Audience == "" {
		missing = append(missing, "whom it is for (--audience)")
	}
	if len(missing) == 0 {
		return ""
	}
	return " Not checked: " + strings.Join(missing, ", ") + "."
}

func findKeys(ctx context.Context, keys, issuer string) (*flow.Keys, error) {
	if keys == "" {
		server, err := flow.Discover(ctx, issuer)
		if err == nil {
			err = server.Check()
		}
		if err != nil {
			return nil, told(err)
		}
		set, err := server.Keys(ctx)
		return set, told(err)
	}
	if strings.HasPrefix(keys, "https://") || strings.HasPrefix(keys, "http://") {
		set, err := flow.FetchKeys(ctx, keys)
		return set, told(err)
	}
	text, err := os.ReadFile(keys)
	if err != nil {
		return nil, unavailablef("%w", err)
	}
	set, err := flow.ParseKeys(text)
	if err != nil {
		return nil, invalidf("%s: %w", keys, err)
	}
	return set, nil
}

func printJWT(env *Env, out *output, read *flow.JWT, verified bool) error {
	if out.json() {
		return out.one(env, struct {
			Verified bool           `json:"verified"`
			Header   map[string]any `json:"header"`
			Claims   map[string]any `json:"claims"`
		}{verified, read.Header, read.Claims})
	}
	env.members(read.Header)
	env.printf("\n")
	env.members(read.Claims)
	return nil
}

// tokenFrom is the argument, or standard input. Access tokens are secrets, and
// other people on the machine can see arguments; but ID tokens are pasted.
func (e *Env) tokenFrom(args []string) (string, error) {
	if len(args) > 0 && args[0] != "-" {
		return strings.TrimSpace(args[0]), nil
	}
	return e.credential("Token", "-")
}

// atMost wants the named argument or none.
func atMost(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, given []string) error {
		if len(given) > 1 {
			return usagef("%q is one word too many after %s", given[1], name)
		}
		return nil
	}
}
