package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// racers is how many callers want the same thing at once.
const racers = 64

var raceTests = map[string]func(*testing.T, *suite){
	"UseCode": func(t *testing.T, s *suite) {
		s.client("c1")
		s.code("ac", s.grant("g1", "c1", "alice"))
		s.oneWins(race(racers, func(int) error { return s.UseCode(s.ctx, "ac", start) }), store.ErrUsed)
	},
	// As the token endpoint does it: look, decide, use and insert in one transaction.
	"UseCodeInTransaction": func(t *testing.T, s *suite) {
		s.client("c1")
		g := s.grant("g1", "c1", "alice")
		s.code("ac", g)
		won := s.oneWins(race(racers, func(i int) error {
			return s.InTx(s.ctx, func(ctx context.Context, tx store.Store) error {
				if _, err := tx.Code(ctx, "ac"); err != nil {
					return err
				}
				err := tx.CreateToken(ctx, &oauth.Token{ID: fmt.Sprintf("t%02d", i), Kind: oauth.AccessToken, GrantID: "g1", ClientID: "c1", Subject: "alice", IssuedAt: start})
				if err != nil {
					return err
				}
				return tx.UseCode(ctx, "ac", start)
			})
		}), store.ErrUsed)
		got, err := s.ListTokens(s.ctx, store.TokenQuery{}, store.Page{Limit: racers})
		s.must(err)
		equal(t, ids(got, tokenID), []string{fmt.Sprintf("t%02d", won)}) // what the losers wrote is undone
	},
	"RotateToken": func(t *testing.T, s *suite) {
		s.client("c1")
		s.token("rt", oauth.RefreshToken, s.grant("g1", "c1", "alice"))
		won := s.oneWins(race(racers, func(i int) error { return s.RotateToken(s.ctx, "rt", fmt.Sprintf("rt%02d", i), start) }), store.ErrUsed)
		got, err := s.Token(s.ctx, "rt")
		s.must(err)
		equal(t, got.SuccessorID, fmt.Sprintf("rt%02d", won))
	},
	"UseRequest": func(t *testing.T, s *suite) {
		s.client("c1")
		s.request("r1", "c1", "alice")
		s.oneWins(race(racers, func(int) error { return s.UseRequest(s.ctx, "r1", start) }), store.ErrUsed)
	},
	"CreateKey": func(t *testing.T, s *suite) {
		s.oneWins(race(racers, func(i int) error {
			return s.CreateKey(s.ctx, &store.SigningKey{ID: fmt.Sprint(i), Algorithm: "ES256", State: store.KeyActive, Sealed: "x", Public: []byte{1}, CreatedAt: start})
		}), store.ErrExists)
	},
	"CreateClient": func(t *testing.T, s *suite) {
		s.oneWins(race(racers, func(int) error {
			return s.CreateClient(s.ctx, &oauth.Client{ID: "c1", Name: "n", CreatedAt: start, UpdatedAt: start})
		}), store.ErrExists)
	},
	"CreateKeyNext": func(t *testing.T, s *suite) {
		s.oneWins(race(racers, func(i int) error {
			return s.CreateKey(s.ctx, &store.SigningKey{ID: fmt.Sprint(i), Algorithm: "ES256", State: store.KeyNext, Sealed: "x", Public: []byte{1}, CreatedAt: start})
		}), store.ErrExists)
	},
	"ActivateKey": func(t *testing.T, s *suite) {
		s.must(s.CreateKey(s.ctx, &store.SigningKey{ID: "k", Algorithm: "ES256", State: store.KeyNext, Sealed: "x", Public: []byte{1}, CreatedAt: start}))
		s.oneWins(race(racers, func(int) error { return s.ActivateKey(s.ctx, "k", start) }), store.ErrUsed)
	},
	// As every node does it when the time has come.
	"RotateKeys": func(t *testing.T, s *suite) {
		for _, k := range []store.SigningKey{{ID: "old", State: store.KeyActive}, {ID: "next", State: store.KeyNext}} {
			k.Algorithm, k.Sealed, k.Public, k.CreatedAt = "ES256", "x", []byte{1}, start
			s.must(s.CreateKey(s.ctx, &k))
		}
		s.oneWins(race(racers, func(i int) error {
			return s.InTx(s.ctx, func(ctx context.Context, tx store.Store) error {
				if err := tx.RetireKey(ctx, "old", start, start.Add(time.Hour)); err != nil {
					return err
				}
				if err := tx.ActivateKey(ctx, "next", start); err != nil {
					return err
				}
				return tx.CreateKey(ctx, &store.SigningKey{ID: fmt.Sprint(i), Algorithm: "ES256", State: store.KeyNext, Sealed: "x", Public: []byte{1}, CreatedAt: start})
			})
		}), store.ErrUsed)
		keys, err := s.SigningKeys(s.ctx)
		s.must(err)
		equal(t, len(keys), 3)
	},
	"CreateClientByFingerprint": func(t *testing.T, s *suite) {
		won := s.oneWins(race(racers, func(i int) error {
			return s.CreateClient(s.ctx, &oauth.Client{ID: fmt.Sprint(i), Fingerprint: "same", CreatedAt: start, UpdatedAt: start})
		}), store.ErrExists)
		got, err := s.ClientByFingerprint(s.ctx, "same")
		s.must(err)
		equal(t, got.ID, fmt.Sprint(won))
	},
	// Clients that become alike at once: one of them may.
	"UpdateClientByFingerprint": func(t *testing.T, s *suite) {
		for i := range racers {
			s.must(s.CreateClient(s.ctx, &oauth.Client{ID: fmt.Sprint(i), Fingerprint: fmt.Sprint("of ", i), CreatedAt: start, UpdatedAt: start}))
		}
		won := s.oneWins(race(racers, func(i int) error {
			return s.UpdateClient(s.ctx, &oauth.Client{ID: fmt.Sprint(i), Fingerprint: "same", CreatedAt: start, UpdatedAt: start})
		}), store.ErrExists)
		got, err := s.ClientByFingerprint(s.ctx, "same")
		s.must(err)
		equal(t, got.ID, fmt.Sprint(won))
	},
	// A node that starts makes its first key while another activates the next.
	"ActivateKeyAgainstCreateKey": func(t *testing.T, s *suite) {
		s.must(s.CreateKey(s.ctx, &store.SigningKey{ID: "next", Algorithm: "ES256", State: store.KeyNext, Sealed: "x", Public: []byte{1}, CreatedAt: start}))
		won := 0
		for i, err := range race(racers, func(i int) error {
			if i%2 == 0 {
				return s.ActivateKey(s.ctx, "next", start)
			}
			return s.CreateKey(s.ctx, &store.SigningKey{ID: fmt.Sprint(i), Algorithm: "ES256", State: store.KeyActive, Sealed: "x", Public: []byte{1}, CreatedAt: start})
		}) {
			switch late := []error{store.ErrUsed, store.ErrExists}[i%2]; {
			case err == nil:
				won++
			case !errors.Is(err, late):
				t.Errorf("racer %d: got %v, want %v", i, err, late)
			}
		}
		equal(t, won, 1)
	},
	// A client goes while others write below it: they are done and gone with it, or
	// there is no such client.
	"DeleteClientAgainstItsRows": func(t *testing.T, s *suite) {
		s.client("c1")
		s.grant("g1", "c1", "alice")
		for i, err := range race(racers, func(i int) error {
			switch {
			case i == racers/2:
				return s.DeleteClient(s.ctx, "c1")
			case i%2 == 0:
				return s.CreateGrant(s.ctx, &oauth.Grant{ID: fmt.Sprint(i), ClientID: "c1", Subject: "alice", CreatedAt: start})
			}
			return s.CreateToken(s.ctx, &oauth.Token{ID: fmt.Sprint(i), Kind: oauth.AccessToken, GrantID: "g1", ClientID: "c1", Subject: "alice", IssuedAt: start})
		}) {
			if err != nil && (i == racers/2 || !errors.Is(err, store.ErrNotFound)) {
				t.Errorf("racer %d: got %v, want ErrNotFound at most", i, err)
			}
		}
		left, err := s.ListTokens(s.ctx, store.TokenQuery{}, store.Page{Limit: racers})
		s.must(err)
		equal(t, len(left), 0)
	},
	"UsePushedRequest": func(t *testing.T, s *suite) {
		s.client("c1")
		s.pushed("p1", "c1")
		s.oneWins(race(racers, func(int) error { return s.UsePushedRequest(s.ctx, "p1", start) }), store.ErrUsed)
	},
	"SeenJTI": func(t *testing.T, s *suite) {
		now := start
		for range 2 { // unknown, and then forgotten but perhaps still there
			s.oneWins(race(racers, func(int) error { return s.SeenJTI(s.ctx, "jti", now, now.Add(time.Minute)) }), store.ErrUsed)
			now = now.Add(time.Minute)
		}
	},
	"CreateDeviceCode": func(t *testing.T, s *suite) {
		s.client("c1")
		s.oneWins(race(racers, func(i int) error {
			return s.CreateDeviceCode(s.ctx, &oauth.DeviceCode{ID: fmt.Sprint(i), UserCode: "BCDFGHJK", ClientID: "c1", IssuedAt: start, ExpiresAt: start.Add(time.Minute)})
		}), store.ErrExists)
	},
	// One answer counts, whoever gave it.
	"AnswerDeviceCode": func(t *testing.T, s *suite) {
		s.client("c1")
		s.device("d1", "BCDFGHJK", "c1")
		for i := range racers {
			s.grant(fmt.Sprint(i), "c1", fmt.Sprintf("person%d", i))
		}
		won := s.oneWins(race(racers, func(i int) error {
			if i%2 == 0 {
				return s.ApproveDeviceCode(s.ctx, "d1", fmt.Sprint(i), start)
			}
			return s.DenyDeviceCode(s.ctx, "d1", start)
		}), store.ErrUsed)
		got, err := s.DeviceCode(s.ctx, "d1")
		s.must(err)
		want := [3]string{fmt.Sprint(won), fmt.Sprintf("person%d", won), "false"}
		if won%2 == 1 {
			want = [3]string{"", "", "true"}
		}
		equal(t, [3]string{got.GrantID, got.Subject, fmt.Sprint(!got.DeniedAt.IsZero())}, want)
	},
	"ClaimDevice": func(t *testing.T, s *suite) {
		s.client("c1")
		s.grant("g1", "c1", "alice")
		s.device("d1", "BCDFGHJK", "c1")
		s.must(s.ApproveDeviceCode(s.ctx, "d1", "g1", start))
		won := s.oneWins(race(racers, func(i int) error {
			return s.InTx(s.ctx, func(ctx context.Context, tx store.Store) error {
				err := tx.CreateToken(ctx, &oauth.Token{ID: fmt.Sprintf("t%02d", i), Kind: oauth.AccessToken, GrantID: "g1", ClientID: "c1", Subject: "alice", IssuedAt: start})
				if err != nil {
					return err
				}
				return tx.ClaimDevice(ctx, "d1", start)
			})
		}), store.ErrUsed)
		got, err := s.ListTokens(s.ctx, store.TokenQuery{}, store.Page{Limit: racers})
		s.must(err)
		equal(t, ids(got, tokenID), []string{fmt.Sprintf("t%02d", won)})
	},
	// A client is told of the end, or it was never signed in to.
	"AddSessionClientAgainstEndSession": func(t *testing.T, s *suite) {
		want := map[string]bool{}
		for i := range racers {
			s.client(fmt.Sprint(i))
		}
		s.signIn("s1", "0", "alice")
		ended := make([]int, racers)
		for i, err := range race(racers, func(i int) (err error) {
			if i%4 == 0 {
				ended[i], err = s.EndSession(s.ctx, "s1", start)
				return err
			}
			return s.AddSessionClient(s.ctx, &oauth.SessionClient{SID: "s1", ClientID: fmt.Sprint(i), Subject: "alice", ExpiresAt: start.Add(time.Hour)})
		}) {
			switch {
			case i%4 == 0:
				s.must(err)
			case err == nil:
				want[fmt.Sprint(i)] = true
			default:
				s.want(err, store.ErrUsed)
			}
		}
		want["0"] = true
		rows, err := s.SessionClients(s.ctx, "s1")
		s.must(err)
		got := map[string]bool{}
		for _, c := range rows {
			got[c.ClientID] = true
			equal(t, [2]time.Time{c.EndedAt, c.RetryAt}, [2]time.Time{start, start})
		}
		equal(t, got, want)
		total := 0
		for _, n := range ended {
			total += n
		}
		equal(t, total, len(want))
	},
	// Whoever comes first, in the end the family is dead.
	"RevokeAgainstRotate": func(t *testing.T, s *suite) {
		s.client("c1")
		g := s.grant("g1", "c1", "alice")
		s.token("rt", oauth.RefreshToken, g)
		for i, err := range race(racers, func(i int) error {
			if i%2 == 0 {
				return s.RevokeGrant(s.ctx, "g1", start)
			}
			return s.InTx(s.ctx, func(ctx context.Context, tx store.Store) error {
				if err := tx.RotateToken(ctx, "rt", "rt2", start); err != nil {
					return err
				}
				return tx.CreateToken(ctx, &oauth.Token{ID: "rt2", Kind: oauth.RefreshToken, GrantID: "g1", ClientID: "c1", Subject: "alice", IssuedAt: start})
			})
		}) {
			if i%2 == 0 {
				s.must(err)
			} else if err != nil {
				s.want(err, store.ErrUsed)
			}
		}
		live, err := s.ListTokens(s.ctx, store.TokenQuery{LiveAt: start.Add(time.Second)}, store.Page{Limit: 10})
		s.must(err)
		equal(t, ids(live, tokenID), []string{})
	},
	"Touch": func(t *testing.T, s *suite) {
		s.personal("t1", "alice")
		for _, err := range race(racers, func(i int) error { return s.TouchToken(s.ctx, "t1", start.Add(time.Hour), "192.0.2.0/24") }) {
			s.must(err)
		}
	},
}
