package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"time"
)

// Hash is the SHA-256 of a whole secret string: the only form in which a
// generated secret reaches a store.
type Hash [sha256.Size]byte

// HashSecret hashes a secret for the store.
func HashSecret(s Secret) Hash {
	var short [128]byte // what is generated fits, and is hashed at every request
	if len(s) > len(short) {
		return sha256.Sum256([]byte(s))
	}
	return sha256.Sum256(short[:copy(short[:], s)])
}

// Equal compares in constant time.
func (h Hash) Equal(other Hash) bool { return subtle.ConstantTimeCompare(h[:], other[:]) == 1 }

// TokenKind tells what a token is for. It is part of the token string, so one
// kind can never stand in for another.
type TokenKind string

const (
	AccessToken   TokenKind = "access"
	RefreshToken  TokenKind = "refresh"
	PersonalToken TokenKind = "personal" // a personal access token: no client, named by its user
	// InitialToken lets software register itself (RFC 7591 §3); made by an operator,
	// whom its subject names.
	InitialToken TokenKind = "initial"
	// RegistrationToken lets a client read and change its own registration
	// (RFC 7592 §3). Its subject is the client id.
	RegistrationToken TokenKind = "registration"
)

// Token is one issued token as the store knows it.
type Token struct {
	ID      string // time-ordered look-up id, readable inside the token string
	Kind    TokenKind
	Hash    Hash
	GrantID string // empty for personal access tokens and client credentials
	// ClientID is the client it was issued to; empty for personal access tokens.
	ClientID string
	// Subject is whom it acts for. For client credentials it is the client id.
	Subject string
	Scopes  []string
	// Resources are the protected resources it is meant for (RFC 8707); empty: the
	// server's own.
	Resources []string
	IssuedAt  time.Time
	// ExpiresAt is the first instant at which the token is no longer valid; zero: never.
	ExpiresAt time.Time
	// RevokedAt is zero while the token is alive.
	RevokedAt time.Time
	// RotatedAt is when a refresh token was exchanged for its successor; zero: not yet.
	RotatedAt time.Time
	// SuccessorID is the id of the refresh token that replaced this one.
	SuccessorID string

	// The rest is kept for personal access tokens only.

	Name        string
	Description string
	Hint        string // last four characters of the token, for people
	Internal    bool   // made by an operator and hidden from the settings pages
	LastUsedAt  time.Time
	// LastUsedNetwork is the network of the last use as a CIDR prefix (/24 or /48).
	LastUsedNetwork string
}

// LiveAt reports whether the token itself is neither expired nor revoked nor
// rotated at now. Its grant, client and user must be alive too.
func (t *Token) LiveAt(now time.Time) bool {
	return t.RevokedAt.IsZero() && t.RotatedAt.IsZero() && (t.ExpiresAt.IsZero() || now.Before(t.ExpiresAt))
}

// Grant is what one subject allows one client at one authorization. Revoking
// it kills every code and token that came from it; a live grant is also how
// consent is remembered.
type Grant struct {
	ID       string
	ClientID string
	Subject  string
	Scopes   []string
	// Resources bounds what tokens of the grant may be meant for (RFC 8707).
	Resources []string
	// Authentication is how the person was signed in when they allowed it.
	Authentication Authentication
	// Claims is the claims parameter (OpenID Connect Core §5.5) in the server's own
	// spelling, JSON; empty: none was sent.
	Claims    string
	CreatedAt time.Time
	// RevokedAt is zero while the grant is alive.
	RevokedAt time.Time
	// LastUsedAt has day precision in what people see; zero: never.
	LastUsedAt time.Time
}

// Authentication is how and when a person signed in, as ID tokens tell it
// (OpenID Connect Core §2). The zero value says that nobody did.
type Authentication struct {
	// SID names the browser's session to clients (OpenID Connect Front-Channel
	// Logout §3).
	SID      string
	AuthTime time.Time
	AMR      []string // RFC 8176
	ACR      string
}

// AuthorizationCode is an issued code (RFC 6749 §4.1.2) with everything it is bound to.
type AuthorizationCode struct {
	ID       string
	Hash     Hash
	GrantID  string
	ClientID string
	Subject  string
	Scopes   []string
	// RedirectURI is the value of the authorization request, as it was sent;
	// empty when the request carried none.
	RedirectURI string
	// CodeChallenge is an S256 challenge (RFC 7636 §4.2); empty when none was sent.
	CodeChallenge string
	Nonce         string   // OpenID Connect Core §3.1.2.1; empty: none was sent
	Resources     []string // RFC 8707; empty: none were named
	IssuedAt      time.Time
	ExpiresAt     time.Time
	UsedAt        time.Time // zero until it is redeemed
}
