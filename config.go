package valetkey

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/valetkey/valetkey/internal/fetch"
	"github.com/valetkey/valetkey/internal/issuer"
	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/internal/par"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Config says what a [Server] is made of. Issuer, Store, Login and Users are
// required; the zero value of every other field is safe.
type Config struct {
	// Issuer is the URL clients know the server by (RFC 8414 §2): https, no query
	// and no fragment. Plain http is allowed on loopback only. A path of plain
	// characters is allowed; every route but the well-known documents then lies
	// below it.
	Issuer string
	// Store keeps clients, grants and tokens.
	Store store.Store
	// Login tells who is at the keyboard, and signs people in.
	Login oauth.Authenticator
	// Logout ends the session of the browser that sent r, if it has one, and takes
	// its cookies; the server writes the rest of the answer. With it, and a Keyring,
	// clients may ask to sign people out (OpenID Connect RP-Initiated Logout 1.0) and
	// watch sessions (Session Management 1.0). Nil: they may not. A host that ends
	// sessions in other ways too calls [Server.EndSession].
	Logout func(w http.ResponseWriter, r *http.Request) error
	// Users tells who a subject is. What it said is believed for RevocationBound.
	Users oauth.UserSource
	// UsersNoted says that every change of a user is noted in the store as
	// [store.SubjectChanged], by the transaction that makes the change. What Users
	// said is then believed for as long as a token's row. The bundled accounts do so.
	UsersNoted bool
	// RevocationBound is the longest time for which a token, client, secret or user
	// may still be taken for alive by a server after another one, or a command, has
	// revoked or disabled it; on the server that did so it is dead when that answers.
	// For as long Start lets this server answer from memory while it cannot read from
	// the store what others have changed. 0: one second. Below zero: nothing is
	// remembered, and every request asks the store.
	RevocationBound time.Duration
	// Changed is called when this server has changed what others may remember, so that
	// they can be told to read it at once ([Server.ReadChanges]). It must not block. Nil:
	// they find it in time by themselves.
	Changed func()

	// Scopes are what clients may ask for. user:email and the scopes of the REST
	// API are there without being listed.
	Scopes []oauth.Scope
	// Resources are the protected resources, other than the server itself, that
	// clients can ask access tokens for (RFC 8707).
	Resources []oauth.Resource
	// RequirePushed accepts an authorization request only if its client pushed it
	// before (RFC 9126 §5). A client may also be registered so.
	RequirePushed bool
	// Keyring is the operator's secret keys, one "id:base64 of 32 bytes" a line,
	// newest first. Without one the server draws a key that dies with the
	// process: forms that were open across a restart must then be sent again, a
	// refresh that was repeated across it is refused, and there are no signing keys.
	// Servers that share a store must share a keyring. One that has one is an OpenID
	// Provider.
	Keyring oauth.Secret
	// Signers are keys in a key management service or hardware module that sign
	// instead of the server's own for their algorithms. The first of an algorithm
	// signs; the others are published, and verify. They need a keyring beside them.
	Signers []oauth.Signer
	// ACRValues are the authentication context classes that sessions of Login may
	// claim, for the metadata (OpenID Connect Core §3.1.2.1).
	ACRValues []string
	// AccessTokenAlg signs access tokens in JWT form (RFC 9068): RS256 if empty, or ES256.
	AccessTokenAlg string

	Product     string // what pages call the server; "Valetkey" if empty
	TokenPrefix string // first part of every secret; "vk" if empty
	// Templates overlays the built-in page templates file by file.
	Templates fs.FS
	// Menu adds the host's own links to the settings navigation.
	Menu []oauth.MenuItem
	// FetchAllow lists host names, and networks as CIDR prefixes, that the server may
	// fetch client metadata from although they are not public. Plain http is allowed
	// for the names alone.
	FetchAllow []string
	// FetchRoots are the certificate authorities that the server believes when it
	// fetches; the system's if nil.
	FetchRoots *x509.CertPool
	// Registration lets software register itself.
	Registration Registration
	// ClientDocuments accepts clients that nobody registers.
	ClientDocuments ClientDocuments
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// Observer is told of every request; nil: nobody is.
	Observer oauth.Observer
	// Logger receives faults; slog.Default if nil.
	Logger *slog.Logger
	// Now is the clock; time.Now if nil.
	Now func() time.Time

	// Profile is the set of rules that clients without one of their own are held
	// to; [oauth.ProfileDefault] if empty.
	Profile oauth.Profile

	Lifetimes      Lifetimes
	PersonalTokens PersonalTokens
	// Password turns on the password grant (RFC 6749 §4.3), which OAuth 2.1
	// dropped, for clients registered for it. Nil: off.
	Password oauth.PasswordVerifier
	// JWT says where the proof against cross-site requests travels.
	JWT JWT
	// Compat turns old and less safe behaviour back on, switch by switch.
	Compat Compat
	// TestEndpoints serves /oauth/info and /oauth/invalid.
	TestEndpoints bool
	// Development says so on every page and opens error details.
	Development bool
}

