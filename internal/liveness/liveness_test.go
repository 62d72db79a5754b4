package liveness_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// world is a store with a client (owned by olga), a user (ulla) and one token of each sort.
type world struct {
	t     *testing.T
	now   time.Time
	store *counting
	users users
	mint  *mint.Mint
	check *liveness.Checker

	access, personal, own, refresh oauth.Secret
}

type users map[string]*oauth.User

func (u users) User(_ context.Context, subject string) (*oauth.User, error) {
	if found, ok := u[subject]; ok {
		if found == nil {
			return nil, errors.New("the directory is down")
		}
		return found, nil
	}
	return nil, oauth.ErrUserNotFound
}

// counting counts token look-ups.
type counting struct {
	store.Store
	lookups int
	fail    error
}

func (c *counting) Token(ctx context.Context, id string) (*oauth.Token, error) {
	c.lookups++
	if c.fail != nil {
		return nil, c.fail
	}
	return c.Store.Token(ctx, id)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	m, err := mint.New("vk", [][]byte{make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, now: start, store: &counting{Store: memstore.New()}, mint: m,
		users: users{"ulla": {Subject: "ulla"}, "olga": {Subject: "olga"}}}
	w.check = liveness.New(liveness.Config{Store: w.store, Users: w.users, Mint: m, Now: func() time.Time { return w.now }})
	ctx := t.Context()
	w.must(w.store.CreateClient(ctx, &oauth.Client{ID: "app", Owner: "olga", CreatedAt: start}))
	w.must(w.store.CreateGrant(ctx, &oauth.Grant{ID: "grant", ClientID: "app", Subject: "ulla", CreatedAt: start}))
	w.access = w.token(mint.AccessToken, oauth.Token{Kind: oauth.AccessToken, ClientID: "app", GrantID: "grant", Subject: "ulla"})
	w.refresh = w.token(mint.RefreshToken, oauth.Token{Kind: oauth.RefreshToken, ClientID: "app", GrantID: "grant", Subject: "ulla"})
	w.own = w.token(mint.AccessToken, oauth.Token{Kind: oauth.AccessToken, ClientID: "app", Subject: "app"})
	w.personal = w.token(mint.PersonalToken, oauth.Token{Kind: oauth.PersonalToken, Subject: "ulla"})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) token(kind mint.Kind, row oauth.Token) oauth.Secret {
	w.t.Helper()
	d := w.mint.Draw(kind, start)
	row.ID, row.Hash, row.IssuedAt, row.ExpiresAt = d.ID, d.Hash, start, start.Add(time.Hour)
	w.must(w.store.CreateToken(w.t.Context(), &row))
	return d.Secret
}

func (w *world) id(s oauth.Secret) string {
	p, err := w.mint.Parse(s, mint.AccessToken, mint.RefreshToken, mint.PersonalToken)
	w.must(err)
	return p.ID
}

// TestToken kills what a token depends on, one thing at a time, and says which
// tokens must survive it.
func TestToken(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	disabled := &oauth.User{Disabled: true}
	tests := []struct {
		name                       string
		kill                       func(w *world)
		access, personal, ownToken bool
	}{
		{"nothing", func(*world) {}, true, true, true},
		{"a moment before expiry", func(w *world) { w.now = start.Add(time.Hour - time.Microsecond) }, true, true, true},
		{"at expiry", func(w *world) { w.now = start.Add(time.Hour) }, false, false, false},
		{"token revoked", func(w *world) { w.must(w.store.RevokeToken(ctx, w.id(w.access), w.now)) }, false, true, true},
		{"grant revoked", func(w *world) { w.must(w.store.RevokeGrant(ctx, "grant", w.now)) }, false, true, true},
		{"client disabled", func(w *world) {
			w.must(w.store.UpdateClient(ctx, &oauth.Client{ID: "app", Owner: "olga", Disabled: true}))
		}, false, true, false},
		{"client deleted", func(w *world) { w.must(w.store.DeleteClient(ctx, "app")) }, false, true, false},
		{"owner disabled", func(w *world) { w.users["olga"] = disabled }, false, true, false},
		{"owner deleted", func(w *world) { delete(w.users, "olga") }, false, true, false},
		{"user disabled", func(w *world) { w.users["ulla"] = disabled }, false, false, true},
		{"user deleted", func(w *world) { delete(w.users, "ulla") }, false, false, true},
		{"user disabled and enabled again", func(w *world) {
			w.users["ulla"] = disabled
			if _, err := w.check.Token(ctx, w.access); !errors.Is(err, liveness.ErrDead) {
				w.t.Errorf("while disabled: got %v, want ErrDead", err)
			}
			w.users["ulla"] = &oauth.User{Subject: "ulla"}
		}, true, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tt.kill(w)
			for _, c := range []struct {
				name  string
				token oauth.Secret
				want  bool
			}{{"access", w.access, tt.access}, {"personal", w.personal, tt.personal}, {"client's own", w.own, tt.ownToken}} {
				_, err := w.check.Token(ctx, c.token)
				if err != nil && !errors.Is(err, liveness.ErrDead) {
					t.Errorf("%s token: fault %v", c.name, err)
				}
				if got := err == nil; got != c.want {
					t.Errorf("%s token: alive %t (%v), want %t", c.name, got, err, c.want)
				}
			}
		})
	}
}

