package cli

import (
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/internal/keys"
)

// keyJSON is a signing key as the commands print it; never its private half.
type keyJSON struct {
	ID        string     `json:"id"`
	Algorithm string     `json:"algorithm"`
	State     string     `json:"state"`
	SealedBy  string     `json:"sealed_by"`
	CreatedAt *time.Time `json:"created_at"`
	ActiveAt  *time.Time `json:"active_at"`
	RetiredAt *time.Time `json:"retired_at"`
	ExpiresAt *time.Time `json:"expires_at"`
}

func newKey(env *Env) *cobra.Command {
	return group(&cobra.Command{Use: "key", Aliases: []string{"keys"}, Short: "Keys that sign tokens"}, newKeyList(env), newKeyRotate(env))
}

func newKeyList(env *Env) *cobra.Command {
	var out output
	cmd := &cobra.Command{Use: "list", Short: "List the signing keys, newest first", Args: args()}
	out.flag(cmd)
	s := beside(env, cmd)
	cmd.RunE = s.with(out.check, func(cmd *cobra.Command, h *house, _ []string) error {
		all, err := h.keys.List(cmd.Context())
		if err != nil {
			return unavailablef("%w", err)
		}
		items, rows := []keyJSON{}, [][]string{}
		for _, k := range all {
			items = append(items, keyJSON{k.ID, k.Algorithm, string(k.State), k.SealedBy, stamp(k.CreatedAt), stamp(k.ActiveAt), stamp(k.RetiredAt), stamp(k.ExpiresAt)})
			rows = append(rows, []string{k.ID, k.Algorithm, string(k.State), k.SealedBy, date(k.CreatedAt, ""), date(k.ExpiresAt, "")})
		}
		return out.list(env, items, []string{"KEY ID", "ALGORITHM", "STATE", "SEALED BY", "CREATED", "PUBLISHED UNTIL"}, rows)
	})
	return cmd
}

func newKeyRotate(env *Env) *cobra.Command {
	var alg, overlap string
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Sign with another key from now on",
		Long: `Lets the next signing key sign at once, or a fresh one if none is waiting, and
prints its id: one line for each algorithm. The old key stays published, so that
what it signed can still be verified. The server rotates keys by itself; this is
for when that is too late. If keys may have leaked, run it twice: the next key
lay beside the one that leaked.`,
		Args: args(),
	}
	cmd.Flags().StringVar(&alg, "alg", "", "rotate the key of this `ALGORITHM` only: "+strings.Join(keys.Offered(), " or "))
	cmd.Flags().StringVar(&overlap, "overlap", "", "publish the old key for this `TIME` (default: lifetimes.access_token or lifetimes.id_token, the longer, and an hour)")
	s := beside(env, cmd)
	cmd.RunE = s.with(nil, func(cmd *cobra.Command, h *house, _ []string) error {
		if h.ring == nil {
			return errNoRing
		}
		d := max(h.loaded.Lifetimes.AccessToken.Std(), h.loaded.Lifetimes.IDToken.Std()) + keys.Slack
		if overlap != "" {
			given, err := config.ParseDuration(overlap)
			if err != nil {
				return usagef("--overlap: %w", err)
			}
			d = given.Std()
		}
		algs := keys.Offered()
		if alg != "" {
			if !slices.Contains(algs, alg) {
				return usagef("--alg: %q is not one of %s", alg, strings.Join(algs, ", "))
			}
			algs = []string{alg}
		}
		for _, alg := range algs {
			id, err := h.keys.Rotate(cmd.Context(), alg, d)
			if err != nil {
				return unavailablef("%w", err)
			}
			env.printf("%s\n", id)
		}
		return nil
	})
	return cmd
}
