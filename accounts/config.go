package accounts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/valetkey/valetkey/internal/csrf"
	"github.com/valetkey/valetkey/internal/issuer"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/overload"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/oauth"
)

// Config says what the door is like. Issuer and Store are required; the zero
// value of every other field is safe.
type Config struct {
	// Issuer is the server's own URL, the only source of links in mails. https,
	// or http on a loopback address.
	Issuer string
	Store  Store

	// Product is the name in titles and mails. Empty: "Valetkey".
	Product string
	// Home is the path below the issuer where people arrive after signing in when
	// they came from nowhere. Empty: the profile page.
	Home string
	// Menu is what other rooms add to the navigation of the settings pages.
	Menu []oauth.MenuItem
	// SignOut is where "Sign out" leads, below the issuer. Empty: the door's own page.
	SignOut string
	// Templates is laid over the built-in templates and assets, file by file.
	Templates fs.FS

	// Keyring is the ring's text, for cross-site proofs. Empty: a key that dies
	// with the process.
	Keyring oauth.Secret
	// Audit hears of every security event, in the transaction that made it. Nil:
	// nobody does.
	Audit oauth.Recorder
	// Mailer delivers mail. Nil: no mail, so nobody can reset a password by
	// mail; in development mails are written to the log instead.
	Mailer Mailer
	// OnDelete deletes what other rooms keep about a subject, in the transaction
	// that deletes the account.
	OnDelete func(ctx context.Context, subject string) error
	// SessionEnded hears which sessions have ended, in the transaction that ended
	// them: somebody signed out, a password or an administrator put an end to them,
	// or somebody else signed in. Sessions that expire are not told. The names are
	// the SIDs of [oauth.Session].
	SessionEnded func(ctx context.Context, sids ...string) error
	// UserChanged hears, after the commit, whose account was disabled, enabled, deleted
	// or given other claims, before the person who did it is answered. What did not
	// come about after all may be told, too.
	UserChanged func(subject string)
	// SessionChanged may add cookies to an answer that gives the browser another
	// session or takes the one it has.
	SessionChanged func(w http.ResponseWriter)
	Observer       oauth.Observer // is told of every request to the door; nil: nobody is
	Logger         *slog.Logger   // nil: slog.Default()

	// Signup lets anybody with a mailbox make an account. It needs a Mailer.
	Signup      bool
	Development bool

	// Binding ties sessions to the browser. Empty: BindingStandard.
	Binding Binding
	// Idle ends a session that was not used for so long, unless the person asked
	// to be remembered. Zero: 24 hours.
	Idle time.Duration
	// Absolute ends a session, used or not, unless the person asked to be
	// remembered. Zero: 12 hours.
	Absolute time.Duration
	// Remember alone ends the session of a person who asked to be remembered, used
	// or not. Zero: 30 days.
	Remember time.Duration
	// Reauthentication is how long after signing in sensitive things may be done.
	// Zero: 15 minutes.
	Reauthentication time.Duration
	// ACR is what every session claims as its authentication context class (OpenID
	// Connect Core §2). Empty: "1", the lowest level of assurance of ISO/IEC 29115:
	// people sign in with a password and nobody has checked who they are. Raise it
	// only if accounts are made for people who have shown that.
	ACR string
	// Hash is the cost of a password hash. Zero: 19 MiB, two passes.
	Hash Argon2
	// ImportedSalt is SECURITY_PASSWORD_SALT of the Flask-Security site (the
	// predecessor is one) whose password hashes were imported. Such a site hashes
	// an HMAC of the password under this key. Empty: passwords were hashed as they are.
	ImportedSalt oauth.Secret
	// TrustedProxies may tell a request's address by X-Forwarded-For.
	TrustedProxies []netip.Prefix
	Now            func() time.Time // nil: time.Now
}

