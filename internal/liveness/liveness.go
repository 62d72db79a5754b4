// Package liveness decides whether a token is alive. It is the only place that
// does, so that the guard, introspection and every other room agree.
//
// A token is alive when all of these are:
//
//   - the string is canonical and its hash is the stored one, or it is an access
//     token in JWT form that we have signed (RFC 9068) and names the row
//   - the row: not expired, not revoked, not rotated, and its grant not revoked
//   - its client exists and is not disabled
//   - the client's owner, if it has one, exists and is not disabled
//   - its user exists and is not disabled (a client that acts for itself,
//     RFC 6749 §4.4, has no user)
//
// Disabling a user or client therefore kills tokens at once, and enabling it
// again brings them back; only revocation is for good.
//
// A token may be held alive by what package cache remembers, within what that
// promises. It is never refused for it: then the database is asked.
package liveness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/valetkey/valetkey/internal/accesstoken"
	"github.com/valetkey/valetkey/internal/cache"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// ErrDead means not alive, for whatever reason. What it wraps is for the log;
// it must not be told to a stranger.
var ErrDead = errors.New("liveness: not alive")

// Config says what to ask. All fields but JWT and Memory are required.
type Config struct {
	Store store.Store
	Users oauth.UserSource
	Mint  *mint.Mint
	Now   func() time.Time
	// JWT reads access tokens in JWT form; nil: there are none.
	JWT *accesstoken.Signer
	// Memory remembers rows of the Store and the Users; nil: nothing does.
	Memory *cache.Cache
}

// Checker decides. It keeps nothing between calls but what its Memory does.
type Checker struct{ Config }

// New returns a checker.
func New(c Config) *Checker {
	if c.Memory == nil {
		c.Memory = cache.New(cache.Config{Store: c.Store, Users: c.Users, Now: c.Now})
	}
	return &Checker{c}
}

// Live is a token that is alive, and whom it belongs to.
type Live struct {
	Token *oauth.Token
	// Client is nil for a personal access token.
	Client *oauth.Client
	// User is nil when a client acts for itself (RFC 6749 §4.4).
	User *oauth.User
}

var usual = []mint.Kind{mint.AccessToken, mint.PersonalToken}

// Token reads a token string of any of the given kinds; no kind means access
// and personal access tokens. It returns ErrDead if the token is not alive; any
// other error is a fault. A string that was not minted here costs no query. What
// it returns may be shared and must not be written to.
func (c *Checker) Token(ctx context.Context, s oauth.Secret, kinds ...mint.Kind) (*Live, error) {
	live := new(Live)
	if err := c.Find(ctx, live, s, kinds...); err != nil {
		return nil, err
	}
	return live, nil
}

// Find is Token into a place of the caller's.
func (c *Checker) Find(ctx context.Context, live *Live, s oauth.Secret, kinds ...mint.Kind) error {
	if len(kinds) == 0 {
		kinds = usual
	}
	known, err := c.Known(ctx, s, kinds...)
	if err != nil {
		return err
	}
	var at time.Time
	if slices.Contains(kinds, mint.AccessToken) { // the others are for changing things: they see what is
		at = c.Memory.Current()
	}
	found, remembered, err := c.find(ctx, known, at)
	if remembered && errors.Is(err, ErrDead) {
		found, _, err = c.find(ctx, known, time.Time{})
	}
	if err == nil {
		*live = found
	}
	return err
}

// find decides by rows of which at least those may be remembered that are at that
// time, and reports whether one was.
func (c *Checker) find(ctx context.Context, known Known, at time.Time) (live Live, remembered bool, err error) {
	live.Token, remembered, err = c.Memory.Tokens.Get(ctx, known.ID, at)
	if errors.Is(err, store.ErrNotFound) {
		return Live{}, false, dead("no such token")
	}
	if err != nil {
		return Live{}, false, fmt.Errorf("look up token: %w", err)
	}
	t := live.Token
	if !known.Is(t) {
		return Live{}, remembered, dead("wrong secret")
	}
	now := at
	if now.IsZero() {
		now = c.Now()
	}
	if !t.LiveAt(now) {
		return Live{}, remembered, dead("expired, revoked or rotated")
	}
	var too bool
	if t.ClientID != "" {
		live.Client, too, err = c.client(ctx, t.ClientID, at)
		if remembered = remembered || too; err != nil {
			return Live{}, remembered, err
		}
	}
	if !actsForItself(t) {
		live.User, too, err = c.user(ctx, t.Subject, at)
		if remembered = remembered || too; err != nil {
			return Live{}, remembered, err
		}
	}
	return live, remembered, nil
}

