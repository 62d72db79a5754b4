package oauth

import (
	"context"
	"crypto"
	"errors"
	"net/http"
	"time"
)

// Session is a signed-in browser: all that the engine needs to know about one.
type Session struct {
	Subject string
	// ID is stable for the life of the session and changes at every sign-in. It
	// must not be the cookie's value; a hash of it will do.
	ID string
	// AuthTime is when the person last proved who they are.
	AuthTime time.Time
	AMR      []string // how (RFC 8176): "pwd", "otp", …
	ACR      string
	// SID names the session to clients and, unlike ID, stays the same when the
	// same person proves again who they are. Empty: ID does both.
	SID string
	// Stale asks for a fresh sign-in before anything sensitive, whatever
	// AuthTime says: the browser's surroundings have changed.
	Stale bool
}

// FreshAt reports whether the person proved who they are within the window.
func (s *Session) FreshAt(now time.Time, window time.Duration) bool {
	return !s.Stale && now.Sub(s.AuthTime) < window
}

// LoginReason says why Valetkey asks the host to sign somebody in.
type LoginReason string

const (
	// LoginNeeded: nobody is signed in.
	LoginNeeded LoginReason = "login"
	// LoginAgain: the person must prove who they are once more, because the
	// client asked for it or something sensitive is about to happen.
	LoginAgain LoginReason = "reauthenticate"
	// LoginOther: the person wants to use another account.
	LoginOther LoginReason = "select_account"
)

// LoginRequest tells the host's login what is wanted.
type LoginRequest struct {
	// ReturnTo is a path with query on this server, where the browser must
	// arrive after signing in.
	ReturnTo string
	Reason   LoginReason
	// Hint is what the client said about who will sign in (login_hint); untrusted text.
	Hint string
	// ACRValues are the authentication classes that would do, the preferred first
	// (OpenID Connect Core §3.1.2.1); empty: any.
	ACRValues []string
	// UILocales are the languages that the client says the person prefers (BCP 47),
	// as it sent them.
	UILocales []string
	// ClientName names the application that waits, for "to continue to …"; empty: none.
	ClientName string
	// ClientOrigin is where ReturnTo may send the browser on without showing a
	// page: an origin (https://app.example) or a scheme (com.example.app:); empty:
	// nowhere. Browsers hold a form's redirects against the form-action of the
	// page's Content-Security-Policy, so a login page that has one must allow it.
	ClientOrigin string
}

// Authenticator answers: who is at the keyboard? The host implements it; the
// accounts package is Valetkey's own.
type Authenticator interface {
	// Session returns the session of the browser that sent r, or nil when nobody
	// is signed in. An error is a fault (the session could not be looked up).
	Session(r *http.Request) (*Session, error)
	// Login answers r with whatever starts a sign-in: usually a redirect to a
	// login page, which at last sends the browser to req.ReturnTo.
	Login(w http.ResponseWriter, r *http.Request, req LoginRequest)
}

// ErrUserNotFound is returned by [UserSource] for a subject that does not exist.
var ErrUserNotFound = errors.New("oauth: user not found")

// User is what the host knows about a subject.
type User struct {
	Subject       string
	Username      string // what the person signs in with; shown to them
	Name          string // display name; empty: Username is shown
	Email         string
	EmailVerified bool
	// Claims is the rest of what OpenID Connect knows about people.
	Claims UserClaims
	// Disabled makes every session, grant and token of the user dead until it is
	// enabled again.
	Disabled bool
	// Admin may see and change everybody's applications and tokens.
	Admin bool
}

// DisplayName is what to call the user on a page.
func (u *User) DisplayName() string {
	for _, s := range []string{u.Name, u.Username, u.Email} {
		if s != "" {
			return s
		}
	}
	return u.Subject
}

// UserSource answers: who is subject X? The host implements it.
type UserSource interface {
	// User returns the user with that subject, or ErrUserNotFound.
	User(ctx context.Context, subject string) (*User, error)
}

// PasswordVerifier checks a user name and password for the password grant
// (RFC 6749 §4.3). It returns the subject, or ErrUserNotFound when the two do
// not belong together. Throttling is its own business.
type PasswordVerifier func(ctx context.Context, username string, password Secret) (subject string, err error)

// Signer is a signing key that the server does not keep itself: one of a key
// management service or a hardware module.
type Signer struct {
	KeyID     string // kid; distinct from that of every other key, letters, digits and -._ only
	Algorithm string // JWS alg: ES256 or RS256
	// Signer signs SHA-256 digests by an ECDSA P-256 or RSA key (2048 bits or more)
	// and may be slow; it is called by many goroutines.
	Signer crypto.Signer
}

// MenuItem is one link of the settings navigation. Rooms and hosts list theirs;
// the page shows all of them in order.
type MenuItem struct {
	ID    string // stable name, "settings.applications"
	Label string
	Path  string
	Order int  // smaller comes first
	Admin bool // shown to administrators only
}

// UserClaims are the standard claims about a person that a [User] has no field of
// its own for (OpenID Connect Core §5.1). What is empty is not told. Their JSON
// members are the names of the claims.
type UserClaims struct {
	GivenName           string   `json:"given_name,omitempty"`
	FamilyName          string   `json:"family_name,omitempty"`
	MiddleName          string   `json:"middle_name,omitempty"`
	Nickname            string   `json:"nickname,omitempty"`
	PreferredUsername   string   `json:"preferred_username,omitempty"`
	Profile             string   `json:"profile,omitempty"` // URL of a page about the person
	Picture             string   `json:"picture,omitempty"` // URL
	Website             string   `json:"website,omitempty"` // URL
	Gender              string   `json:"gender,omitempty"`
	Birthdate           string   `json:"birthdate,omitempty"`    // YYYY-MM-DD, 0000-MM-DD or YYYY
	Zoneinfo            string   `json:"zoneinfo,omitempty"`     // IANA time zone, Europe/Paris
	Locale              string   `json:"locale,omitempty"`       // BCP 47, en-GB
	PhoneNumber         string   `json:"phone_number,omitempty"` // E.164
	PhoneNumberVerified bool     `json:"phone_number_verified,omitempty"`
	Address             *Address `json:"address,omitempty"`
	// UpdatedAt is when any claim last changed, in seconds since 1970; zero: unknown.
	UpdatedAt int64 `json:"updated_at,omitempty"`
}

// Address is a postal address (OpenID Connect Core §5.1.1).
type Address struct {
	Formatted     string `json:"formatted,omitempty"`
	StreetAddress string `json:"street_address,omitempty"`
	Locality      string `json:"locality,omitempty"`
	Region        string `json:"region,omitempty"`
	PostalCode    string `json:"postal_code,omitempty"`
	Country       string `json:"country,omitempty"`
}
