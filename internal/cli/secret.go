package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/oauth"
)

func newSecret(env *Env) *cobra.Command {
	return group(&cobra.Command{Use: "secret", Aliases: []string{"secrets"}, Short: "The secret keys of the server (the keyring)"},
		newSecretList(env), newSecretRotate(env), newSecretDrop(env))
}

// errNoRing: a command needs the keyring and the configuration names none.
var errNoRing = invalidf("this needs the secret keys of the server: name their file by keyring_file, VALETKEY_KEYRING_FILE or --config")

// ringKeyJSON is a key of the ring as the commands print it.
type ringKeyJSON struct {
	ID    string `json:"id"`
	State string `json:"state"`
	Seals int    `json:"seals"`
}

func newSecretList(env *Env) *cobra.Command {
	var out output
	cmd := &cobra.Command{Use: "list", Short: "List the secret keys by their ids, newest first", Args: args()}
	out.flag(cmd)
	s := beside(env, cmd)
	cmd.RunE = s.with(out.check, func(cmd *cobra.Command, h *house, _ []string) error {
		if h.ring == nil {
			return errNoRing
		}
		counts, err := h.keys.Inspect(cmd.Context())
		if err != nil {
			return unavailablef("%w", err)
		}
		items, rows := []ringKeyJSON{}, [][]string{}
		for i, id := range h.ring.KeyIDs() {
			state := "old"
			if i == 0 {
				state = "current"
			}
			items = append(items, ringKeyJSON{id, state, counts[id]})
			rows = append(rows, []string{id, state, strconv.Itoa(counts[id])})
		}
		return out.list(env, items, []string{"KEY", "STATE", "SEALS"}, rows)
	})
	return cmd
}

func newSecretRotate(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Put a new secret key first and encrypt everything anew with it",
		Long: `Puts a new key at the top of the file of secret keys and encrypts with it what
is encrypted in the database. If it is broken off, run it again: it goes on
where it was. Old keys stay in the file until "valetkey secret drop".

A running server goes on with the keys it knows; restart it when this is done.`,
		Args: args(),
	}
	s := beside(env, cmd)
	cmd.RunE = s.with(nil, func(cmd *cobra.Command, h *house, _ []string) error {
		return h.rotateSecrets(cmd.Context())
	})
	return cmd
}

func (h *house) rotateSecrets(ctx context.Context) error {
	file, err := h.ringFile()
	if err != nil {
		return err
	}
	begun, err := h.rotationBegun(ctx)
	if err != nil {
		return unavailablef("%w", err)
	}
	if !begun {
		if err := h.addRingKey(file); err != nil {
			return err
		}
	}
	n, err := h.keys.Reseal(ctx)
	if err != nil {
		return unavailablef("%d were encrypted anew, then: %w. Run the command again to go on", n, err)
	}
	newest := h.ring.KeyIDs()[0]
	if begun {
		h.env.printf("Finished the rotation to key %s that was begun before: %d encrypted anew.\n", newest, n)
	} else {
		h.env.printf("Key %s is the first in %s now: %d encrypted anew.\n", newest, file, n)
	}
	h.env.printf("Restart the server so that it uses it. After that \"valetkey secret drop ID\" takes an old key away.\n")
	return nil
}

// ringFile is the file that holds the ring.
func (h *house) ringFile() (string, error) {
	if h.ring == nil {
		return "", errNoRing
	}
	file := h.loaded.SecretFile("keyring")
	if file == "" {
		return "", refusedf("the secret keys are not in a file (%s), so this command cannot change them there: put a new line before the others yourself", h.loaded.Origin("keyring"))
	}
	return file, nil
}

// rotationBegun reports whether an earlier rotation was broken off: something is
// still sealed by a key that is not the newest.
func (h *house) rotationBegun(ctx context.Context) (bool, error) {
	counts, err := h.keys.Inspect(ctx)
	if err != nil {
		return false, err
	}
	delete(counts, h.ring.KeyIDs()[0])
	for _, n := range counts {
		if n > 0 {
			return true, nil
		}
	}
	return false, nil
}

// addRingKey puts a new key before the others, in the file and in h.
func (h *house) addRingKey(file string) error {
	old, err := os.ReadFile(file)
	if err != nil {
		return unavailablef("%w", err)
	}
	line := string(keyring.Line(h.newKeyID()))
	return h.writeRing(file, insertFirst(string(old), line))
}

// insertFirst puts a line before the first key and leaves comments above it.
func insertFirst(ring, line string) string {
	var b strings.Builder
	done := false
	for have := range strings.Lines(ring) {
		if text := strings.TrimSpace(have); !done && text != "" && !strings.HasPrefix(text, "#") {
			fmt.Fprintln(&b, line)
			done = true
		}
		b.WriteString(have)
	}
	return b.String()
}

// newKeyID is the date, with a letter if there is one of that day.
func (h *house) newKeyID() string {
	day := h.env.Now().UTC().Format("2006-01-02")
	for id, n := day, 2; ; n++ {
		if !slices.Contains(h.ring.KeyIDs(), id) {
			return id
		}
		id = fmt.Sprintf("%s-%d", day, n)
	}
}

// writeRing replaces the file and goes on with what it holds now.
func (h *house) writeRing(file, text string) error {
	ring, err := keyring.Parse(oauth.Secret(text))
	if err != nil {
		return &config.Error{Where: file, Err: err}
	}
	if err := replaceFile(file, []byte(text)); err != nil {
		return err
	}
	h.ring = ring
	h.keys = keys.New(keys.Config{Store: h.store, Ring: ring, Now: h.env.Now})
	return nil
}

func newSecretDrop(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drop ID",
		Short: "Take an old secret key out of the file",
		Long: `Takes a key out of the file of secret keys. Refused while anything is encrypted with it, and for the newest key.

Forms that were opened before the rotation are refused after this: wait an hour.`,
		Args: args("ID"),
	}
	s := beside(env, cmd)
	cmd.RunE = s.with(nil, func(cmd *cobra.Command, h *house, args []string) error {
		return h.dropSecret(cmd.Context(), args[0])
	})
	return cmd
}

func (h *house) dropSecret(ctx context.Context, id string) error {
	file, err := h.ringFile()
	if err != nil {
		return err
	}
	if !slices.Contains(h.ring.KeyIDs(), id) {
		return notFoundf("there is no key %q in %s", id, file)
	}
	if err := h.keys.Droppable(ctx, id); err != nil {
		return refusedf("%w", err)
	}
	old, err := os.ReadFile(file)
	if err != nil {
		return unavailablef("%w", err)
	}
	var kept bytes.Buffer
	for line := range strings.Lines(string(old)) {
		if !strings.HasPrefix(strings.TrimSpace(line), id+":") {
			kept.WriteString(line)
		}
	}
	if err := h.writeRing(file, kept.String()); err != nil {
		return err
	}
	h.env.printf("Key %s is gone from %s.\n", id, file)
	return nil
}
