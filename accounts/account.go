package accounts

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/valetkey/valetkey/oauth"
)

// Account is a person who can sign in.
type Account struct {
	// ID is the subject. It never changes and is never given to somebody else.
	ID string
	// Email is what the person signs in with, in lower case.
	Email         string
	EmailVerified bool   // the person has shown that mail to Email reaches them
	Name          string // display name, at most 100 characters; may be empty
	// Claims is what else OpenID Connect says about the person (Core §5.1).
	Claims oauth.UserClaims
	// PasswordHash is a PHC or passlib string; empty: no password yet, so nobody
	// can sign in.
	PasswordHash string
	Admin        bool
	// Disabled keeps the person out: there is no session, and none can be made.
	Disabled  bool
	CreatedAt time.Time
	// LastSignInAt is zero if nobody ever signed in.
	LastSignInAt time.Time
}

// user is what the engine and the pages know about the account.
func (a *Account) user() *oauth.User {
	u := &oauth.User{Subject: a.ID, Username: a.Email, Name: a.Name, Email: a.Email,
		EmailVerified: a.EmailVerified, Claims: a.Claims, Disabled: a.Disabled, Admin: a.Admin}
	if u.Claims.UpdatedAt == 0 && !a.CreatedAt.IsZero() {
		u.Claims.UpdatedAt = a.CreatedAt.Unix()
	}
	return u
}

// NewUser describes an account to create.
type NewUser struct {
	// Subject is the account's id. Empty: one is drawn. Letters, digits and
	// ".", "_", "~", "-", at most 128 of them.
	Subject string
	Email   string
	Name    string
	// Claims is what else OpenID Connect says about the person. UpdatedAt is kept
	// by the account itself and ignored here.
	Claims oauth.UserClaims
	// Password is what the person signs in with. Without it, and without
	// PasswordHash, they must first choose one by a link ("Forgot your password?").
	Password oauth.Secret
	// PasswordHash is used instead of Password: an argon2id or bcrypt string, or
	// pbkdf2_sha512 as passlib writes it.
	PasswordHash string
	// AllowWeakPassword lets short and common passwords through. For
	// demonstrations only.
	AllowWeakPassword bool
	EmailVerified     bool
	Admin, Disabled   bool
}

// Invalid says what is wrong with what somebody typed. It is safe to show.
type Invalid struct {
	Field   string // "email", "name", "password", "subject", or the name of a claim
	Message string // one sentence that says how to put it right
}

func (e *Invalid) Error() string { return e.Field + ": " + e.Message }

const (
	maxEmail = 254 // RFC 5321 §4.5.3.1.3, less the angle brackets
	maxName  = 100
)

// ParseEmail returns the address as it is kept, in lower case. It accepts what
// people have: one @, printable ASCII, a domain of letters, digits, hyphens and
// dots (an internationalized one in its xn-- form). It refuses look-alikes: the
// full-width @, a second @, a dot at the end.
func ParseEmail(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	local, domain, ok := strings.Cut(s, "@")
	if !ok || len(s) > maxEmail || !validLocal(local) || !validDomain(domain) {
		return "", &Invalid{"email", "Enter an e-mail address like maria@example.org."}
	}
	return s, nil
}

func validLocal(s string) bool {
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),:;<>@[\]`, r)
	})
}

func validDomain(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

// parseName refuses what could mislead the reader of a page or a mail.
func parseName(s string) (string, error) {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > maxName {
		return "", &Invalid{"name", fmt.Sprintf("Shorten the name to %d characters or fewer.", maxName)}
	}
	if !showable(s) {
		return "", &Invalid{"name", "The name holds characters that cannot be shown. Type it anew."}
	}
	return s, nil
}

func validSubject(s string) bool {
	return s != "" && len(s) <= 128 && s != "." && s != ".." && s != newUserSegment &&
		!strings.ContainsFunc(s, func(r rune) bool {
			return r > '~' || (r != '.' && r != '_' && r != '~' && r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r))
		})
}
