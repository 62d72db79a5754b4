package accounts

import (
	"context"
	"errors"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

var (
	// ErrNotFound: there is no such row, or none that the condition allows.
	ErrNotFound = errors.New("accounts: not found")
	// ErrExists: the id or the e-mail address is taken.
	ErrExists = errors.New("accounts: exists already")
	// ErrUsed: somebody was faster; it is used up.
	ErrUsed = errors.New("accounts: used already")
)

// Session is a signed-in browser.
type Session struct {
	ID        string // public and stable; not the cookie's value
	SID       string // what clients call it; stays when the same person signs in anew. Empty: ID does both
	Hash      oauth.Hash
	AccountID string
	CreatedAt time.Time
	AuthTime  time.Time // when the person last proved who they are
	AMR       []string  // how (RFC 8176)
	ExpiresAt time.Time // the absolute end
	// LastSeenAt has minute precision.
	LastSeenAt time.Time
	// StaleAt is when the session was first seen in other surroundings; zero:
	// never. The person signs in anew before anything sensitive.
	StaleAt  time.Time
	Remember bool // the cookie outlives the browser

	// What it is bound to; see [Binding].

	Device  oauth.Hash // of the device cookie
	Agent   string     // family of the browser: "Firefox"
	System  string     // family of the operating system: "Windows"
	Network string     // CIDR prefix, /24 or /48; empty if unknown
	// Exact is a hash over the exact address and user agent.
	Exact oauth.Hash
}

// Device is a browser in which somebody has signed in to an account.
type Device struct {
	Hash      oauth.Hash // of the device cookie's value
	AccountID string
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Purpose is what a one-time link is for. One cannot be used as another.
type Purpose string

const (
	PurposeReset   Purpose = "reset"   // choose a new password
	PurposeSetup   Purpose = "setup"   // make the first administrator
	PurposeSignup  Purpose = "signup"  // make an account for the address it was mailed to
	PurposeConfirm Purpose = "confirm" // show that mail reaches the person
)

// Link is a one-time link.
type Link struct {
	Hash      oauth.Hash // of the secret part of its URL
	Purpose   Purpose
	AccountID string // empty for set-up and sign-up
	Email     string // the address it was mailed to; empty for set-up
	Name      string // what the person called themselves when they signed up
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // zero until it is used
}

// Limit bounds the attempts against one key. The first Free attempts are free;
// each of them and every later one makes the next wait: First after attempt
// number Free, then twice as long each time, up to Max. After Forget without an
// attempt the count starts anew.
type Limit struct {
	Free               int
	First, Max, Forget time.Duration
}

// AccountQuery narrows ListAccounts.
type AccountQuery struct {
	Text string // part of the id, address or name; ASCII letters match in either case
}

// Page bounds a list: at most Limit rows that come after the row with id After.
type Page struct {
	After string
	Limit int
}

// Store keeps accounts, sessions, devices, links and counters.
//
// It sees hashes of secrets only, never reads a clock, keeps times in UTC with
// microsecond precision and a zero time as zero. What expires at t is alive
// before t and dead at t. [ErrNotFound], [ErrExists] and [ErrUsed] are the only
// errors that mean something; any other is a fault. E-mail addresses come in
// lower case and are compared byte for byte.
type Store interface {
	// InTx runs fn in one transaction. What fn wrote is durable when InTx returns
	// nil, and undone when fn returns an error, which InTx returns. InTx inside
	// InTx is the same transaction; so is a write to another store on the same
	// database under fn's context.
	InTx(ctx context.Context, fn func(ctx context.Context, tx Store) error) error

	// CreateAccount inserts a. ErrExists if the id or the address is taken.
	CreateAccount(ctx context.Context, a *Account) error
	// Account returns the account, disabled or not. ErrNotFound.
	Account(ctx context.Context, id string) (*Account, error)
	// AccountByEmail returns the account with that address. ErrNotFound.
	AccountByEmail(ctx context.Context, email string) (*Account, error)
	// ListAccounts returns the accounts that match, newest first, then by id
	// descending.
	ListAccounts(ctx context.Context, q AccountQuery, p Page) ([]*Account, error)
	// SetProfile writes the display name and the claims. ErrNotFound.
	SetProfile(ctx context.Context, id, name string, claims oauth.UserClaims) error
	// HoldAccounts makes other transactions that would hold or change one of the
	// accounts wait until this one has ended: what is read of them afterwards stays
	// true. It takes them in the order of their ids, so that two who hold the same
	// accounts never wait for each other. An account that is not there is not held.
	HoldAccounts(ctx context.Context, ids ...string) error
	// SetAdmin makes the account an administrator, or no longer one. ErrNotFound.
	SetAdmin(ctx context.Context, id string, admin bool) error
	// SetDisabled disables or enables the account. ErrNotFound.
	SetDisabled(ctx context.Context, id string, disabled bool) error
	// VerifyEmail notes that mail to the address reaches the person. ErrNotFound
	// if the account has another address by now.
	VerifyEmail(ctx context.Context, id, email string) error
	// SetPassword replaces the password hash. ErrNotFound.
	SetPassword(ctx context.Context, id, hash string) error
	// ConfirmPassword records a sign-in at now if the account is enabled and its
	// password hash is still hash, and replaces it by rehash unless that is
	// empty. One guarded statement: a sign-in loses against a simultaneous
	// change of the password and against disabling. ErrNotFound otherwise.
	ConfirmPassword(ctx context.Context, id, hash, rehash string, now time.Time) error
	// DeleteAccount deletes the account with its sessions, devices and links.
	// ErrNotFound.
	DeleteAccount(ctx context.Context, id string) error

	// CreateSession inserts s.
	CreateSession(ctx context.Context, s *Session) error
	// Session returns the session with that hash and its account, dead or alive.
	// ErrNotFound.
	Session(ctx context.Context, hash oauth.Hash) (*Session, *Account, error)
	// TouchSession moves LastSeenAt forward to now.
	TouchSession(ctx context.Context, id string, now time.Time) error
	// MarkSessionStale sets StaleAt. ErrUsed if it was set before; ErrNotFound is
	// not told apart from it.
	MarkSessionStale(ctx context.Context, id string, now time.Time) error
	// ListSessions returns the account's sessions that have not reached their
	// absolute end, the last seen first.
	ListSessions(ctx context.Context, accountID string, now time.Time) ([]*Session, error)
	// EndSession deletes one session of the account and returns its SID, or its ID
	// if that is empty. ErrNotFound.
	EndSession(ctx context.Context, accountID, id string) (sid string, err error)
	// EndSessions deletes the account's sessions but the one named, and returns
	// their SIDs in order, or the IDs of those that have none.
	EndSessions(ctx context.Context, accountID, except string) (sids []string, err error)

	// TrustDevice inserts d, or prolongs it if it is there.
	TrustDevice(ctx context.Context, d Device) error
	// DeviceAccounts returns the ids of the accounts that know the device at now.
	DeviceAccounts(ctx context.Context, hash oauth.Hash, now time.Time) ([]string, error)
	// ForgetDevices deletes the account's devices but the one named.
	ForgetDevices(ctx context.Context, accountID string, except oauth.Hash) error

	// CreateLink inserts l.
	CreateLink(ctx context.Context, l *Link) error
	// Link returns the link, used or not. ErrNotFound.
	Link(ctx context.Context, hash oauth.Hash) (*Link, error)
	// UseLink marks the link used, in one guarded statement: of any number of
	// simultaneous callers one succeeds. ErrUsed if it is used or expired.
	UseLink(ctx context.Context, hash oauth.Hash, now time.Time) error
	// DeleteLinks deletes the links of that purpose of the account (of nobody, if
	// the id is empty).
	DeleteLinks(ctx context.Context, purpose Purpose, accountID string) error

	// CountAttempt counts one attempt against the key, in one guarded statement,
	// unless the key must wait. It returns the zero time if the attempt was
	// counted, else the time at which the wait is over.
	CountAttempt(ctx context.Context, key string, l Limit, now time.Time) (retryAt time.Time, err error)
	// RefundAttempt takes one counted attempt back; a wait that has begun goes on.
	RefundAttempt(ctx context.Context, key string) error
	// ForgetAttempts forgets the key.
	ForgetAttempts(ctx context.Context, key string) error

	// Purge deletes what is dead at now: sessions that expired, or are not to be
	// remembered and were last seen at idle or before; devices and links that
	// expired; counters that are forgotten; at most limit rows a table. It returns
	// how many rows went.
	Purge(ctx context.Context, now, idle time.Time, limit int) (int, error)
}
