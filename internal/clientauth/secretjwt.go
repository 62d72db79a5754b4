package clientauth

import (
	"github.com/valetkey/valetkey/internal/clientkeys"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/oauth"
)

// secretAlgorithms make a signature with a secret (RFC 7518 §3.2). A generated
// secret has the bits for one of them.
var secretAlgorithms = []string{"HS256"}

// nobodysSecret signs for nobody.
var nobodysSecret = oauth.Secret("a secret that no client has, as long as those that clients have..")

// signedWithSecret checks client_secret_jwt (OpenID Connect Core §9): the secret
// made the signature. Only a secret that is kept sealed can be asked; one that is
// kept as a hash alone cannot, and takes as long.
func (a *Authenticator) signedWithSecret(s *oauth.ClientSecret, given assertion) bool {
	secret, known := nobodysSecret, false
	if s.Sealed != "" {
		if plain, err := a.cfg.Ring.Open(s.Sealed, keyring.ClientSecretPlace(s.ID)); err == nil {
			secret, known = oauth.Secret(plain), true
		}
	}
	_, err := clientkeys.VerifySecret(given.jws, secret, secretAlgorithms)
	return err == nil && known
}
