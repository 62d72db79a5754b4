package clientmeta

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/valetkey/valetkey/oauth"
)

// Description is how a client is registered, with the names of RFC 7591 §2. What
// is not there has the default of its specification.
type Description struct {
	ClientID        string           `json:"client_id,omitempty"`
	IssuedAt        int64            `json:"client_id_issued_at,omitempty"` // seconds since 1970
	Name            string           `json:"client_name"`
	Website         string           `json:"client_uri,omitempty"`
	RedirectURIs    []string         `json:"redirect_uris,omitempty"`
	GrantTypes      []string         `json:"grant_types"`
	AuthMethod      oauth.AuthMethod `json:"token_endpoint_auth_method"`
	ApplicationType string           `json:"application_type"`
	Scope           string           `json:"scope,omitempty"`
	oauth.ClientMetadata
}

// Describe returns what the client is registered with: the echo of RFC 7591 §3.2.1.
func Describe(c *oauth.Client) Description {
	d := Description{
		ClientID: c.ID, Name: c.Name, Website: c.Website, RedirectURIs: c.RedirectURIs, GrantTypes: c.GrantTypes,
		AuthMethod: c.AuthMethod, ApplicationType: "web", Scope: oauth.ScopeString(c.Scopes), ClientMetadata: c.Metadata,
	}
	if !c.CreatedAt.IsZero() {
		d.IssuedAt = c.CreatedAt.Unix()
	}
	if c.Type == oauth.NativeApplication {
		d.ApplicationType = "native"
	}
	if d.GrantTypes == nil {
		d.GrantTypes = []string{}
	}
	return d
}

// Fingerprint is the same for public clients that are registered alike, whatever
// the order of their lists; empty for a client that keeps a secret or a key, which
// is never somebody else's too.
func Fingerprint(c *oauth.Client) string {
	if !c.Public() {
		return ""
	}
	d := Describe(c)
	d.ClientID, d.IssuedAt = "", 0
	d.Scope = oauth.ScopeString(slices.Sorted(slices.Values(c.Scopes)))
	for _, list := range []*[]string{&d.RedirectURIs, &d.GrantTypes, &d.ResponseTypes, &d.Contacts, &d.RequestURIs, &d.PostLogoutRedirectURIs} {
		*list = slices.Sorted(slices.Values(*list))
	}
	body, err := json.Marshal(struct {
		Description
		Profile oauth.Profile `json:"profile"`
		PKCE    bool          `json:"pkce"`
	}{d, c.Profile, c.RequirePKCE})
	if err != nil {
		panic("clientmeta: " + err.Error()) // strings, numbers, and JSON that was parsed
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
