package manage

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/valetkey/valetkey/internal/clientmeta"
	"github.com/valetkey/valetkey/oauth"
)

// authMethods are those that the desk registers clients for.
func (d *Desk) authMethods() []oauth.AuthMethod {
	if d.rules == nil {
		return []oauth.AuthMethod{oauth.AuthBasic, oauth.AuthPost}
	}
	return slices.DeleteFunc(slices.Clone(d.rules.AuthMethods), func(m oauth.AuthMethod) bool {
		return m == oauth.AuthNone || m == oauth.AuthSecretJWT && d.seal == nil
	})
}

// checkMetadata holds the client to the rules of package clientmeta, as if it had
// registered itself.
func (d *Desk) checkMetadata(c *oauth.Client) error {
	if !slices.Contains([]oauth.Profile{oauth.ProfileOfServer, oauth.ProfileDefault, oauth.ProfileCertification}, c.Profile) {
		return invalid("profile", "Choose default or oidc-certification.")
	}
	if d.rules == nil {
		return nil
	}
	return aboutMember(d.rules.Check(c))
}

// checkSector asks for the sector identifier of a client that has one. It waits for
// another server, so it is called before the transaction.
func (d *Desk) checkSector(ctx context.Context, c *oauth.Client) error {
	if d.rules == nil {
		return nil
	}
	return aboutMember(d.rules.CheckSector(ctx, c))
}

// aboutMember makes an error of package clientmeta one of the desk.
func aboutMember(err error) error {
	var e *clientmeta.Error
	if errors.As(err, &e) {
		return invalid(e.Member, e.Message)
	}
	return err
}

// list puts words into a sentence.
func list[S ~string](words []S) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return strings.Join(out, ", ")
}
