package storetest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

var keyTests = map[string]func(*testing.T, *suite){
	"Life": func(t *testing.T, s *suite) {
		k1 := &store.SigningKey{ID: "k1", Algorithm: "ES256", State: store.KeyActive, Sealed: "sealed1", Public: []byte{0, 255, 1}, CreatedAt: start}
		k2 := &store.SigningKey{ID: "k2", Algorithm: "RS256", State: store.KeyActive, Sealed: "sealed2", Public: []byte{2}, CreatedAt: start.Add(time.Second)}
		k3 := &store.SigningKey{ID: "k3", Algorithm: "ES256", State: store.KeyActive, Sealed: "sealed3", Public: []byte{3}, CreatedAt: start.Add(2 * time.Second)}
		s.must(s.CreateKey(s.ctx, k1))
		s.must(s.CreateKey(s.ctx, k2))
		s.want(s.CreateKey(s.ctx, k1), store.ErrExists)
		s.want(s.CreateKey(s.ctx, k3), store.ErrExists) // one active key an algorithm

		s.must(s.RetireKey(s.ctx, "k1", start.Add(time.Hour), start.Add(2*time.Hour)))
		s.want(s.RetireKey(s.ctx, "k1", start, start), store.ErrUsed)
		s.want(s.RetireKey(s.ctx, "none", start, start), store.ErrNotFound)
		k1.State, k1.RetiredAt, k1.ExpiresAt = store.KeyRetiring, start.Add(time.Hour), start.Add(2*time.Hour)
		s.must(s.CreateKey(s.ctx, k3))

		s.must(s.ResealKey(s.ctx, "k2", "sealed2", "resealed"))
		s.want(s.ResealKey(s.ctx, "k2", "sealed2", "again"), store.ErrUsed)
		s.want(s.ResealKey(s.ctx, "none", "sealed2", "again"), store.ErrNotFound)
		k2.Sealed = "resealed"

		got, err := s.SigningKeys(s.ctx)
		s.must(err)
		equal(t, got, []*store.SigningKey{k3, k2, k1})
	},
	// Published, signing, retiring.
	"Rotation": func(t *testing.T, s *suite) {
		key := func(id, alg string, state store.KeyState) *store.SigningKey {
			return &store.SigningKey{ID: id, Algorithm: alg, State: state, Sealed: "x", Public: []byte{1}, CreatedAt: start}
		}
		k1, k2 := key("k1", "ES256", store.KeyActive), key("k2", "ES256", store.KeyNext)
		s.must(s.CreateKey(s.ctx, k1))
		s.must(s.CreateKey(s.ctx, k2)) // a next key stands beside the active one
		s.must(s.CreateKey(s.ctx, key("other", "RS256", store.KeyNext)))
		s.want(s.CreateKey(s.ctx, key("k3", "ES256", store.KeyNext)), store.ErrExists) // one next key an algorithm
		s.must(s.CreateKey(s.ctx, key("r1", "ES256", store.KeyRetiring)))
		s.must(s.CreateKey(s.ctx, key("r2", "ES256", store.KeyRetiring))) // any number of retiring ones

		s.want(s.ActivateKey(s.ctx, "none", start), store.ErrNotFound)
		s.want(s.ActivateKey(s.ctx, "k1", start), store.ErrUsed)      // it is
		s.want(s.ActivateKey(s.ctx, "r1", start), store.ErrUsed)      // never again
		s.want(s.ActivateKey(s.ctx, "k2", start), store.ErrUsed)      // another one is
		s.want(s.RetireKey(s.ctx, "k2", start, start), store.ErrUsed) // it never signed

		when := start.Add(time.Hour)
		s.must(s.InTx(s.ctx, func(ctx context.Context, tx store.Store) error {
			if err := tx.RetireKey(ctx, "k1", when, when.Add(time.Hour)); err != nil {
				return err
			}
			return tx.ActivateKey(ctx, "k2", when)
		}))
		s.want(s.ActivateKey(s.ctx, "k2", when.Add(time.Second)), store.ErrUsed)
		s.must(s.CreateKey(s.ctx, key("k3", "ES256", store.KeyNext))) // the place is free
		k1.State, k1.RetiredAt, k1.ExpiresAt = store.KeyRetiring, when, when.Add(time.Hour)
		k2.State, k2.ActiveAt = store.KeyActive, when
		got, err := s.SigningKeys(s.ctx)
		s.must(err)
		for _, want := range []*store.SigningKey{k1, k2} {
			i := slices.IndexFunc(got, func(k *store.SigningKey) bool { return k.ID == want.ID })
			equal(t, got[i], want)
		}
		s.must(s.ActivateKey(s.ctx, "other", when)) // no key of its algorithm is active
		s.must(s.RetireKey(s.ctx, "k2", when, when.Add(time.Hour)))
		s.want(s.ActivateKey(s.ctx, "k1", when), store.ErrUsed) // a key that has retired never comes back
	},
}

