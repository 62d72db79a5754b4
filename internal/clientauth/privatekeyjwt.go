package clientauth

import (
	"context"

	"github.com/valetkey/valetkey/internal/clientkeys"
	"github.com/valetkey/valetkey/oauth"
)

// signedWithKey checks private_key_jwt (OpenID Connect Core §9, RFC 7523 §2.2):
// one of the client's keys made the signature. client is nil if there is none,
// which takes as long. The error is for the log.
func (a *Authenticator) signedWithKey(ctx context.Context, client *oauth.Client, given assertion) error {
	if client == nil || len(client.Metadata.JWKS) == 0 && client.Metadata.JWKSURI == "" {
		clientkeys.VerifyNobody(given.jws, clientkeys.Algorithms)
		return clientkeys.ErrVerify
	}
	_, _, err := a.cfg.Keys.Verify(ctx, client, given.jws, clientkeys.Algorithms)
	return err
}