// Accounts is the door. It is safe for concurrent use.
type Accounts struct {
	cfg    Config
	store  Store
	base   string // the issuer without a slash at the end
	secure bool   // people come by https
	ring   *keyring.Ring
	hasher *hasher
	turns  *turns
	guard  *csrf.Guard
	pages  *pages.Pages
	room   *overload.Class // requests
	mailer Mailer          // nil: no mail
	mails  sync.WaitGroup
	serve  http.Handler
}

var (
	_ oauth.Authenticator = (*Accounts)(nil)
	_ oauth.UserSource    = (*Accounts)(nil)

	_ oauth.PasswordVerifier = (*Accounts)(nil).VerifyPassword
)

// New returns a door, or says in a sentence what is wrong with the configuration.
func New(cfg Config) (*Accounts, error) {
	if err := issuer.Check(cfg.Issuer); err != nil {
		return nil, fmt.Errorf("accounts: Config.Issuer: %w", err)
	}
	if cfg.Store == nil {
		return nil, errors.New("accounts: Store is missing")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	cfg.Product = cmp.Or(cfg.Product, "Valetkey")
	cfg.Home = cmp.Or(cfg.Home, pathProfile)
	cfg.Idle = cmp.Or(cfg.Idle, 24*time.Hour)
	cfg.Absolute = cmp.Or(cfg.Absolute, 12*time.Hour)
	cfg.Remember = cmp.Or(cfg.Remember, 30*24*time.Hour)
	cfg.Reauthentication = cmp.Or(cfg.Reauthentication, 15*time.Minute)
	cfg.Binding = cmp.Or(cfg.Binding, BindingStandard)
	cfg.ACR = cmp.Or(cfg.ACR, "1")
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if !cfg.Binding.valid() {
		return nil, fmt.Errorf("accounts: Binding %q is none of off, standard, network and strict", cfg.Binding)
	}
	if strings.ContainsFunc(cfg.ACR, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return nil, fmt.Errorf("accounts: ACR %q is not one word of ASCII characters", cfg.ACR)
	}
	ring := keyring.Random()
	if cfg.Keyring != "" {
		parsed, err := keyring.Parse(cfg.Keyring)
		if err != nil {
			return nil, fmt.Errorf("accounts: %w", err)
		}
		ring = parsed
	}
	mailer := cfg.Mailer
	if mailer == nil && cfg.Development {
		mailer = logMailer{cfg.Logger}
	}
	if cfg.Signup && mailer == nil {
		return nil, errors.New("accounts: Signup needs a Mailer: the link that makes an account goes by mail")
	}
	hasher, err := newHasher(cfg.Hash, cfg.ImportedSalt)
	if err != nil {
		return nil, err
	}
	secure := strings.HasPrefix(cfg.Issuer, "https:")
	a := &Accounts{cfg: cfg, store: cfg.Store, base: cfg.Issuer, secure: secure,
		ring: ring, hasher: hasher, turns: newTurns(), room: overload.New("door", overload.Requests()), mailer: mailer,
		guard: csrf.New(csrf.Config{Keys: ring.Derive("csrf"), Issuer: cfg.Issuer, Now: cfg.Now})}
	a.pages, err = pages.New(pages.Config{Product: cfg.Product, Issuer: cfg.Issuer, Secure: secure,
		Development: cfg.Development, Overlay: cfg.Templates, Menu: append(a.Menu(), cfg.Menu...), SignOut: cfg.SignOut,
		Proof: a.guard.Token, Now: cfg.Now, Logger: cfg.Logger})
	if err != nil {
		return nil, fmt.Errorf("accounts: %w", err)
	}
	a.serve = a.routes()
	return a, nil
}

// Wait waits for the mails that are being sent, so that a program that stops
// loses none of them.
func (a *Accounts) Wait() { a.mails.Wait() }

// Purge deletes what is dead at now, at most limit rows a table, and returns how
// many rows went; zero means that nothing is left to purge.
func (a *Accounts) Purge(ctx context.Context, now time.Time, limit int) (int, error) {
	return a.store.Purge(ctx, now, now.Add(-a.cfg.Idle), limit)
}
