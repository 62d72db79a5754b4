package nodes

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/internal/livetest"
)

// No flow needs one node to remember what another has done.
func TestNoStickiness(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := w.ctx()

	// Three times, so that each step is each node's once.
	for range 3 {
		tok := w.token()
		for node := range w.addrs {
			want(t, "the token of the code flow", w.introspect(node, tok.AccessToken), "active")
			want(t, "ping", w.ping(node, tok.AccessToken), http.StatusOK)
		}
		for range 3 {
			next, err := w.app.TokenSource(ctx, &oauth2.Token{RefreshToken: tok.RefreshToken}).Token()
			must(t, err)
			tok = next
			want(t, "the refreshed token", w.introspect(-1, tok.AccessToken), "active")
		}
	}
	t.Run("Replay", func(t *testing.T) { testReplay(t, w) })
	t.Run("PushedRequest", func(t *testing.T) { testPushed(t, w) })
	t.Run("Device", func(t *testing.T) { testDevice(t, w) })
	t.Run("Keys", func(t *testing.T) { testKeys(t, w) })
	t.Run("SignOut", func(t *testing.T) { testSignOut(t, w) })
	t.Run("WrongPasswords", func(t *testing.T) { testWrongPasswords(t, w) })
}

// A code that one node has redeemed is used on every other; its second use kills
// what came of it everywhere.
func testReplay(t *testing.T, w *world) {
	verifier := oauth2.GenerateVerifier()
	code, err := w.visitor().Authorize(w.app, verifier)
	must(t, err)
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {livetest.RedirectURI}, "code_verifier": {verifier}}
	status, tok := w.post(first, w.app, "/oauth/token", form)
	want(t, "redeeming the code", status, http.StatusOK)
	access, _ := tok["access_token"].(string)
	want(t, "its token", w.introspect(second, access), "active")
	status, answer := w.post(second, w.app, "/oauth/token", form)
	want(t, "redeeming it again elsewhere", status, http.StatusBadRequest)
	want(t, "redeeming it again elsewhere", answer["error"], any("invalid_grant"))
	want(t, "its token, where the replay was seen", w.introspect(second, access), "inactive")
	time.Sleep(bound)
	for node := range w.addrs {
		want(t, "its token", w.introspect(node, access), "inactive")
	}
}

