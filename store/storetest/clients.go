package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

var clientTests = map[string]func(*testing.T, *suite){
	"CreateAndRead": func(t *testing.T, s *suite) {
		want := &oauth.Client{ID: "c1", Type: oauth.NativeApplication, Name: "Náme", Description: "two\nlines", Website: "https://x.example/",
			Owner: "alice", AuthMethod: oauth.AuthNone, RedirectURIs: []string{"https://b.example/?a=1&b=2", "com.example:/cb", "http://127.0.0.1/\"'"},
			GrantTypes: []string{"refresh_token", "authorization_code"}, Scopes: []string{"z", "a"}, DefaultScopes: []string{"a"},
			RequirePKCE: true, FirstParty: true, Internal: true, Disabled: true, CreatedAt: start, UpdatedAt: start.Add(time.Microsecond)}
		s.must(s.CreateClient(s.ctx, want))
		got, err := s.Client(s.ctx, "c1")
		s.must(err)
		equal(t, got, want)

		s.want(s.CreateClient(s.ctx, &oauth.Client{ID: "c1"}), store.ErrExists)
		_, err = s.Client(s.ctx, "c2")
		s.want(err, store.ErrNotFound)
	},
	"Update": func(t *testing.T, s *suite) {
		old := s.client("c1")
		want := &oauth.Client{ID: "c1", Type: oauth.BrowserApplication, Name: "New", Owner: "bob", AuthMethod: oauth.AuthNone,
			RedirectURIs: []string{"https://new.example/"}, Scopes: []string{"s"}, RequirePKCE: true,
			CreatedAt: start.Add(time.Hour), UpdatedAt: start.Add(time.Hour)}
		s.must(s.UpdateClient(s.ctx, want))
		got, err := s.Client(s.ctx, "c1")
		s.must(err)
		want.CreatedAt = old.CreatedAt
		equal(t, got, want)
		s.want(s.UpdateClient(s.ctx, &oauth.Client{ID: "c2"}), store.ErrNotFound)
	},
	"DeleteCascades": func(t *testing.T, s *suite) {
		for _, id := range []string{"gone", "kept"} {
			s.client(id)
			s.must(s.CreateClientSecret(s.ctx, &oauth.ClientSecret{ID: "s-" + id, ClientID: id, CreatedAt: start}))
			g := s.grant("g-"+id, id, "alice")
			s.code("ac-"+id, g)
			s.token("at-"+id, oauth.AccessToken, g)
			s.must(s.CreateToken(s.ctx, &oauth.Token{ID: "cc-" + id, Kind: oauth.AccessToken, ClientID: id, Subject: id, IssuedAt: start}))
			s.request("r-"+id, id, "alice")
			s.pushed("p-"+id, id)
			s.device("d-"+id, "D"+id, id)
			s.signIn("sid", id, "alice")
		}
		s.personal("pat", "alice")
		s.must(s.DeleteClient(s.ctx, "gone"))
		s.want(s.DeleteClient(s.ctx, "gone"), store.ErrNotFound)

		for id, want := range map[string]error{"gone": store.ErrNotFound, "kept": nil} {
			_, err := s.Client(s.ctx, id)
			s.want(err, want)
			_, err = s.Grant(s.ctx, "g-"+id)
			s.want(err, want)
			_, err = s.Code(s.ctx, "ac-"+id)
			s.want(err, want)
			_, err = s.Token(s.ctx, "at-"+id)
			s.want(err, want)
			_, err = s.Token(s.ctx, "cc-"+id)
			s.want(err, want)
			_, err = s.Request(s.ctx, "r-"+id)
			s.want(err, want)
			_, err = s.PushedRequest(s.ctx, "p-"+id)
			s.want(err, want)
			_, err = s.DeviceCode(s.ctx, "d-"+id)
			s.want(err, want)
			secrets, err := s.ClientSecrets(s.ctx, id)
			s.must(err)
			equal(t, len(secrets) == 0, want != nil)
		}
		_, err := s.Token(s.ctx, "pat")
		s.must(err)
		s.signedIn("sid", &oauth.SessionClient{SID: "sid", ClientID: "kept", Subject: "alice", ExpiresAt: start.Add(time.Hour)})

		// A new client of the old id inherits nothing.
		s.client("gone")
		tokens, err := s.ListTokens(s.ctx, store.TokenQuery{ClientID: "gone"}, store.Page{Limit: 10})
		s.must(err)
		equal(t, ids(tokens, tokenID), []string{})
	},
	"Fingerprint": func(t *testing.T, s *suite) {
		for _, c := range []oauth.Client{{ID: "none1"}, {ID: "none2"}, {ID: "c1", Fingerprint: "f1"}, {ID: "c2", Fingerprint: "f2"}} {
			c.CreatedAt, c.UpdatedAt = start, start
			s.must(s.CreateClient(s.ctx, &c))
		}
		is := func(fingerprint, want string) {
			t.Helper()
			got, err := s.ClientByFingerprint(s.ctx, fingerprint)
			if want == "" {
				s.want(err, store.ErrNotFound)
				return
			}
			s.must(err)
			equal(t, got.ID, want)
		}
		is("f1", "c1")
		is("F1", "")
		is("", "")
		s.want(s.CreateClient(s.ctx, &oauth.Client{ID: "c3", Fingerprint: "f1"}), store.ErrExists)
		s.want(s.UpdateClient(s.ctx, &oauth.Client{ID: "c2", Fingerprint: "f1"}), store.ErrExists)
		s.want(s.UpdateClient(s.ctx, &oauth.Client{ID: "c3", Fingerprint: "f3"}), store.ErrNotFound)
		is("f2", "c2")                                                            // the refused update changed nothing
		s.must(s.UpdateClient(s.ctx, &oauth.Client{ID: "c1", Fingerprint: "f1"})) // its own
		s.must(s.UpdateClient(s.ctx, &oauth.Client{ID: "c1"}))                    // given up
		is("f1", "")
		s.must(s.UpdateClient(s.ctx, &oauth.Client{ID: "c2", Fingerprint: "f1"}))
		is("f1", "c2")
		s.must(s.DeleteClient(s.ctx, "c2"))
		is("f1", "")
	},
	"List": func(t *testing.T, s *suite) {
		yes, no := true, false
		byHand, dynamic, document := oauth.RegisteredByHand, oauth.RegisteredDynamically, oauth.RegisteredByDocument
		for i, c := range []oauth.Client{
			{ID: "b", Name: "Beta 100%", Owner: "alice"},
			{ID: "a", Name: "ALPHA_x", Owner: "bob", Website: "https://Site.example"},
			{ID: "d", Name: "delta", Owner: "alice", Internal: true, Registration: dynamic},
			{ID: "c", Name: "ÉTUDE", Owner: "alice"},
		} {
			c.CreatedAt = start.Add(time.Duration(i/2) * time.Second) // b and a, d and c at once
			s.must(s.CreateClient(s.ctx, &c))
		}
		for _, tc := range []struct {
			name string
			q    store.ClientQuery
			want []string
		}{
			{"all, newest first, then by id descending", store.ClientQuery{}, []string{"d", "c", "b", "a"}},
			{"owner", store.ClientQuery{Owner: "alice"}, []string{"d", "c", "b"}},
			{"owner is exact", store.ClientQuery{Owner: "Alice"}, []string{}},
			{"internal", store.ClientQuery{Internal: &yes}, []string{"d"}},
			{"not internal", store.ClientQuery{Internal: &no, Owner: "alice"}, []string{"c", "b"}},
			{"by hand", store.ClientQuery{Registration: &byHand}, []string{"c", "b", "a"}},
			{"registered itself", store.ClientQuery{Registration: &dynamic}, []string{"d"}},
			{"a document", store.ClientQuery{Registration: &document}, []string{}},
			{"text in the name, other case", store.ClientQuery{Text: "alpha"}, []string{"a"}},
			{"text in the website", store.ClientQuery{Text: "SITE.EX"}, []string{"a"}},
			{"text in the id", store.ClientQuery{Text: "D"}, []string{"d", "c"}},
			{"only ASCII letters match in either case", store.ClientQuery{Text: "étude"}, []string{}},
			{"other letters match themselves", store.ClientQuery{Text: "Étude"}, []string{"c"}},
			{"percent is a percent", store.ClientQuery{Text: "%"}, []string{"b"}},
			{"underscore is an underscore", store.ClientQuery{Text: "_"}, []string{"a"}},
			{"backslash is a backslash", store.ClientQuery{Text: `\`}, []string{}},
		} {
			got, err := s.ListClients(s.ctx, tc.q, store.Page{Limit: 10})
			s.must(err)
			if g := ids(got, clientID); !slices.Equal(g, tc.want) {
				t.Errorf("%s: got %q, want %q", tc.name, g, tc.want)
			}
		}
		var paged []string
		for p := (store.Page{Limit: 1}); ; {
			got, err := s.ListClients(s.ctx, store.ClientQuery{}, p)
			s.must(err)
			if len(got) == 0 {
				break
			}
			paged = append(paged, ids(got, clientID)...)
			p.After = got[len(got)-1].ID
		}
		equal(t, paged, []string{"d", "c", "b", "a"})
		for _, tc := range []struct {
			name string
			q    store.ClientQuery
			rev  bool
			want []string
		}{
			{"oldest first", store.ClientQuery{}, true, []string{"a", "b", "c", "d"}},
			{"by name", store.ClientQuery{ByName: true}, false, []string{"a", "b", "d", "c"}},
			{"by name, from the end", store.ClientQuery{ByName: true}, true, []string{"c", "d", "b", "a"}},
		} {
			var all []string
			for p := (store.Page{Limit: 1, Reverse: tc.rev}); len(all) < 10; {
				got, err := s.ListClients(s.ctx, tc.q, p)
				s.must(err)
				if len(got) == 0 {
					break
				}
				all = append(all, ids(got, clientID)...)
				p.After = got[0].ID
			}
			if !slices.Equal(all, tc.want) {
				t.Errorf("%s: got %q, want %q", tc.name, all, tc.want)
			}
		}
	},
	"Secrets": func(t *testing.T, s *suite) {
		s.want(s.CreateClientSecret(s.ctx, &oauth.ClientSecret{ID: "s0", ClientID: "none"}), store.ErrNotFound)
		s.client("c1")
		s.client("c2")
		old := &oauth.ClientSecret{ID: "s2", ClientID: "c1", Hash: hash("s2"), Hint: "wxyz", CreatedAt: start}
		mid := &oauth.ClientSecret{ID: "s1", ClientID: "c1", Hash: hash("s1"), CreatedAt: start.Add(time.Second), ExpiresAt: start.Add(time.Minute)}
		now := &oauth.ClientSecret{ID: "s3", ClientID: "c1", Hash: hash("s3"), CreatedAt: start.Add(2 * time.Second)}
		other := &oauth.ClientSecret{ID: "s4", ClientID: "c2", CreatedAt: start}
		for _, c := range []*oauth.ClientSecret{now, old, mid, other} {
			s.must(s.CreateClientSecret(s.ctx, c))
		}
		s.want(s.CreateClientSecret(s.ctx, old), store.ErrExists)
		got, err := s.ClientSecrets(s.ctx, "c1")
		s.must(err)
		equal(t, got, []*oauth.ClientSecret{old, mid, now})

		at := start.Add(time.Hour)
		s.must(s.ExpireClientSecrets(s.ctx, "c1", "s3", at))
		old.ExpiresAt = at // mid ends sooner by itself, now is spared, other is another's
		s.must(s.TouchClientSecret(s.ctx, "s3", at))
		s.must(s.TouchClientSecret(s.ctx, "s3", at.Add(time.Minute-time.Microsecond)))
		now.LastUsedAt = at
		got, err = s.ClientSecrets(s.ctx, "c1")
		s.must(err)
		equal(t, got, []*oauth.ClientSecret{old, mid, now})
		got, err = s.ClientSecrets(s.ctx, "c2")
		s.must(err)
		equal(t, got, []*oauth.ClientSecret{other})
		s.must(s.TouchClientSecret(s.ctx, "none", at))

		sealed := &oauth.ClientSecret{ID: "s5", ClientID: "c2", Hash: hash("s5"), Sealed: "sealed5", CreatedAt: start, ExpiresAt: start}
		s.must(s.CreateClientSecret(s.ctx, sealed))
		got, err = s.SealedSecrets(s.ctx)
		s.must(err)
		equal(t, got, []*oauth.ClientSecret{sealed})
		s.must(s.ResealClientSecret(s.ctx, "s5", "sealed5", "resealed"))
		s.want(s.ResealClientSecret(s.ctx, "s5", "sealed5", "again"), store.ErrUsed)
		s.want(s.ResealClientSecret(s.ctx, "s4", "sealed5", "again"), store.ErrUsed)
		s.want(s.ResealClientSecret(s.ctx, "none", "sealed5", "again"), store.ErrNotFound)
		sealed.Sealed = "resealed"
		got, err = s.SealedSecrets(s.ctx)
		s.must(err)
		equal(t, got, []*oauth.ClientSecret{sealed})
	},
	"Ping": func(t *testing.T, s *suite) {
		s.must(s.Ping(s.ctx))
	},
	"DeleteSubject": func(t *testing.T, s *suite) {
		mine := &oauth.Client{ID: "mine", Owner: "alice", CreatedAt: start}
		s.must(s.CreateClient(s.ctx, mine))
		s.client("other")
		s.code("ac-bob", s.grant("g-bob-mine", "mine", "bob")) // goes with the client
		ga, gb := s.grant("g-alice", "other", "alice"), s.grant("g-bob", "other", "bob")
		for _, g := range []*oauth.Grant{ga, gb} {
			s.code("ac-"+g.ID, g)
			s.token("rt-"+g.ID, oauth.RefreshToken, g)
			s.personal("pat-"+g.ID, g.Subject)
			s.request("r-"+g.ID, "other", g.Subject)
			s.device("d-"+g.ID, "D"+g.ID, "other")
			s.must(s.ApproveDeviceCode(s.ctx, "d-"+g.ID, g.ID, start))
			s.signIn("s-"+g.ID, "other", g.Subject)
			s.signIn("ended-"+g.ID, "other", g.Subject)
			_, err := s.EndSession(s.ctx, "ended-"+g.ID, start)
			s.must(err)
		}
		s.must(s.CreateDeviceCode(s.ctx, &oauth.DeviceCode{ID: "d-named", UserCode: "NAMED", ClientID: "other", Subject: "alice", IssuedAt: start}))
		s.must(s.DeleteSubject(s.ctx, "alice"))
		s.must(s.DeleteSubject(s.ctx, "alice"))
		for _, tc := range []struct {
			what string
			err  func() error
			want error
		}{
			{"her client", func() error { _, err := s.Client(s.ctx, "mine"); return err }, store.ErrNotFound},
			{"a grant to her client", func() error { _, err := s.Grant(s.ctx, "g-bob-mine"); return err }, store.ErrNotFound},
			{"a code of her client", func() error { _, err := s.Code(s.ctx, "ac-bob"); return err }, store.ErrNotFound},
			{"her grant", func() error { _, err := s.Grant(s.ctx, "g-alice"); return err }, store.ErrNotFound},
			{"her code", func() error { _, err := s.Code(s.ctx, "ac-g-alice"); return err }, store.ErrNotFound},
			{"her token", func() error { _, err := s.Token(s.ctx, "rt-g-alice"); return err }, store.ErrNotFound},
			{"her personal token", func() error { _, err := s.Token(s.ctx, "pat-g-alice"); return err }, store.ErrNotFound},
			{"her request", func() error { _, err := s.Request(s.ctx, "r-g-alice"); return err }, store.ErrNotFound},
			{"her device", func() error { _, err := s.DeviceCode(s.ctx, "d-g-alice"); return err }, store.ErrNotFound},
			{"a device with her name", func() error { _, err := s.DeviceCode(s.ctx, "d-named"); return err }, store.ErrNotFound},
			{"her session", func() error { return s.DeleteSessionClient(s.ctx, "s-g-alice", "other") }, store.ErrNotFound},
			{"the end of her session, untold", func() error { return s.DeleteSessionClient(s.ctx, "ended-g-alice", "other") }, nil},
			{"his device", func() error { _, err := s.DeviceCode(s.ctx, "d-g-bob"); return err }, nil},
			{"his session", func() error { return s.DeleteSessionClient(s.ctx, "s-g-bob", "other") }, nil},
			{"another client", func() error { _, err := s.Client(s.ctx, "other"); return err }, nil},
			{"his grant", func() error { _, err := s.Grant(s.ctx, "g-bob"); return err }, nil},
			{"his code", func() error { _, err := s.Code(s.ctx, "ac-g-bob"); return err }, nil},
			{"his token", func() error { _, err := s.Token(s.ctx, "rt-g-bob"); return err }, nil},
			{"his personal token", func() error { _, err := s.Token(s.ctx, "pat-g-bob"); return err }, nil},
			{"his request", func() error { _, err := s.Request(s.ctx, "r-g-bob"); return err }, nil},
		} {
			if err := tc.err(); !errors.Is(err, tc.want) {
				t.Errorf("%s: got error %v, want %v", tc.what, err, tc.want)
			}
		}
	},
}