var eventTests = map[string]func(*testing.T, *suite){
	"RecordAndList": func(t *testing.T, s *suite) {
		all := []*oauth.Event{
			{ID: "e1", At: start, Type: oauth.EventTokenIssued, Actor: "alice", Subject: "alice", ClientID: "c1", TokenID: "t1",
				Network: "192.0.2.0/24", RequestID: "r1", Detail: "it's “done”"},
			{ID: "e2", At: start, Type: oauth.EventTokenRevoked, Actor: "admin", Subject: "alice", ClientID: "c2"},
			{ID: "e3", At: start, Type: oauth.EventSignInFailed},
			{ID: "e4", At: start, Type: oauth.EventTokenIssued, Actor: "alice", Subject: "bob", ClientID: "c1"},
			{ID: "e5", At: start, Type: oauth.EventTokenIssued, Actor: "operator", ClientID: "c1"},
			{ID: "e6", At: start, Type: oauth.EventTokenRevoked, Subject: "alice", ClientID: "c1"},
		}
		for _, e := range all {
			s.must(s.RecordEvent(s.ctx, *e))
		}
		s.want(s.RecordEvent(s.ctx, *all[0]), store.ErrExists)
		for _, tc := range []struct {
			name string
			q    store.EventQuery
			p    store.Page
			want []int
		}{
			{"all", store.EventQuery{}, store.Page{Limit: 10}, []int{6, 5, 4, 3, 2, 1}},
			{"page", store.EventQuery{}, store.Page{Limit: 2, After: "e5"}, []int{4, 3}},
			{"involving, as actor or subject, once", store.EventQuery{Involving: "alice"}, store.Page{Limit: 10}, []int{6, 4, 2, 1}},
			{"involving, page", store.EventQuery{Involving: "alice"}, store.Page{Limit: 2, After: "e6"}, []int{4, 2}},
			{"client", store.EventQuery{ClientID: "c1"}, store.Page{Limit: 10}, []int{6, 5, 4, 1}},
			{"type", store.EventQuery{Type: oauth.EventTokenIssued}, store.Page{Limit: 10}, []int{5, 4, 1}},
			{"all at once", store.EventQuery{Involving: "alice", ClientID: "c1", Type: oauth.EventTokenIssued}, store.Page{Limit: 10, After: "e4"}, []int{1}},
			{"oldest first", store.EventQuery{}, store.Page{Limit: 2, Reverse: true}, []int{1, 2}},
			{"oldest first, page", store.EventQuery{Involving: "alice"}, store.Page{Limit: 2, After: "e1", Reverse: true}, []int{2, 4}},
			{"none", store.EventQuery{Involving: "nobody"}, store.Page{Limit: 10}, nil},
		} {
			got, err := s.ListEvents(s.ctx, tc.q, tc.p)
			s.must(err)
			var want []*oauth.Event
			for _, n := range tc.want {
				want = append(want, all[n-1])
			}
			if len(want) == 0 && len(got) == 0 {
				continue
			}
			t.Log(tc.name)
			equal(t, got, want)
		}
	},
}
