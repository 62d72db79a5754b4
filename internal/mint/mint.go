// Package mint draws, prefixes and hashes every generated secret. It is the only
// place that does.
//
// A secret string is
//
//	<brand>_<kind>_<id><random><checksum>
//
// with 22 base62 characters of a time-ordered 128-bit id, 30 of at least 178
// random bits, and 6 of a CRC-32 over everything before it, the kind included,
// so that one kind cannot be passed off as another. The id is the row's key and
// tells when the secret was minted; the store keeps the SHA-256 of the whole
// string. A string that is not canonical is refused before any look-up.
package mint

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/bits"
	"strings"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

// Kind is what a secret is for, as written inside it.
type Kind string

const (
	AccessToken       Kind = "at"
	RefreshToken      Kind = "rt"
	PersonalToken     Kind = "pat"
	AuthorizationCode Kind = "ac"
	ClientSecret      Kind = "cs"
	InitialToken      Kind = "it" // RFC 7591 §3
	RegistrationToken Kind = "rg" // RFC 7592 §3
	DeviceCode        Kind = "dc" // RFC 8628 §3.2
	PushedRequest     Kind = "pr" // RFC 9126 §2.2
)

const (
	idLen       = 22
	randomLen   = 30
	checksumLen = 6
	bodyLen     = idLen + randomLen + checksumLen
	hintLen     = 4
)

// Drawn is a fresh secret: what the client gets, and what the store may know.
type Drawn struct {
	ID     string
	Secret oauth.Secret
	Hash   oauth.Hash
	Hint   string // last four characters
}

// Mint draws and parses secrets of one brand.
type Mint struct {
	brand string
	// successorKeys derive the successor of a refresh token; newest first.
	successorKeys [][]byte
}

// New returns a mint whose secrets start with brand, one to ten lower-case
// letters and digits. successorKeys is never empty; the first one derives, the
// others are still recognised.
func New(brand string, successorKeys [][]byte) (*Mint, error) {
	if brand == "" || len(brand) > 10 || strings.Trim(brand, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return nil, fmt.Errorf("token prefix %q: want one to ten lower-case letters and digits", brand)
	}
	if len(successorKeys) == 0 {
		return nil, errors.New("mint: no successor key")
	}
	return &Mint{brand: brand, successorKeys: successorKeys}, nil
}

// NewID draws a time-ordered id: 48 bits of unix milliseconds, 80 random bits.
// Ids of later milliseconds sort after ids of earlier ones, byte by byte.
func NewID(now time.Time) string {
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	var b [16]byte
	copy(b[:6], ms[2:])
	rand.Read(b[6:])
	return base62(b[:], idLen)
}

// Draw makes a fresh secret.
func (m *Mint) Draw(kind Kind, now time.Time) Drawn { return m.Redraw(kind, NewID(now)) }

// Redraw makes a fresh secret under an id that Draw gave out before, so that a
// row can keep its key while its old secret dies.
func (m *Mint) Redraw(kind Kind, id string) Drawn {
	var random [24]byte
	rand.Read(random[:])
	return m.assemble(kind, id, random)
}

// Successor derives the refresh token that replaces old. The same old token,
// id and key always give the same successor, so a repeated refresh can be
// answered again although no store ever held the answer.
func (m *Mint) Successor(old oauth.Secret, id string) Drawn {
	return m.succeed(m.successorKeys[0], old, id)
}

// KnownSuccessor finds the successor of old that has the given id and hash,
// whichever key derived it. It is false if there is none.
func (m *Mint) KnownSuccessor(old oauth.Secret, id string, hash oauth.Hash) (Drawn, bool) {
	for _, key := range m.successorKeys {
		if d := m.succeed(key, old, id); d.Hash.Equal(hash) {
			return d, true
		}
	}
	return Drawn{}, false
}

func (m *Mint) succeed(key []byte, old oauth.Secret, id string) Drawn {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id))
	mac.Write([]byte(old))
	var random [24]byte
	copy(random[:], mac.Sum(nil))
	return m.assemble(RefreshToken, id, random)
}

func (m *Mint) assemble(kind Kind, id string, random [24]byte) Drawn {
	body := m.head(kind) + id + base62(random[:], randomLen)
	s := body + checksum(body)
	return Drawn{ID: id, Secret: oauth.Secret(s), Hash: oauth.HashSecret(oauth.Secret(s)), Hint: s[len(s)-hintLen:]}
}

func (m *Mint) head(kind Kind) string { return m.brand + "_" + string(kind) + "_" }

// Parsed is a well-formed secret that may or may not exist.
type Parsed struct {
	Kind Kind
	ID   string
	Hash oauth.Hash
}

// ErrMalformed: the string was never minted here.
var ErrMalformed = errors.New("mint: not a secret of this server")

// Parse reads a secret of any of the wanted kinds without looking anything up.
func (m *Mint) Parse(s oauth.Secret, want ...Kind) (Parsed, error) {
	for _, kind := range want {
		body, ok := m.body(string(s), kind)
		if !ok || len(body) != bodyLen {
			continue
		}
		var sum [checksumLen]byte
		cut := len(s) - checksumLen
		putChecksum(&sum, string(s[:cut]))
		if !isBase62(body) || string(sum[:]) != string(s[cut:]) {
			return Parsed{}, ErrMalformed
		}
		return Parsed{Kind: kind, ID: body[:idLen], Hash: oauth.HashSecret(s)}, nil
	}
	return Parsed{}, ErrMalformed
}

// body is what follows the head of a secret of that kind.
func (m *Mint) body(s string, kind Kind) (string, bool) {
	s, brand := strings.CutPrefix(s, m.brand)
	s, first := strings.CutPrefix(s, "_")
	s, ofKind := strings.CutPrefix(s, string(kind))
	s, second := strings.CutPrefix(s, "_")
	return s, brand && first && ofKind && second
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// base62 writes b, at most 24 bytes, as a big-endian number in exactly n digits,
// keeping the lowest ones. It divides by 62^10, the largest power that leaves ten
// digits in a word: every token asks for this several times.
func base62(b []byte, n int) string {
	const ten, power = 10, 839299365868340224 // 62^10
	var padded [24]byte
	copy(padded[len(padded)-len(b):], b)
	var words [3]uint64
	for i := range words {
		words[i] = binary.BigEndian.Uint64(padded[8*i:])
	}
	out := make([]byte, n)
	for n > 0 {
		var rest uint64
		for i, w := range words {
			words[i], rest = bits.Div64(rest, w, power)
		}
		for range min(n, ten) {
			n--
			out[n] = alphabet[rest%62]
			rest /= 62
		}
	}
	return string(out)
}

func isBase62(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func checksum(s string) string {
	var sum [checksumLen]byte
	putChecksum(&sum, s)
	return string(sum[:])
}

// putChecksum writes the checksum of s, in base62 as everything else.
func putChecksum(sum *[checksumLen]byte, s string) {
	crc := ^uint32(0) // crc32.ChecksumIEEE, which would have s copied
	for i := range len(s) {
		crc = crc32.IEEETable[byte(crc)^s[i]] ^ crc>>8
	}
	crc = ^crc
	for i := len(sum) - 1; i >= 0; i-- {
		sum[i] = alphabet[crc%62]
		crc /= 62
	}
}
