package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

func (s *suite) signIn(sid, client, subject string) *oauth.SessionClient {
	s.t.Helper()
	c := &oauth.SessionClient{SID: sid, ClientID: client, Subject: subject, ExpiresAt: start.Add(time.Hour)}
	s.must(s.AddSessionClient(s.ctx, c))
	return c
}

func (s *suite) endSession(sid string, now time.Time, want int) {
	s.t.Helper()
	n, err := s.EndSession(s.ctx, sid, now)
	s.must(err)
	equal(s.t, n, want)
}

// signedIn checks the clients of a session as they stand.
func (s *suite) signedIn(sid string, want ...*oauth.SessionClient) {
	s.t.Helper()
	got, err := s.SessionClients(s.ctx, sid)
	s.must(err)
	equal(s.t, got, slices.Clip(want))
}

// due checks whom to tell, in order, each as sid/client.
func (s *suite) due(now time.Time, limit int, want ...string) {
	s.t.Helper()
	rows, err := s.DueLogouts(s.ctx, now, limit)
	s.must(err)
	equal(s.t, ids(rows, func(c *oauth.SessionClient) string { return c.SID + "/" + c.ClientID }), append([]string{}, want...))
}

var sessionTests = map[string]func(*testing.T, *suite){
	"Add": func(t *testing.T, s *suite) {
		s.client("c1")
		s.client("c2")
		s.want(s.AddSessionClient(s.ctx, &oauth.SessionClient{SID: "s1", ClientID: "none", Subject: "alice"}), store.ErrNotFound)
		s.signedIn("s1")
		c2, c1 := s.signIn("s1", "c2", "alice"), s.signIn("s1", "c1", "alice")
		other := s.signIn("s2", "c1", "bob")
		s.signedIn("s1", c1, c2)
		s.signedIn("s2", other)

		later, sooner := *c1, *c1
		later.ExpiresAt, sooner.ExpiresAt = c1.ExpiresAt.Add(time.Hour), c1.ExpiresAt.Add(-time.Hour)
		s.must(s.AddSessionClient(s.ctx, &later))
		s.must(s.AddSessionClient(s.ctx, &sooner)) // never backwards
		s.signedIn("s1", &later, c2)
	},
	"End": func(t *testing.T, s *suite) {
		s.client("c1")
		s.client("c2")
		s.client("c3")
		c1, c2, other := s.signIn("s1", "c1", "alice"), s.signIn("s1", "c2", "alice"), s.signIn("s2", "c1", "alice")
		s.due(start.AddDate(1, 0, 0), 10)
		s.endSession("s1", start, 2)
		s.endSession("s1", start.Add(time.Second), 0) // the first time is kept
		for _, c := range []*oauth.SessionClient{c1, c2} {
			c.EndedAt, c.RetryAt = start, start
			again := oauth.SessionClient{SID: "s1", ClientID: c.ClientID, Subject: "alice", ExpiresAt: start.AddDate(1, 0, 0)}
			s.want(s.AddSessionClient(s.ctx, &again), store.ErrUsed)
		}
		s.signedIn("s1", c1, c2)
		s.signedIn("s2", other)

		// It has ended for a client that was not there, and when all were told.
		late := &oauth.SessionClient{SID: "s1", ClientID: "c3", Subject: "alice", ExpiresAt: start.Add(time.Hour)}
		s.want(s.AddSessionClient(s.ctx, late), store.ErrUsed)
		s.must(s.DeleteSessionClient(s.ctx, "s1", "c1"))
		s.must(s.DeleteSessionClient(s.ctx, "s1", "c2"))
		s.signedIn("s1")
		s.want(s.AddSessionClient(s.ctx, late), store.ErrUsed)
		s.want(s.AddSessionClient(s.ctx, &oauth.SessionClient{SID: "s1", ClientID: "none", Subject: "alice"}), store.ErrNotFound)

		// So has one that never had a client.
		s.endSession("s3", start, 0)
		late.SID = "s3"
		s.want(s.AddSessionClient(s.ctx, late), store.ErrUsed)
	},
	"Deliver": func(t *testing.T, s *suite) {
		for _, c := range []string{"c1", "c2", "c3"} {
			s.client(c)
			s.signIn("s1", c, "alice")
		}
		s.signIn("s0", "c1", "bob")
		s.signIn("live", "c1", "carol")
		s.endSession("s1", start.Add(time.Second), 3)
		s.endSession("s0", start.Add(time.Second), 1)
		now := start.Add(time.Second)
		s.due(now.Add(-time.Microsecond), 10)
		s.due(now, 10, "s0/c1", "s1/c1", "s1/c2", "s1/c3")
		s.due(now, 2, "s0/c1", "s1/c1")

		retry := now.Add(time.Minute)
		s.must(s.RetryLogout(s.ctx, "s1", "c1", retry))
		s.must(s.RetryLogout(s.ctx, "s1", "c1", retry))
		s.must(s.RetryLogout(s.ctx, "s1", "c2", now.Add(time.Second)))
		s.must(s.DeleteSessionClient(s.ctx, "s1", "c3"))
		s.want(s.DeleteSessionClient(s.ctx, "s1", "c3"), store.ErrNotFound)
		s.want(s.RetryLogout(s.ctx, "s1", "c3", retry), store.ErrNotFound)
		s.due(retry.Add(-time.Microsecond), 10, "s0/c1", "s1/c2")
		s.due(retry, 10, "s0/c1", "s1/c2", "s1/c1") // the longest due first
		rows, err := s.DueLogouts(s.ctx, retry, 10)
		s.must(err)
		equal(t, rows[2], &oauth.SessionClient{SID: "s1", ClientID: "c1", Subject: "alice", ExpiresAt: start.Add(time.Hour),
			EndedAt: now, Attempts: 2, RetryAt: retry})
	},
}
