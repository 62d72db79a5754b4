package interop

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"testing"
)

// newKey makes a client's key: for the client in PEM, for the server as a key
// set (RFC 7517), and the key's id.
func newKey(t *testing.T) (private []byte, jwks map[string]any, id string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	number := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	id = rand.Text()
	jwks = map[string]any{"keys": []any{map[string]any{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": id,
		"n": number(key.N.Bytes()), "e": number(big.NewInt(int64(key.E)).Bytes())}}}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), jwks, id
}
