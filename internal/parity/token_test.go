package parity_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// TestParity14_WebFlow: somebody else's client library gets a token, calls the
// API, and gets another by refresh; the person reviews and revokes.
func TestParity14_WebFlow(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app, v := s.application(s.person()), s.signIn()
		token := v.token(app)
		res, err := app.Client(app.context(), token).Get(s.url + "/oauth/info")
		s.must(err)
		if res.Body.Close(); res.StatusCode != 200 {
			t.Errorf("info: got %d, want 200", res.StatusCode)
		}
		stale := *token
		stale.Expiry = time.Now().Add(-time.Hour) // the library refreshes by itself
		fresh, err := app.TokenSource(app.context(), &stale).Token()
		s.must(err)
		if fresh.AccessToken == token.AccessToken || !s.alive(fresh.AccessToken) {
			t.Error("the refresh gave no new token that works")
		}
		page := v.open(settings)
		if page = v.submit(v.open(settings + "tokens/" + authorizationID(page.Body) + "/revoke/").Form()); page.Status != 200 {
			t.Errorf("revoking: %v", page)
		}
		s.lives("after the person revoked", fresh.AccessToken, false)
		app.refresh(fresh.RefreshToken).is(t, "refresh after the person revoked", 400, "invalid_grant")
	})
}

// TestParity18_UnknownClient: 401 invalid_client, or 404 with the switch; the
// predecessor could not use HTTP Basic at all.
func TestParity18_UnknownClient(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		want := either(s, 401, 404)
		code := form("grant_type", "authorization_code", "code", "x")
		s.send(http.MethodPost, "/oauth/token", code).is(t, "no client_id", want, "invalid_client")
		code.Set("client_id", "nobody")
		s.send(http.MethodPost, "/oauth/token", code).is(t, "unknown", want, "invalid_client")
		code.Set("client_secret", "guess")
		s.send(http.MethodPost, "/oauth/token", code).is(t, "unknown, with a secret", want, "invalid_client")
		s.send(http.MethodPost, "/oauth/token", form("grant_type", "client_credentials"), "Authorization", basic("nobody", "x")).is(t, "unknown, by Basic", want, "invalid_client")
		app := s.application(s.person())
		app.ClientSecret += "x"
		app.post("grant_type", "authorization_code", "code", "x").is(t, "known, with a wrong secret", 401, "invalid_client")
	})
}

// TestParity13i_BasicAndForm: Basic works. A secret in the form, which was the
// predecessor's only way, works for clients that are registered for it, and
// with the switch for all.
func TestParity13i_BasicAndForm(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		usual := s.application(s.person(), service)
		inForm := s.application(s.person(), service, func(in *manage.ApplicationInput) { in.AuthMethod = oauth.AuthPost })
		byForm := func(a *application) reply {
			return s.send(http.MethodPost, "/oauth/token", form("grant_type", "client_credentials", "client_id", a.ClientID, "client_secret", a.ClientSecret))
		}
		usual.post("grant_type", "client_credentials").is(t, "Basic", 200, "")
		byForm(inForm).is(t, "form, registered for it", 200, "")
		byForm(usual).is(t, "form, registered for Basic", either(s, 401, 200), either(s, "invalid_client", ""))
		inForm.post("grant_type", "client_credentials").is(t, "Basic, registered for the form", either(s, 401, 200), either(s, "invalid_client", ""))
		usual.ClientSecret += "x"
		byForm(usual).is(t, "form, wrong secret", 401, "invalid_client")
	})
}

// TestParity19_PublicClientsHaveNoCredentials: 401 invalid_client.
func TestParity19_PublicClientsHaveNoCredentials(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		s.application(s.person(), public).post("grant_type", "client_credentials").is(t, "public", 401, "invalid_client")
	})
}

// TestParity20_ExactAnswer: names, types and headers; the user object with the
// switch only.
func TestParity20_ExactAnswer(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app, v := s.application(s.person()), s.signIn()
		r := app.redeem(v.code(app, "scope", "records:read test:scope"))
		r.is(t, "exchange", 200, "")
		for name, want := range map[string]string{"Content-Type": "application/json", "Cache-Control": "no-store", "Pragma": "no-cache"} {
			if got, _, _ := strings.Cut(r.Header.Get(name), ";"); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		got := r.json()
		names := []string{"access_token", "expires_in", "refresh_token", "scope", "token_type"}
		if s.compat {
			names = append(names, "user")
		}
		if keys := slices.Sorted(maps.Keys(got)); !slices.Equal(keys, names) {
			t.Errorf("got %v, want %v", keys, names)
		}
		if got["expires_in"] != 3600.0 || got["token_type"] != "Bearer" || got["scope"] != "records:read test:scope" {
			t.Errorf("got %v", got)
		}
	})
}

// TestParity13q_UserOnlyWithTheSwitch: the user object of a token answer is
// {"id": subject}, and more only with user:email.
func TestParity13q_UserOnlyWithTheSwitch(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app, v := s.application(s.person()), s.signIn()
		first := app.redeem(v.code(app))
		for what, r := range map[string]reply{"code": first, "refresh": app.refresh(first.text("refresh_token"))} {
			r.is(t, what, 200, "")
			user, _ := r.json()["user"].(map[string]any)
			if want := either(s, map[string]any(nil), map[string]any{"id": v.id}); !maps.Equal(user, want) {
				t.Errorf("%s: got user %v, want %v", what, user, want)
			}
		}
	})
}

