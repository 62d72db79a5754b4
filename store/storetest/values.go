package storetest

import (
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// oddIDs mean something to SQL, to LIKE, to Unicode or to careless code.
var oddIDs = []string{
	"A", "a", " a", "a ", "%", "_", `\`, `'`, `"`, "';--", "$1", "?", "a\nb", "é", "e\u0301", "É", "ß", "ss", "İ", "日本", "🔑",
	"0", "00", "null", "a%b", "a_b", "-1", "1e3", strings.Repeat("x", 200),
}

var valueTests = map[string]func(*testing.T, *suite){
	"OddIDs": func(t *testing.T, s *suite) {
		for _, id := range oddIDs {
			s.client(id)
			s.grant(id, id, id)
			s.personal(id, id)
			s.must(s.RecordEvent(s.ctx, oauth.Event{ID: id, At: start, Actor: id, ClientID: id, Detail: id}))
			s.must(s.CreateClient(s.ctx, &oauth.Client{ID: "f " + id, Fingerprint: id, CreatedAt: start}))
			s.device(id, id, id)
			s.pushed(id, id)
			s.must(s.SeenJTI(s.ctx, id, start, start.Add(time.Hour)))
			s.signIn(id, id, id)
		}
		for _, id := range oddIDs {
			c, err := s.Client(s.ctx, id)
			s.must(err)
			equal(t, c.ID, id)
			grants, err := s.LiveGrants(s.ctx, id, id)
			s.must(err)
			equal(t, ids(grants, grantID), []string{id})
			tokens, err := s.ListTokens(s.ctx, store.TokenQuery{Kind: oauth.PersonalToken, Subject: id}, store.Page{Limit: 10})
			s.must(err)
			equal(t, ids(tokens, tokenID), []string{id})
			events, err := s.ListEvents(s.ctx, store.EventQuery{Involving: id, ClientID: id}, store.Page{Limit: 10})
			s.must(err)
			equal(t, ids(events, eventID), []string{id})
			c, err = s.ClientByFingerprint(s.ctx, id)
			s.must(err)
			equal(t, c.ID, "f "+id)
			d, err := s.DeviceCodeByUserCode(s.ctx, id)
			s.must(err)
			equal(t, d.ID, id)
			s.want(s.SeenJTI(s.ctx, id, start, start.Add(time.Hour)), store.ErrUsed)
			s.endSession(id, start, 1)
			s.must(s.UsePushedRequest(s.ctx, id, start))
			found, err := s.ListClients(s.ctx, store.ClientQuery{Text: id}, store.Page{Limit: 100})
			s.must(err)
			for _, c := range found { // a part of the text, never a pattern
				if !strings.Contains(strings.ToLower(c.ID+c.Name), strings.ToLower(id)) {
					t.Errorf("search for %q found %q", id, c.ID)
				}
			}
		}
		// Order is by bytes, whatever a locale thinks of it.
		var all []string
		for p := (store.Page{Limit: 7}); ; {
			got, err := s.ListTokens(s.ctx, store.TokenQuery{}, p)
			s.must(err)
			if len(got) == 0 {
				break
			}
			all = append(all, ids(got, tokenID)...)
			p.After = all[len(all)-1]
		}
		equal(t, len(all), len(oddIDs))
		for i := 1; i < len(all); i++ {
			if all[i] >= all[i-1] {
				t.Errorf("%q comes after %q", all[i], all[i-1])
			}
		}
		s.must(s.DeleteClient(s.ctx, "%"))
		clients, err := s.ListClients(s.ctx, store.ClientQuery{}, store.Page{Limit: 100})
		s.must(err)
		equal(t, len(clients), 2*len(oddIDs)-1)
	},
	// Strangers choose what is looked up.
	"NotText": func(t *testing.T, s *suite) {
		s.client("c1") // a row to look at
		s.device("d1", "BCDFGHJK", "c1")
		s.must(s.CreateToken(s.ctx, &oauth.Token{ID: "t1", Kind: oauth.PersonalToken, Subject: "alice", IssuedAt: start}))
		for _, id := range []string{"", "\x00", "a\x00b", "\xff", "a\xc3", strings.Repeat("x", 1<<16)} {
			_, err := s.Client(s.ctx, id)
			s.want(err, store.ErrNotFound)
			_, err = s.Token(s.ctx, id)
			s.want(err, store.ErrNotFound)
			_, err = s.Code(s.ctx, id)
			s.want(err, store.ErrNotFound)
			_, err = s.ClientByFingerprint(s.ctx, id)
			s.want(err, store.ErrNotFound)
			_, err = s.PushedRequest(s.ctx, id)
			s.want(err, store.ErrNotFound)
			_, err = s.DeviceCode(s.ctx, id)
			s.want(err, store.ErrNotFound)
			_, err = s.DeviceCodeByUserCode(s.ctx, id)
			s.want(err, store.ErrNotFound)
			s.want(s.ApproveDeviceCode(s.ctx, id, id, start), store.ErrNotFound)
			s.want(s.ApproveDeviceCode(s.ctx, "d1", id, start), store.ErrNotFound)
			s.want(s.ClaimDevice(s.ctx, id, start), store.ErrNotFound)
			s.want(s.UsePushedRequest(s.ctx, id, start), store.ErrNotFound)
			s.want(s.DeleteSessionClient(s.ctx, id, id), store.ErrNotFound)
			s.signedIn(id)
			s.want(s.UseRequest(s.ctx, id, start), store.ErrNotFound)
			s.want(s.RevokeToken(s.ctx, id, start), store.ErrNotFound)
			s.want(s.DeleteClient(s.ctx, id), store.ErrNotFound)
			s.must(s.TouchToken(s.ctx, id, start, ""))
			if id == "" {
				continue // narrows nothing
			}
			tokens, err := s.ListTokens(s.ctx, store.TokenQuery{Text: id}, store.Page{Limit: 1})
			s.must(err)
			clients, err := s.ListClients(s.ctx, store.ClientQuery{Text: id}, store.Page{Limit: 1})
			s.must(err)
			equal(t, len(tokens)+len(clients), 0)
		}
		s.must(s.RecordEvent(s.ctx, oauth.Event{ID: "e1", At: start, ClientID: "a\x00b\xff", Detail: "ok"}))
		got, err := s.ListEvents(s.ctx, store.EventQuery{}, store.Page{Limit: 1})
		s.must(err)
		equal(t, got[0].ClientID, "a\uFFFDb\uFFFD")
	},
	"Times": func(t *testing.T, s *suite) {
		for _, at := range []time.Time{
			{}, time.Unix(0, 0), time.Unix(0, 999), start.In(time.FixedZone("east", 7200)), time.Now(),
			time.Date(1969, 7, 20, 20, 17, 0, 1500, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		} {
			id := at.Format(time.RFC3339Nano)
			s.must(s.CreateToken(s.ctx, &oauth.Token{ID: id, Kind: oauth.PersonalToken, Subject: "alice", IssuedAt: at, ExpiresAt: at}))
			got, err := s.Token(s.ctx, id)
			s.must(err)
			for _, g := range []time.Time{got.IssuedAt, got.ExpiresAt} {
				if g.IsZero() != at.IsZero() || !at.IsZero() && g != time.UnixMicro(at.UnixMicro()).UTC() {
					t.Errorf("%s: got %v", id, g)
				}
			}
		}
	},
	// What a caller does to a row it holds does not reach the store.
	"Copies": func(t *testing.T, s *suite) {
		c := s.client("c1")
		c.RedirectURIs[0] = "https://evil.example/"
		got, err := s.Client(s.ctx, "c1")
		s.must(err)
		equal(t, got.RedirectURIs[0], "https://client.example/cb")
		got.RedirectURIs[0] = "https://evil.example/"
		got, err = s.Client(s.ctx, "c1")
		s.must(err)
		equal(t, got.RedirectURIs[0], "https://client.example/cb")
	},
	"EmptyLists": func(t *testing.T, s *suite) {
		s.must(s.CreateClient(s.ctx, &oauth.Client{ID: "c1", RedirectURIs: []string{}, Scopes: []string{}, CreatedAt: start}))
		got, err := s.Client(s.ctx, "c1")
		s.must(err)
		equal(t, [2]bool{got.RedirectURIs == nil, got.Scopes == nil}, [2]bool{true, true})
	},
}
