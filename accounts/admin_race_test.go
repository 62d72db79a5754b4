package accounts_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/internal/browser"
)

// meetingStore lets the first two transactions begin only when both are there.
type meetingStore struct {
	accounts.Store
	came  *atomic.Int64
	there *sync.WaitGroup
}

func (s meetingStore) InTx(ctx context.Context, fn func(ctx context.Context, tx accounts.Store) error) error {
	if s.came.Add(1) <= 2 {
		s.there.Done()
		s.there.Wait()
	}
	return s.Store.InTx(ctx, fn)
}

// Two administrators who get rid of each other at once leave one.
func TestOneAdministratorStays(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"withdraw-admin", "disable", "delete"} {
		t.Run(action, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			names := []string{"ann@example.org", "ben@example.org"}
			var ids []string
			var people []*person
			for _, name := range names {
				ids = append(ids, h.create(accounts.NewUser{Email: name, Password: password, Admin: true}).ID)
				people = append(people, h.visitor().signIn(name, password))
			}
			forms := make([]*browser.Form, 2)
			for i, p := range people {
				forms[i] = p.open("/admin/users/" + ids[1-i] + "/" + action + "/").Form()
			}

			meeting := meetingStore{h.cfg.Store, new(atomic.Int64), new(sync.WaitGroup)}
			meeting.there.Add(2)
			cfg := h.cfg
			cfg.Store = meeting
			var err error
			if h.door, err = accounts.New(cfg); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for i, p := range people {
				wg.Go(func() { p.Send(forms[i]) })
			}
			wg.Wait()

			left := 0
			for _, id := range ids {
				if acc, err := h.door.FindUser(t.Context(), id); err == nil && acc.Admin && !acc.Disabled {
					left++
				}
			}
			if left != 1 {
				t.Errorf("%d administrators are left, want 1", left)
			}
		})
	}
}
