// Package storetest is the storage contract as a suite. Every driver runs it:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store { return open(t) })
//	}
//
// It goes through the contract of package store verb by verb, and then does
// what happens to stores in life: many callers at once for what may succeed
// once, transactions that fail halfway, ids that mean something to SQL, things
// that expire at the very instant somebody looks.
package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Run runs the suite. open returns an empty store, another one at each call,
// and cleans up by t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, group := range []struct {
		name  string
		tests map[string]func(*testing.T, *suite)
	}{
		{"Clients", clientTests},
		{"Grants", grantTests},
		{"Tokens", tokenTests},
		{"Requests", requestTests},
		{"Devices", deviceTests},
		{"Sessions", sessionTests},
		{"Keys", keyTests},
		{"Events", eventTests},
		{"Changes", changeTests},
		{"Races", raceTests},
		{"Transactions", transactionTests},
		{"Purge", purgeTests},
		{"Values", valueTests},
		{"Filled", filledTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for name, test := range group.tests {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(t, &suite{Store: open(t), t: t, ctx: t.Context()})
				})
			}
		})
	}
}

// suite is a store with shorthands that end the test when they fail.
type suite struct {
	store.Store
	t   *testing.T
	ctx context.Context
}

// start is when every test begins, in the precision that stores keep.
var start = time.Date(2026, 3, 29, 1, 59, 59, 123456000, time.UTC)

func hash(s string) oauth.Hash { return sha256.Sum256([]byte(s)) }

func (s *suite) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("got error %v, want none", err)
	}
}

// want checks an error by errors.Is; nil wants none.
func (s *suite) want(err, want error) {
	s.t.Helper()
	if want == nil && err != nil || !errors.Is(err, want) {
		s.t.Fatalf("got error %v, want %v", err, want)
	}
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %s\nwant %s", show(got), show(want))
	}
}

func show(v any) string {
	if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && !r.IsNil() {
		return fmt.Sprintf("%+v", r.Elem())
	}
	return fmt.Sprintf("%+v", v)
}

// ids lists the ids of rows in order.
func ids[V any](rows []V, id func(V) string) []string {
	out := []string{}
	for _, r := range rows {
		out = append(out, id(r))
	}
	return out
}

func tokenID(t *oauth.Token) string   { return t.ID }
func grantID(g *oauth.Grant) string   { return g.ID }
func clientID(c *oauth.Client) string { return c.ID }
func eventID(e *oauth.Event) string   { return e.ID }

func (s *suite) client(id string) *oauth.Client {
	s.t.Helper()
	c := &oauth.Client{ID: id, Type: oauth.WebApplication, Name: "Client " + id, AuthMethod: oauth.AuthBasic,
		RedirectURIs: []string{"https://client.example/cb"}, GrantTypes: []string{oauth.GrantAuthorizationCode},
		CreatedAt: start, UpdatedAt: start}
	s.must(s.CreateClient(s.ctx, c))
	return c
}

func (s *suite) grant(id, client, subject string) *oauth.Grant {
	s.t.Helper()
	g := &oauth.Grant{ID: id, ClientID: client, Subject: subject, Scopes: []string{"records:read", "records:write"}, CreatedAt: start}
	s.must(s.CreateGrant(s.ctx, g))
	return g
}

func (s *suite) code(id string, g *oauth.Grant) *oauth.AuthorizationCode {
	s.t.Helper()
	c := &oauth.AuthorizationCode{ID: id, Hash: hash(id), GrantID: g.ID, ClientID: g.ClientID, Subject: g.Subject,
		Scopes: g.Scopes, RedirectURI: "https://client.example/cb", CodeChallenge: "challenge", IssuedAt: start, ExpiresAt: start.Add(time.Minute)}
	s.must(s.CreateCode(s.ctx, c))
	return c
}

func (s *suite) token(id string, kind oauth.TokenKind, g *oauth.Grant) *oauth.Token {
	s.t.Helper()
	t := &oauth.Token{ID: id, Kind: kind, Hash: hash(id), GrantID: g.ID, ClientID: g.ClientID, Subject: g.Subject,
		Scopes: g.Scopes, IssuedAt: start, ExpiresAt: start.Add(time.Hour)}
	s.must(s.CreateToken(s.ctx, t))
	return t
}

func (s *suite) personal(id, subject string) *oauth.Token {
	s.t.Helper()
	t := &oauth.Token{ID: id, Kind: oauth.PersonalToken, Hash: hash(id), Subject: subject, Name: "Token " + id,
		Scopes: []string{"records:read"}, Hint: "wxyz", IssuedAt: start}
	s.must(s.CreateToken(s.ctx, t))
	return t
}

func (s *suite) request(id, client, subject string) *oauth.AuthorizationRequest {
	s.t.Helper()
	r := &oauth.AuthorizationRequest{ID: id, SessionID: "session", Subject: subject, ClientID: client,
		ResponseType: oauth.ResponseTypeCode, RedirectURI: "https://client.example/cb", RedirectURISent: true,
		Scopes: []string{"records:read"}, State: "a=b&c", CodeChallenge: "challenge", CreatedAt: start, ExpiresAt: start.Add(10 * time.Minute)}
	s.must(s.CreateRequest(s.ctx, r))
	return r
}

// race calls fn from n goroutines at the same moment and returns their answers.
func race(n int, fn func(i int) error) []error {
	errs := make([]error, n)
	gate := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-gate
			errs[i] = fn(i)
		})
	}
	close(gate)
	wg.Wait()
	return errs
}

// oneWins checks that one answer is nil and all others are loser.
func (s *suite) oneWins(errs []error, loser error) (winner int) {
	s.t.Helper()
	winner = -1
	for i, err := range errs {
		switch {
		case err == nil && winner < 0:
			winner = i
		case err == nil:
			s.t.Fatalf("both %d and %d of %d callers won", winner, i, len(errs))
		case !errors.Is(err, loser):
			s.t.Fatalf("caller %d: got error %v, want %v", i, err, loser)
		}
	}
	if winner < 0 {
		s.t.Fatalf("none of %d callers won", len(errs))
	}
	return winner
}
