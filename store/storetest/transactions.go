package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

var errFault = errors.New("a fault")

var transactionTests = map[string]func(*testing.T, *suite){
	"Commit": func(t *testing.T, s *suite) {
		s.must(s.InTx(s.ctx, func(ctx context.Context, tx store.Store) error {
			if err := tx.CreateClient(ctx, &oauth.Client{ID: "c1", CreatedAt: start}); err != nil {
				return err
			}
			_, err := tx.Client(ctx, "c1") // it sees what it wrote
			return err
		}))
		_, err := s.Client(s.ctx, "c1")
		s.must(err)
	},
	// After a fault every table is as it was.
	"Rollback": func(t *testing.T, s *suite) {
		s.client("c1")
		g := s.grant("g1", "c1", "alice")
		code, rt, pat, req := s.code("ac", g), s.token("rt", oauth.RefreshToken, g), s.personal("pat", "alice"), s.request("r1", "c1", "alice")
		key := &store.SigningKey{ID: "k", Algorithm: "ES256", State: store.KeyActive, Sealed: "s", Public: []byte{1}, CreatedAt: start}
		s.must(s.CreateKey(s.ctx, key))
		s.must(s.CreateClientSecret(s.ctx, &oauth.ClientSecret{ID: "s1", ClientID: "c1", CreatedAt: start}))

		pushed, device, next := s.pushed("p1", "c1"), s.device("d1", "BCDFGHJK", "c1"), *key
		s.device("d2", "LMNPQRST", "c1")
		approved := *device
		approved.ID, approved.UserCode, approved.GrantID, approved.Subject = "d3", "VWXZBCDF", "g1", "alice"
		s.must(s.CreateDeviceCode(s.ctx, &approved))
		signedIn := s.signIn("sid", "c1", "alice")
		next.ID, next.Algorithm, next.State = "n", "RS256", store.KeyNext
		s.must(s.CreateKey(s.ctx, &next))

		err := s.InTx(s.ctx, func(ctx context.Context, tx store.Store) error {
			if _, err := tx.EndSession(ctx, "sid", start); err != nil {
				return err
			}
			renamed := *pat
			renamed.Name = "other"
			for i, err := range []error{
				tx.CreateClient(ctx, &oauth.Client{ID: "c2", CreatedAt: start}),
				tx.UseCode(ctx, "ac", start), tx.RotateToken(ctx, "rt", "rt2", start), tx.UpdateToken(ctx, &renamed),
				tx.RevokeToken(ctx, "pat", start), tx.TouchGrant(ctx, "g1", start), tx.UseRequest(ctx, "r1", start), tx.ClaimDevice(ctx, "d3", start),
				tx.RetireKey(ctx, "k", start, start), tx.ExpireClientSecrets(ctx, "c1", "", start), tx.RevokeGrant(ctx, "g1", start),
				tx.UsePushedRequest(ctx, "p1", start), tx.PollDeviceCode(ctx, "d1", start, time.Minute), tx.ApproveDeviceCode(ctx, "d1", "g1", start),
				tx.DenyDeviceCode(ctx, "d2", start), tx.SeenJTI(ctx, "jti", start, start.Add(time.Hour)),
				tx.RetryLogout(ctx, "sid", "c1", start), tx.DeleteSessionClient(ctx, "sid", "c1"), tx.ActivateKey(ctx, "n", start),
				tx.AddSessionClient(ctx, &oauth.SessionClient{SID: "sid2", ClientID: "c1", Subject: "alice", ExpiresAt: start}),
				tx.RecordEvent(ctx, oauth.Event{ID: "e1", At: start}), tx.DeleteSubject(ctx, "alice"), tx.DeleteClient(ctx, "c1"),
			} {
				if err != nil {
					return fmt.Errorf("step %d: %w", i, err)
				}
			}
			return errFault
		})
		s.want(err, errFault)

		_, err = s.Client(s.ctx, "c2")
		s.want(err, store.ErrNotFound)
		gotG, err := s.Grant(s.ctx, "g1")
		s.must(err)
		equal(t, gotG, g)
		gotC, err := s.Code(s.ctx, "ac")
		s.must(err)
		equal(t, gotC, code)
		for _, want := range []*oauth.Token{rt, pat} {
			got, err := s.Token(s.ctx, want.ID)
			s.must(err)
			equal(t, got, want)
		}
		gotR, err := s.Request(s.ctx, "r1")
		s.must(err)
		equal(t, gotR, req)
		gotP, err := s.PushedRequest(s.ctx, "p1")
		s.must(err)
		equal(t, gotP, pushed)
		s.deviceIs(device)
		s.must(s.ApproveDeviceCode(s.ctx, "d2", "g1", start)) // nobody has denied it
		s.must(s.ClaimDevice(s.ctx, "d3", start))
		s.must(s.SeenJTI(s.ctx, "jti", start, start.Add(time.Hour)))
		s.signedIn("sid", signedIn)
		s.signIn("sid", "c1", "alice") // it has not ended
		s.signedIn("sid2")
		keys, err := s.SigningKeys(s.ctx)
		s.must(err)
		equal(t, keys, []*store.SigningKey{&next, key})
		secrets, err := s.ClientSecrets(s.ctx, "c1")
		s.must(err)
		equal(t, secrets[0].ExpiresAt.IsZero(), true)
		events, err := s.ListEvents(s.ctx, store.EventQuery{}, store.Page{Limit: 1})
		s.must(err)
		equal(t, len(events), 0)
	},
	"RefusalInside": func(t *testing.T, s *suite) {
		// A verb that refuses leaves the transaction usable: the caller may go on and commit.
		s.must(s.InTx(s.ctx, func(ctx context.Context, tx store.Store) error {
			if err := tx.CreateClient(ctx, &oauth.Client{ID: "c1", CreatedAt: start}); err != nil {
				return err
			}
			if err := tx.CreateClient(ctx, &oauth.Client{ID: "c1", CreatedAt: start}); !errors.Is(err, store.ErrExists) {
				return fmt.Errorf("second CreateClient: got %v", err)
			}
			if err := tx.UseCode(ctx, "none", start); !errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("UseCode: got %v", err)
			}
			return tx.CreateGrant(ctx, &oauth.Grant{ID: "g1", ClientID: "c1", Subject: "alice", CreatedAt: start})
		}))
		_, err := s.Grant(s.ctx, "g1")
		s.must(err)
	},
	"Nested": func(t *testing.T, s *suite) {
		create := func(ctx context.Context, tx store.Store, id string) error {
			return tx.InTx(ctx, func(ctx context.Context, tx store.Store) error {
				return tx.CreateClient(ctx, &oauth.Client{ID: id, CreatedAt: start})
			})
		}
		s.want(s.InTx(s.ctx, func(ctx context.Context, tx store.Store) error {
			if err := create(ctx, tx, "undone"); err != nil {
				return err
			}
			return errFault
		}), errFault)
		_, err := s.Client(s.ctx, "undone")
		s.want(err, store.ErrNotFound)

		s.must(s.InTx(s.ctx, func(ctx context.Context, tx store.Store) error {
			err := tx.InTx(ctx, func(ctx context.Context, tx store.Store) error {
				if err := create(ctx, tx, "kept"); err != nil {
					return err
				}
				return errFault
			})
			if !errors.Is(err, errFault) {
				return fmt.Errorf("inner: got %v, want %v", err, errFault)
			}
			return nil
		}))
		_, err = s.Client(s.ctx, "kept") // only the outermost decides
		s.must(err)
	},
	// The store or the context of the transaction is enough to be in it.
	"EitherJoins": func(t *testing.T, s *suite) {
		s.want(s.InTx(s.ctx, func(ctx context.Context, tx store.Store) error {
			if err := s.CreateClient(ctx, &oauth.Client{ID: "by-context", CreatedAt: start}); err != nil {
				return err
			}
			if err := tx.CreateClient(s.ctx, &oauth.Client{ID: "by-store", CreatedAt: start}); err != nil {
				return err
			}
			if _, err := s.Client(ctx, "by-store"); err != nil {
				return err
			}
			if _, err := tx.Client(s.ctx, "by-context"); err != nil {
				return err
			}
			return errFault
		}), errFault)
		for _, id := range []string{"by-context", "by-store"} {
			_, err := s.Client(s.ctx, id)
			s.want(err, store.ErrNotFound)
		}
	},
	"Panic": func(t *testing.T, s *suite) {
		err := s.InTx(s.ctx, func(ctx context.Context, tx store.Store) error {
			if err := tx.CreateClient(ctx, &oauth.Client{ID: "c1", CreatedAt: start}); err != nil {
				return err
			}
			panic("out of cheese")
		})
		if err == nil || !strings.Contains(err.Error(), "out of cheese") {
			t.Fatalf("got error %v, want the panic", err)
		}
		_, err = s.Client(s.ctx, "c1")
		s.want(err, store.ErrNotFound)
		s.client("c1") // and the store goes on
	},
	"Cancelled": func(t *testing.T, s *suite) {
		ctx, cancel := context.WithCancel(s.ctx)
		cancel()
		ran := false
		s.want(s.InTx(ctx, func(context.Context, store.Store) error { ran = true; return nil }), context.Canceled)
		s.want(s.CreateClient(ctx, &oauth.Client{ID: "c1", CreatedAt: start}), context.Canceled)
		equal(t, ran, false)
		_, err := s.Client(s.ctx, "c1")
		s.want(err, store.ErrNotFound)
	},
	// One that fails takes nobody else's work with it, however they are put together.
	"FailAlone": func(t *testing.T, s *suite) {
		errs := race(racers, func(i int) error {
			return s.InTx(s.ctx, func(ctx context.Context, tx store.Store) error {
				if err := tx.CreateClient(ctx, &oauth.Client{ID: fmt.Sprintf("c%02d", i), CreatedAt: start}); err != nil {
					return err
				}
				switch i % 3 {
				case 1:
					return errFault
				case 2:
					panic("fault")
				}
				return nil
			})
		})
		for i, err := range errs {
			_, found := s.Client(s.ctx, fmt.Sprintf("c%02d", i))
			switch i % 3 {
			case 0:
				s.must(err)
				s.must(found)
			case 1:
				s.want(err, errFault)
				s.want(found, store.ErrNotFound)
			case 2:
				equal(t, err != nil, true)
				s.want(found, store.ErrNotFound)
			}
		}
	},
}
