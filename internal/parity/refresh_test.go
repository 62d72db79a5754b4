package parity_test

import (
	"testing"
	"time"
)

// TestParity14_RefreshRotates: with the switch a refresh replaces both tokens.
// By default a client that keeps a secret keeps its refresh token, and access
// tokens end by themselves.
func TestParity14_RefreshRotates(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app, v := s.application(s.person()), s.signIn()
		first := v.token(app, "scope", "records:read test:scope")
		r := app.refresh(first.RefreshToken)
		r.is(t, "refresh", 200, "")
		if rotated := r.text("refresh_token") != first.RefreshToken; rotated != s.compat {
			t.Errorf("rotated: %v, want %v", rotated, s.compat)
		}
		s.lives("the first access token", first.AccessToken, !s.compat)
		s.lives("the second", r.text("access_token"), true)
		next := r.text("refresh_token")
		app.refresh(next, "scope", "records:read records:write").is(t, "widened", 400, "invalid_scope")
		if narrow := app.refresh(next, "scope", "records:read"); narrow.text("scope") != "records:read" {
			t.Errorf("narrowed: %s", narrow.body)
		}
		s.application(s.person()).refresh(next).is(t, "another client's", 400, "invalid_grant")
	})
}

// TestParity14_PublicClientRefresh: the predecessor gave public clients refresh
// tokens that it then refused; here they work, and each works once.
func TestParity14_PublicClientRefresh(t *testing.T) {
	bothOwn(t, options{}, func(t *testing.T, s *site) {
		app, v := s.application(s.person(), public), s.signIn()
		first := v.token(app)
		r := app.refresh(first.RefreshToken)
		r.is(t, "refresh", 200, "")
		if r.text("refresh_token") == first.RefreshToken {
			t.Error("the refresh token of a public client was not rotated")
		}
		s.clock.Move(11 * time.Second) // past the repeat of a lost answer
		app.refresh(first.RefreshToken).is(t, "the old one again", 400, "invalid_grant")
		app.refresh(r.text("refresh_token")).is(t, "after the replay", 400, "invalid_grant")
		s.lives("after the replay", r.text("access_token"), false)
	})
}

// TestParity14_ExpiredThenRefresh: an expired access token is dead, its refresh
// token is not.
func TestParity14_ExpiredThenRefresh(t *testing.T) {
	bothOwn(t, options{}, func(t *testing.T, s *site) {
		app, v := s.application(s.person()), s.signIn()
		token := v.token(app)
		s.clock.Move(time.Hour - time.Second)
		s.lives("at the last second", token.AccessToken, true)
		s.clock.Move(time.Second)
		s.lives("after an hour", token.AccessToken, false)
		s.lives("after the refresh", app.refresh(token.RefreshToken).text("access_token"), true)
	})
}

// TestParity13g_RefreshTokensExpire: three months unused and it is dead; with
// the switch it lives until it is revoked, as in the predecessor.
func TestParity13g_RefreshTokensExpire(t *testing.T) {
	bothOwn(t, options{}, func(t *testing.T, s *site) {
		app, v := s.application(s.person()), s.signIn()
		token := v.token(app)
		s.clock.Move(10 * 366 * 24 * time.Hour)
		app.refresh(token.RefreshToken).is(t, "after ten years", either(s, 400, 200), either(s, "invalid_grant", ""))
	})
}
