package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// sealed is one text that the keyring seals: a private key, or the secret of a
// client that signs with it (client_secret_jwt).
type sealed struct {
	name, text, place string
	reseal            func(ctx context.Context, id, old, sealed string) error
	id                string
}

// everything lists what the keyring seals in the database.
func (k *Keys) everything(ctx context.Context) ([]sealed, error) {
	rows, err := k.rows(ctx)
	if err != nil {
		return nil, err
	}
	secrets, err := k.cfg.Store.SealedSecrets(ctx)
	if err != nil {
		return nil, fmt.Errorf("sealed client secrets: %w", err)
	}
	var all []sealed
	for _, row := range rows {
		all = append(all, sealed{"signing key " + row.ID, row.Sealed, place(row.ID), k.cfg.Store.ResealKey, row.ID})
	}
	for _, s := range secrets {
		all = append(all, sealed{"secret of client " + s.ClientID, s.Sealed, keyring.ClientSecretPlace(s.ID), k.cfg.Store.ResealClientSecret, s.ID})
	}
	return all, nil
}

// Inspect returns how many private keys and client secrets each of the keyring's
// keys seals, by the id of the keyring's key. Every key of the ring is in it.
func (k *Keys) Inspect(ctx context.Context) (map[string]int, error) {
	all, err := k.everything(ctx)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	if k.cfg.Ring != nil {
		for _, id := range k.cfg.Ring.KeyIDs() {
			counts[id] = 0
		}
	}
	for _, s := range all {
		by, err := keyring.SealedBy(s.text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		counts[by]++
	}
	return counts, nil
}

// Reseal encrypts with the newest key of the ring whatever another one sealed,
// and returns how many private keys and client secrets that were. It works row by
// row, each guarded by what it read: it can be broken off at any point and be run
// again, beside a running server and beside another Reseal.
func (k *Keys) Reseal(ctx context.Context) (int, error) {
	if k.cfg.Ring == nil {
		return 0, ErrNoKeyring
	}
	newest := k.cfg.Ring.KeyIDs()[0]
	all, err := k.everything(ctx)
	if err != nil {
		return 0, err
	}
	done := 0
	for _, s := range all {
		if by, err := keyring.SealedBy(s.text); err == nil && by == newest {
			continue
		}
		plain, err := k.cfg.Ring.Open(s.text, s.place)
		if err != nil {
			return done, fmt.Errorf("%s: %w", s.name, err)
		}
		err = s.reseal(ctx, s.id, s.text, k.cfg.Ring.Seal(plain, s.place))
		if errors.Is(err, store.ErrUsed) || errors.Is(err, store.ErrNotFound) {
			continue // somebody else has done it
		}
		if err != nil {
			return done, fmt.Errorf("reseal %s: %w", s.name, err)
		}
		done++
	}
	if done == 0 {
		return 0, nil
	}
	detail := fmt.Sprintf("%d private keys and client secrets sealed anew with keyring key %s", done, newest)
	return done, k.record(ctx, k.cfg.Store, oauth.EventKeyringReencrypted, detail)
}

// Droppable reports whether the keyring can do without the key of that id; the
// error says why it cannot. It records that the key is retired if it can.
func (k *Keys) Droppable(ctx context.Context, ringKey string) error {
	if k.cfg.Ring == nil {
		return ErrNoKeyring
	}
	ids := k.cfg.Ring.KeyIDs()
	switch at := slices.Index(ids, ringKey); {
	case at < 0:
		return fmt.Errorf("there is no key %q in the keyring", ringKey)
	case at == 0:
		return fmt.Errorf("key %q is the newest of the keyring and seals what is new: put another before it first", ringKey)
	}
	counts, err := k.Inspect(ctx)
	if err != nil {
		return err
	}
	if n := counts[ringKey]; n > 0 {
		return fmt.Errorf("key %q still seals %d private keys and client secrets: seal them anew first", ringKey, n)
	}
	return k.record(ctx, k.cfg.Store, oauth.EventKeyringKeyRetired, "keyring key "+ringKey+" is no longer needed")
}
