package storetest

import (
	"testing"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

func (s *suite) device(id, userCode, client string) *oauth.DeviceCode {
	s.t.Helper()
	d := &oauth.DeviceCode{ID: id, Hash: hash(id), UserCode: userCode, ClientID: client, Scopes: []string{"records:read"},
		Network: "192.0.2.0/24", Agent: "tv/1", IssuedAt: start, ExpiresAt: start.Add(10 * time.Minute), Interval: 5 * time.Second}
	s.must(s.CreateDeviceCode(s.ctx, d))
	return d
}

// deviceIs checks a code as it stands.
func (s *suite) deviceIs(want *oauth.DeviceCode) {
	s.t.Helper()
	got, err := s.DeviceCode(s.ctx, want.ID)
	s.must(err)
	equal(s.t, got, want)
	got, err = s.DeviceCodeByUserCode(s.ctx, want.UserCode)
	s.must(err)
	equal(s.t, got, want)
}

var deviceTests = map[string]func(*testing.T, *suite){
	"CreateAndRead": func(t *testing.T, s *suite) {
		s.client("c1")
		s.client("c2")
		g := s.grant("g1", "c1", "alice")
		s.deviceIs(s.device("d1", "BCDFGHJK", "c1"))
		s.want(s.CreateDeviceCode(s.ctx, &oauth.DeviceCode{ID: "d1", UserCode: "OTHER", ClientID: "c1"}), store.ErrExists)
		s.want(s.CreateDeviceCode(s.ctx, &oauth.DeviceCode{ID: "d2", UserCode: "BCDFGHJK", ClientID: "c2"}), store.ErrExists)
		for _, d := range []*oauth.DeviceCode{
			{ID: "d2", UserCode: "LMNPQRST", ClientID: "none"},
			{ID: "d2", UserCode: "LMNPQRST", ClientID: "c1", GrantID: "none"},
			{ID: "d2", UserCode: "LMNPQRST", ClientID: "c2", GrantID: g.ID, Subject: "alice"},
			{ID: "d2", UserCode: "LMNPQRST", ClientID: "c1", GrantID: g.ID, Subject: "mallory"},
		} {
			s.want(s.CreateDeviceCode(s.ctx, d), store.ErrNotFound)
		}
		_, err := s.DeviceCode(s.ctx, "d2")
		s.want(err, store.ErrNotFound)
		_, err = s.DeviceCodeByUserCode(s.ctx, "bcdfghjk")
		s.want(err, store.ErrNotFound)
	},
	"Approve": func(t *testing.T, s *suite) {
		s.client("c1")
		s.client("c2")
		g := s.grant("g1", "c1", "alice")
		s.grant("other", "c2", "alice")
		d := s.device("d1", "BCDFGHJK", "c1")
		s.want(s.ApproveDeviceCode(s.ctx, "none", "g1", start), store.ErrNotFound)
		s.want(s.ApproveDeviceCode(s.ctx, "d1", "none", start), store.ErrNotFound)
		s.want(s.ApproveDeviceCode(s.ctx, "d1", "other", start), store.ErrNotFound)
		s.want(s.ApproveDeviceCode(s.ctx, "d1", "g1", d.ExpiresAt), store.ErrNotFound) // expired at that very instant
		s.want(s.ClaimDevice(s.ctx, "d1", start), store.ErrNotFound)                   // nobody has approved it
		s.deviceIs(d)

		last := d.ExpiresAt.Add(-time.Microsecond)
		s.must(s.ApproveDeviceCode(s.ctx, "d1", "g1", last))
		d.GrantID, d.Subject = g.ID, g.Subject
		s.deviceIs(d)
		s.want(s.ApproveDeviceCode(s.ctx, "d1", "g1", last), store.ErrUsed)
		s.want(s.DenyDeviceCode(s.ctx, "d1", last), store.ErrUsed)
		s.want(s.DenyDeviceCode(s.ctx, "d1", d.ExpiresAt), store.ErrUsed) // expired or not

		s.want(s.ClaimDevice(s.ctx, "none", start), store.ErrNotFound)
		s.want(s.ClaimDevice(s.ctx, "d1", d.ExpiresAt), store.ErrNotFound)
		s.must(s.ClaimDevice(s.ctx, "d1", last))
		d.UsedAt = last
		s.deviceIs(d)
		s.want(s.ClaimDevice(s.ctx, "d1", last), store.ErrUsed)
		s.want(s.ClaimDevice(s.ctx, "d1", d.ExpiresAt.Add(time.Hour)), store.ErrUsed)
	},
	"Deny": func(t *testing.T, s *suite) {
		s.client("c1")
		s.grant("g1", "c1", "alice")
		d := s.device("d1", "BCDFGHJK", "c1")
		s.want(s.DenyDeviceCode(s.ctx, "none", start), store.ErrNotFound)
		s.want(s.DenyDeviceCode(s.ctx, "d1", d.ExpiresAt), store.ErrNotFound)
		s.must(s.DenyDeviceCode(s.ctx, "d1", start))
		d.DeniedAt = start
		s.want(s.ApproveDeviceCode(s.ctx, "d1", "g1", start), store.ErrUsed)
		s.want(s.ApproveDeviceCode(s.ctx, "d1", "none", start), store.ErrUsed)
		s.want(s.DenyDeviceCode(s.ctx, "d1", start.Add(time.Second)), store.ErrUsed)
		s.want(s.ClaimDevice(s.ctx, "d1", start), store.ErrNotFound)
		s.deviceIs(d)
	},
	"RevokedMeanwhile": func(t *testing.T, s *suite) {
		s.client("c1")
		s.grant("g1", "c1", "alice")
		d := s.device("d1", "BCDFGHJK", "c1")
		s.must(s.ApproveDeviceCode(s.ctx, "d1", "g1", start))
		s.must(s.RevokeGrant(s.ctx, "g1", start))
		s.want(s.ClaimDevice(s.ctx, "d1", start), store.ErrUsed)
		s.want(s.ClaimDevice(s.ctx, "d1", d.ExpiresAt), store.ErrUsed)
	},
	"Poll": func(t *testing.T, s *suite) {
		s.client("c1")
		d := s.device("d1", "BCDFGHJK", "c1")
		s.must(s.PollDeviceCode(s.ctx, "d1", start.Add(time.Second), 10*time.Second))
		d.PolledAt, d.Interval = start.Add(time.Second), 10*time.Second
		s.deviceIs(d)
		s.must(s.PollDeviceCode(s.ctx, "d1", d.ExpiresAt, 15*time.Second+1))
		d.PolledAt, d.Interval = d.ExpiresAt, 15*time.Second // in microseconds
		s.deviceIs(d)
		s.want(s.PollDeviceCode(s.ctx, "none", start, time.Second), store.ErrNotFound)
	},
}

func (s *suite) pushed(id, client string) *oauth.PushedRequest {
	s.t.Helper()
	r := &oauth.PushedRequest{ID: id, Hash: hash(id), ClientID: client, Form: map[string]string{"response_type": "code"},
		Resources: []string{"https://api.example/"}, CreatedAt: start, ExpiresAt: start.Add(time.Minute)}
	s.must(s.CreatePushedRequest(s.ctx, r))
	return r
}

var requestTests = map[string]func(*testing.T, *suite){
	"Pushed": func(t *testing.T, s *suite) {
		s.client("c1")
		want := s.pushed("p1", "c1")
		s.want(s.CreatePushedRequest(s.ctx, want), store.ErrExists)
		s.want(s.CreatePushedRequest(s.ctx, &oauth.PushedRequest{ID: "p2", ClientID: "none"}), store.ErrNotFound)
		_, err := s.PushedRequest(s.ctx, "p2")
		s.want(err, store.ErrNotFound)
		s.want(s.UsePushedRequest(s.ctx, "p2", start), store.ErrNotFound)

		want.UsedAt = want.ExpiresAt.Add(time.Minute) // it expired while somebody was thinking
		s.must(s.UsePushedRequest(s.ctx, "p1", want.UsedAt))
		s.want(s.UsePushedRequest(s.ctx, "p1", start), store.ErrUsed)
		s.want(s.UsePushedRequest(s.ctx, "p1", want.UsedAt), store.ErrUsed)
		got, err := s.PushedRequest(s.ctx, "p1")
		s.must(err)
		equal(t, got, want)
	},
	"SeenJTI": func(t *testing.T, s *suite) {
		until := start.Add(time.Minute)
		for _, tc := range []struct {
			key          string
			now, expires time.Time
			want         error
		}{
			{"a", start, until, nil},
			{"A", start, until, nil},
			{"a", start, until, store.ErrUsed},
			{"a", until.Add(-time.Microsecond), until.Add(time.Hour), store.ErrUsed}, // and it is not remembered for longer
			{"a", until, until.Add(time.Minute), nil},                                // forgotten at that very instant
			{"a", until, until.Add(time.Minute), store.ErrUsed},
			{"A", until.Add(-time.Microsecond), until, store.ErrUsed},
		} {
			s.want(s.SeenJTI(s.ctx, tc.key, tc.now, tc.expires), tc.want)
		}
	},
}
