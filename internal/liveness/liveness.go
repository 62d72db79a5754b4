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
package liveness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/valetkey/valetkey/internal/accesstoken"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// ErrDead means not alive, for whatever reason. What it wraps is for the log;
// it must not be told to a stranger.
var ErrDead = errors.New("liveness: not alive")

// Config says what to ask. All fields but JWT are required.
type Config struct {
	Store store.Store
	Users oauth.UserSource
	Mint  *mint.Mint
	Now   func() time.Time
	// JWT reads access tokens in JWT form; nil: there are none.
	JWT *accesstoken.Signer
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
	known, err := c.Known(ctx, s, kinds...)
	if err != nil {
		return nil, err
	}
	t, err := c.Store.Token(ctx, known.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, dead("no such token")
	}
	if err != nil {
		return nil, fmt.Errorf("look up token: %w", err)
	}
	if !known.Is(t) {
		return nil, dead("wrong secret")
	}
	return c.Row(ctx, t)
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
