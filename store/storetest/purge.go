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
	for _, sweep := range store.Sweeps() {
		n := s.sweep(sweep, h, limit)
		if sweep != store.OldChanges { // every test makes some
			total += n
		}
	}
	return total
}

// sweep takes one sweep to its end and returns how many rows went.
func (s *suite) sweep(sweep store.Sweep, h store.Horizon, limit int) int {
	s.t.Helper()
	total, after := 0, ""
	for range 100 {
		n, next, err := s.Purge(s.ctx, sweep, h, after, limit)
		s.must(err)
		if n > limit && sweep != store.OldChanges {
			s.t.Fatalf("%s: %d rows went at once, and at most %d may", sweep, n, limit)
		}
		total += n
		if next == "" {
			return total
		}
		after = next
	}
	s.t.Fatalf("%s never comes to an end", sweep)
	return 0
}

// left checks which of the rows are still there.
func (s *suite) left(want map[string]bool) {
	s.t.Helper()
	for id, want := range want {
		found := false
		for _, look := range []func() error{
			func() error { _, err := s.Token(s.ctx, id); return err },
			func() error { _, err := s.Code(s.ctx, id); return err },
			func() error { _, err := s.Request(s.ctx, id); return err },
			func() error { _, err := s.Grant(s.ctx, id); return err },
			func() error { _, err := s.PushedRequest(s.ctx, id); return err },
			func() error { _, err := s.DeviceCode(s.ctx, id); return err },
			func() error { _, err := s.Client(s.ctx, id); return err },
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
		equal(t, s.purge(expiry.Add(store.CodeMemory), start, 10), 0)
		s.left(map[string]bool{"unused": true, "used": true})
		equal(t, s.purge(expiry.Add(store.CodeMemory+time.Microsecond), start, 10), 2)
		s.left(map[string]bool{"unused": false, "used": false, "g": true})
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
	"PushedRequestsAndDevices": func(t *testing.T, s *suite) {
		s.client("c1")
		s.grant("g", "c1", "alice")
		expiry := s.pushed("p", "c1").ExpiresAt.Add(store.PushedRequestMemory)
		s.pushed("used", "c1")
		s.must(s.UsePushedRequest(s.ctx, "used", start))
		equal(t, s.purge(expiry, start, 10), 0)
		equal(t, s.purge(expiry.Add(time.Microsecond), start, 10), 2)
		s.left(map[string]bool{"p": false, "used": false})

		expiry = s.device("d", "D", "c1").ExpiresAt
		s.device("claimed", "E", "c1")
		s.must(s.ApproveDeviceCode(s.ctx, "claimed", "g", start))
		s.must(s.ClaimDevice(s.ctx, "claimed", start))
		equal(t, s.purge(expiry, start, 10), 0)
		equal(t, s.purge(expiry.Add(time.Microsecond), start, 10), 2)
		s.left(map[string]bool{"d": false, "claimed": false, "g": true})
		s.device("again", "D", "c1") // the user code is free
	},
	"Replays": func(t *testing.T, s *suite) {
		until := start.Add(time.Hour)
		s.must(s.SeenJTI(s.ctx, "a", start, until))
		s.must(s.SeenJTI(s.ctx, "b", start, until.Add(time.Hour)))
		equal(t, s.purge(until, start, 10), 0)
		equal(t, s.purge(until.Add(time.Microsecond), start, 10), 1)
		s.must(s.SeenJTI(s.ctx, "a", start, until))
		s.want(s.SeenJTI(s.ctx, "b", start, until), store.ErrUsed)
	},
	"Sessions": func(t *testing.T, s *suite) {
		s.client("c1")
		s.client("c2")
		expiry := s.signIn("live", "c1", "alice").ExpiresAt
		s.signIn("ended", "c1", "alice")
		s.signIn("ended", "c2", "alice")
		s.endSession("ended", start, 2)
		s.endSession("empty", start, 0)
		again := func(sid string, want error) {
			t.Helper()
			s.want(s.AddSessionClient(s.ctx, &oauth.SessionClient{SID: sid, ClientID: "c1", Subject: "alice", ExpiresAt: expiry}), want)
		}
		equal(t, s.purge(expiry, start, 10), 0)
		s.purge(expiry.Add(time.Microsecond), start, 10)
		s.signedIn("live")
		s.due(start, 10, "ended/c1", "ended/c2") // it is owed, however late
		forgotten := start.Add(store.EndedSessionMemory)
		s.purge(forgotten, start, 10)
		again("empty", store.ErrUsed)
		s.must(s.DeleteSessionClient(s.ctx, "ended", "c1"))
		s.purge(forgotten.Add(time.Microsecond), start, 10)
		again("empty", nil)
		again("ended", store.ErrUsed) // while somebody must still be told
		s.must(s.DeleteSessionClient(s.ctx, "ended", "c2"))
		s.purge(forgotten.Add(time.Microsecond), start, 10)
		again("ended", nil)
	},
	"Keys": func(t *testing.T, s *suite) {
		for _, k := range []store.SigningKey{{ID: "next", State: store.KeyNext}, {ID: "active", State: store.KeyActive},
			{ID: "gone", State: store.KeyRetiring, ExpiresAt: start}, {ID: "late", State: store.KeyRetiring, ExpiresAt: start.Add(time.Microsecond)}} {
			k.Algorithm, k.Sealed, k.Public, k.CreatedAt = "ES256", "x", []byte{1}, start.Add(-time.Hour)
			s.must(s.CreateKey(s.ctx, &k))
		}
		far := start.AddDate(100, 0, 0)
		equal(t, s.purgeTo(store.Horizon{Dead: far, Events: far, Registrations: far}, 10), 0)
		equal(t, s.purgeTo(store.Horizon{Keys: start}, 10), 0)
		equal(t, s.purgeTo(store.Horizon{Keys: start.Add(time.Microsecond)}, 10), 1)
		keys, err := s.SigningKeys(s.ctx)
		s.must(err)
		equal(t, ids(keys, func(k *store.SigningKey) string { return k.ID }), []string{"next", "late", "active"})
	},
	"Registrations": func(t *testing.T, s *suite) {
		for _, c := range []oauth.Client{{ID: "unused"}, {ID: "managed"}, {ID: "granted"}, {ID: "revoked"}, {ID: "service"}, {ID: "fresh"},
			{ID: "document", Registration: oauth.RegisteredByDocument}, {ID: "hand"}} {
			if c.Registration == "" && c.ID != "hand" {
				c.Registration = oauth.RegisteredDynamically
			}
			c.CreatedAt, c.UpdatedAt = start, start
			if c.ID == "fresh" {
				c.UpdatedAt = start.Add(time.Microsecond)
			}
			s.must(s.CreateClient(s.ctx, &c))
		}
		token := func(id string, kind oauth.TokenKind, client string) {
			s.must(s.CreateToken(s.ctx, &oauth.Token{ID: id, Kind: kind, ClientID: client, Subject: client, IssuedAt: start}))
		}
		token("own", oauth.RegistrationToken, "managed")
		s.must(s.CreateClientSecret(s.ctx, &oauth.ClientSecret{ID: "s1", ClientID: "managed", CreatedAt: start}))
		s.pushed("p", "managed")
		s.grant("g", "granted", "alice")
		s.grant("rg", "revoked", "alice")
		s.must(s.RevokeGrant(s.ctx, "rg", start))
		token("cc", oauth.AccessToken, "service")
		token("cc-own", oauth.RegistrationToken, "service")

		equal(t, s.purgeTo(store.Horizon{}, 10), 0)
		equal(t, s.purgeTo(store.Horizon{Registrations: start}, 10), 0)
		equal(t, s.purgeTo(store.Horizon{Registrations: start.Add(time.Microsecond)}, 1), 2) // a step at a time
		s.left(map[string]bool{"unused": false, "managed": false, "own": false, "p": false, "granted": true, "revoked": true,
			"service": true, "cc": true, "cc-own": true, "fresh": true, "document": true, "hand": true})
		equal(t, s.purgeTo(store.Horizon{Dead: start.Add(time.Hour), Registrations: start.Add(time.Microsecond)}, 10), 2)
		s.left(map[string]bool{"rg": false, "revoked": false}) // nothing of it was left
	},
	"Grants": func(t *testing.T, s *suite) {
		s.client("c1")
		dead := s.grant("dead", "c1", "alice")
		s.grant("alive", "c1", "bob")
		s.token("t", oauth.RefreshToken, dead)
		s.must(s.RotateToken(s.ctx, "t", "x", start))
		s.code("c", dead)
		s.device("d", "D", "c1")
		s.must(s.ApproveDeviceCode(s.ctx, "d", "dead", start))
		s.must(s.RevokeGrant(s.ctx, "dead", start))
		h := store.Horizon{Dead: start.Add(time.Second)}
		equal(t, s.sweep(store.RevokedGrants, h, 10), 0) // its token tells of theft while it is there
		s.left(map[string]bool{"t": true, "c": true, "d": true, "dead": true})
		equal(t, s.sweep(store.TokensOfGrants, h, 10), 1)
		equal(t, s.sweep(store.RevokedGrants, h, 10), 1)
		s.left(map[string]bool{"t": false, "c": false, "d": false, "dead": false})
		s.purge(start.Add(48*time.Hour), start, 10)
		s.left(map[string]bool{"alive": true}) // consent is remembered
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
			{ID: "device", ClientID: "c1", Subject: "alice", Scopes: []string{"a", "b"}, CreatedAt: start},
			{ID: "elsewhere2", ClientID: "c1", Subject: "alice", Scopes: []string{"a", "b"}, Resources: []string{"https://x.example/"}, CreatedAt: start},
			{ID: "asked", ClientID: "c1", Subject: "alice", Scopes: []string{"a", "b"}, Claims: `{"userinfo":{"email":null}}`, CreatedAt: start},
			{ID: "none-1", ClientID: "c1", Subject: "dave", CreatedAt: start},
			{ID: "none-2", ClientID: "c1", Subject: "dave", CreatedAt: newer},
		} {
			s.must(s.CreateGrant(s.ctx, &g))
		}
		s.must(s.CreateToken(s.ctx, &oauth.Token{ID: "t", Kind: oauth.RefreshToken, GrantID: "busy", ClientID: "c1", Subject: "alice", IssuedAt: start}))
		s.device("d", "D", "c1") // it has yet to fetch its token
		s.must(s.ApproveDeviceCode(s.ctx, "d", "device", start))
		s.must(s.RevokeGrant(s.ctx, "revoked", newer.Add(time.Hour)))
		s.purge(newer.Add(time.Second), start, 10)
		s.left(map[string]bool{"covered": false, "busy": true, "device": true, "elsewhere2": true, "asked": true, "more": true, "hers": true, "his": true, "elsewhere": true,
			"last": true, "revoked": true, "none-1": false, "none-2": true})
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
		h := store.Horizon{Dead: dead, Events: start}
		n, next, err := s.Purge(s.ctx, store.ExpiredTokens, h, "", 3)
		s.must(err)
		equal(t, n, 3)
		equal(t, next != "", true) // there is more
		equal(t, s.sweep(store.RevokedTokens, h, 2), 5)
		equal(t, s.sweep(store.RevokedTokens, h, 2), 0)
		equal(t, s.purge(dead, start, 4), 8)
		if _, _, err := s.Purge(s.ctx, "unheard of", h, "", 3); err == nil {
			t.Error("there is no such sweep, and Purge says nothing")
		}
	},
}
