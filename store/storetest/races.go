package storetest

import (
	"context"
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
