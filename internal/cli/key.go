package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/valetkey/valetkey/internal/config"
)

// keyJSON is a signing key as the commands print it; never its private half.
type keyJSON struct {
	ID        string     `json:"id"`
	Algorithm string     `json:"algorithm"`
	State     string     `json:"state"`
	SealedBy  string     `json:"sealed_by"`
	CreatedAt *time.Time `json:"created_at"`
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
			items = append(items, keyJSON{k.ID, k.Algorithm, string(k.State), k.SealedBy, stamp(k.CreatedAt), stamp(k.RetiredAt), stamp(k.ExpiresAt)})
			rows = append(rows, []string{k.ID, k.Algorithm, string(k.State), k.SealedBy, date(k.CreatedAt, ""), date(k.ExpiresAt, "")})
		}
		return out.list(env, items, []string{"KEY ID", "ALGORITHM", "STATE", "SEALED BY", "CREATED", "PUBLISHED UNTIL"}, rows)
	})
	return cmd
}

// keySlack is how much longer than the tokens it signed a retired key is
// published: for clocks that differ and key sets that others keep.
const keySlack = time.Hour

func newKeyRotate(env *Env) *cobra.Command {
	var overlap string
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Sign with a new key from now on",
		Long:  `Makes a new signing key. The old one stays published, so that what it signed can still be verified.`,
		Args:  args(),
	}
	cmd.Flags().StringVar(&overlap, "overlap", "", "publish the old key for this `TIME` (default: lifetimes.access_token and an hour)")
	s := beside(env, cmd)
	cmd.RunE = s.with(nil, func(cmd *cobra.Command, h *house, _ []string) error {
		if h.ring == nil {
			return errNoRing
		}
		d := h.loaded.Lifetimes.AccessToken.Std() + keySlack
		if overlap != "" {
			given, err := config.ParseDuration(overlap)
			if err != nil {
				return usagef("--overlap: %w", err)
			}
			d = given.Std()
		}
		id, err := h.keys.Rotate(cmd.Context(), d)
		if err != nil {
			return unavailablef("%w", err)
		}
		env.printf("%s\n", id)
		return nil
	})
	return cmd
}