// Known is a token string that may have been made here.
type Known struct {
	ID     string // of its row
	hash   oauth.Hash
	signed bool // we have signed it: the row's secret was never told to anybody
}

// Known reads a token string without looking its row up. ErrDead if it was not
// made here; any other error is a fault.
func (c *Checker) Known(ctx context.Context, s oauth.Secret, kinds ...mint.Kind) (Known, error) {
	parsed, err := c.Mint.Parse(s, kinds...)
	if err == nil {
		return Known{ID: parsed.ID, hash: parsed.Hash}, nil
	}
	if c.JWT == nil || !slices.Contains(kinds, mint.AccessToken) || !accesstoken.Is(string(s)) {
		return Known{}, dead("malformed")
	}
	id, err := c.JWT.Parse(ctx, string(s))
	if errors.Is(err, accesstoken.ErrNot) {
		return Known{}, fmt.Errorf("%w: %w", ErrDead, err)
	}
	if err != nil {
		return Known{}, fmt.Errorf("verify access token: %w", err)
	}
	return Known{ID: id, signed: true}, nil
}

// Is reports whether t is the row of the token string.
func (k Known) Is(t *oauth.Token) bool {
	if k.signed {
		return t.ID == k.ID && t.Kind == oauth.AccessToken
	}
	return t.Hash.Equal(k.hash)
}

// Client returns the client if it and its owner are alive, else ErrDead.
func (c *Checker) Client(ctx context.Context, id string) (*oauth.Client, error) {
	client, err := c.Store.Client(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, dead("no such client")
	}
	if err != nil {
		return nil, fmt.Errorf("look up client: %w", err)
	}
	if err := c.ClientRow(ctx, client); err != nil {
		return nil, err
	}
	return client, nil
}

// client is Client by what may be remembered; the row must not be written to.
func (c *Checker) client(ctx context.Context, id string, at time.Time) (*oauth.Client, bool, error) {
	client, remembered, err := c.Memory.Clients.Get(ctx, id, at)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, dead("no such client")
	}
	if err != nil {
		return nil, false, fmt.Errorf("look up client: %w", err)
	}
	if client.Disabled {
		return nil, remembered, dead("client disabled")
	}
	if client.Owner == "" {
		return client, remembered, nil
	}
	_, too, err := c.user(ctx, client.Owner, at)
	return client, remembered || too, err
}

// ClientRow decides about a client that the caller has looked up: nil or ErrDead.
func (c *Checker) ClientRow(ctx context.Context, client *oauth.Client) error {
	if client.Disabled {
		return dead("client disabled")
	}
	if client.Owner == "" {
		return nil
	}
	_, err := c.User(ctx, client.Owner)
	return err
}

// Remembered returns a client that memory alone holds to be alive, with its
// secrets; nil if it does not. Neither must be written to.
func (c *Checker) Remembered(id string) (*oauth.Client, *cache.Secrets) {
	at := c.Memory.Current()
	client := c.Memory.Clients.Recall(id, at)
	if client == nil || client.Owner != "" && c.Memory.Users.Recall(client.Owner, at) == nil {
		return nil, nil
	}
	if client.Public() {
		return client, nil
	}
	secrets := c.Memory.Secrets.Recall(id, at)
	if secrets == nil {
		return nil, nil
	}
	return client, secrets
}

// User returns the user with that subject if it exists and is not disabled, else
// ErrDead. It must not be written to.
func (c *Checker) User(ctx context.Context, subject string) (*oauth.User, error) {
	u, _, err := c.user(ctx, subject, time.Time{})
	return u, err
}

func (c *Checker) user(ctx context.Context, subject string, at time.Time) (*oauth.User, bool, error) {
	u, remembered, err := c.Memory.Users.Get(ctx, subject, at)
	if errors.Is(err, oauth.ErrUserNotFound) {
		return nil, false, dead("no such user")
	}
	if err != nil {
		return nil, false, fmt.Errorf("look up user: %w", err)
	}
	if u.Disabled {
		return nil, remembered, dead("user disabled")
	}
	return u, remembered, nil
}

// actsForItself: only a token that no grant stands behind can be a client's
// own, so a user whose subject happens to read like a client id gains nothing.
func actsForItself(t *oauth.Token) bool {
	return t.ClientID != "" && t.Subject == t.ClientID && t.GrantID == ""
}

func dead(why string) error { return fmt.Errorf("%w: %s", ErrDead, why) }
