package store

import (
	"context"
	"errors"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

var (
	// ErrNotFound: no such row, or none that the condition allows.
	ErrNotFound = errors.New("store: not found")
	// ErrExists: the id is taken.
	ErrExists = errors.New("store: exists already")
	// ErrUsed: somebody else has consumed it, now or before.
	ErrUsed = errors.New("store: used already")
)

// CodeMemory is how long past its expiry a code is kept, so that a
// late replay is still seen for what it is (RFC 6749 §4.1.2).
const CodeMemory = 24 * time.Hour

// RotatedTokenMemory is how long a rotated token that never expires is kept: its
// return is a sign of theft.
const RotatedTokenMemory = 30 * 24 * time.Hour

// PushedRequestMemory is how long past its expiry a pushed request is kept: a
// person may be signing in meanwhile.
const PushedRequestMemory = time.Hour

// EndedSessionMemory is for how long at least it is remembered that a session
// has ended, so that nobody is signed in to it by what was under way.
const EndedSessionMemory = 24 * time.Hour

// ChangeMemory is for how long at least a change is kept for those who ask what
// has changed.
const ChangeMemory = 10 * time.Minute

// Store keeps everything the engine must not forget.
type Store interface {
	Clients
	Grants
	Codes
	Tokens
	Requests
	Devices
	Replays
	Sessions
	Keys
	Events
	Changes

	// InTx runs fn in one transaction; see the package comment.
	InTx(ctx context.Context, fn func(ctx context.Context, tx Store) error) error
	// Purge takes one step of a sweep: it deletes at most limit rows that the horizon
	// says may go, in one short transaction, and returns how many went. next is
	// empty when the sweep has come to its end, else what to pass as after to the
	// next step; the first step passes an empty one. Any number of callers may
	// sweep at once.
	Purge(ctx context.Context, sweep Sweep, h Horizon, after string, limit int) (n int, next string, err error)
	// DeleteSubject deletes the clients the subject owns (with their cascade),
	// and the requests, device codes, sessions' clients, grants, codes and tokens
	// the subject has. Sessions' clients whose session has ended stay until they are
	// told: they are notices, and the last that is heard of the subject.
	DeleteSubject(ctx context.Context, subject string) error
	// Ping reports whether the store can be read and written.
	Ping(ctx context.Context) error
}

// Sweep is one kind of row that [Store].Purge deletes.
type Sweep string

const (
	ExpiredTokens Sweep = "expired_tokens"
	// RevokedTokens but not rotated ones: a rotated token stays until it expires, as
	// its return is a sign of theft.
	RevokedTokens Sweep = "revoked_tokens"
	// RotatedTokens that never expire go RotatedTokenMemory after their rotation.
	RotatedTokens Sweep = "rotated_tokens"
	// TokensOfGrants that are revoked, all of them.
	TokensOfGrants Sweep = "tokens_of_revoked_grants"
	ExpiredCodes   Sweep = "codes" // CodeMemory after their expiry
	OldRequests    Sweep = "requests"
	PushedRequests Sweep = "pushed_requests" // PushedRequestMemory after their expiry
	DeviceCodes    Sweep = "device_codes"
	OldReplays     Sweep = "replays"
	// SessionClients that have expired and wait for no delivery.
	SessionClients Sweep = "session_clients"
	// OldSessions have expired and have no clients left.
	OldSessions   Sweep = "sessions"
	ClientSecrets Sweep = "client_secrets"
	OldEvents     Sweep = "events"
	RetiredKeys   Sweep = "signing_keys"
	// OldChanges are those that a step of this sweep saw ChangeMemory ago.
	OldChanges Sweep = "changes"
	// RevokedGrants that have no tokens left. Their codes and device codes go with
	// them.
	RevokedGrants Sweep = "revoked_grants"
	// SupersededGrants: a live grant remembers consent. One without codes, device
	// codes and tokens goes once another live one, with an id after its own, has the
	// same subject, client, scopes, resources and claims.
	SupersededGrants Sweep = "superseded_grants"
	// UnusedClients registered themselves, have no grant and no token but their
	// registration token, and were last changed before the horizon. They go with
	// their cascade.
	UnusedClients Sweep = "unused_clients"
)

// Sweeps returns all of them, what is kept for the sake of others after those.
func Sweeps() []Sweep {
	return []Sweep{ExpiredTokens, RevokedTokens, RotatedTokens, TokensOfGrants, ExpiredCodes, OldRequests, PushedRequests, DeviceCodes, OldReplays,
		SessionClients, OldSessions, ClientSecrets, OldEvents, RetiredKeys, OldChanges, RevokedGrants, SupersededGrants, UnusedClients}
}

// Walks reports whether the sweep has to look at rows that may stay: a step looks
// at limit rows, and there is no sense in taking it every few seconds.
func (s Sweep) Walks() bool { return s == SupersededGrants || s == UnusedClients }

// Horizon says how far back [Store].Purge keeps things.
type Horizon struct {
	Dead          time.Time // what has been dead since before goes
	Events        time.Time // events older than this go
	Keys          time.Time // signing keys that expired before this go
	Registrations time.Time // unused registrations last changed before this go
}

// Page bounds a list. Rows come newest id first, or the other way round with
// Reverse; After is the last id of the page before (exclusive, empty for the
// first page); Limit is at least 1. A page of clients after one that is gone is
// empty.
type Page struct {
	After   string
	Limit   int
	Reverse bool
}

// Clients keeps clients and their secrets.
type Clients interface {
	// CreateClient inserts c. ErrExists if the id or the fingerprint is taken.
	CreateClient(ctx context.Context, c *oauth.Client) error
	// Client returns the client, disabled or not. ErrNotFound.
	Client(ctx context.Context, id string) (*oauth.Client, error)
	// ClientByFingerprint returns the client with that fingerprint. ErrNotFound.
	ClientByFingerprint(ctx context.Context, fingerprint string) (*oauth.Client, error)
	// UpdateClient writes every field but ID and CreatedAt. ErrNotFound; ErrExists
	// if the fingerprint is another client's.
	UpdateClient(ctx context.Context, c *oauth.Client) error
	// DeleteClient deletes the client with its cascade. ErrNotFound.
	DeleteClient(ctx context.Context, id string) error
	// ListClients returns the clients that match, newest CreatedAt first, then
	// by id descending, or by name. Page.After is the last client's id.
	ListClients(ctx context.Context, q ClientQuery, p Page) ([]*oauth.Client, error)

	// CreateClientSecret inserts s. ErrNotFound if there is no such client.
	CreateClientSecret(ctx context.Context, s *oauth.ClientSecret) error
	// ClientSecrets returns the secrets of a client, oldest first, expired ones too.
	ClientSecrets(ctx context.Context, clientID string) ([]*oauth.ClientSecret, error)
	// TouchClientSecret records a use at now, unless one was recorded in the
	// minute before.
	TouchClientSecret(ctx context.Context, id string, now time.Time) error
	// SealedSecrets returns the secrets of all clients that are also kept sealed,
	// expired ones too, by id.
	SealedSecrets(ctx context.Context) ([]*oauth.ClientSecret, error)
	// ResealClientSecret replaces the sealed secret if it is still the old one.
	// ErrUsed if it is not; ErrNotFound.
	ResealClientSecret(ctx context.Context, id, old, sealed string) error
	// ExpireClientSecrets makes the client's secrets that live beyond at, except
	// the one named, expire at that time.
	ExpireClientSecrets(ctx context.Context, clientID, except string, at time.Time) error
}

// ClientQuery narrows ListClients; zero fields do not narrow.
type ClientQuery struct {
	Owner string // exact
	// Registration narrows to clients that came to be that way, if it is not nil.
	Registration *oauth.Registration
	Text         string // part of the name, website or id; ASCII letters match in either case
	Internal     *bool
	// ByName orders by name, byte for byte, and then by id, instead of by age.
	ByName bool
}

// Grants keeps what subjects allow clients.
type Grants interface {
	// CreateGrant inserts g. ErrExists; ErrNotFound if there is no such client.
	CreateGrant(ctx context.Context, g *oauth.Grant) error
	// Grant returns the grant, revoked or not. ErrNotFound.
	Grant(ctx context.Context, id string) (*oauth.Grant, error)
	// LiveGrants returns the subject's grants that are not revoked, newest first;
	// clientID narrows to one client unless it is empty.
	LiveGrants(ctx context.Context, subject, clientID string) ([]*oauth.Grant, error)
	// RevokeGrant revokes one grant: its codes and tokens are dead when it
	// returns. A grant that was revoked before keeps its first time. ErrNotFound.
	RevokeGrant(ctx context.Context, id string, now time.Time) error
	// RevokeGrants revokes every live grant between subject and client, except
	// the one named, and the client's tokens for the subject that have no grant.
	// It returns how many grants it revoked.
	RevokeGrants(ctx context.Context, subject, clientID, except string, now time.Time) (int, error)
	// TouchGrant moves LastUsedAt forward to now, unless it lies in the minute before.
	TouchGrant(ctx context.Context, id string, now time.Time) error
	// CountGrants returns how many subjects have a live grant to the client.
	CountGrants(ctx context.Context, clientID string) (int, error)
}

// Codes keeps authorization codes (RFC 6749 §4.1.2).
type Codes interface {
	// CreateCode inserts c. ErrExists; ErrNotFound if there is no such client or grant.
	CreateCode(ctx context.Context, c *oauth.AuthorizationCode) error
	// Code returns the code, used or not. ErrNotFound.
	Code(ctx context.Context, id string) (*oauth.AuthorizationCode, error)
	// UseCode marks the code used. ErrUsed if it was used before or its grant is
	// revoked, expired or not; otherwise ErrNotFound if it has expired.
	UseCode(ctx context.Context, id string, now time.Time) error
}

// Tokens keeps access, refresh and personal access tokens.
type Tokens interface {
	// CreateToken inserts t. ErrExists; ErrNotFound if there is no such client or grant.
	CreateToken(ctx context.Context, t *oauth.Token) error
	// Token returns the token as it stands, dead or alive. If its grant is
	// revoked, RevokedAt is set. ErrNotFound.
	Token(ctx context.Context, id string) (*oauth.Token, error)
	// UpdateToken writes Name, Description and Scopes of a token that is not
	// revoked, nor its grant. ErrNotFound.
	UpdateToken(ctx context.Context, t *oauth.Token) error
	// RotateToken marks a live refresh token rotated and names its successor.
	// ErrUsed if it was rotated before or it or its grant is revoked, expired or
	// not; otherwise ErrNotFound if it has expired or is not a refresh token.
	RotateToken(ctx context.Context, id, successorID string, now time.Time) error
	// ReplaceToken gives a token that is not revoked the hash, hint, issue time
	// and expiry of t, so that the old secret is dead and the new one alive at
	// once (a personal access token is made anew). ErrNotFound.
	ReplaceToken(ctx context.Context, t *oauth.Token) error
	// RevokeToken revokes one token; the first time is kept. ErrNotFound.
	RevokeToken(ctx context.Context, id string, now time.Time) error
	// RevokeAccessTokens revokes the live access tokens of a grant.
	RevokeAccessTokens(ctx context.Context, grantID string, now time.Time) error
	// TouchToken records a use at now from network, unless one was recorded in
	// the minute before.
	TouchToken(ctx context.Context, id string, now time.Time, network string) error
	// ListTokens returns the tokens that match, newest first.
	ListTokens(ctx context.Context, q TokenQuery, p Page) ([]*oauth.Token, error)
}

// TokenQuery narrows ListTokens; zero fields do not narrow.
type TokenQuery struct {
	Kind     oauth.TokenKind
	Subject  string
	ClientID string
	GrantID  string
	Text     string // part of the name, subject, client id or token id; ASCII letters match in either case
	Internal *bool
	// LiveAt keeps only what is neither revoked, nor rotated, nor expired at that time.
	LiveAt time.Time
}

// Requests keeps authorization requests that wait for consent.
type Requests interface {
	// CreateRequest inserts r. ErrExists; ErrNotFound if there is no such client.
	CreateRequest(ctx context.Context, r *oauth.AuthorizationRequest) error
	// Request returns the request, used or not. ErrNotFound.
	Request(ctx context.Context, id string) (*oauth.AuthorizationRequest, error)
	// UseRequest marks the request answered. ErrUsed if it was before, expired or
	// not; otherwise ErrNotFound if it has expired.
	UseRequest(ctx context.Context, id string, now time.Time) error

	// CreatePushedRequest inserts r. ErrExists; ErrNotFound if there is no such client.
	CreatePushedRequest(ctx context.Context, r *oauth.PushedRequest) error
	// PushedRequest returns the request, used or not. ErrNotFound.
	PushedRequest(ctx context.Context, id string) (*oauth.PushedRequest, error)
	// UsePushedRequest marks the request used, when an authorization came of it.
	// ErrUsed if one did before, expired or not; otherwise ErrNotFound if it is
	// not there. One that expired while a person was thinking can still be used.
	UsePushedRequest(ctx context.Context, id string, now time.Time) error
}

// Devices keeps device codes (RFC 8628).
type Devices interface {
	// CreateDeviceCode inserts d. ErrExists if the id, or the user code of one that
	// has not been purged, is taken; ErrNotFound if there is no such client.
	CreateDeviceCode(ctx context.Context, d *oauth.DeviceCode) error
	// DeviceCode returns the code in whatever state it is. ErrNotFound.
	DeviceCode(ctx context.Context, id string) (*oauth.DeviceCode, error)
	// DeviceCodeByUserCode returns the code whose user code that is. ErrNotFound.
	DeviceCodeByUserCode(ctx context.Context, userCode string) (*oauth.DeviceCode, error)
	// ApproveDeviceCode names the grant that a person gave. ErrUsed if it was
	// approved or denied before, expired or not; otherwise ErrNotFound if it has
	// expired, or the grant is not there or is another client's.
	ApproveDeviceCode(ctx context.Context, id, grantID string, now time.Time) error
	// DenyDeviceCode says that a person refused. ErrUsed and ErrNotFound as above.
	DenyDeviceCode(ctx context.Context, id string, now time.Time) error
	// PollDeviceCode records a poll, and the interval that holds from now on. ErrNotFound.
	PollDeviceCode(ctx context.Context, id string, now time.Time, interval time.Duration) error
	// ClaimDevice redeems an approved code, once. ErrUsed if it was redeemed before
	// or its grant is revoked, expired or not; otherwise ErrNotFound if it has
	// expired or is not approved.
	ClaimDevice(ctx context.Context, id string, now time.Time) error
}

// Replays remembers what may be used only once and carries its own expiry, such
// as the jti of a client assertion (RFC 7523 §3).
type Replays interface {
	// SeenJTI remembers key until expires. ErrUsed if it is remembered already and
	// that has not expired at now.
	SeenJTI(ctx context.Context, key string, now, expires time.Time) error
}

// Sessions keeps which clients a browser session signed a person in to, and,
// once it has ended, whom to tell (OpenID Connect Back-Channel Logout 1.0).
type Sessions interface {
	// AddSessionClient inserts c, or moves the expiry of the row that is there
	// forward. A session that has ended stays ended, for EndedSessionMemory at least:
	// ErrUsed. ErrNotFound if there is no such client.
	AddSessionClient(ctx context.Context, c *oauth.SessionClient) error
	// SessionClients returns a session's clients that have not been told, ended or
	// not, by client id.
	SessionClients(ctx context.Context, sid string) ([]*oauth.SessionClient, error)
	// EndSession marks a session's clients ended, to be told from now on. It returns
	// how many; an end that was recorded before keeps its time and is not counted.
	EndSession(ctx context.Context, sid string, now time.Time) (int, error)
	// DueLogouts returns rows that have ended and whose RetryAt is not after now,
	// the longest due first.
	DueLogouts(ctx context.Context, now time.Time, limit int) ([]*oauth.SessionClient, error)
	// RetryLogout counts a failed delivery and sets the time of the next.
	// ErrNotFound.
	RetryLogout(ctx context.Context, sid, clientID string, retry time.Time) error
	// DeleteSessionClient drops a row: the client was told, or will not be. ErrNotFound.
	DeleteSessionClient(ctx context.Context, sid, clientID string) error
}

// KeyState is where a signing key is in its life.
type KeyState string

const (
	KeyNext     KeyState = "next"     // published, signs later; at most one per algorithm
	KeyActive   KeyState = "active"   // signs; at most one per algorithm
	KeyRetiring KeyState = "retiring" // published and verifies, signs no more
)

// SigningKey is a key that signs tokens, its private half sealed by the keyring.
type SigningKey struct {
	ID string // kid
	// Algorithm is the JWS alg, or a word of the engine's own for a secret that is
	// no signing key but is kept with them.
	Algorithm string
	State     KeyState
	// Sealed is the private key (PKCS #8) encrypted by the keyring.
	Sealed    string
	Public    []byte // PKIX, DER; empty for a secret
	CreatedAt time.Time
	// ActiveAt is when the key began to sign; zero: not yet.
	ActiveAt  time.Time
	RetiredAt time.Time // zero before
	// ExpiresAt is when a retiring key is no longer published; zero before.
	ExpiresAt time.Time
}

// Keys keeps signing keys.
type Keys interface {
	// CreateKey inserts k. ErrExists if the id is taken, or if k is next or active
	// and another key of its algorithm is: of two nodes that make a key one wins.
	CreateKey(ctx context.Context, k *SigningKey) error
	// SigningKeys returns every key, newest first, expired ones too.
	SigningKeys(ctx context.Context) ([]*SigningKey, error)
	// RetireKey makes an active key retiring until expires. ErrUsed if it is not
	// active; ErrNotFound.
	RetireKey(ctx context.Context, id string, now, expires time.Time) error
	// ActivateKey makes a next key active. ErrUsed if it is not next, or another
	// key of its algorithm is active; ErrNotFound.
	ActivateKey(ctx context.Context, id string, now time.Time) error
	// ResealKey replaces the sealed private key if it is still the old one.
	// ErrUsed if it is not; ErrNotFound.
	ResealKey(ctx context.Context, id, old, sealed string) error
}

// EventQuery narrows ListEvents; zero fields do not narrow. Involving matches
// the actor or the subject.
type EventQuery struct {
	Involving string
	ClientID  string
	Type      oauth.EventType
}

// Events keeps the audit trail. Rows are only ever appended, and purged by age.
type Events interface {
	oauth.Recorder
	// ListEvents returns the events that match, newest first.
	ListEvents(ctx context.Context, q EventQuery, p Page) ([]*oauth.Event, error)
}

// Changes tells what others have changed, so that whoever remembers rows can
// forget them. It is how a revocation reaches the memory of every process that
// shares the database.
type Changes interface {
	// Changes returns what may have changed since the cursor was given out, and the
	// cursor to ask with next. The zero cursor, and one from so long ago that
	// changes since then may have been purged, get [EverythingChanged].
	//
	// What was committed before the call is told by it, or was told to the one that
	// gave out the cursor. The same change may be told again, and so may one of
	// which nothing came. These must be told: a client updated or deleted, and one
	// whose secrets were created, expired or sealed anew; a grant revoked; an access
	// or personal access token revoked, replaced or updated; a subject deleted.
	// Neither creating a row nor recording its use counts, nor that it expires, nor
	// that Purge deletes it.
	Changes(ctx context.Context, since Cursor) ([]Change, Cursor, error)
}

// Cursor is a place in what has changed. Only the store that gave it out can
// read it.
type Cursor int64

// ChangeKind tells what changed.
type ChangeKind string

const (
	TokenChanged  ChangeKind = "token"
	GrantChanged  ChangeKind = "grant"  // and its tokens
	ClientChanged ChangeKind = "client" // or its secrets, and its tokens
	// SubjectChanged: what a subject has was deleted, or the user is another than before.
	SubjectChanged    ChangeKind = "subject"
	EverythingChanged ChangeKind = "everything" // for all that is known
)

// Change is one row that is not as it was. ID is empty with EverythingChanged.
type Change struct {
	Kind ChangeKind
	ID   string
}
