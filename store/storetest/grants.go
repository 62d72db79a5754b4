package storetest

import (
	"testing"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

var grantTests = map[string]func(*testing.T, *suite){
	"CreateAndRead": func(t *testing.T, s *suite) {
		s.client("c1")
		want := s.grant("g1", "c1", "alice")
		got, err := s.Grant(s.ctx, "g1")
		s.must(err)
		equal(t, got, want)
		s.want(s.CreateGrant(s.ctx, want), store.ErrExists)
		s.want(s.CreateGrant(s.ctx, &oauth.Grant{ID: "g2", ClientID: "none", Subject: "alice"}), store.ErrNotFound)
		_, err = s.Grant(s.ctx, "g2")
		s.want(err, store.ErrNotFound)
	},
	"LiveAndCount": func(t *testing.T, s *suite) {
		s.client("c1")
		s.client("c2")
		for i, g := range []oauth.Grant{
			{ID: "g3", ClientID: "c1", Subject: "alice"}, {ID: "g1", ClientID: "c1", Subject: "alice"},
			{ID: "g2", ClientID: "c2", Subject: "alice"}, {ID: "g4", ClientID: "c1", Subject: "bob"},
			{ID: "g5", ClientID: "c1", Subject: "carol"},
		} {
			g.CreatedAt = start.Add(time.Duration(i) * time.Second)
			s.must(s.CreateGrant(s.ctx, &g))
		}
		s.must(s.RevokeGrant(s.ctx, "g5", start))
		for _, tc := range []struct {
			subject, client string
			want            []string
		}{
			{"alice", "", []string{"g2", "g1", "g3"}}, {"alice", "c1", []string{"g1", "g3"}},
			{"bob", "c1", []string{"g4"}}, {"bob", "c2", []string{}}, {"carol", "", []string{}},
		} {
			got, err := s.LiveGrants(s.ctx, tc.subject, tc.client)
			s.must(err)
			equal(t, ids(got, grantID), tc.want)
		}
		n, err := s.CountGrants(s.ctx, "c1")
		s.must(err)
		equal(t, n, 2) // alice has two, carol's is revoked
	},
	"RevokeKillsCodesAndTokens": func(t *testing.T, s *suite) {
		s.client("c1")
		g := s.grant("g1", "c1", "alice")
		code, at, rt := s.code("ac", g), s.token("at", oauth.AccessToken, g), s.token("rt", oauth.RefreshToken, g)
		when := start.Add(time.Second)
		s.must(s.RevokeGrant(s.ctx, "g1", when))
		s.must(s.RevokeGrant(s.ctx, "g1", when.Add(time.Hour))) // the first time is kept
		got, err := s.Grant(s.ctx, "g1")
		s.must(err)
		equal(t, got.RevokedAt, when)
		for _, tok := range []*oauth.Token{at, rt} {
			tok.RevokedAt = when
			got, err := s.Token(s.ctx, tok.ID)
			s.must(err)
			equal(t, got, tok)
		}
		s.want(s.UseCode(s.ctx, code.ID, when), store.ErrUsed)
		s.want(s.RotateToken(s.ctx, "rt", "rt2", when), store.ErrUsed)
		at.Name = "alive?"
		s.want(s.UpdateToken(s.ctx, at), store.ErrNotFound)
		s.want(s.ReplaceToken(s.ctx, at), store.ErrNotFound)

		// What is made after the revocation is as dead.
		late := s.token("late", oauth.AccessToken, g)
		got2, err := s.Token(s.ctx, late.ID)
		s.must(err)
		equal(t, got2.RevokedAt, when)
		s.want(s.RevokeGrant(s.ctx, "none", when), store.ErrNotFound)
	},
	"RevokeGrants": func(t *testing.T, s *suite) {
		s.client("c1")
		s.client("c2")
		kept, other, his := s.grant("kept", "c1", "alice"), s.grant("other", "c2", "alice"), s.grant("his", "c1", "bob")
		s.grant("gone1", "c1", "alice")
		s.grant("gone2", "c1", "alice")
		s.must(s.CreateToken(s.ctx, &oauth.Token{ID: "loose", Kind: oauth.AccessToken, ClientID: "c1", Subject: "alice", IssuedAt: start}))
		s.must(s.CreateToken(s.ctx, &oauth.Token{ID: "loose2", Kind: oauth.AccessToken, ClientID: "c2", Subject: "alice", IssuedAt: start}))
		s.personal("pat", "alice")
		n, err := s.RevokeGrants(s.ctx, "alice", "c1", "kept", start.Add(time.Second))
		s.must(err)
		equal(t, n, 2)
		n, err = s.RevokeGrants(s.ctx, "alice", "c1", "kept", start.Add(time.Second))
		s.must(err)
		equal(t, n, 0)
		for _, g := range []*oauth.Grant{kept, other, his} {
			got, err := s.Grant(s.ctx, g.ID)
			s.must(err)
			equal(t, got, g)
		}
		for id, want := range map[string]time.Time{"loose": start.Add(time.Second), "loose2": {}, "pat": {}} {
			got, err := s.Token(s.ctx, id)
			s.must(err)
			if !got.RevokedAt.Equal(want) {
				t.Errorf("token %s: got RevokedAt %v, want %v", id, got.RevokedAt, want)
			}
		}
		n, err = s.RevokeGrants(s.ctx, "alice", "c1", "", start.Add(time.Second))
		s.must(err)
		equal(t, n, 1)
	},
	"Touch": func(t *testing.T, s *suite) {
		s.client("c1")
		s.grant("g1", "c1", "alice")
		first := start.Add(time.Hour)
		for _, tc := range []struct{ at, want time.Time }{
			{first, first},
			{first.Add(time.Minute - time.Microsecond), first}, // within the minute
			{first.Add(-time.Hour), first},                     // never backwards
			{first.Add(time.Minute), first.Add(time.Minute)},
		} {
			s.must(s.TouchGrant(s.ctx, "g1", tc.at))
			got, err := s.Grant(s.ctx, "g1")
			s.must(err)
			equal(t, got.LastUsedAt, tc.want)
		}
		s.must(s.TouchGrant(s.ctx, "none", first))
	},
	"Codes": func(t *testing.T, s *suite) {
		s.client("c1")
		g := s.grant("g1", "c1", "alice")
		want := s.code("ac", g)
		got, err := s.Code(s.ctx, "ac")
		s.must(err)
		equal(t, got, want)
		s.want(s.CreateCode(s.ctx, want), store.ErrExists)
		s.want(s.CreateCode(s.ctx, &oauth.AuthorizationCode{ID: "x", GrantID: "none", ClientID: "c1"}), store.ErrNotFound)
		s.want(s.CreateCode(s.ctx, &oauth.AuthorizationCode{ID: "x", GrantID: "g1", ClientID: "none", Subject: "alice"}), store.ErrNotFound)
		s.want(s.CreateCode(s.ctx, &oauth.AuthorizationCode{ID: "x", GrantID: "g1", ClientID: "c1", Subject: "mallory"}), store.ErrNotFound)
		_, err = s.Code(s.ctx, "x")
		s.want(err, store.ErrNotFound)

		s.want(s.UseCode(s.ctx, "x", start), store.ErrNotFound)
		s.want(s.UseCode(s.ctx, "ac", want.ExpiresAt), store.ErrNotFound) // expired at that very instant
		used := want.ExpiresAt.Add(-time.Microsecond)
		s.must(s.UseCode(s.ctx, "ac", used)) // and alive just before
		s.want(s.UseCode(s.ctx, "ac", used), store.ErrUsed)
		s.want(s.UseCode(s.ctx, "ac", want.ExpiresAt.Add(time.Hour)), store.ErrUsed) // a late replay is a replay
		want.UsedAt = used
		got, err = s.Code(s.ctx, "ac")
		s.must(err)
		equal(t, got, want)
	},
	"Requests": func(t *testing.T, s *suite) {
		s.client("c1")
		want := s.request("r1", "c1", "alice")
		got, err := s.Request(s.ctx, "r1")
		s.must(err)
		equal(t, got, want)
		s.want(s.CreateRequest(s.ctx, want), store.ErrExists)
		s.want(s.CreateRequest(s.ctx, &oauth.AuthorizationRequest{ID: "r2", ClientID: "none"}), store.ErrNotFound)
		_, err = s.Request(s.ctx, "r2")
		s.want(err, store.ErrNotFound)

		s.want(s.UseRequest(s.ctx, "r2", start), store.ErrNotFound)
		s.want(s.UseRequest(s.ctx, "r1", want.ExpiresAt), store.ErrNotFound)
		want.UsedAt = want.ExpiresAt.Add(-time.Microsecond)
		s.must(s.UseRequest(s.ctx, "r1", want.UsedAt))
		s.want(s.UseRequest(s.ctx, "r1", want.UsedAt), store.ErrUsed)
		s.want(s.UseRequest(s.ctx, "r1", want.ExpiresAt), store.ErrUsed)
		got, err = s.Request(s.ctx, "r1")
		s.must(err)
		equal(t, got, want)
	},
}
