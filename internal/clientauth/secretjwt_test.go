package clientauth_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/oauthtest"
	"github.com/valetkey/valetkey/oauth"
)

// secretClient has a secret that signs: sealed as whoever makes secrets does it.
func secretClient(t *testing.T, e *oauthtest.Engine, ring *keyring.Ring, c oauth.Client) (oauthtest.Party, oauthtest.Signer) {
	t.Helper()
	c.AuthMethod = oauth.AuthSecretJWT
	p := e.AddClient(c) // its first secret is kept as a hash alone
	return p, addSealed(t, e, ring, p.ID, time.Time{})
}

func addSealed(t *testing.T, e *oauthtest.Engine, ring *keyring.Ring, clientID string, expires time.Time) oauthtest.Signer {
	t.Helper()
	d := e.Mint.Draw(mint.ClientSecret, e.Clock.Now())
	if err := e.Store.CreateClientSecret(context.Background(), &oauth.ClientSecret{
		ID: d.ID, ClientID: clientID, Hash: d.Hash, Hint: d.Hint, CreatedAt: e.Clock.Now(), ExpiresAt: expires,
		Sealed: ring.Seal([]byte(d.Secret), keyring.ClientSecretPlace(d.ID)),
	}); err != nil {
		t.Fatal(err)
	}
	return oauthtest.Signer{Algorithm: "HS256", Private: []byte(d.Secret)}
}

func TestE3_SecretsThatSign(t *testing.T) {
	t.Parallel()
	line := keyring.Line("ring")
	ring, err := keyring.Parse(line)
	if err != nil {
		t.Fatal(err)
	}
	e := oauthtest.New(t, oauthtest.Options{Configure: func(c *valetkey.Config) { c.Keyring = line }})
	c, secret := secretClient(t, e, ring, oauth.Client{})
	e.Clock.Move(time.Second)
	hashed := oauthtest.Signer{Algorithm: "HS256", Private: []byte(c.Secret)}
	other, otherSecret := secretClient(t, e, ring, oauth.Client{})
	send := func(s oauthtest.Signer, p oauthtest.Party, changes ...map[string]any) oauthtest.TokenReply {
		return asserted(e, "/oauth/token", s.Sign(t, "", e.Assertion(p, changes...)))
	}
	send(secret, c).Want(t, 200, "")
	send(otherSecret, other).Want(t, 200, "")
	send(otherSecret, c).Want(t, 401, "invalid_client")
	send(hashed, c).Want(t, 401, "invalid_client") // nobody could check it
	send(oauthtest.Signer{Algorithm: "HS256", Private: []byte("a secret that no client has, as long as those that clients have..")}, c).Want(t, 401, "invalid_client")
	send(oauthtest.Signer{Algorithm: "HS512", Private: secret.Private}, c).Want(t, 401, "invalid_client")
	send(secret, c, map[string]any{"aud": "https://other.test"}).Want(t, 401, "invalid_client")
	jws := secret.Sign(t, "", e.Assertion(c))
	asserted(e, "/oauth/token", jws).Want(t, 200, "")
	asserted(e, "/oauth/token", jws).Want(t, 401, "invalid_client")

	// By the secret itself, and by a key: not what it is registered for.
	e.Post("/oauth/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ID}, "client_secret": {string(secret.Private.([]byte))}}).Want(t, 401, "invalid_client")
	key := oauthtest.NewSigner(t, "ES256", "k")
	send(key, c).Want(t, 401, "invalid_client")
	keyed := e.Keyed(key)
	leftover := addSealed(t, e, ring, keyed.ID, time.Time{})
	send(leftover, keyed).Want(t, 401, "invalid_client")

	// An expired one signs no more, and its use is seen until then.
	e.Settle()
	secrets, err := e.Store.ClientSecrets(context.Background(), c.ID)
	if err != nil || len(secrets) != 2 {
		t.Fatalf("secrets: %v, %v", secrets, err)
	}
	for _, s := range secrets {
		if signs := s.Sealed != ""; signs == s.LastUsedAt.IsZero() {
			t.Errorf("a secret that signs: %v, last used %v", signs, s.LastUsedAt)
		}
	}
	if err := e.Store.ExpireClientSecrets(context.Background(), c.ID, "", e.Clock.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	e.Clock.Move(time.Minute)
	send(secret, c).Want(t, 401, "invalid_client")

	// Sealed by another ring, or for another row.
	stranger := addSealed(t, e, keyring.Random(), c.ID, time.Time{})
	send(stranger, c).Want(t, 401, "invalid_client")
	d := e.Mint.Draw(mint.ClientSecret, e.Clock.Now())
	if err := e.Store.CreateClientSecret(context.Background(), &oauth.ClientSecret{ID: d.ID, ClientID: c.ID, Hash: d.Hash,
		Hint: d.Hint, CreatedAt: e.Clock.Now(), Sealed: ring.Seal([]byte(d.Secret), keyring.ClientSecretPlace(secrets[0].ID))}); err != nil {
		t.Fatal(err)
	}
	send(oauthtest.Signer{Algorithm: "HS256", Private: []byte(d.Secret)}, c).Want(t, 401, "invalid_client")
}

// Without a keyring there is no client_secret_jwt, and the metadata says so.
func TestMethodsThatAreOnOffer(t *testing.T) {
	t.Parallel()
	for _, openID := range []bool{false, true} {
		e := oauthtest.New(t, oauthtest.Options{OpenID: openID})
		req, err := http.NewRequest(http.MethodGet, e.URL+"/.well-known/oauth-authorization-server", nil)
		if err != nil {
			t.Fatal(err)
		}
		doc := e.Send(req).Body
		for _, name := range []string{"private_key_jwt", "EdDSA"} {
			if !strings.Contains(doc, `"`+name+`"`) {
				t.Errorf("keyring %v: the metadata lack %s", openID, name)
			}
		}
		for _, name := range []string{"client_secret_jwt", "HS256"} {
			if strings.Contains(doc, `"`+name+`"`) != openID {
				t.Errorf("keyring %v: %s in %s", openID, name, doc)
			}
		}
	}
}