func testPushed(t *testing.T, w *world) {
	verifier := oauth2.GenerateVerifier()
	status, answer := w.post(-1, w.app, "/oauth/par", url.Values{"response_type": {"code"}, "redirect_uri": {livetest.RedirectURI},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"}})
	want(t, "pushing a request", status, http.StatusCreated)
	uri, _ := answer["request_uri"].(string)
	page, err := w.signIn(w.visitor(), w.site.Issuer+"/oauth/authorize?"+url.Values{"client_id": {w.app.ClientID}, "request_uri": {uri}}.Encode())
	must(t, err)
	if page.Location == nil || page.Location.Query().Get("code") == "" {
		t.Fatalf("the pushed request leads to %v", page)
	}
	_, err = w.app.Exchange(w.ctx(), page.Location.Query().Get("code"), oauth2.VerifierOption(verifier))
	must(t, err)
}

// signIn opens a page and answers the forms it leads to.
func (w *world) signIn(v *livetest.Visitor, address string) (*browser.Page, error) {
	page, err := v.Open(address)
	for range 5 {
		if err != nil || page.Location != nil || page.Form() == nil {
			break
		}
		form := page.Form()
		if form.Values.Has("password") {
			form.Set("username", v.Person.Email).Set("password", v.Person.Password)
		}
		page, err = v.Send(form)
	}
	return page, err
}

func testDevice(t *testing.T, w *world) {
	status, answer := w.post(-1, w.app, "/oauth/device_authorization", url.Values{})
	want(t, "asking for a device code", status, http.StatusOK)
	code, _ := answer["device_code"].(string)
	poll := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {code}}
	status, early := w.post(-1, w.app, "/oauth/token", poll)
	want(t, "polling early", status, http.StatusBadRequest)
	want(t, "polling early", early["error"], any("authorization_pending"))
	complete, _ := answer["verification_uri_complete"].(string)
	page, err := w.signIn(w.visitor(), complete)
	must(t, err)
	interval, _ := answer["interval"].(float64)
	time.Sleep(time.Duration(interval) * time.Second)
	status, tok := w.post(-1, w.app, "/oauth/token", poll)
	if status != http.StatusOK {
		t.Fatalf("polling after the person said yes: %d %v; the person was left at %v", status, tok, page)
	}
	access, _ := tok["access_token"].(string)
	want(t, "the device's token", w.introspect(-1, access), "active")
	if status, _ := w.post(-1, w.app, "/oauth/token", poll); status != http.StatusBadRequest {
		t.Errorf("the device code is redeemed twice: %d", status)
	}
}

// A key that one process makes signs everywhere, and what it signs verifies by
// what every node publishes.
func testKeys(t *testing.T, w *world) {
	app := *w.app
	app.Scopes = []string{"openid"}
	signed := func() string {
		tok, err := w.visitor().Token(w.ctx(), &app)
		must(t, err)
		id, _ := tok.Extra("id_token").(string)
		return id
	}
	verify := func(what, id string) {
		t.Helper()
		jws, err := jose.ParseSignedCompact(id, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
		must(t, err)
		for node := range w.addrs {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.site.Issuer+"/oauth/jwks", nil)
			must(t, err)
			resp, err := w.to(node, r)
			must(t, err)
			var set jose.JSONWebKeySet
			must(t, json.NewDecoder(resp.Body).Decode(&set))
			resp.Body.Close()
			if _, err := jws.Verify(&set); err != nil {
				t.Errorf("%s by the keys of node %d: %v", what, node, err)
			}
		}
	}
	before := signed()
	verify("an ID token", before)
	_, err := w.site.Run(context.Background(), "", "key", "rotate", "--force")
	if err != nil {
		_, err = w.site.Run(context.Background(), "", "key", "rotate")
	}
	must(t, err)
	verify("an ID token from before the rotation", before)
	for range 3 {
		verify("an ID token after the rotation", signed())
	}
}

// Whoever signs out on one node is signed out on all.
func testSignOut(t *testing.T, w *world) {
	v := w.visitor()
	_, err := v.Token(w.ctx(), w.app)
	must(t, err)
	// Somebody has kept the cookies.
	old := w.visitor()
	issuer, err := url.Parse(w.site.Issuer + "/account/settings/applications/")
	must(t, err)
	for _, c := range v.Cookies(issuer) {
		old.Headers.Add("Cookie", c.Name+"="+c.Value)
	}
	signedIn := func(who *livetest.Visitor) bool {
		page, err := who.Open(issuer.String())
		must(t, err)
		return page.Form() == nil || !page.Form().Values.Has("password")
	}
	for range w.addrs {
		want(t, "signed in", signedIn(v), true)
		want(t, "signed in by the same cookies", signedIn(old), true)
	}
	page, err := v.Open(w.site.Issuer + "/oauth/logout")
	must(t, err)
	for range 2 {
		if f := page.Form(); f != nil && !f.Values.Has("password") {
			page, err = v.Send(f)
			must(t, err)
		}
	}
	for range w.addrs {
		want(t, "signed in after signing out", signedIn(old), false)
	}
}

// Guesses are counted together, wherever they go.
func testWrongPasswords(t *testing.T, w *world) {
	v := w.visitor()
	for n := 1; ; n++ {
		page, err := v.Open(w.site.Issuer + "/login/")
		must(t, err)
		form := page.Form()
		if form == nil {
			t.Fatalf("no form to sign in: %v", page)
		}
		page, err = v.Send(form.Set("username", w.alice.Email).Set("password", "wrong "+strings.Repeat("x", n)))
		must(t, err)
		if page.Status == http.StatusTooManyRequests {
			// Five are free (accounts.strangerLimit); each node by itself would let three times as many pass.
			if n < 5 || n > 8 {
				t.Errorf("the %d. wrong password is throttled, want about the sixth", n)
			}
			return
		}
		if n == 16 {
			t.Fatalf("%d wrong passwords, and nobody is throttled: %v", n, page)
		}
	}
}
