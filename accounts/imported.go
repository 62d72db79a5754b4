package accounts

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/valetkey/valetkey/oauth"
)

// Hashes that came from elsewhere are verified once and then replaced.

const (
	maxRounds     = 10_000_000
	maxBcryptCost = 16
)

// passlib is a pbkdf2_sha512 hash as passlib writes it:
//
//	$pbkdf2-sha512$25000$<salt>$<checksum>
//
// Salt and checksum are in passlib's base64: no padding, "." for "+".
type passlib struct {
	rounds         int
	salt, checksum []byte
}

// parsePasslib also takes the scheme's own name, pbkdf2_sha512, and a string
// without the first dollar sign, as some exports have them.
func parsePasslib(s string) (passlib, bool) {
	parts := strings.Split(strings.TrimPrefix(s, "$"), "$")
	if len(s) > 512 || len(parts) != 4 || (parts[0] != "pbkdf2-sha512" && parts[0] != "pbkdf2_sha512") {
		return passlib{}, false
	}
	rounds, err := strconv.Atoi(parts[1])
	salt, err1 := ab64(parts[2])
	checksum, err2 := ab64(parts[3])
	if err != nil || err1 != nil || err2 != nil || rounds < 1 || rounds > maxRounds || len(checksum) != sha512.Size {
		return passlib{}, false
	}
	return passlib{rounds, salt, checksum}, true
}

func ab64(s string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(strings.ReplaceAll(s, ".", "+"), "="))
}

func (p passlib) verify(password oauth.Secret) bool {
	key, err := pbkdf2.Key(sha512.New, string(password), p.salt, p.rounds, len(p.checksum))
	return err == nil && subtle.ConstantTimeCompare(key, p.checksum) == 1
}

// peppered is what Flask-Security, and so the predecessor, hands to passlib
// instead of the password: base64(HMAC-SHA-512(SECURITY_PASSWORD_SALT, password)).
func peppered(salt, password oauth.Secret) oauth.Secret {
	mac := hmac.New(sha512.New, []byte(salt))
	mac.Write([]byte(password))
	return oauth.Secret(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

func isBcrypt(s string) bool {
	cost, err := bcrypt.Cost([]byte(s))
	return err == nil && len(s) == 60 && cost <= maxBcryptCost
}

// verifyImported reports whether the password belongs to an imported hash.
// Without a salt of Flask-Security the password itself was hashed.
func verifyImported(hash string, password, salt oauth.Secret) bool {
	candidates := []oauth.Secret{password}
	if salt != "" {
		candidates = append(candidates, peppered(salt, password))
	}
	for _, c := range candidates {
		if p, ok := parsePasslib(hash); ok && p.verify(c) {
			return true
		}
		if isBcrypt(hash) && bcrypt.CompareHashAndPassword([]byte(hash), []byte(c)) == nil {
			return true
		}
	}
	return false
}

// KnownHash reports whether the string is a password hash that can be verified,
// and so may be given as [NewUser.PasswordHash].
func KnownHash(hash string) bool {
	_, err := parsePHC(hash)
	_, ok := parsePasslib(hash)
	return err == nil || ok || isBcrypt(hash)
}
