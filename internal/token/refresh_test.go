package token_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

func TestParity24_RefreshRotatesForPublicClients(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	spa, web := e.SPA(), e.Web()
	first := e.Tokens(e.SignIn("alice"), spa)
	second := e.Token(spa, oauthtest.Refresh(first.RefreshToken))
	second.Want(t, 200, "")
	if second.RefreshToken == first.RefreshToken || second.RefreshToken == "" || second.AccessToken == first.AccessToken {
		t.Errorf("nothing was rotated: %s", second.Body)
	}
	if e.Active(web, first.RefreshToken) || !e.Active(web, first.AccessToken) || !e.Active(web, second.AccessToken) {
		t.Error("after a refresh the old refresh token must be dead and both access tokens alive")
	}
	e.Token(spa, oauthtest.Refresh(second.RefreshToken)).Want(t, 200, "")
}

func TestParity24_ConfidentialClientsKeepTheirRefreshToken(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	first := e.Tokens(e.SignIn("alice"), web)
	for range 3 {
		again := e.Token(web, oauthtest.Refresh(first.RefreshToken))
		again.Want(t, 200, "")
		if again.RefreshToken != first.RefreshToken {
			t.Errorf("got refresh token %q, want the same", again.RefreshToken)
		}
		e.Clock.Move(time.Hour)
	}
}

func TestParity24_RotateAll(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{RotateAll: true})
	web := e.Web()
	first := e.Tokens(e.SignIn("alice"), web)
	second := e.Token(web, oauthtest.Refresh(first.RefreshToken))
	second.Want(t, 200, "")
	if second.RefreshToken == first.RefreshToken {
		t.Error("the refresh token was not rotated")
	}
	if e.Active(web, first.AccessToken) {
		t.Error("the old access token is alive")
	}
	if !e.Active(web, second.AccessToken) {
		t.Error("the new access token is dead")
	}
}

func TestParity24_RefreshWorksAfterTheAccessTokenExpired(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	first := e.Tokens(e.SignIn("alice"), web)
	e.Clock.Move(time.Hour)
	if e.Active(web, first.AccessToken) {
		t.Error("the access token outlives its hour")
	}
	reply := e.Token(web, oauthtest.Refresh(first.RefreshToken))
	if !e.Active(web, reply.AccessToken) {
		t.Errorf("no live token after a refresh: %s", reply.Body)
	}
}

func TestParity24_RefreshScope(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	for _, c := range []oauthtest.Party{e.Web(), e.SPA()} {
		first := e.Tokens(e.SignIn("alice"), c, "scope", "records:read test:scope")
		refresh := first.RefreshToken
		for _, wide := range []string{"records:read records:write", "records:write", "nonsense", "secret:scope"} {
			e.Token(c, oauthtest.Refresh(refresh, "scope", wide)).Want(t, 400, "invalid_scope")
		}
		narrow := e.Token(c, oauthtest.Refresh(refresh, "scope", "test:scope")) // the refusals had no side effect
		narrow.Want(t, 200, "")
		if narrow.Scope != "test:scope" {
			t.Errorf("narrowed scope: got %q, want test:scope", narrow.Scope)
		}
		whole := e.Token(c, oauthtest.Refresh(narrow.RefreshToken)) // the refresh token was not narrowed (RFC 6749 §6)
		if whole.Scope != "records:read test:scope" {
			t.Errorf("scope of the next refresh: got %q, want the scope granted", whole.Scope)
		}
	}
}

func TestRepeatedRefreshGetsTheSameSuccessor(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	spa, web := e.SPA(), e.Web()
	first := e.Tokens(e.SignIn("alice"), spa)
	second := e.Token(spa, oauthtest.Refresh(first.RefreshToken))
	e.Clock.Move(10*time.Second - time.Microsecond)
	repeat := e.Token(spa, oauthtest.Refresh(first.RefreshToken))
	repeat.Want(t, 200, "")
	if repeat.RefreshToken != second.RefreshToken {
		t.Errorf("repeat got %q, want the same successor %q", repeat.RefreshToken, second.RefreshToken)
	}
	if repeat.AccessToken == second.AccessToken || !e.Active(web, repeat.AccessToken) {
		t.Error("repeat must get a new, live access token")
	}
	e.Clock.Move(time.Microsecond)
	e.Token(spa, oauthtest.Refresh(first.RefreshToken)).Want(t, 400, "invalid_grant")
	for what, token := range map[string]string{"successor": second.RefreshToken, "access": second.AccessToken, "first access": first.AccessToken} {
		if e.Active(web, token) {
			t.Errorf("%s token is alive after a replay", what)
		}
	}
	wantEvent(t, e, oauth.EventRefreshReplayed, 1)
}