// Lifetimes bounds how long things live. Zero fields take the default.
type Lifetimes struct {
	Code          time.Duration // authorization codes; 60 s, at most 10 min (RFC 6749 §4.1.2)
	AccessToken   time.Duration // 1 h
	IDToken       time.Duration // 1 h
	RefreshToken  time.Duration // since its last use; 90 days
	RefreshRepeat time.Duration // how long a rotated refresh token may be repeated; 10 s
	Request       time.Duration // a consent page waits this long; 10 min
	PushedRequest time.Duration // a pushed request waits this long; 60 s, 5 s to 10 min (RFC 9126 §2.2)
	DeviceCode    time.Duration // codes of the device flow; 10 min, at most 30 (RFC 8628 §5.2)
	// Reauthentication is how recent a sign-in must be for sensitive acts; 15 min.
	Reauthentication time.Duration
	// Audit is how long the audit trail is kept; 400 days.
	Audit time.Duration
	// KeyRotation is how long a signing key signs; 90 days. Negative: until it is
	// rotated by command.
	KeyRotation time.Duration
}

// PersonalTokens is the policy for personal access tokens.
type PersonalTokens struct {
	Default       time.Duration // lifetime that the form proposes; 30 days
	Max           time.Duration // longest lifetime; 366 days
	AllowNoExpiry bool          // tokens may live until they are revoked
	AllowNoScopes bool          // tokens may be made that have no scope
	MaxPerUser    int           // active tokens per user; 50
}

// JWT configures the proof that a session-authenticated API request was not
// sent by another site.
type JWT struct {
	Header   string        // request header; "X-CSRF-Token" if empty
	Type     string        // scheme before the value, such as "Bearer"; empty: the bare value
	Lifetime time.Duration // 1 h
}

// Compat switches old behaviour back on, for clients that were written for
// Invenio-OAuth2Server. Every switch is off by default because the new
// behaviour is safer or follows the RFC; docs/parity.md has the reasons.
type Compat struct {
	Implicit                 bool // response types token and id_token for clients registered for the implicit grant
	Hybrid                   bool // response types of code and more for clients registered for them; InvenioCompat leaves it off
	QueryToken               bool // bearer tokens in ?access_token=, and in the form sent to /oauth/ping
	UnknownClient404         bool // the token endpoint answers 404 to an unknown client
	AnySecretMethod          bool // a client secret is taken by Basic and in the body, however the client is registered
	OneTokenPerClient        bool // issuing to a (client, subject) first kills what they had
	TokenUser                bool // token responses carry a user object
	AlwaysConsent            bool // consent is never remembered
	RotateAll                bool // refresh tokens of confidential clients rotate too
	ErrorRedirect            bool // fatal authorization errors go to /oauth/errors by a redirect
	ClientCredentialsAsOwner bool // client credentials act for the client's owner, and new clients with a secret may use them
	OptionalPKCE             bool // public clients may leave PKCE out
	ImmortalTokens           bool // refresh and personal tokens need no expiry
	BearerJWT                bool // the JWT proof is also read from Authorization: Bearer
}

// InvenioCompat turns every switch of the predecessor on.
func InvenioCompat() Compat {
	return Compat{
		Implicit: true, QueryToken: true, UnknownClient404: true, AnySecretMethod: true, OneTokenPerClient: true,
		TokenUser: true, AlwaysConsent: true, RotateAll: true, ErrorRedirect: true,
		ClientCredentialsAsOwner: true, OptionalPKCE: true, ImmortalTokens: true, BearerJWT: true,
	}
}

const day = 24 * time.Hour

