package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// purge runs until nothing is left and returns how many rows went.
func (s *suite) purge(dead, events time.Time, limit int) int {
	s.t.Helper()
	return s.purgeTo(store.Horizon{Dead: dead, Events: events}, limit)
}

func (s *suite) purgeTo(h store.Horizon, limit int) int {
	s.t.Helper()
	total := 0
	for range 100 {
		n, err := s.Purge(s.ctx, h, limit)
		s.must(err)
		if n == 0 {
			return total
		}
		total += n
	}
	s.t.Fatal("Purge never comes to an end")
	return 0
}

// left checks which of the tokens, codes, requests and grants are still there.
func (s *suite) left(want map[string]bool) {
	s.t.Helper()
	for id, want := range want {
		found := false
		for _, look := range []func() error{
			func() error { _, err := s.Token(s.ctx, id); return err },
			func() error { _, err := s.Code(s.ctx, id); return err },
			func() error { _, err := s.Request(s.ctx, id); return err },
			func() error { _, err := s.Grant(s.ctx, id); return err },
		} {
			if err := look(); err == nil {
				found = true
			} else if !errors.Is(err, store.ErrNotFound) {
				s.t.Fatal(err)
			}
		}
		if found != want {
			s.t.Errorf("%s: got there=%v, want %v", id, found, want)
		}
	}
}