func TestTokenTellsWhose(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		name         string
		token        oauth.Secret
		client, user string
	}{{"access", w.access, "app", "ulla"}, {"personal", w.personal, "", "ulla"}, {"client's own", w.own, "app", ""}} {
		live, err := w.check.Token(t.Context(), tt.token)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var client, user string
		if live.Client != nil {
			client = live.Client.ID
		}
		if live.User != nil {
			user = live.User.Subject
		}
		if client != tt.client || user != tt.user {
			t.Errorf("%s: got client %q and user %q, want %q and %q", tt.name, client, user, tt.client, tt.user)
		}
	}
}

// A user called like a client is no way to be a client: a token with a grant
// always has a user.
func TestTokenOfUserNamedLikeClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.store.CreateGrant(t.Context(), &oauth.Grant{ID: "odd", ClientID: "app", Subject: "app", CreatedAt: start}))
	s := w.token(mint.AccessToken, oauth.Token{Kind: oauth.AccessToken, ClientID: "app", GrantID: "odd", Subject: "app"})
	if _, err := w.check.Token(t.Context(), s); !errors.Is(err, liveness.ErrDead) {
		t.Errorf("no user app: got %v, want ErrDead", err)
	}
}

func TestTokenKinds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.check.Token(t.Context(), w.refresh); !errors.Is(err, liveness.ErrDead) {
		t.Errorf("refresh token as access token: got %v, want ErrDead", err)
	}
	if _, err := w.check.Token(t.Context(), w.refresh, mint.RefreshToken); err != nil {
		t.Errorf("refresh token as itself: %v", err)
	}
	if _, err := w.check.Token(t.Context(), w.access, mint.RefreshToken); !errors.Is(err, liveness.ErrDead) {
		t.Errorf("access token as refresh token: got %v, want ErrDead", err)
	}
}

// TestM65_MutilatedTokens cuts, lengthens and alters a token in every way that
// is one step away from it. None may be alive, and none may cost a query except
// by the accident of a right checksum.
func TestM65_MutilatedTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, whole := range []oauth.Secret{w.access, w.personal} {
		for name, s := range mutilations(string(whole)) {
			if _, err := w.check.Token(t.Context(), oauth.Secret(s)); !errors.Is(err, liveness.ErrDead) {
				t.Errorf("%s: got %v, want ErrDead", name, err)
			}
		}
	}
	if w.store.lookups != 0 {
		t.Errorf("mutilated tokens cost %d queries, want none", w.store.lookups)
	}
	if _, err := w.check.Token(t.Context(), w.access); err != nil || w.store.lookups != 1 {
		t.Errorf("the whole token: %v after %d queries, want nil after 1", err, w.store.lookups)
	}
}

func mutilations(s string) map[string]string {
	out := map[string]string{}
	add := func(name, m string) {
		if m != s {
			out[name] = m
		}
	}
	for i := range len(s) {
		add(fmt.Sprintf("prefix of %d", i), s[:i])
		add(fmt.Sprintf("suffix from %d", i+1), s[i+1:])
		add(fmt.Sprintf("without byte %d", i), s[:i]+s[i+1:])
		add(fmt.Sprintf("byte %d doubled", i), s[:i+1]+s[i:])
		for bit := range 8 {
			b := []byte(s)
			b[i] ^= 1 << bit
			add(fmt.Sprintf("bit %d of byte %d", bit, i), string(b))
		}
		if i > 0 {
			b := []byte(s)
			b[i-1], b[i] = b[i], b[i-1]
			add(fmt.Sprintf("bytes %d and %d swapped", i-1, i), string(b))
		}
	}
	for _, tail := range []string{"=", "==", "%00", "\x00", " ", "\t", "\n", "\r\n", "A", "0", "."} {
		add(fmt.Sprintf("followed by %q", tail), s+tail)
		add(fmt.Sprintf("preceded by %q", tail), tail+s)
	}
	return out
}

// A right id with another secret behind it is a query, and dead.
func TestTokenWrongSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	forged := w.mint.Successor("x", w.id(w.refresh)).Secret
	if _, err := w.check.Token(t.Context(), forged, mint.RefreshToken); !errors.Is(err, liveness.ErrDead) {
		t.Errorf("got %v, want ErrDead", err)
	}
	if w.store.lookups != 1 {
		t.Errorf("got %d queries, want 1: the test must reach the comparison", w.store.lookups)
	}
}

func TestTokenFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.users["ulla"] = nil
	if _, err := w.check.Token(t.Context(), w.access); err == nil || errors.Is(err, liveness.ErrDead) {
		t.Errorf("directory down: got %v, want a fault", err)
	}
	w.store.fail = errors.New("disk on fire")
	if _, err := w.check.Token(t.Context(), w.own); !errors.Is(err, w.store.fail) || errors.Is(err, liveness.ErrDead) {
		t.Errorf("store down: got %v, want the fault", err)
	}
}
