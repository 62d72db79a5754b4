package keys

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/store"
)

// PairwiseSalt returns the secret of pairwise subjects (OpenID Connect Core §8.1),
// 32 bytes that stay the same for the life of the store.
func (k *Keys) PairwiseSalt(ctx context.Context) ([]byte, error) {
	if salt := k.salt.Load(); salt != nil {
		return *salt, nil
	}
	if k.cfg.Ring == nil {
		return nil, ErrNoKeyring
	}
	row, err := k.saltRow(ctx)
	if err != nil {
		return nil, fmt.Errorf("pairwise salt: %w", err)
	}
	salt, err := k.open(row)
	if err != nil {
		return nil, err
	}
	k.salt.Store(&salt)
	return salt, nil
}

// saltRow finds the salt's row, or makes it. It is "active", of which there can be
// only one: of two nodes that make one, both use the first.
func (k *Keys) saltRow(ctx context.Context) (*store.SigningKey, error) {
	rows, err := k.rows(ctx)
	if err != nil {
		return nil, err
	}
	if row := in(rows, pairwise, store.KeyActive); row != nil {
		return row, nil
	}
	salt := make([]byte, 32)
	rand.Read(salt)
	now := k.cfg.Now()
	id := mint.NewID(now)
	err = k.cfg.Store.CreateKey(ctx, &store.SigningKey{ID: id, Algorithm: pairwise, State: store.KeyActive,
		Sealed: k.cfg.Ring.Seal(salt, place(id)), Public: []byte{}, CreatedAt: now, ActiveAt: now})
	if err != nil && !errors.Is(err, store.ErrExists) {
		return nil, err
	}
	if rows, err = k.rows(ctx); err != nil {
		return nil, err
	}
	if row := in(rows, pairwise, store.KeyActive); row != nil {
		return row, nil
	}
	return nil, errors.New("its row is gone")
}