// TestParity14_UserEmail: the scope adds e-mail address and whether it is
// confirmed, as a boolean.
func TestParity14_UserEmail(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app := s.application(s.person())
		for _, verified := range []bool{true, false} {
			v := s.signIn(func(u *accounts.NewUser) { u.EmailVerified = verified })
			user, _ := app.redeem(v.code(app, "scope", "user:email")).json()["user"].(map[string]any)
			want := map[string]any{"id": v.id, "email": v.email, "email_verified": verified}
			if !s.compat {
				want = nil
			}
			if !maps.Equal(user, want) {
				t.Errorf("verified %v: got user %v, want %v", verified, user, want)
			}
		}
		if page := s.signIn().open(app.request("scope", "user:email")); !page.Contains("email address") && !page.Contains("e-mail address") {
			t.Errorf("the consent page does not say what user:email means: %v", page)
		}
	})
}

// TestParity22_ClientCredentials: the token is the client's own, or its owner's
// with the switch; never with a refresh token.
func TestParity22_ClientCredentials(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		owner := s.person()
		// With the switch an ordinary web application may use them too, as in the
		// predecessor, where grants were the server's.
		for what, app := range map[string]*application{"service": s.application(owner, service), "web": s.application(owner)} {
			if what == "web" && !s.compat {
				app.post("grant_type", "client_credentials").is(t, what, 400, "unauthorized_client")
				continue
			}
			token, err := (&clientcredentials.Config{
				ClientID: app.ClientID, ClientSecret: app.ClientSecret, TokenURL: app.Endpoint.TokenURL, Scopes: []string{"test:scope"},
			}).Token(app.context())
			if err != nil || token.RefreshToken != "" {
				t.Errorf("%s: refresh token %q, %v", what, token.RefreshToken, err)
				continue
			}
			info := s.call("/oauth/info", token.AccessToken)
			if got, want := info.text("user"), either(s, app.ClientID, owner.id); got != want || info.text("client") != app.ClientID {
				t.Errorf("%s: info says %s, want user %s", what, info.body, want)
			}
		}
	})
}

// TestParity14_ClientCredentialsAndTheOwner: while the owner is deactivated the
// client is refused and its tokens are dead; then they live again.
func TestParity14_ClientCredentialsAndTheOwner(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		owner := s.person()
		app := s.application(owner, service)
		token := app.post("grant_type", "client_credentials").text("access_token")
		s.lives("before", token, true)
		s.must(s.door.DisableUser(t.Context(), owner.id))
		app.post("grant_type", "client_credentials").is(t, "owner deactivated", 401, "invalid_client")
		s.lives("owner deactivated", token, false)
		s.must(s.door.EnableUser(t.Context(), owner.id))
		app.post("grant_type", "client_credentials").is(t, "owner active again", 200, "")
		if !s.compat { // there it is the only token of the pair, and was replaced
			s.lives("owner active again", token, true)
		}
	})
}

// TestParity23_RedirectURIAtTheExchange: it must be the one of the request.
func TestParity23_RedirectURIAtTheExchange(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app := s.application(s.person(), func(in *manage.ApplicationInput) { in.RedirectURIs = []string{callback, elsewhere} })
		v := s.signIn()
		code := v.code(app)
		app.post("grant_type", "authorization_code", "code", code, "redirect_uri", elsewhere, "code_verifier", verifier).is(t, "another one", 400, "invalid_grant")
		app.redeem(code).is(t, "the same", 200, "")
	})
}

// TestParity14_PasswordGrant: off unless the operator turns it on, whatever the
// other switches say; then for clients registered for it.
func TestParity14_PasswordGrant(t *testing.T) {
	ask := func(a *application, p person, password string) reply {
		return a.post("grant_type", "password", "username", p.email, "password", password, "scope", "test:scope")
	}
	t.Run("off", func(t *testing.T) {
		both(t, func(t *testing.T, s *site) {
			ask(s.application(s.person()), s.person(), password).is(t, "off", 400, "unauthorized_client")
		})
	})
	for name, public := range map[string]bool{"confidential": false, "public": true} {
		t.Run(name, func(t *testing.T) {
			bothOwn(t, options{change: func(c *valetkey.Config) { c.Password = c.Users.(*accounts.Accounts).VerifyPassword }}, func(t *testing.T, s *site) {
				app := s.application(s.person(), func(in *manage.ApplicationInput) { in.Type, in.Public = oauth.LegacyApplication, public })
				p := s.person()
				r := ask(app, p, password)
				r.is(t, "right", 200, "")
				if info := s.call("/oauth/info", r.text("access_token")); info.text("user") != p.id {
					t.Errorf("info: %s, want user %s", info.body, p.id)
				}
				if r.text("refresh_token") == "" {
					t.Error("no refresh token")
				}
				ask(app, p, password+"x").is(t, "wrong", 400, "invalid_grant")
				ask(app, person{email: "nobody@example.org"}, password).is(t, "nobody", 400, "invalid_grant")
				s.must(s.door.DisableUser(t.Context(), p.id))
				ask(app, p, password).is(t, "inactive", 400, "invalid_grant")
				ask(s.application(s.person()), s.person(), password).is(t, "client not registered for it", 400, "unauthorized_client")
			})
		})
	}
}