// withDefaults fills in what was left zero.
func (c Config) withDefaults() Config {
	c.Product = cmp.Or(c.Product, "Valetkey")
	c.TokenPrefix = cmp.Or(c.TokenPrefix, "vk")
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Now == nil {
		c.Now = time.Now
	}

	l := &c.Lifetimes
	l.Code = cmp.Or(l.Code, time.Minute)
	l.AccessToken = cmp.Or(l.AccessToken, time.Hour)
	l.IDToken = cmp.Or(l.IDToken, time.Hour)
	l.RefreshToken = cmp.Or(l.RefreshToken, 90*day)
	l.RefreshRepeat = cmp.Or(l.RefreshRepeat, 10*time.Second)
	l.Request = cmp.Or(l.Request, 10*time.Minute)
	l.PushedRequest = cmp.Or(l.PushedRequest, par.DefaultLifetime)
	l.DeviceCode = cmp.Or(l.DeviceCode, 10*time.Minute)
	l.Reauthentication = cmp.Or(l.Reauthentication, 15*time.Minute)
	l.Audit = cmp.Or(l.Audit, 400*day)
	l.KeyRotation = cmp.Or(l.KeyRotation, 90*day)

	c.Registration.Unused = cmp.Or(c.Registration.Unused, 30*day)
	c.Registration.Burst = cmp.Or(c.Registration.Burst, 60)
	p := &c.PersonalTokens
	p.Default = cmp.Or(p.Default, 30*day)
	p.Max = cmp.Or(p.Max, 366*day)
	p.MaxPerUser = cmp.Or(p.MaxPerUser, 50)
	p.AllowNoExpiry = p.AllowNoExpiry || c.Compat.ImmortalTokens

	c.RevocationBound = cmp.Or(c.RevocationBound, time.Second)

	c.JWT.Header = cmp.Or(c.JWT.Header, "X-CSRF-Token")
	c.JWT.Lifetime = cmp.Or(c.JWT.Lifetime, time.Hour)
	return c
}

// check refuses contradictions, in a sentence that says what to change.
func (c Config) check() error {
	switch {
	case c.Store == nil:
		return errors.New("valetkey: Config.Store is missing")
	case c.Login == nil:
		return errors.New("valetkey: Config.Login is missing; the accounts package has one if your app has no users of its own")
	case c.Users == nil:
		return errors.New("valetkey: Config.Users is missing; the accounts package has one if your app has no users of its own")
	}
	if err := issuer.Check(c.Issuer); err != nil {
		return fmt.Errorf("valetkey: Config.Issuer: %w", err)
	}
	if l := c.Lifetimes.Code; l < time.Second || l > 10*time.Minute {
		return fmt.Errorf("valetkey: Lifetimes.Code is %v; a code may live from a second to ten minutes (RFC 6749 §4.1.2)", l)
	}
	if l := c.Lifetimes.PushedRequest; l < par.ShortestLifetime || l > par.LongestLifetime {
		return fmt.Errorf("valetkey: Lifetimes.PushedRequest is %v; a pushed request may wait from five seconds to ten minutes (RFC 9126 §2.2)", l)
	}
	if err := fetch.CheckAllow(c.FetchAllow); err != nil {
		return fmt.Errorf("valetkey: Config.FetchAllow: %w", err)
	}
	if err := c.checkRegistration(); err != nil {
		return err
	}
	if err := c.checkBound(); err != nil {
		return err
	}
	if l := c.Lifetimes.DeviceCode; l < time.Minute || l > 30*time.Minute {
		return fmt.Errorf("valetkey: Lifetimes.DeviceCode is %v; the codes of a device may live from a minute to half an hour, long enough to type them and too short to guess them", l)
	}
	for name, d := range map[string]time.Duration{
		"AccessToken": c.Lifetimes.AccessToken, "IDToken": c.Lifetimes.IDToken, "RefreshToken": c.Lifetimes.RefreshToken,
		"RefreshRepeat": c.Lifetimes.RefreshRepeat, "Request": c.Lifetimes.Request,
		"Reauthentication": c.Lifetimes.Reauthentication, "Audit": c.Lifetimes.Audit,
	} {
		if d < time.Second {
			return fmt.Errorf("valetkey: Lifetimes.%s is %v; a second is the shortest", name, d)
		}
	}
	if len(c.Signers) > 0 && c.Keyring == "" {
		return errors.New("valetkey: Config.Signers need a Keyring beside them")
	}
	if alg := c.AccessTokenAlg; alg != "" && !slices.Contains(keys.Offered(), alg) {
		return fmt.Errorf("valetkey: Config.AccessTokenAlg %q is neither RS256 nor ES256", alg)
	}
	if c.PersonalTokens.Default > c.PersonalTokens.Max {
		return errors.New("valetkey: PersonalTokens.Default is longer than PersonalTokens.Max")
	}
	return nil
}
