// Package keyring holds the operator's secret keys. It encrypts what must be
// read again (signing keys) and derives the keys of single purposes (cross-site
// request proofs, refresh token successors).
//
// A ring is text, one key a line, newest first:
//
//	2026-11:Zm9vYmFy…   (an id, a colon, 32 bytes in base64)
//
// The newest key encrypts and derives; every key decrypts and is recognised.
package keyring

import (
	"bufio"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/valetkey/valetkey/oauth"
)

const keyLen = 32

type key struct {
	id   string
	raw  []byte
	aead cipher.AEAD
}

// Ring is an ordered set of keys, newest first.
type Ring struct{ keys []key }

// Parse reads a ring. Blank lines and lines that start with # are skipped. It
// refuses a short key, a sample key (all bytes equal), an id that is doubled or
// holds anything but letters, digits and hyphens, and an empty ring.
func Parse(text oauth.Secret) (*Ring, error) {
	r := &Ring{}
	sc := bufio.NewScanner(strings.NewReader(string(text)))
	for n := 1; sc.Scan(); n++ {
		line := strings.TrimSpace(sc.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, encoded, ok := strings.Cut(line, ":")
		if !ok || !validID(id) {
			return nil, fmt.Errorf("keyring line %d: want an id of letters, digits and hyphens, a colon and 32 bytes in base64", n)
		}
		raw, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(raw) != keyLen {
			return nil, fmt.Errorf("keyring line %d: key %q is not 32 bytes in base64", n, id)
		}
		if strings.Count(string(raw), string(raw[:1])) == keyLen {
			return nil, fmt.Errorf("keyring line %d: key %q is a sample, not a secret", n, id)
		}
		if err := r.add(id, raw); err != nil {
			return nil, fmt.Errorf("keyring line %d: %w", n, err)
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("keyring: %w", err)
	}
	if len(r.keys) == 0 {
		return nil, errors.New("keyring: no key in it")
	}
	return r, nil
}

// Random returns a ring of one key that dies with the process.
func Random() *Ring {
	r := &Ring{}
	raw := make([]byte, keyLen)
	rand.Read(raw)
	if err := r.add("process", raw); err != nil {
		panic(err) // the id and the length are right
	}
	return r
}

// Line draws a new key and returns its line for a ring.
func Line(id string) oauth.Secret {
	raw := make([]byte, keyLen)
	rand.Read(raw)
	return oauth.Secret(id + ":" + base64.StdEncoding.EncodeToString(raw))
}

func (r *Ring) add(id string, raw []byte) error {
	for _, k := range r.keys {
		if k.id == id {
			return fmt.Errorf("key id %q is there twice", id)
		}
	}
	aead, err := chacha20poly1305.NewX(raw)
	if err != nil {
		return err
	}
	r.keys = append(r.keys, key{id: id, raw: raw, aead: aead})
	return nil
}

// KeyIDs returns the ids, newest first.
func (r *Ring) KeyIDs() []string {
	ids := make([]string, len(r.keys))
	for i, k := range r.keys {
		ids[i] = k.id
	}
	return ids
}

// Derive returns a 32-byte key of that purpose from each key, newest first.
func (r *Ring) Derive(purpose string) [][]byte {
	out := make([][]byte, len(r.keys))
	for i, k := range r.keys {
		derived, err := hkdf.Key(sha256.New, k.raw, nil, "valetkey "+purpose, keyLen)
		if err != nil {
			panic(err) // the lengths are constants
		}
		out[i] = derived
	}
	return out
}

const version = "v1"

// Seal encrypts plain with the newest key. place names where the result will
// be kept (table, column, row), so that it opens nowhere else.
func (r *Ring) Seal(plain []byte, place string) string {
	k := r.keys[0]
	nonce := make([]byte, k.aead.NonceSize())
	rand.Read(nonce)
	ct := k.aead.Seal(nil, nonce, plain, []byte(place))
	enc := base64.RawURLEncoding.EncodeToString
	return strings.Join([]string{version, k.id, enc(nonce), enc(ct)}, ".")
}

// ErrSealed: the text was not sealed by a key of this ring for this place.
var ErrSealed = errors.New("keyring: cannot open")

// Open decrypts what Seal made for the same place with any key of the ring.
func (r *Ring) Open(sealed, place string) ([]byte, error) {
	parts := strings.Split(sealed, ".")
	if len(parts) != 4 || parts[0] != version {
		return nil, ErrSealed
	}
	nonce, err1 := base64.RawURLEncoding.DecodeString(parts[2])
	ct, err2 := base64.RawURLEncoding.DecodeString(parts[3])
	if err1 != nil || err2 != nil {
		return nil, ErrSealed
	}
	for _, k := range r.keys {
		if k.id == parts[1] && len(nonce) == k.aead.NonceSize() {
			plain, err := k.aead.Open(nil, nonce, ct, []byte(place))
			if err != nil {
				return nil, ErrSealed
			}
			return plain, nil
		}
	}
	return nil, fmt.Errorf("%w: key %q is not in the ring", ErrSealed, parts[1])
}

// SealedBy returns the id of the key that sealed the text.
func SealedBy(sealed string) (string, error) {
	parts := strings.Split(sealed, ".")
	if len(parts) != 4 || parts[0] != version {
		return "", ErrSealed
	}
	return parts[1], nil
}

func validID(id string) bool {
	if id == "" || len(id) > 32 {
		return false
	}
	for _, c := range id {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
