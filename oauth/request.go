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
	CreatedAt       time.Time
	ExpiresAt       time.Time
	UsedAt          time.Time // zero until it is answered
}