var purgeTests = map[string]func(*testing.T, *suite){
	"Tokens": func(t *testing.T, s *suite) {
		s.client("c1")
		g := s.grant("g", "c1", "alice")
		s.token("expired", oauth.AccessToken, g) // at start + 1 h
		s.token("revoked", oauth.AccessToken, g)
		s.must(s.RevokeToken(s.ctx, "revoked", start))
		s.personal("forever", "alice")
		for _, id := range []string{"rotated", "rotated-revoked"} {
			s.must(s.CreateToken(s.ctx, &oauth.Token{ID: id, Kind: oauth.RefreshToken, GrantID: "g", ClientID: "c1", Subject: "alice", IssuedAt: start, ExpiresAt: start.Add(48 * time.Hour)}))
			s.must(s.RotateToken(s.ctx, id, "x", start))
		}
		s.must(s.RevokeToken(s.ctx, "rotated-revoked", start))

		equal(t, s.purge(start, start, 10), 0) // dead at start is not dead before start
		equal(t, s.purge(start.Add(time.Microsecond), start, 10), 1)
		s.left(map[string]bool{"expired": true, "revoked": false, "rotated": true})
		equal(t, s.purge(start.Add(time.Hour), start, 10), 0)
		equal(t, s.purge(start.Add(time.Hour+time.Microsecond), start, 10), 1)
		s.left(map[string]bool{"expired": false, "rotated": true, "rotated-revoked": true, "forever": true, "g": true})
		equal(t, s.purge(start.Add(49*time.Hour), start, 10), 2) // no longer worth remembering
		s.left(map[string]bool{"rotated": false, "rotated-revoked": false, "forever": true, "g": true})
	},
	"Codes": func(t *testing.T, s *suite) {
		s.client("c1")
		g := s.grant("g", "c1", "alice")
		expiry := s.code("unused", g).ExpiresAt
		s.code("used", g)
		s.must(s.UseCode(s.ctx, "used", start))
		equal(t, s.purge(expiry, start, 10), 0)
		equal(t, s.purge(expiry.Add(store.UsedCodeMemory), start, 10), 1)
		s.left(map[string]bool{"unused": false, "used": true})
		equal(t, s.purge(expiry.Add(store.UsedCodeMemory+time.Microsecond), start, 10), 1)
		s.left(map[string]bool{"used": false, "g": true})
	},
	"RequestsAndSecrets": func(t *testing.T, s *suite) {
		s.client("c1")
		expiry := s.request("r1", "c1", "alice").ExpiresAt
		s.request("answered", "c1", "alice")
		s.must(s.UseRequest(s.ctx, "answered", start))
		s.must(s.CreateClientSecret(s.ctx, &oauth.ClientSecret{ID: "s1", ClientID: "c1", CreatedAt: start, ExpiresAt: expiry}))
		s.must(s.CreateClientSecret(s.ctx, &oauth.ClientSecret{ID: "s2", ClientID: "c1", CreatedAt: start}))
		equal(t, s.purge(expiry, start, 10), 0)
		equal(t, s.purge(expiry.Add(time.Microsecond), start, 10), 3)
		s.left(map[string]bool{"r1": false, "answered": false})
		secrets, err := s.ClientSecrets(s.ctx, "c1")
		s.must(err)
		equal(t, len(secrets), 1)
	},
	"Grants": func(t *testing.T, s *suite) {
		s.client("c1")
		dead := s.grant("dead", "c1", "alice")
		s.grant("alive", "c1", "bob")
		s.token("t", oauth.RefreshToken, dead)
		s.must(s.RotateToken(s.ctx, "t", "x", start))
		s.code("c", dead)
		s.must(s.RevokeGrant(s.ctx, "dead", start))
		s.purge(start.Add(time.Second), start, 10)
		s.left(map[string]bool{"t": false, "c": true, "dead": true}) // its code is remembered
		s.purge(start.Add(48*time.Hour), start, 10)
		s.left(map[string]bool{"c": false, "dead": false, "alive": true}) // consent is
	},
	// Every authorization makes a grant. Those that remember nothing of their own may go.
	"SupersededGrants": func(t *testing.T, s *suite) {
		s.client("c1")
		s.client("c2")
		newer := start.Add(time.Minute)
		for _, g := range []oauth.Grant{
			{ID: "covered", ClientID: "c1", Subject: "alice", Scopes: []string{"a", "b"}, CreatedAt: start},
			{ID: "busy", ClientID: "c1", Subject: "alice", Scopes: []string{"a", "b"}, CreatedAt: start},
			{ID: "more", ClientID: "c1", Subject: "alice", Scopes: []string{"a", "b", "c"}, CreatedAt: start},
			{ID: "hers", ClientID: "c1", Subject: "alice", Scopes: []string{"a", "b"}, CreatedAt: newer},
			{ID: "his", ClientID: "c1", Subject: "bob", Scopes: []string{"a", "b"}, CreatedAt: start},
			{ID: "elsewhere", ClientID: "c2", Subject: "alice", Scopes: []string{"a", "b"}, CreatedAt: start},
			{ID: "last", ClientID: "c1", Subject: "carol", Scopes: []string{"a"}, CreatedAt: start},
			{ID: "revoked", ClientID: "c1", Subject: "carol", Scopes: []string{"a"}, CreatedAt: newer},
			{ID: "none-old", ClientID: "c1", Subject: "dave", CreatedAt: start},
			{ID: "none-new", ClientID: "c1", Subject: "dave", CreatedAt: newer},
		} {
			s.must(s.CreateGrant(s.ctx, &g))
		}
		s.must(s.CreateToken(s.ctx, &oauth.Token{ID: "t", Kind: oauth.RefreshToken, GrantID: "busy", ClientID: "c1", Subject: "alice", IssuedAt: start}))
		s.must(s.RevokeGrant(s.ctx, "revoked", newer.Add(time.Hour)))
		s.purge(newer.Add(time.Second), start, 10)
		s.left(map[string]bool{"covered": false, "busy": true, "more": true, "hers": true, "his": true, "elsewhere": true,
			"last": true, "revoked": true, "none-old": false, "none-new": true})
	},
	"Events": func(t *testing.T, s *suite) {
		for i := range 5 {
			s.must(s.RecordEvent(s.ctx, oauth.Event{ID: fmt.Sprintf("e%d", i), At: start.Add(time.Duration(i) * time.Second), Type: oauth.EventSignIn}))
		}
		equal(t, s.purge(start.Add(time.Hour), start.Add(3*time.Second), 2), 3)
		got, err := s.ListEvents(s.ctx, store.EventQuery{}, store.Page{Limit: 10})
		s.must(err)
		equal(t, ids(got, eventID), []string{"e4", "e3"})
	},
	"Batches": func(t *testing.T, s *suite) {
		s.client("c1")
		g, revoked := s.grant("g", "c1", "alice"), s.grant("revoked", "c1", "alice")
		for i := range 5 {
			s.token(fmt.Sprintf("e%d", i), oauth.AccessToken, g)
			s.token(fmt.Sprintf("g%d", i), oauth.AccessToken, revoked)
			s.personal(fmt.Sprintf("r%d", i), "alice")
			s.must(s.RevokeToken(s.ctx, fmt.Sprintf("r%d", i), start))
		}
		s.must(s.RevokeGrant(s.ctx, "revoked", start))
		dead := start.Add(2 * time.Hour)
		n, err := s.Purge(s.ctx, store.Horizon{Dead: dead, Events: start}, 3)
		s.must(err)
		equal(t, n, 3) // one table, one batch
		equal(t, s.purge(dead, start, 4), 13)
	},
}
