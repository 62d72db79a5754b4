package manage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/valetkey/valetkey/internal/clientmeta"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Config is what a desk works with. Store, Mint, Scopes, Users and Now are required.
type Config struct {
	Store  store.Store
	Mint   *mint.Mint
	Scopes *oauth.Scopes
	Users  oauth.UserSource
	Now    func() time.Time
	Policy Policy
	// Metadata says what clients may be registered with beyond RFC 6749; nil: nothing.
	Metadata *clientmeta.Rules
	// Seal encrypts a client secret that the server must read again
	// (client_secret_jwt); nil: there are none.
	Seal func(secret oauth.Secret, id string) string
}

// Policy is what the operator allows. It binds people; an [Actor] that is the
// operator is bound by none of it but LegacyGrants.
type Policy struct {
	// PersonalTokenDefault is how long a personal access token lives when nobody
	// says; zero: 30 days.
	PersonalTokenDefault time.Duration
	// PersonalTokenMax is the longest life of a personal access token; zero: 366 days.
	PersonalTokenMax time.Duration
	// AllowNoExpiry lets a personal access token live until it is revoked.
	AllowNoExpiry bool
	// AllowNoScopes lets a personal access token have no scope at all.
	AllowNoScopes bool
	// MaxPersonalTokens is how many live personal access tokens one user may
	// have; zero: 50.
	MaxPersonalTokens int
	// LegacyGrants lets clients be registered for the implicit and password grants.
	LegacyGrants bool
	// ClientCredentials gives every new web or legacy application that keeps a
	// secret the client credentials grant too, unless its grant types are chosen.
	ClientCredentials bool
	// RequirePKCE is the default of new clients, and for public ones the rule.
	RequirePKCE bool
}

// Desk applies the rules. It is safe for concurrent use.
type Desk struct {
	store  store.Store
	mint   *mint.Mint
	scopes *oauth.Scopes
	users  oauth.UserSource
	now    func() time.Time
	policy Policy
	rules  *clientmeta.Rules
	seal   func(oauth.Secret, string) string
}

// New returns a desk. It refuses a configuration that lacks a part or
// contradicts itself.
func New(c Config) (*Desk, error) {
	if c.Store == nil || c.Mint == nil || c.Scopes == nil || c.Users == nil || c.Now == nil {
		return nil, errors.New("manage: Store, Mint, Scopes, Users and Now are required")
	}
	p := c.Policy
	if p.PersonalTokenDefault == 0 {
		p.PersonalTokenDefault = 30 * 24 * time.Hour
	}
	if p.PersonalTokenMax == 0 {
		p.PersonalTokenMax = max(366*24*time.Hour, p.PersonalTokenDefault)
	}
	if p.MaxPersonalTokens == 0 {
		p.MaxPersonalTokens = 50
	}
	if p.PersonalTokenDefault < 0 || p.PersonalTokenDefault > p.PersonalTokenMax {
		return nil, fmt.Errorf("manage: personal access tokens live %v by default, which is not within the longest life of %v", p.PersonalTokenDefault, p.PersonalTokenMax)
	}
	if p.MaxPersonalTokens < 0 {
		return nil, fmt.Errorf("manage: a user may have %d personal access tokens, which is no number of tokens", p.MaxPersonalTokens)
	}
	// What a call returns is what the store gives back later.
	now := func() time.Time { return instant(c.Now()) }
	return &Desk{store: c.Store, mint: c.Mint, scopes: c.Scopes, users: c.Users, now: now, policy: p, rules: c.Metadata, seal: c.Seal}, nil
}

// Policy returns the policy with its defaults filled in, for forms.
func (d *Desk) Policy() Policy { return d.policy }

// Scopes returns the registry, for forms.
func (d *Desk) Scopes() *oauth.Scopes { return d.scopes }

// Actor is who asks for something.
type Actor struct {
	// Subject is the user. It is empty for the command line.
	Subject string
	// Admin may see, change and revoke what belongs to others.
	Admin bool
	// Operator may do what Admin may, and what only the owner of the server may:
	// choose client ids, make internal, first-party and ownerless clients, give
	// out internal scopes, and make tokens for others.
	Operator  bool
	Network   string // of the request, as a CIDR prefix
	RequestID string
	// Limit is set when the actor acts by a token. What the actor makes then may
	// not exceed the token's scopes and life; see the package comment.
	Limit *oauth.Principal
}

// all reports whether the actor may touch what belongs to others.
func (a Actor) all() bool { return a.Admin || a.Operator }

// owns reports whether something that belongs to subject is the actor's own.
// What belongs to nobody is nobody's own.
func (a Actor) owns(subject string) bool { return a.Subject != "" && a.Subject == subject }

// byToken returns the principal that bounds the actor, or nil. A session bounds nothing.
func (a Actor) byToken() *oauth.Principal {
	if a.Limit == nil || a.Limit.Method == oauth.BySession {
		return nil
	}
	return a.Limit
}

// record writes one row of the audit trail through the transaction tx.
func (d *Desk) record(ctx context.Context, tx store.Store, a Actor, e oauth.Event) error {
	e.At = d.now()
	e.ID = mint.NewID(e.At)
	e.Actor = a.Subject
	if e.Actor == "" {
		e.Actor = "operator"
	}
	if e.Subject == "" {
		e.Subject = a.Subject
	}
	e.Network, e.RequestID = a.Network, a.RequestID
	return tx.RecordEvent(ctx, e)
}

// MaxPage is the most rows a list returns at once.
const MaxPage = 200

// bounded keeps the size of a page within reason.
func bounded(p store.Page) store.Page {
	p.Limit = min(max(p.Limit, 1), MaxPage)
	return p
}

// hidden is the filter that keeps internal rows off people's pages.
func hidden() *bool { f := false; return &f }

// Page bounds a list and EventQuery narrows the audit trail: the store's own
// words, so that the rooms above need not know the store.
type (
	Page       = store.Page
	EventQuery = store.EventQuery
)
