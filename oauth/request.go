package oauth

import "time"

// AuthorizationRequest is a validated authorization request (RFC 6749 §4.1.1)
// that waits for a person's consent. It is kept by the server and immutable:
// nothing is read again from the form that answers it.
type AuthorizationRequest struct {
	ID string
	// SessionID and Subject bind the request to the browser session and the
	// person that were shown the consent page.
	SessionID    string
	Subject      string
	ClientID     string
	ResponseType string
	// RedirectURI is where the answer goes.
	RedirectURI string
	// RedirectURISent tells whether the request carried redirect_uri itself;
	// if so the token request must repeat it (RFC 6749 §4.1.3).
	RedirectURISent bool
	Scopes          []string
	State           string
	CodeChallenge   string
	ResponseMode    string   // query, fragment or form_post; empty: the default of the response type
	Nonce           string   // OpenID Connect Core §3.1.2.1
	Resources       []string // RFC 8707
	Claims          string   // see Grant.Claims
	Authentication  Authentication
	// PushedID is the pushed request this one came from; empty: none.
	PushedID  string
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // zero until it is answered
}

// PushedRequest is an authorization request that a client sent ahead (RFC 9126).
type PushedRequest struct {
	ID       string // look-up id inside the request_uri
	Hash     Hash   // of the request_uri
	ClientID string
	// Form holds the parameters as they were checked, each once.
	Form      map[string]string
	Resources []string // the parameter that may be repeated (RFC 8707 §2)
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // zero until an authorization came of it
}

// DeviceCode is a device's wait for a person (RFC 8628).
type DeviceCode struct {
	ID        string // look-up id inside the device code
	Hash      Hash
	UserCode  string // eight letters in upper case, without the dash
	ClientID  string
	Scopes    []string
	Resources []string
	// Network and Agent are where the device asked from: a CIDR prefix, and the
	// User-Agent header, untrusted, at most 200 bytes.
	Network, Agent string
	IssuedAt       time.Time
	ExpiresAt      time.Time
	// Interval is how long the device must wait between two polls; it grows when
	// it does not.
	Interval time.Duration
	PolledAt time.Time // zero: not yet
	// Subject and GrantID are set when a person has allowed it, DeniedAt when one
	// has refused.
	Subject, GrantID string
	DeniedAt         time.Time
	UsedAt           time.Time // zero until it is redeemed
}

// SessionClient says that a session signed a person in to a client, which must
// hear when the session ends (OpenID Connect Back-Channel Logout §2.5).
type SessionClient struct {
	SID      string
	ClientID string
	Subject  string
	// ExpiresAt is when the row may go if the session does not end before.
	ExpiresAt time.Time
	// EndedAt is when the session ended; zero: it has not. From then on the row is
	// a notice to deliver.
	EndedAt  time.Time
	Attempts int       // deliveries that failed
	RetryAt  time.Time // the next delivery is not before; zero until the session ends
}
