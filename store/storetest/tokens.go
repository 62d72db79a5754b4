package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

var tokenTests = map[string]func(*testing.T, *suite){
	"CreateAndRead": func(t *testing.T, s *suite) {
		s.client("c1")
		g := s.grant("g1", "c1", "alice")
		full := &oauth.Token{ID: "t1", Kind: oauth.RefreshToken, Hash: hash("t1"), GrantID: g.ID, ClientID: "c1", Subject: "alice",
			Scopes: []string{"b", "a"}, IssuedAt: start, ExpiresAt: start.Add(1), RevokedAt: start.Add(2 * time.Microsecond),
			RotatedAt: start.Add(3 * time.Microsecond), SuccessorID: "t2", Name: "n", Description: "d", Hint: "h",
			Internal: true, LastUsedAt: start.Add(4 * time.Microsecond), LastUsedNetwork: "192.0.2.0/24"}
		bare := &oauth.Token{ID: "t2", Kind: oauth.PersonalToken, Hash: hash("t2"), Subject: "alice", IssuedAt: start}
		for _, want := range []*oauth.Token{full, bare} {
			s.must(s.CreateToken(s.ctx, want))
			got, err := s.Token(s.ctx, want.ID)
			s.must(err)
			want.ExpiresAt = want.ExpiresAt.Truncate(time.Microsecond) // all that a store keeps
			equal(t, got, want)
			s.want(s.CreateToken(s.ctx, want), store.ErrExists)
		}
		s.want(s.CreateToken(s.ctx, &oauth.Token{ID: "t3", ClientID: "none", Subject: "x"}), store.ErrNotFound)
		s.want(s.CreateToken(s.ctx, &oauth.Token{ID: "t3", ClientID: "c1", GrantID: "none", Subject: "x"}), store.ErrNotFound)
		s.client("c2")
		s.want(s.CreateToken(s.ctx, &oauth.Token{ID: "t3", ClientID: "c2", GrantID: "g1", Subject: "alice"}), store.ErrNotFound)
		s.want(s.CreateToken(s.ctx, &oauth.Token{ID: "t3", ClientID: "c1", GrantID: "g1", Subject: "mallory"}), store.ErrNotFound)
		_, err := s.Token(s.ctx, "t3")
		s.want(err, store.ErrNotFound)
	},
	"Update": func(t *testing.T, s *suite) {
		want := s.personal("t1", "alice")
		want.Name, want.Description, want.Scopes = "New", "", nil
		change := *want
		change.Kind, change.Subject, change.Hash = oauth.AccessToken, "mallory", hash("x") // not its business
		s.must(s.UpdateToken(s.ctx, &change))
		got, err := s.Token(s.ctx, "t1")
		s.must(err)
		equal(t, got, want)

		s.must(s.RevokeToken(s.ctx, "t1", start))
		s.want(s.UpdateToken(s.ctx, want), store.ErrNotFound)
		s.want(s.UpdateToken(s.ctx, &oauth.Token{ID: "none"}), store.ErrNotFound)
	},
	"Replace": func(t *testing.T, s *suite) {
		want := s.personal("t1", "alice")
		change := oauth.Token{ID: "t1", Hash: hash("new"), Hint: "new1", IssuedAt: start.Add(time.Hour), ExpiresAt: start.Add(2 * time.Hour), Name: "ignored"}
		s.must(s.ReplaceToken(s.ctx, &change))
		want.Hash, want.Hint, want.IssuedAt, want.ExpiresAt = change.Hash, change.Hint, change.IssuedAt, change.ExpiresAt
		got, err := s.Token(s.ctx, "t1")
		s.must(err)
		equal(t, got, want)

		s.must(s.RevokeToken(s.ctx, "t1", start))
		s.want(s.ReplaceToken(s.ctx, &change), store.ErrNotFound)
		change.ID = "none"
		s.want(s.ReplaceToken(s.ctx, &change), store.ErrNotFound)
	},
	"Rotate": func(t *testing.T, s *suite) {
		s.client("c1")
		g := s.grant("g1", "c1", "alice")
		want := s.token("rt", oauth.RefreshToken, g)
		s.want(s.RotateToken(s.ctx, "none", "x", start), store.ErrNotFound)
		s.want(s.RotateToken(s.ctx, "rt", "x", want.ExpiresAt), store.ErrNotFound) // expired at that very instant
		want.RotatedAt, want.SuccessorID = want.ExpiresAt.Add(-time.Microsecond), "rt2"
		s.must(s.RotateToken(s.ctx, "rt", "rt2", want.RotatedAt))
		s.want(s.RotateToken(s.ctx, "rt", "rt3", want.RotatedAt), store.ErrUsed)
		s.want(s.RotateToken(s.ctx, "rt", "rt3", want.ExpiresAt), store.ErrUsed)
		got, err := s.Token(s.ctx, "rt")
		s.must(err)
		equal(t, got, want)

		s.token("revoked", oauth.RefreshToken, g)
		s.must(s.RevokeToken(s.ctx, "revoked", start))
		s.want(s.RotateToken(s.ctx, "revoked", "x", start), store.ErrUsed)
		s.token("at", oauth.AccessToken, g)
		s.want(s.RotateToken(s.ctx, "at", "x", start), store.ErrNotFound)
		s.must(s.CreateToken(s.ctx, &oauth.Token{ID: "forever", Kind: oauth.RefreshToken, GrantID: "g1", ClientID: "c1", Subject: "alice", IssuedAt: start}))
		s.must(s.RotateToken(s.ctx, "forever", "x", start.AddDate(50, 0, 0)))
	},
	"Revoke": func(t *testing.T, s *suite) {
		s.personal("t1", "alice")
		s.must(s.RevokeToken(s.ctx, "t1", start))
		s.must(s.RevokeToken(s.ctx, "t1", start.Add(time.Hour))) // the first time is kept
		got, err := s.Token(s.ctx, "t1")
		s.must(err)
		equal(t, got.RevokedAt, start)
		s.want(s.RevokeToken(s.ctx, "none", start), store.ErrNotFound)
	},
	"RevokeAccessTokens": func(t *testing.T, s *suite) {
		s.client("c1")
		g, g2 := s.grant("g1", "c1", "alice"), s.grant("g2", "c1", "alice")
		s.token("at1", oauth.AccessToken, g)
		s.token("at2", oauth.AccessToken, g)
		s.token("rt", oauth.RefreshToken, g)
		s.token("other", oauth.AccessToken, g2)
		s.must(s.RevokeToken(s.ctx, "at2", start))
		when := start.Add(time.Second)
		s.must(s.RevokeAccessTokens(s.ctx, "g1", when))
		for id, want := range map[string]time.Time{"at1": when, "at2": start, "rt": {}, "other": {}} {
			got, err := s.Token(s.ctx, id)
			s.must(err)
			if got.RevokedAt != want {
				t.Errorf("token %s: got RevokedAt %v, want %v", id, got.RevokedAt, want)
			}
		}
	},
	"Touch": func(t *testing.T, s *suite) {
		s.personal("t1", "alice")
		first := start.Add(time.Hour)
		for _, tc := range []struct {
			at      time.Time
			network string
			want    time.Time
			wantNet string
		}{
			{first, "192.0.2.0/24", first, "192.0.2.0/24"},
			{first.Add(time.Minute - time.Microsecond), "198.51.100.0/24", first, "192.0.2.0/24"},
			{first.Add(-time.Hour), "198.51.100.0/24", first, "192.0.2.0/24"},
			{first.Add(time.Minute), "2001:db8::/48", first.Add(time.Minute), "2001:db8::/48"},
		} {
			s.must(s.TouchToken(s.ctx, "t1", tc.at, tc.network))
			got, err := s.Token(s.ctx, "t1")
			s.must(err)
			equal(t, got.LastUsedAt, tc.want)
			equal(t, got.LastUsedNetwork, tc.wantNet)
		}
		s.must(s.TouchToken(s.ctx, "none", first, ""))
	},
	"List": func(t *testing.T, s *suite) {
		yes, no := true, false
		s.client("c1")
		s.client("c2")
		g, dead := s.grant("g1", "c1", "alice"), s.grant("g2", "c2", "bob")
		s.token("t1", oauth.AccessToken, g)  // expires in an hour
		s.token("t2", oauth.RefreshToken, g) // rotated
		s.token("t3", oauth.AccessToken, dead)
		s.must(s.CreateToken(s.ctx, &oauth.Token{ID: "t4", Kind: oauth.PersonalToken, Subject: "alice", Name: "Deploy_50%", Internal: true, IssuedAt: start}))
		s.personal("t5", "bob") // revoked
		s.must(s.CreateToken(s.ctx, &oauth.Token{ID: "t6", Kind: oauth.AccessToken, ClientID: "c1", Subject: "c1", IssuedAt: start}))
		s.must(s.RotateToken(s.ctx, "t2", "x", start))
		s.must(s.RevokeGrant(s.ctx, "g2", start))
		s.must(s.RevokeToken(s.ctx, "t5", start))
		for _, tc := range []struct {
			name string
			q    store.TokenQuery
			want []string
		}{
			{"all, newest first", store.TokenQuery{}, []string{"t6", "t5", "t4", "t3", "t2", "t1"}},
			{"kind", store.TokenQuery{Kind: oauth.AccessToken}, []string{"t6", "t3", "t1"}},
			{"personal tokens of a subject", store.TokenQuery{Kind: oauth.PersonalToken, Subject: "alice"}, []string{"t4"}},
			{"subject", store.TokenQuery{Subject: "alice"}, []string{"t4", "t2", "t1"}},
			{"client", store.TokenQuery{ClientID: "c1"}, []string{"t6", "t2", "t1"}},
			{"grant", store.TokenQuery{GrantID: "g1"}, []string{"t2", "t1"}},
			{"internal", store.TokenQuery{Internal: &yes}, []string{"t4"}},
			{"not internal", store.TokenQuery{Internal: &no, Kind: oauth.PersonalToken}, []string{"t5"}},
			{"text in the name", store.TokenQuery{Text: "deploy"}, []string{"t4"}},
			{"text in the subject", store.TokenQuery{Text: "LICE"}, []string{"t4", "t2", "t1"}},
			{"text in the client id", store.TokenQuery{Text: "c2"}, []string{"t3"}},
			{"text in the id", store.TokenQuery{Text: "T3"}, []string{"t3"}},
			{"percent is a percent", store.TokenQuery{Text: "%"}, []string{"t4"}},
			{"underscore is an underscore", store.TokenQuery{Text: "_"}, []string{"t4"}},
			{"live", store.TokenQuery{LiveAt: start}, []string{"t6", "t4", "t1"}},
			{"live just before it expires", store.TokenQuery{LiveAt: start.Add(time.Hour - time.Microsecond)}, []string{"t6", "t4", "t1"}},
			{"live when it expires", store.TokenQuery{LiveAt: start.Add(time.Hour)}, []string{"t6", "t4"}},
			{"all at once", store.TokenQuery{Kind: oauth.AccessToken, Subject: "alice", ClientID: "c1", GrantID: "g1", Text: "t", Internal: &no, LiveAt: start}, []string{"t1"}},
			{"none", store.TokenQuery{Subject: "nobody"}, []string{}},
		} {
			got, err := s.ListTokens(s.ctx, tc.q, store.Page{Limit: 10})
			s.must(err)
			if g := ids(got, tokenID); !slices.Equal(g, tc.want) {
				t.Errorf("%s: got %q, want %q", tc.name, g, tc.want)
			}
		}
		got, err := s.ListTokens(s.ctx, store.TokenQuery{ClientID: "c2"}, store.Page{Limit: 1})
		s.must(err)
		equal(t, got[0].RevokedAt, start) // a list, too, shows a token as it stands
	},
	"Pages": func(t *testing.T, s *suite) {
		var want []string
		for i := range 25 {
			s.personal(fmt.Sprintf("t%02d", i), "alice")
			s.personal(fmt.Sprintf("u%02d", i), "bob")
			want = append([]string{fmt.Sprintf("t%02d", i)}, want...)
		}
		var all []string
		for p := (store.Page{Limit: 10}); ; {
			got, err := s.ListTokens(s.ctx, store.TokenQuery{Subject: "alice"}, p)
			s.must(err)
			all = append(all, ids(got, tokenID)...)
			if len(got) < 10 {
				break
			}
			p.After = got[9].ID
			s.must(s.RevokeToken(s.ctx, p.After, start)) // what happens meanwhile does not shift the pages
			s.personal("z"+p.After, "alice")
		}
		equal(t, all, want)
		got, err := s.ListTokens(s.ctx, store.TokenQuery{Subject: "bob"}, store.Page{Limit: 2, After: "u03", Reverse: true})
		s.must(err)
		equal(t, ids(got, tokenID), []string{"u04", "u05"})
	},
}
