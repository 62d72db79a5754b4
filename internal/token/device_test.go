package token_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/grant"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/internal/target"
	"github.com/valetkey/valetkey/internal/token"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// What a device is given follows from what the person allowed: the ID token from
// how they were signed in then, the resources from what they were asked about.
func TestE1_WhatTheDeviceGets(t *testing.T) {
	t.Parallel()
	e := oauthtest.New(t, oauthtest.Options{Configure: func(c *valetkey.Config) {
		c.Keyring = keyring.Line("test")
		c.Resources = []oauth.Resource{{URI: "https://a.example"}, {URI: "https://b.example"}}
	}})
	tv := e.AddClient(oauth.Client{AuthMethod: oauth.AuthNone, GrantTypes: []string{oauth.GrantDeviceCode}})
	targets, err := target.New(oauthtest.Issuer, []oauth.Resource{{URI: "https://a.example"}, {URI: "https://b.example"}, {URI: "https://c.example"}})
	if err != nil {
		t.Fatal(err)
	}
	handler := token.DeviceCode{Mint: e.Mint, Targets: targets, Life: 10 * time.Minute}

	begun := e.As(tv, "/oauth/device_authorization", url.Values{"scope": {"openid records:read"}, "resource": {"https://a.example", "https://b.example"}})
	var codes struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
	}
	if err := json.Unmarshal([]byte(begun.Body), &codes); err != nil || codes.DeviceCode == "" {
		t.Fatalf("%v: %s", err, begun.Body)
	}
	alice := e.SignIn("alice")
	signedIn := e.Clock.Now()
	alice.Session(func(s *oauth.Session) { s.AMR, s.ACR, s.SID = []string{"pwd"}, "urn:example:1", "sid" })
	e.Clock.Move(time.Minute)
	page := alice.Do(http.MethodPost, "/device", url.Values{"user_code": {codes.UserCode}})
	if r := alice.Do(http.MethodPost, "/device/confirm", url.Values{"request": {page.RequestID()}, "confirm": {"yes"}}); r.StatusCode != 200 {
		t.Fatalf("%d %s", r.StatusCode, r.Body)
	}

	user, err := e.Users.User(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	poll := func(u *oauth.User, resources ...string) (is *grant.Issue, refusal error) {
		r := &grant.Request{Client: tv.Client, User: u, Form: map[string]string{"device_code": codes.DeviceCode}, Resources: resources, Now: e.Clock.Now()}
		if err := e.Store.InTx(t.Context(), func(ctx context.Context, tx store.Store) error {
			is, refusal = handler.Grant(ctx, tx, r)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return is, refusal
	}
	// A poll that began before the person allowed it has nobody to issue for yet.
	if _, err := poll(nil); !is(err, oauth.AuthorizationPending) {
		t.Errorf("for nobody: %v", err)
	}
	if _, err := poll(user, "https://c.example"); !is(err, oauth.InvalidTarget) {
		t.Errorf("more than was asked for: %v", err)
	}
	issue, err := poll(user, "https://b.example")
	if err != nil {
		t.Fatal(err)
	}
	if issue.Subject != "alice" || issue.GrantID == "" || issue.Refresh || !slices.Equal(issue.Resources, []string{"https://b.example"}) || !slices.Equal(issue.Scopes, []string{"openid", "records:read"}) {
		t.Errorf("issue %+v", issue)
	}
	if issue.IDToken == nil {
		t.Fatal("no ID token for openid")
	}
	if a := issue.IDToken.Authentication; !a.AuthTime.Equal(signedIn) || !slices.Equal(a.AMR, []string{"pwd"}) || a.ACR != "urn:example:1" || a.SID != "" || issue.IDToken.Nonce != "" {
		t.Errorf("ID token %+v", issue.IDToken)
	}
}

func is(err error, code oauth.ErrorCode) bool {
	refusal, ok := err.(*oauth.Error)
	return ok && refusal.Code == code
}