// TestParity27_InactiveOwnerAndUser: an inactive owner's client is refused, an
// inactive user's tokens are dead, and all of it lives again afterwards.
func TestParity27_InactiveOwnerAndUser(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		owner, v := s.person(), s.signIn()
		app := s.application(owner)
		token, personal := v.token(app), v.personalToken("t", "test:scope")
		check := func(what string, alive bool, refresh int, code string) {
			t.Helper()
			s.lives(what, token.AccessToken, alive)
			app.refresh(token.RefreshToken).is(t, what, refresh, code)
		}
		s.must(s.door.DisableUser(t.Context(), owner.id))
		check("owner inactive", false, 401, "invalid_client")
		s.lives("a token without that client", personal, true)
		s.must(s.door.EnableUser(t.Context(), owner.id))
		s.must(s.door.DisableUser(t.Context(), v.id))
		check("user inactive", false, 400, "invalid_grant")
		s.lives("user inactive", personal, false)
		if page := s.visitor(v.person).open("/login/"); page.Status != 200 {
			t.Errorf("login: %v", page)
		} else if page = v.submit(page.Form().Set("username", v.email).Set("password", password)); page.Status != 422 {
			t.Errorf("an inactive user signs in: %v", page)
		}
		s.must(s.door.EnableUser(t.Context(), v.id))
		s.lives("active again", token.AccessToken, true)
		s.lives("active again", personal, true)
		app.refresh(token.RefreshToken).is(t, "active again", 200, "")
	})
}

// TestParity13f_OneTokenPerClient: two browsers of one person are two
// authorizations, and end one by one; with the switch there is one token of a
// client and a person, and the newest wins. Personal tokens and other clients'
// are left alone.
func TestParity13f_OneTokenPerClient(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app, other, v := s.application(s.person()), s.application(s.person()), s.signIn()
		personal, beside := v.personalToken("t", "test:scope"), v.token(other)
		first, second := v.token(app), v.token(app)
		s.lives("first", first.AccessToken, !s.compat)
		app.refresh(first.RefreshToken).is(t, "first, refresh", either(s, 200, 400), either(s, "", "invalid_grant"))
		s.lives("second", second.AccessToken, true)
		s.lives("personal", personal, true)
		s.lives("another client's", beside.AccessToken, true)
		s.lives("another person's", s.signIn().token(app).AccessToken, true)
		s.lives("second, after another person's", second.AccessToken, true)
	})
}

// TestParity13n_ReplayRevokes: a code that comes twice ends what it began; an
// exchange that failed leaves it as it was.
func TestParity13n_ReplayRevokes(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app, v := s.application(s.person()), s.signIn()
		code := v.code(app)
		first := app.redeem(code)
		first.is(t, "first", 200, "")
		app.redeem(code).is(t, "again", 400, "invalid_grant")
		s.lives("after the replay", first.text("access_token"), false)
		app.refresh(first.text("refresh_token")).is(t, "after the replay", 400, "invalid_grant")
	})
}

// TestParity58_DefaultsOfTheServer: an hour, the three grants and that of devices,
// one response type; the switches show in the metadata.
func TestParity58_DefaultsOfTheServer(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		u, err := url.Parse(s.url)
		s.must(err)
		s.url = u.Scheme + "://" + u.Host
		doc := s.send(http.MethodGet, "/.well-known/oauth-authorization-server", nil).json()
		list := func(name string) (out []string) {
			for _, v := range doc[name].([]any) {
				out = append(out, v.(string))
			}
			slices.Sort(out)
			return out
		}
		if got, want := list("grant_types_supported"), either(s, []string{"authorization_code", "client_credentials", "refresh_token", oauth.GrantDeviceCode},
			[]string{"authorization_code", "client_credentials", "implicit", "refresh_token", oauth.GrantDeviceCode}); !slices.Equal(got, want) {
			t.Errorf("grant types: got %v, want %v", got, want)
		}
		if got, want := list("response_types_supported"), either(s, []string{"code"}, []string{"code", "id_token", "id_token token", "token"}); !slices.Equal(got, want) {
			t.Errorf("response types: got %v, want %v", got, want)
		}
	})
}

// TestParity23_PublicClientsNeedNoSecret: nor do they have one, and they get a
// refresh token.
func TestParity23_PublicClientsNeedNoSecret(t *testing.T) {
	both(t, func(t *testing.T, s *site) {
		app, v := s.application(s.person(), public), s.signIn()
		token, err := app.Exchange(app.context(), v.code(app), oauth2.VerifierOption(verifier))
		if err != nil || app.ClientSecret != "" || token.RefreshToken == "" {
			t.Errorf("secret %q, token %+v, %v", app.ClientSecret, token, err)
		}
	})
}
