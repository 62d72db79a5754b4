package accounts

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"github.com/valetkey/valetkey/oauth"
)

// Argon2 is the cost of an argon2id hash (RFC 9106).
type Argon2 struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// owasp is the least that OWASP's password storage cheat sheet recommends.
var owasp = Argon2{Memory: 19 * 1024, Time: 2, Threads: 1}

// The most that is accepted, from the configuration as from a stored hash: one
// hash must not exhaust the machine.
const (
	maxMemory  = 256 * 1024
	maxTime    = 64
	maxThreads = 16
	saltLen    = 16
	keyLen     = 32
)

// phc is an argon2id hash as a PHC string:
//
//	$argon2id$v=19$m=19456,t=2,p=1$<salt>$<key>   (base64 without padding)
type phc struct {
	cost      Argon2
	salt, key []byte
}

var (
	errPHC = errors.New("accounts: not an argon2id PHC string")
	// phcBase64 is strict so that one hash has one spelling.
	phcBase64 = base64.RawStdEncoding.Strict()
)

func parsePHC(s string) (phc, error) {
	parts := strings.Split(s, "$")
	if len(s) > 512 || len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return phc{}, errPHC
	}
	var p phc
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.cost.Memory, &p.cost.Time, &p.cost.Threads); err != nil || !p.cost.valid() {
		return phc{}, errPHC
	}
	var err1, err2 error
	p.salt, err1 = phcBase64.DecodeString(parts[4])
	p.key, err2 = phcBase64.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(p.salt) < 8 || len(p.key) < 16 || p.String() != s {
		return phc{}, errPHC
	}
	return p, nil
}

func (p phc) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.cost.Memory, p.cost.Time, p.cost.Threads,
		phcBase64.EncodeToString(p.salt), phcBase64.EncodeToString(p.key))
}

// newPHC hashes a password with a fresh salt.
func newPHC(cost Argon2, password oauth.Secret) phc {
	p := phc{cost: cost, salt: make([]byte, saltLen)}
	rand.Read(p.salt)
	p.key = p.derive(password, keyLen)
	return p
}

// nobodys is a hash that no password is known of: drawn, because to compute one
// takes time and memory that a server needs when it starts.
func nobodys(cost Argon2) phc {
	p := phc{cost: cost, salt: make([]byte, saltLen), key: make([]byte, keyLen)}
	rand.Read(p.salt)
	rand.Read(p.key)
	return p
}

func (p phc) derive(password oauth.Secret, n uint32) []byte {
	return argon2.IDKey([]byte(password), p.salt, p.cost.Time, p.cost.Memory, p.cost.Threads, n)
}

func (p phc) verify(password oauth.Secret) bool {
	return subtle.ConstantTimeCompare(p.key, p.derive(password, uint32(len(p.key)))) == 1
}

// weakerThan reports whether a hash of this cost should be made anew at want.
func (c Argon2) weakerThan(want Argon2) bool {
	return c.Memory < want.Memory || c.Time < want.Time || c.Threads < want.Threads
}

// valid: RFC 9106 §3.1 asks for at least 8 KiB a thread.
func (c Argon2) valid() bool {
	return c.Time >= 1 && c.Time <= maxTime && c.Threads >= 1 && c.Threads <= maxThreads &&
		c.Memory >= 8*uint32(c.Threads) && c.Memory <= maxMemory
}
