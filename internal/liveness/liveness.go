// Package liveness decides whether a token is alive. It is the only place that
// does, so that the guard, introspection and every other room agree.
//
// A token is alive when all of these are:
//
//   - the string is canonical and its hash is the stored one
//   - the row: not expired, not revoked, not rotated, and its grant not revoked
//   - its client exists and is not disabled
//   - the client's owner, if it has one, exists and is not disabled
//   - its user exists and is not disabled (a client that acts for itself,
//     RFC 6749 §4.4, has no user)
//
// Disabling a user or client therefore kills tokens at once, and enabling it
// again brings them back; only revocation is for good.
package liveness

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// ErrDead means not alive, for whatever reason. What it wraps is for the log;
// it must not be told to a stranger.
var ErrDead = errors.New("liveness: not alive")

// Config says what to ask. All fields are required.
type Config struct {
	Store store.Store
	Users oauth.UserSource
	Mint  *mint.Mint
	Now   func() time.Time
}

// Checker decides. It keeps nothing between calls.
type Checker struct{ Config }

// New returns a checker.
func New(c Config) *Checker { return &Checker{c} }

// Live is a token that is alive, and whom it belongs to.
type Live struct {
	Token *oauth.Token
	// Client is nil for a personal access token.
	Client *oauth.Client
	// User is nil when a client acts for itself (RFC 6749 §4.4).
	User *oauth.User
}

// Token reads a token string of any of the given kinds; no kind means access
// and personal access tokens. It returns ErrDead if the token is not alive; any
// other error is a fault. A string that was not minted here costs no query.
func (c *Checker) Token(ctx context.Context, s oauth.Secret, kinds ...mint.Kind) (*Live, error) {
	if len(kinds) == 0 {
		kinds = []mint.Kind{mint.AccessToken, mint.PersonalToken}
	}
	parsed, err := c.Mint.Parse(s, kinds...)
	if err != nil {
		return nil, dead("malformed")
	}
	t, err := c.Store.Token(ctx, parsed.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, dead("no such token")
	}
	if err != nil {
		return nil, fmt.Errorf("look up token: %w", err)
	}
	if !t.Hash.Equal(parsed.Hash) {
		return nil, dead("wrong secret")
	}
	return c.Row(ctx, t)
}

// Row decides about a token that the caller has looked up and compared.
func (c *Checker) Row(ctx context.Context, t *oauth.Token) (*Live, error) {
	if !t.LiveAt(c.Now()) {
		return nil, dead("expired, revoked or rotated")
	}
	live := &Live{Token: t}
	var err error
	if t.ClientID != "" {
		if live.Client, err = c.Client(ctx, t.ClientID); err != nil {
			return nil, err
		}
	}
	if actsForItself(t) {
		return live, nil
	}
	if live.User, err = c.User(ctx, t.Subject); err != nil {
		return nil, err
	}
	return live, nil
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

// User returns the user with that subject if it exists and is not disabled, else ErrDead.
func (c *Checker) User(ctx context.Context, subject string) (*oauth.User, error) {
	u, err := c.Users.User(ctx, subject)
	if errors.Is(err, oauth.ErrUserNotFound) {
		return nil, dead("no such user")
	}
	if err != nil {
		return nil, fmt.Errorf("look up user: %w", err)
	}
	if u.Disabled {
		return nil, dead("user disabled")
	}
	return u, nil
}

// actsForItself: only a token that no grant stands behind can be a client's
// own, so a user whose subject happens to read like a client id gains nothing.
func actsForItself(t *oauth.Token) bool {
	return t.ClientID != "" && t.Subject == t.ClientID && t.GrantID == ""
}

func dead(why string) error { return fmt.Errorf("%w: %s", ErrDead, why) }
