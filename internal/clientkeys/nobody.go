package clientkeys

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"strings"
	"sync"
)

// nobody's keys verify nothing, at the price of a key that does.
var nobody = sync.OnceValue(func() map[string]any {
	generate := func(c elliptic.Curve) any {
		private, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			panic(err) // the source of random bits does not fail
		}
		return &private.PublicKey
	}
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	// No prime numbers stand behind this modulus, so nobody can sign for it.
	modulus := make([]byte, shortestRSA/8)
	rand.Read(modulus)
	modulus[0] |= 0x80
	modulus[len(modulus)-1] |= 1
	return map[string]any{
		"ES256": generate(elliptic.P256()), "ES384": generate(elliptic.P384()), "ES512": generate(elliptic.P521()),
		"EdDSA": public, "RSA": &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: 65537},
	}
})

// VerifyNobody takes as long as Verify and finds nothing, so that a stranger
// cannot tell by the clock whether a client exists.
func VerifyNobody(jws string, algs []string) {
	signed, h, err := parse(jws, algs)
	if err != nil {
		return
	}
	public, there := nobody()[h.Algorithm]
	if !there && (strings.HasPrefix(h.Algorithm, "RS") || strings.HasPrefix(h.Algorithm, "PS")) {
		public, there = nobody()["RSA"], true
	}
	if there {
		try(signed, []key{{public: public}})
	}
}
