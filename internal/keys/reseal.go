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

// Inspect returns how many private keys each of the keyring's keys seals, by
// the id of the keyring's key. Every key of the ring is in it.
func (k *Keys) Inspect(ctx context.Context) (map[string]int, error) {
	rows, err := k.rows(ctx)
	if err != nil {
		return nil, err
	}
	counts := map[string]int{}
	if k.cfg.Ring != nil {
		for _, id := range k.cfg.Ring.KeyIDs() {
			counts[id] = 0
		}
	}
	for _, row := range rows {
		by, err := keyring.SealedBy(row.Sealed)
		if err != nil {
			return nil, fmt.Errorf("signing key %s: %w", row.ID, err)
		}
		counts[by]++
	}
	return counts, nil
}

// Reseal encrypts with the newest key of the ring whatever another one sealed,
// and returns how many private keys that were. It works row by row, each guarded
// by what it read: it can be broken off at any point and be run again, beside a
// running server and beside another Reseal.
func (k *Keys) Reseal(ctx context.Context) (int, error) {
	if k.cfg.Ring == nil {
		return 0, ErrNoKeyring
	}
	newest := k.cfg.Ring.KeyIDs()[0]
	rows, err := k.rows(ctx)
	if err != nil {
		return 0, err
	}
	done := 0
	for _, row := range rows {
		if by, err := keyring.SealedBy(row.Sealed); err == nil && by == newest {
			continue
		}
		plain, err := k.open(row)
		if err != nil {
			return done, err
		}
		err = k.cfg.Store.ResealKey(ctx, row.ID, row.Sealed, k.cfg.Ring.Seal(plain, place(row.ID)))
		if errors.Is(err, store.ErrUsed) || errors.Is(err, store.ErrNotFound) {
			continue // somebody else has done it
		}
		if err != nil {
			return done, fmt.Errorf("reseal signing key %s: %w", row.ID, err)
		}
		done++
	}
	if done == 0 {
		return 0, nil
	}
	detail := fmt.Sprintf("%d private keys sealed anew with keyring key %s", done, newest)
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
		return fmt.Errorf("key %q still seals %d private keys: seal them anew first", ringKey, n)
	}
	return k.record(ctx, k.cfg.Store, oauth.EventKeyringKeyRetired, "keyring key "+ringKey+" is no longer needed")
}
