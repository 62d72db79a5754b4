package clientkeys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/valetkey/valetkey/internal/strictjson"
)

const (
	// MaxSet is the largest key set that is read, in bytes.
	MaxSet = 64 << 10
	// mostKeys is how many keys a set may hold.
	mostKeys = 32
	// shortestRSA and longestRSA bound the modulus, in bits (RFC 7518 §3.3): longer
	// ones only make us slow.
	shortestRSA, longestRSA = 2048, 8192
)

// key is a public key of a client.
type key struct {
	public  any // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
	id      string
	alg     string    // the only algorithm it is for; empty: any that fits
	expires time.Time // zero: never
}

// Set is a JSON Web Key Set with public signing keys (RFC 7517 §5).
type Set []key

// private are the members that only keys have which must not be published (RFC
// 7518 §6.2.2, §6.3.2, §6.4, RFC 8037 §2).
var private = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}

// ParseSet reads a key set. It refuses one that holds a private or symmetric key,
// a key that is malformed or too weak, or none that we can use; keys of kinds
// that we do not know, and those for encryption, are passed over (RFC 7517 §5).
// The error is a clause that may be told to whoever registers the set.
func ParseSet(data []byte) (Set, error) {
	if len(data) > MaxSet {
		return nil, fmt.Errorf("is larger than %d KiB", MaxSet>>10)
	}
	members, err := strictjson.Members(data)
	if err != nil {
		return nil, errors.New("is not a JSON object, or has a member twice")
	}
	var list []json.RawMessage
	if err := json.Unmarshal(members["keys"], &list); err != nil || bytes.Equal(members["keys"], []byte("null")) {
		return nil, errors.New("has no array of keys")
	}
	if len(list) > mostKeys {
		return nil, fmt.Errorf("has more than %d keys", mostKeys)
	}
	set := Set{}
	for i, one := range list {
		k, usable, err := parseKey(one)
		if err != nil {
			return nil, fmt.Errorf("has a key, number %d, that %w", i+1, err)
		}
		if usable {
			set = append(set, k)
		}
	}
	if len(set) == 0 {
		return nil, errors.New("has no public key that can verify signatures")
	}
	return set, nil
}

// wire is what is read of a key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).
// Certificates are left alone: we trust the key because it is in the set.
type wire struct {
	Kty    string   `json:"kty"`
	Kid    string   `json:"kid,omitempty"`
	Alg    string   `json:"alg,omitempty"`
	Use    string   `json:"use,omitempty"`
	KeyOps []string `json:"key_ops,omitempty"`
	Crv    string   `json:"crv,omitempty"`
	N      string   `json:"n,omitempty"`
	E      string   `json:"e,omitempty"`
	X      string   `json:"x,omitempty"`
	Y      string   `json:"y,omitempty"`
	Exp    *float64 `json:"exp,omitempty"` // OpenID Federation 1.0 §8.7.2; seconds
}

// parseKey reads one key; usable is false for one that is not for us.
func parseKey(data []byte) (k key, usable bool, err error) {
	members, err := strictjson.Members(data)
	if err != nil {
		return key{}, false, errors.New("is not a JSON object")
	}
	for _, name := range private {
		if _, there := members[name]; there {
			return key{}, false, errors.New("is private or symmetric; whoever reads the set can sign with it, so make a new one and publish its public half")
		}
	}
	w, err := pick(members)
	if err != nil {
		return key{}, false, err
	}
	switch {
	case w.Kty == "":
		return key{}, false, errors.New("has no kty")
	case w.Kty == "oct":
		return key{}, false, errors.New("is symmetric")
	case w.Use != "" && w.Use != "sig", len(w.KeyOps) > 0 && !slices.Contains(w.KeyOps, "verify"):
		return key{}, false, nil
	case w.Kty == "OKP" && w.Crv != "Ed25519", w.Kty != "RSA" && w.Kty != "EC" && w.Kty != "OKP":
		return key{}, false, nil
	case w.Kty == "EC" && !slices.Contains([]string{"P-256", "P-384", "P-521"}, w.Crv):
		return key{}, false, nil
	}
	text, err := json.Marshal(w)
	if err != nil {
		return key{}, false, errors.New("is malformed")
	}
	var parsed jose.JSONWebKey
	if err := parsed.UnmarshalJSON(text); err != nil {
		return key{}, false, errors.New("is malformed")
	}
	k = key{public: parsed.Key, id: w.Kid, alg: w.Alg}
	if w.Exp != nil {
		if *w.Exp < 0 || *w.Exp > 1<<40 {
			return key{}, false, errors.New("has an exp that is no time")
		}
		k.expires = time.Unix(int64(*w.Exp), 0)
	}
	if r, ok := k.public.(*rsa.PublicKey); ok && (r.N.BitLen() < shortestRSA || r.N.BitLen() > longestRSA || r.E%2 == 0 || r.E < 3) {
		return key{}, false, fmt.Errorf("is an RSA key of %d bits; %d to %d are allowed", r.N.BitLen(), shortestRSA, longestRSA)
	}
	return k, true, nil
}

// pick takes the members we read out of all those there are.
func pick(members map[string]json.RawMessage) (w wire, err error) {
	for name, target := range map[string]any{
		"kty": &w.Kty, "kid": &w.Kid, "alg": &w.Alg, "use": &w.Use, "key_ops": &w.KeyOps, "crv": &w.Crv,
		"n": &w.N, "e": &w.E, "x": &w.X, "y": &w.Y, "exp": &w.Exp,
	} {
		if raw, there := members[name]; there && json.Unmarshal(raw, target) != nil {
			return w, fmt.Errorf("has a malformed %s", name)
		}
	}
	return w, nil
}

// fits reports whether the key may verify a signature with that algorithm at now.
func (k key) fits(alg string, now time.Time) bool {
	if k.alg != "" && k.alg != alg || !k.expires.IsZero() && !now.Before(k.expires) {
		return false
	}
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		return strings.HasPrefix(alg, "RS") || strings.HasPrefix(alg, "PS")
	case *ecdsa.PublicKey:
		return public.Curve == map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}[alg]
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// find returns the keys that may have made a signature: those with the kid, or
// all that fit if there is none.
func (s Set) find(h Header, now time.Time) []key {
	var out []key
	for _, k := range s {
		if (h.KeyID == "" || h.KeyID == k.id) && k.fits(h.Algorithm, now) {
			out = append(out, k)
		}
	}
	return out
}
