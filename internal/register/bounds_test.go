package register_test

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// TestM49_RegistrationsAreBounded: one network cannot fill the database, and what
// nobody uses goes by itself.
func TestM49_RegistrationsAreBounded(t *testing.T) {
	t.Parallel()
	e := engine(t, "open", func(c *valetkey.Config) { c.Registration.Unused = 48 * time.Hour })
	made, slowed := 0, 0
	var last reply
	for i := range 100 {
		r := post(e, doc("client_name", fmt.Sprint("App ", i)))
		switch r.StatusCode {
		case 201:
			made++
			last = r
		case 429:
			slowed++
			if r.Error != "slow_down" || r.Header.Get("Retry-After") == "" {
				t.Fatalf("429: %v %s", r.Header, r.Body)
			}
		default:
			t.Fatalf("got %d %s", r.StatusCode, r.Body)
		}
	}
	if made != 60 || slowed != 40 {
		t.Errorf("%d were made and %d slowed down", made, slowed)
	}
	e.Tokens(e.SignIn("alice"), party(e, last)) // this one is used
	count := func() int {
		clients, err := e.Store.ListClients(context.Background(), store.ClientQuery{}, store.Page{Limit: 200})
		if err != nil {
			t.Fatal(err)
		}
		return len(clients)
	}
	// keepHouse runs the server's housekeeping until that many are left, or a second.
	keepHouse := func(want int) int {
		t.Helper()
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		var house sync.WaitGroup
		house.Go(func() { e.Server.Start(ctx) })
		for ctx.Err() == nil && count() != want {
			time.Sleep(10 * time.Millisecond)
		}
		stop()
		house.Wait()
		return count()
	}
	e.Clock.Move(47 * time.Hour)
	if n := keepHouse(0); n != made {
		t.Errorf("%d of %d are left before their time", n, made)
	}
	fresh := post(e, doc("client_name", "Fresh"))
	e.Clock.Move(2 * time.Hour)
	if n := keepHouse(2); n != 2 {
		t.Errorf("%d are left, want the one in use and the fresh one", n)
	}
	if r := ask(e, "GET", local(fresh), fresh.text("registration_access_token"), nil); r.StatusCode != 200 {
		t.Errorf("the fresh one: %d", r.StatusCode)
	}
	e.Post("/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {"vanished"}}).Want(t, 401, "invalid_client")
}

// TestM49_Privileges: what strangers make up about themselves does nothing, and a
// client that nobody vouches for does not act for itself.
func TestM49_Privileges(t *testing.T) {
	t.Parallel()
	e := engine(t, "open")
	r := post(e, doc("scope", "secret:scope records:read", "grant_types", []string{"authorization_code", "password", "client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"},
		"skip_consent", true, "first_party", true, "client_id", "web", "client_secret", "chosen", "client_secret_expires_at", 1, "owner", "bob", "internal", true))
	c := party(e, r)
	if r.StatusCode != 201 || c.ID == "web" || c.Secret == "chosen" || c.FirstParty || c.Internal || c.Owner != "" ||
		r.text("scope") != "records:read" || len(c.GrantTypes) != 1 || !c.RequirePKCE {
		t.Errorf("%+v: %s", c.Client, r.Body)
	}
	page := e.SignIn("alice").Authorize(oauthtest.Request(c))
	if page.StatusCode != 200 || page.RequestID() == "" {
		t.Errorf("no consent is asked: %d %s", page.StatusCode, page.Body)
	}
	post(e, doc("scope", "secret:scope")).Want(t, 400, "invalid_client_metadata")
	post(e, doc("grant_types", []string{"client_credentials"})).Want(t, 400, "invalid_client_metadata")
	e.Token(c, url.Values{"grant_type": {"client_credentials"}}).Want(t, 400, "unauthorized_client")
}

// TestCertificationProfile: an operator who runs the conformance plans lets clients
// that register themselves leave PKCE out, if they have a secret.
func TestCertificationProfile(t *testing.T) {
	t.Parallel()
	e := engine(t, "open", func(c *valetkey.Config) { c.Registration.Profile = oauth.ProfileCertification })
	c := party(e, post(e, doc()))
	alice := e.SignIn("alice")
	code := alice.Code(c, "code_challenge", "", "code_challenge_method", "")
	if r := e.Token(c, oauthtest.Redemption(c, code, "code_verifier", "")); r.StatusCode != 200 {
		t.Errorf("without PKCE: %d %s", r.StatusCode, r.Body)
	}
	strict := engine(t, "open")
	c = party(strict, post(strict, doc()))
	q := strict.SignIn("alice").Authorize(oauthtest.Request(c, "code_challenge", "", "code_challenge_method", "")).Callback()
	if q.Get("error") != "invalid_request" {
		t.Errorf("the control: %v", q)
	}
}

// TestCORS: applications in a browser may register; nobody else's pages may manage.
func TestCORS(t *testing.T) {
	t.Parallel()
	e := engine(t, "open")
	if r := post(e, doc()); r.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("POST: %v", r.Header)
	}
	r := post(e, doc())
	if got := ask(e, "GET", local(r), r.text("registration_access_token"), nil); got.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("GET: %v", got.Header)
	}
}
