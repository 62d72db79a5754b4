package accounts_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/accounts"
)

// illStore cannot list accounts.
type illStore struct{ accounts.Store }

func (s illStore) InTx(ctx context.Context, fn func(ctx context.Context, tx accounts.Store) error) error {
	return s.Store.InTx(ctx, func(ctx context.Context, tx accounts.Store) error { return fn(ctx, illStore{tx}) })
}

func (illStore) ListAccounts(context.Context, accounts.AccountQuery, accounts.Page) ([]*accounts.Account, error) {
	return nil, errors.New("the disk is gone")
}

// A fault is told as a fault, and the link is as good as before.
func TestFaultWhileSettingUp(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	link, err := h.door.SetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(link, h.cfg.Issuer)
	well := h.cfg.Store
	setUp := func(s accounts.Store, want int) {
		t.Helper()
		h.cfg.Store = s
		if h.door, err = accounts.New(h.cfg); err != nil {
			t.Fatal(err)
		}
		p := h.visitor()
		if page := p.send(p.open(path).Form().Set("email", alice).Set("password", password)); page.Status != want {
			t.Errorf("got %v, want status %d", page, want)
		}
	}
	setUp(illStore{well}, http.StatusInternalServerError)
	setUp(well, http.StatusOK)
}