// Once the successor has been used its predecessor gets nothing, but within the
// window nothing is revoked either: a late copy of the request is no theft.
func TestRepeatAfterTheSuccessorWasUsed(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	spa := e.SPA()
	first := e.Tokens(e.SignIn("alice"), spa)
	second := e.Token(spa, oauthtest.Refresh(first.RefreshToken))
	third := e.Token(spa, oauthtest.Refresh(second.RefreshToken))
	e.Token(spa, oauthtest.Refresh(first.RefreshToken)).Want(t, 400, "invalid_grant")
	e.Token(spa, oauthtest.Refresh(third.RefreshToken)).Want(t, 200, "")
}

func TestParallelRefreshesGetOneSuccessor(t *testing.T) {
	t.Parallel()
	onEveryStore(t, func(t *testing.T, s store.Store) {
		e := oauthtest.New(t, oauthtest.Options{Store: s})
		spa, web := e.SPA(), e.Web()
		first := e.Tokens(e.SignIn("alice"), spa)
		replies := together(64, func(int) oauthtest.TokenReply { return e.Token(spa, oauthtest.Refresh(first.RefreshToken)) })
		seen := map[string]bool{}
		for _, r := range replies {
			r.Want(t, 200, "")
			seen[r.RefreshToken] = true
			if !e.Active(web, r.AccessToken) {
				t.Error("an access token is dead")
			}
		}
		if len(seen) != 1 || seen[first.RefreshToken] || seen[""] {
			t.Errorf("64 refreshes got %d different successors, want 1", len(seen))
		}
		live, err := s.ListTokens(context.Background(), store.TokenQuery{Kind: oauth.RefreshToken, LiveAt: e.Clock.Now()}, store.Page{Limit: 10})
		if err != nil || len(live) != 1 {
			t.Errorf("%d live refresh tokens (%v), want 1", len(live), err)
		}
	})
}

func TestM59_RefreshTokenIsBoundToItsClient(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web, web2, spa := e.Web(), e.Web(), e.SPA()
	tokens := e.Tokens(e.SignIn("alice"), web)
	form := oauthtest.Refresh(tokens.RefreshToken)
	e.Token(web2, form).Want(t, 400, "invalid_grant")
	e.Token(spa, form).Want(t, 400, "invalid_grant")
	e.Post("/oauth/token", form).Want(t, 401, "invalid_client")
	e.Post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.RefreshToken}, "client_id": {web.ID}}).Want(t, 401, "invalid_client")
	wrong := web
	wrong.Secret = web2.Secret
	e.Token(wrong, form).Want(t, 401, "invalid_client")
	e.Token(web, form).Want(t, 200, "")

	// And the other way round: a confidential client with a public one's token.
	mine := e.Tokens(e.SignIn("alice"), spa)
	e.Token(web, oauthtest.Refresh(mine.RefreshToken)).Want(t, 400, "invalid_grant")
	e.Token(spa, oauthtest.Refresh(mine.RefreshToken)).Want(t, 200, "")
}

func TestRefreshRefusals(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	web := e.Web()
	tokens := e.Tokens(e.SignIn("alice"), web)
	e.Token(web, url.Values{"grant_type": {"refresh_token"}}).Want(t, 400, "invalid_request")
	e.Token(web, oauthtest.Refresh("nonsense")).Want(t, 400, "invalid_grant")
	e.Token(web, oauthtest.Refresh(tokens.AccessToken)).Want(t, 400, "invalid_grant")
	e.Token(web, oauthtest.Refresh(tokens.RefreshToken, "scope", "a  b")).Want(t, 400, "invalid_scope")
	e.As(web, "/oauth/revoke", url.Values{"token": {tokens.RefreshToken}})
	e.Token(web, oauthtest.Refresh(tokens.RefreshToken)).Want(t, 400, "invalid_grant")
}

