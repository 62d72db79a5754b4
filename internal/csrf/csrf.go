// Package csrf keeps other sites from acting through a signed-in browser.
//
// Three layers, each of which can be tested alone. First, whatever the browser
// says about where a request comes from (Sec-Fetch-Site, Origin) is believed
// when it says "from elsewhere": net/http's CrossOriginProtection. Second, a
// request that changes something in a session, and says nothing about where it
// comes from, must carry a proof. Third, the session cookie is SameSite=Lax.
//
// The proof is a JSON Web Token (RFC 7519) of type csrf+jwt, signed with HS256
// by a key of its own. It names the issuer (aud), the person (sub) and a hash
// of the session (sid), and dies within the hour or with the session. It is a
// proof that a page of this server made the request, never a credential: it
// opens nothing without the session's cookie, and it is no access token.
package csrf

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/valetkey/valetkey/oauth"
)

// Field is the form field that carries a proof; Header does for requests of scripts.
const (
	Field  = "authorized_token"
	Header = "X-CSRF-Token"
)

const (
	tokenType = "csrf+jwt"
	// maxToken bounds what is parsed at all; our own tokens have about 350 bytes.
	maxToken = 2048
)

// Error is why a proof is not accepted, with the words and the HTTP status that
// the predecessor's API answers.
type Error struct {
	Status  int
	Message string
}

func (e *Error) Error() string { return "csrf: " + e.Message }

var (
	// ErrMissing: there is no proof where one is needed.
	ErrMissing = &Error{400, "Missing required header argument."}
	// ErrInvalidFormat: the text is not a proof that this server made.
	ErrInvalidFormat = &Error{400, "The JWT token has invalid format."}
	// ErrNotValid: the proof was made for somebody else, for another session or
	// for another server.
	ErrNotValid = &Error{403, "The JWT token is not valid."}
	// ErrExpired: the proof is too old; reloading the page makes a new one.
	ErrExpired = &Error{403, "The JWT token is expired."}
)

// Config says how proofs are made.
type Config struct {
	// Keys sign and verify; the first one signs. At least one, of 32 bytes.
	Keys     [][]byte
	Issuer   string
	Lifetime time.Duration // zero: one hour
	Now      func() time.Time
}

// Guard makes and verifies proofs, and protects handlers with them.
type Guard struct {
	cfg    Config
	signer jose.Signer
}

// New returns a guard. It panics without a key or a clock: both are for the
// program to give, not for an operator.
func New(cfg Config) *Guard {
	if len(cfg.Keys) == 0 || cfg.Now == nil {
		panic("csrf: Keys and Now are required")
	}
	if cfg.Lifetime == 0 {
		cfg.Lifetime = time.Hour
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: cfg.Keys[0]}, (&jose.SignerOptions{}).WithType(tokenType))
	if err != nil {
		panic("csrf: " + err.Error())
	}
	return &Guard{cfg: cfg, signer: signer}
}

// claims are those of RFC 7519 §4.1 that a proof has, and the session's hash.
type claims struct {
	jwt.Claims
	Session string `json:"sid"`
}

// Token makes a proof for the session; without a session there is none.
func (g *Guard) Token(s *oauth.Session) string {
	if s == nil {
		return ""
	}
	c := claims{
		Claims: jwt.Claims{
			Audience: jwt.Audience{g.cfg.Issuer},
			Subject:  s.Subject,
			Expiry:   jwt.NewNumericDate(g.cfg.Now().Add(g.cfg.Lifetime)),
			ID:       rand.Text(),
		},
		Session: sessionHash(s),
	}
	token, err := jwt.Signed(g.signer).Claims(c).Serialize()
	if err != nil {
		panic("csrf: " + err.Error()) // strings and a number always marshal
	}
	return token
}

// Verify reports why the token is no proof for the session: one of this
// package's *Error values, or nil if it is.
func (g *Guard) Verify(token string, s *oauth.Session) error {
	if token == "" {
		return ErrMissing
	}
	c, ok := g.parse(token)
	switch {
	case !ok || c.Expiry == nil:
		return ErrInvalidFormat
	case !g.cfg.Now().Before(c.Expiry.Time()):
		return ErrExpired
	case s == nil || c.Subject != s.Subject || !c.Audience.Contains(g.cfg.Issuer),
		subtle.ConstantTimeCompare([]byte(c.Session), []byte(sessionHash(s))) != 1:
		return ErrNotValid
	}
	return nil
}

// parse accepts what one of the keys signed as a proof, and nothing else: the
// algorithm and the type are ours to say, not the token's (RFC 8725 §3.1, §3.11).
func (g *Guard) parse(token string) (c claims, ok bool) {
	if len(token) > maxToken {
		return c, false
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil || len(parsed.Headers) != 1 || parsed.Headers[0].ExtraHeaders[jose.HeaderType] != tokenType {
		return c, false
	}
	for _, key := range g.cfg.Keys {
		if parsed.Claims(key, &c) == nil {
			return c, true
		}
	}
	return claims{}, false
}

// sessionHash stands for the session in a proof, so that a page does not show its id.
func sessionHash(s *oauth.Session) string {
	sum := sha256.Sum256([]byte(s.ID))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
