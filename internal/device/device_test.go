package device_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/device"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

func TestE1_DeviceAuthorizationResponse(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	tv := television(e)
	s := start(t, e, tv)
	if !regexp.MustCompile(`^vk_dc_[0-9A-Za-z]{58}$`).MatchString(s.DeviceCode) {
		t.Errorf("device_code %q", s.DeviceCode)
	}
	if !regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`).MatchString(s.UserCode) {
		t.Errorf("user_code %q", s.UserCode)
	}
	if s.VerificationURI != oauthtest.Issuer+"/device" || s.VerificationURIComplete != oauthtest.Issuer+"/device?user_code="+s.UserCode {
		t.Errorf("verification URIs %q, %q", s.VerificationURI, s.VerificationURIComplete)
	}
	if s.ExpiresIn != 600 || s.Interval != 5 {
		t.Errorf("expires in %d, interval %d", s.ExpiresIn, s.Interval)
	}
	if s.Header.Get("Cache-Control") != "no-store" || s.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("headers %v", s.Header)
	}
	if other := start(t, e, tv); other.DeviceCode == s.DeviceCode || other.UserCode == s.UserCode {
		t.Error("two requests get one code")
	}
	if !strings.Contains(e.Read(mustRequest(t, e.URL+"/.well-known/oauth-authorization-server")).Body, `"device_authorization_endpoint":"`+oauthtest.Issuer+device.Path+`"`) {
		t.Error("the metadata does not name the endpoint")
	}
}

func mustRequest(t *testing.T, address string) *http.Request {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func TestE1_DeviceAuthorizationRefusals(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{Configure: func(c *valetkey.Config) {
		c.Resources = []oauth.Resource{{URI: "https://api.example"}}
	}})
	tv := television(e)
	secretive := e.AddClient(oauth.Client{Type: oauth.WebApplication, GrantTypes: []string{deviceGrant}})
	guessing := secretive
	guessing.Secret = "vk_cs_wrong"
	disabled := e.AddClient(oauth.Client{AuthMethod: oauth.AuthNone, GrantTypes: []string{deviceGrant}, Disabled: true})
	for name, tt := range map[string]struct {
		client oauthtest.Party
		form   []string
		status int
		code   string
	}{
		"public":                  {tv, nil, 200, ""},
		"confidential":            {secretive, nil, 200, ""},
		"a resource":              {tv, []string{"resource", "https://API.example/"}, 200, ""},
		"another grant's client":  {e.Native(), nil, 400, "unauthorized_client"},
		"wrong secret":            {guessing, nil, 401, "invalid_client"},
		"no secret":               {oauthtest.Party{Client: &oauth.Client{ID: secretive.ID, AuthMethod: oauth.AuthNone}}, nil, 401, "invalid_client"},
		"unknown client":          {oauthtest.Party{Client: &oauth.Client{ID: "nobody", AuthMethod: oauth.AuthNone}}, nil, 401, "invalid_client"},
		"disabled client":         {disabled, nil, 401, "invalid_client"},
		"unknown scope":           {tv, []string{"scope", "nope"}, 400, "invalid_scope"},
		"internal scope":          {tv, []string{"scope", "secret:scope"}, 400, "invalid_scope"},
		"malformed scope":         {tv, []string{"scope", "a  b"}, 400, "invalid_scope"},
		"unknown resource":        {tv, []string{"resource", "https://elsewhere.example"}, 400, "invalid_target"},
		"resource with fragment":  {tv, []string{"resource", "https://api.example#x"}, 400, "invalid_target"},
		"a parameter nobody uses": {tv, []string{"nonce", "n"}, 200, ""},
	} {
		s := try(t, e, tt.client, tt.form...)
		if s.StatusCode != tt.status || s.Error != tt.code {
			t.Errorf("%s: got %d %q (%s), want %d %q", name, s.StatusCode, s.Error, s.Description, tt.status, tt.code)
		}
		if s.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: the answer may be kept", name)
		}
	}
	twice := e.Post(device.Path, url.Values{"client_id": {tv.ID}, "scope": {"records:read", "records:write"}})
	twice.Want(t, 400, "invalid_request")
	if r := e.Anonymous().Do(http.MethodGet, device.Path+"?client_id="+tv.ID, nil); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", r.StatusCode)
	}
}

func TestE1_Polling(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	tv := television(e)
	s := start(t, e, tv)

	poll(e, tv, s.DeviceCode).Want(t, 400, "authorization_pending") // the first may come at once
	e.Clock.Move(5 * time.Second)
	poll(e, tv, s.DeviceCode).Want(t, 400, "authorization_pending")
	e.Clock.Move(4600 * time.Millisecond) // the network took less time than before
	poll(e, tv, s.DeviceCode).Want(t, 400, "authorization_pending")
	e.Clock.Move(4 * time.Second)
	poll(e, tv, s.DeviceCode).Want(t, 400, "slow_down")
	e.Clock.Move(9 * time.Second) // five would have done before
	slow := poll(e, tv, s.DeviceCode)
	slow.Want(t, 400, "slow_down")
	if !strings.Contains(slow.Description, "15 seconds") || slow.Header.Get("Retry-After") != "" {
		t.Errorf("said %q, Retry-After %q", slow.Description, slow.Header.Get("Retry-After"))
	}
	e.Clock.Move(15 * time.Second)
	poll(e, tv, s.DeviceCode).Want(t, 400, "authorization_pending")

	allow(t, e.SignIn("alice"), s.UserCode)
	got := poll(e, tv, s.DeviceCode) // what is there is given, however soon
	got.Want(t, 200, "")
	if got.Scope != "records:read" || got.AccessToken == "" || got.RefreshToken == "" || got.TokenType != "Bearer" {
		t.Errorf("got %+v", got)
	}
	e.Token(tv, oauthtest.Refresh(got.RefreshToken)).Want(t, 200, "")
	grants, err := e.Store.LiveGrants(t.Context(), "alice", tv.ID)
	if err != nil || len(grants) != 1 || !slices.Equal(grants[0].Scopes, []string{"records:read"}) {
		t.Fatalf("grants %+v, %v", grants, err)
	}
	if a := grants[0].Authentication; a.AuthTime.IsZero() || a.SID != "" {
		t.Errorf("authentication %+v: want the time of the sign-in, and no session that could end", a)
	}
	if list := events(t, e, oauth.EventDeviceApproved); len(list) != 1 || list[0].Subject != "alice" || list[0].ClientID != tv.ID {
		t.Errorf("events %+v", list)
	}
}

// A client without the refresh token grant gets no refresh token, and without
// openid there is no ID token.
func TestE1_OnlyWhatTheClientIsRegisteredFor(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	tv := e.AddClient(oauth.Client{AuthMethod: oauth.AuthNone, GrantTypes: []string{deviceGrant}})
	s := start(t, e, tv)
	allow(t, e.SignIn("alice"), s.UserCode)
	got := poll(e, tv, s.DeviceCode)
	if got.StatusCode != 200 || got.RefreshToken != "" || strings.Contains(got.Body, "id_token") {
		t.Errorf("got %s", got.Body)
	}
}

func TestE1_TokenRefusals(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	tv, other := television(e), television(e)
	s := start(t, e, tv)
	for name, tt := range map[string]struct {
		client oauthtest.Party
		code   string
		status int
		want   string
	}{
		"another client":    {other, s.DeviceCode, 400, "invalid_grant"},
		"forged":            {tv, e.Forge(s.DeviceCode), 400, "invalid_grant"},
		"malformed":         {tv, "x", 400, "invalid_grant"},
		"the user code":     {tv, s.UserCode, 400, "invalid_grant"},
		"another kind":      {tv, strings.Replace(s.DeviceCode, "_dc_", "_ac_", 1), 400, "invalid_grant"},
		"none":              {tv, "", 400, "invalid_request"},
		"not registered":    {e.Native(), s.DeviceCode, 400, "unauthorized_client"},
		"a made-up old one": {tv, string(e.Mint.Draw(mint.DeviceCode, e.Clock.Now().Add(-time.Hour)).Secret), 400, "expired_token"},
	} {
		if got := poll(e, tt.client, tt.code); got.StatusCode != tt.status || got.Error != tt.want {
			t.Errorf("%s: got %d %q (%s), want %d %q", name, got.StatusCode, got.Error, got.Description, tt.status, tt.want)
		}
	}
	poll(e, tv, s.DeviceCode).Want(t, 400, "authorization_pending")
	poll(e, tv, s.DeviceCode).Want(t, 400, "slow_down")
	in := e.Post("/oauth/token?device_code="+s.DeviceCode, url.Values{"client_id": {tv.ID}, "grant_type": {deviceGrant}})
	in.Want(t, 400, "invalid_request")

	// Nobody else's poll has changed anything.
	allow(t, e.SignIn("alice"), s.UserCode)
	poll(e, other, s.DeviceCode).Want(t, 400, "invalid_grant")
	poll(e, tv, s.DeviceCode).Want(t, 200, "")
}

func TestE1_Denied(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	tv := television(e)
	s := start(t, e, tv)
	alice := e.SignIn("alice")
	page := enter(alice, s.UserCode)
	wantWords(t, "denied", answer(alice, page, "no"), 200, "Nothing was allowed", "Living-room TV was not signed in")
	for range 2 {
		poll(e, tv, s.DeviceCode).Want(t, 400, "access_denied")
	}
	if list := events(t, e, oauth.EventDeviceDenied); len(list) != 1 || list[0].Subject != "alice" {
		t.Errorf("events %+v", list)
	}
	wantWords(t, "again", enter(alice, s.UserCode), 422, notValid)
	wantWords(t, "yes after no", answer(alice, page, "yes"), 200, "Nothing was allowed")
	poll(e, tv, s.DeviceCode).Want(t, 400, "access_denied")
	if grants, err := e.Store.LiveGrants(t.Context(), "alice", tv.ID); err != nil || len(grants) != 0 {
		t.Errorf("grants %v, %v", grants, err)
	}
}

func TestE1_Expired(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	tv := television(e)
	alice := e.SignIn("alice")
	s, late := start(t, e, tv), start(t, e, tv)
	page := enter(alice, s.UserCode)
	allow(t, alice, late.UserCode)
	e.Clock.Move(10*time.Minute - time.Microsecond)
	poll(e, tv, s.DeviceCode).Want(t, 400, "authorization_pending")
	e.Clock.Move(time.Microsecond)
	for range 2 { // before the row is purged, and after
		poll(e, tv, s.DeviceCode).Want(t, 400, "expired_token")
		poll(e, tv, late.DeviceCode).Want(t, 400, "expired_token")
		wantWords(t, "typed", enter(e.SignIn("alice"), s.UserCode), 422, notValid)
		wantWords(t, "answered", answer(alice, page, "yes"), 400, "The code has expired")
		e.Settle()
	}
}

func TestE1_ReplayRevokesTheGrant(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	tv, rs := television(e), e.Web()
	s := start(t, e, tv)
	allow(t, e.SignIn("alice"), s.UserCode)
	got := poll(e, tv, s.DeviceCode)
	if !e.Active(rs, got.AccessToken) {
		t.Fatal("the access token is dead")
	}
	poll(e, television(e), s.DeviceCode).Want(t, 400, "invalid_grant")
	if !e.Active(rs, got.AccessToken) {
		t.Fatal("a stranger's poll killed the token")
	}
	poll(e, tv, s.DeviceCode).Want(t, 400, "invalid_grant")
	if e.Active(rs, got.AccessToken) || len(events(t, e, oauth.EventCodeReplayed)) != 1 {
		t.Error("the grant lives on after its device code was used twice")
	}
	e.Token(tv, oauthtest.Refresh(got.RefreshToken)).Want(t, 400, "invalid_grant")
}

// What was allowed counts only while everybody in it is alive.
func TestM75_DeviceOfTheDisabled(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	tv := television(e)
	s, revoked := start(t, e, tv), start(t, e, tv)
	alice := e.SignIn("alice")
	allow(t, alice, s.UserCode)
	allow(t, alice, revoked.UserCode)
	e.Users.Change("alice", func(u *oauth.User) { u.Disabled = true })
	poll(e, tv, s.DeviceCode).Want(t, 400, "invalid_grant")
	wantWords(t, "the page", alice.Do(http.MethodGet, "/device", nil), 403, "not active")
	wantWords(t, "a code", enter(alice, s.UserCode), 403, "not active")
	e.Users.Change("alice", func(u *oauth.User) { u.Disabled = false })
	poll(e, tv, s.DeviceCode).Want(t, 200, "")

	if _, err := e.Store.RevokeGrants(t.Context(), "alice", tv.ID, "", e.Clock.Now()); err != nil {
		t.Fatal(err)
	}
	poll(e, tv, revoked.DeviceCode).Want(t, 400, "invalid_grant")
	again := start(t, e, tv)
	page := enter(alice, again.UserCode)
	tv.Disabled = true
	if err := e.Store.UpdateClient(t.Context(), tv.Client); err != nil {
		t.Fatal(err)
	}
	poll(e, tv, again.DeviceCode).Want(t, 401, "invalid_client")
	wantWords(t, "a disabled client", answer(alice, page, "yes"), 409, "changed or removed")
	wantWords(t, "its code", enter(alice, again.UserCode), 422, notValid)
}

// The tokens are for the resources that the person was asked about, or for less.
func TestE1_Resources(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{Configure: func(c *valetkey.Config) {
		c.Resources = []oauth.Resource{{URI: "https://api.example", Name: "Archive"}, {URI: "https://other.example"}}
	}})
	tv := television(e)
	s := start(t, e, tv, "resource", "https://api.example/")
	alice := e.SignIn("alice")
	wantWords(t, "the question", enter(alice, s.UserCode), 200, "Archive")
	allow(t, alice, s.UserCode)
	got := poll(e, tv, s.DeviceCode)
	got.Want(t, 200, "")
	grants, err := e.Store.LiveGrants(t.Context(), "alice", tv.ID)
	if err != nil || len(grants) != 1 || !slices.Equal(grants[0].Resources, []string{"https://api.example"}) {
		t.Errorf("grants %+v, %v", grants, err)
	}
}

func TestParseUserCode(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"WDJB-MJHT": "WDJBMJHT", "wdjbmjht": "WDJBMJHT", " wdjb  mjht\r\n": "WDJBMJHT", "W-D-J-B-M-J-H-T": "WDJBMJHT",
		"WDJB–MJHT": "WDJBMJHT", "wdjb\u2011mjht": "WDJBMJHT", "wdjb.mjht": "WDJBMJHT",
		"": "", "WDJB-MJH": "", "WDJB-MJHTX": "", "ADJB-MJHT": "", "WDJB-MJH7": "", "ВDJB-MJHT": "", "WDJB/MJHT": "", "WDJB-MJHT\x00": "",
	} {
		got, ok := device.ParseUserCode(typed)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q: got %q, %v; want %q", typed, got, ok, want)
		}
	}
	if got := device.FormatUserCode("WDJBMJHT"); got != "WDJB-MJHT" {
		t.Errorf("got %q", got)
	}
}

func FuzzUserCode(f *testing.F) {
	for _, seed := range []string{"", "WDJB-MJHT", "wdjb mjht", "\xff", "WDJB\x00MJHT", strings.Repeat("-", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := device.ParseUserCode(typed)
		if !ok {
			return
		}
		if len(code) != mint.UserCodeLen || strings.Trim(code, mint.UserCodeAlphabet) != "" {
			t.Fatalf("%q: got %q", typed, code)
		}
		if again, ok := device.ParseUserCode(device.FormatUserCode(code)); !ok || again != code {
			t.Fatalf("%q: printed and read again: %q, %v", typed, again, ok)
		}
	})
}

// Anybody who knows a public client's id may ask for its codes, but not without end.
func TestCodesForStrangersAreBounded(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{})
	tv := television(e)
	ask := func() oauthtest.TokenReply { return e.As(tv, device.Path, url.Values{}) }
	n, reply := 0, ask()
	for ; reply.StatusCode == http.StatusOK && n < 1000; n++ {
		reply = ask()
	}
	reply.Want(t, http.StatusTooManyRequests, "slow_down")
	if reply.Header.Get("Retry-After") == "" || n < 100 {
		t.Errorf("after %d: Retry-After %q", n, reply.Header.Get("Retry-After"))
	}
	e.Clock.Move(time.Second)
	if reply := ask(); reply.StatusCode != http.StatusOK {
		t.Errorf("a moment later: got %d %s", reply.StatusCode, reply.Body)
	}
}