func TestRefreshTokensDieOfDisuse(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	e := oauthtest.New(t, oauthtest.Options{})
	for _, c := range []oauthtest.Party{e.Web(), e.SPA()} {
		tokens := e.Tokens(e.SignIn("alice"), c)
		for range 4 {
			e.Clock.Move(80 * day)
			tokens = e.Token(c, oauthtest.Refresh(tokens.RefreshToken))
			tokens.Want(t, 200, "")
		}
		e.Clock.Move(90 * day)
		e.Token(c, oauthtest.Refresh(tokens.RefreshToken)).Want(t, 400, "invalid_grant")
	}
}

func TestParity24_ImmortalRefreshTokens(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{Immortal: true})
	for _, c := range []oauthtest.Party{e.Web(), e.SPA()} {
		tokens := e.Tokens(e.SignIn("alice"), c)
		e.Clock.Move(20 * 365 * 24 * time.Hour)
		e.Token(c, oauthtest.Refresh(tokens.RefreshToken)).Want(t, 200, "")
	}
}

func TestParity27_InactiveUserAndOwner(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{Password: true})
	web, spa := e.Web(), e.SPA() // bob registered them
	tokens, public := e.Tokens(e.SignIn("alice"), web), e.Tokens(e.SignIn("alice"), spa)
	code := e.SignIn("alice").Code(web)
	disable := func(subject string, off bool) { e.Users.Change(subject, func(u *oauth.User) { u.Disabled = off }) }

	disable("alice", true)
	e.Token(web, oauthtest.Refresh(tokens.RefreshToken)).Want(t, 400, "invalid_grant")
	e.Token(spa, oauthtest.Refresh(public.RefreshToken)).Want(t, 400, "invalid_grant")
	e.Token(web, oauthtest.Redemption(web, code)).Want(t, 400, "invalid_grant")
	e.Token(web, url.Values{"grant_type": {"password"}, "username": {"alice@example.org"}, "password": {oauthtest.Password}}).Want(t, 400, "invalid_grant")
	if e.Active(web, tokens.AccessToken) {
		t.Error("the token of a disabled user is alive")
	}
	disable("alice", false)
	if !e.Active(web, tokens.AccessToken) {
		t.Error("the token does not work again after reactivation")
	}
	e.Token(web, oauthtest.Redemption(web, code)).Want(t, 200, "")
	e.Token(spa, oauthtest.Refresh(public.RefreshToken)).Want(t, 200, "") // the refusal did not rotate it

	disable("bob", true)
	e.Token(web, oauthtest.Refresh(tokens.RefreshToken)).Want(t, 401, "invalid_client")
	e.Token(web, url.Values{"grant_type": {"client_credentials"}}).Want(t, 401, "invalid_client")
	disable("bob", false)
	e.Token(web, url.Values{"grant_type": {"client_credentials"}}).Want(t, 200, "")
	e.Users.Delete("bob")
	e.Token(web, oauthtest.Refresh(tokens.RefreshToken)).Want(t, 401, "invalid_client") // TestParity13p: no crash
}

func TestParity28_OneTokenPerClient(t *testing.T) {
	t.Parallel()
	for _, rotate := range []bool{true, false} {
		oneTokenPerClient(t, oauthtest.New(t, oauthtest.Options{OneTokenPerClient: true, RotateAll: rotate}))
	}
}

func oneTokenPerClient(t *testing.T, e *oauthtest.Engine) {
	t.Helper()
	web, web2 := e.Web(), e.Web()
	alice, mallory := e.SignIn("alice"), e.SignIn("mallory")
	elsewhere, others := e.Tokens(alice, web2), e.Tokens(mallory, web)
	first := e.Tokens(alice, web)
	second := e.Tokens(alice, web)
	if e.Active(web, first.AccessToken) || e.Active(web, first.RefreshToken) {
		t.Error("the tokens of the first authorization are alive after the second")
	}
	third := e.Token(web, oauthtest.Refresh(second.RefreshToken))
	if e.Active(web, second.AccessToken) || !e.Active(web, third.AccessToken) {
		t.Error("after a refresh only the new access token may be alive")
	}
	if !e.Active(web2, elsewhere.AccessToken) || !e.Active(web, others.AccessToken) {
		t.Error("tokens of another client or user died")
	}
}
