package clientmeta

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/valetkey/valetkey/internal/clientkeys"
	"github.com/valetkey/valetkey/internal/fetch"
	"github.com/valetkey/valetkey/oauth"
)

// Check reports what is wrong with the metadata of a client, whoever registers it
// and however. Errors are [*Error].
func (r *Rules) Check(c *oauth.Client) error {
	for _, check := range []func(*oauth.Client) error{
		r.responseTypes, keys, r.algorithms, r.subjects, r.accessTokens, details, links, postLogout, r.calls, frontchannel,
	} {
		if err := check(c); err != nil {
			return err
		}
	}
	return nil
}

// responseTypes: RFC 7591 §2.1. Both lists say the same.
func (r *Rules) responseTypes(c *oauth.Client) error {
	list := c.Metadata.ResponseTypes
	for _, t := range list {
		if !slices.Contains(r.ResponseTypes, t) {
			return bad("response_types", "names a response type that this server does not offer. It offers %s.", join(r.ResponseTypes))
		}
	}
	for _, g := range grantsOf(list) {
		if !c.MayUse(g) {
			return bad("response_types", "needs the grant type %s, which grant_types does not hold.", g)
		}
	}
	for _, g := range c.GrantTypes {
		if len(list) > 0 && redirects(g) && !slices.Contains(grantsOf(list), g) {
			return bad("grant_types", "holds %s, which no member of response_types needs.", g)
		}
	}
	if c.MayUse(oauth.GrantRefreshToken) && !slices.ContainsFunc([]string{
		oauth.GrantAuthorizationCode, oauth.GrantPassword, oauth.GrantDeviceCode,
	}, c.MayUse) {
		return bad("grant_types", "holds refresh_token, but none that a refresh token comes from.")
	}
	return nil
}

// keys: RFC 7591 §2, jwks and jwks_uri.
func keys(c *oauth.Client) error {
	m := &c.Metadata
	switch {
	case len(m.JWKS) > 0 && m.JWKSURI != "":
		return bad("jwks", "and jwks_uri must not both be there.")
	case len(m.JWKS) > 0:
		if _, err := clientkeys.ParseSet(m.JWKS); err != nil {
			return bad("jwks", "%s.", err)
		}
	case m.JWKSURI == "" && c.AuthMethod == oauth.AuthPrivateKeyJWT:
		return bad("jwks", "or jwks_uri is missing: without keys the client cannot authenticate by private_key_jwt.")
	}
	return nil
}

// algorithms: each is one that the server can sign with, or check.
func (r *Rules) algorithms(c *oauth.Client) error {
	m := &c.Metadata
	assertions := r.ClientAlgs
	if c.AuthMethod == oauth.AuthSecretJWT {
		assertions = r.SecretAlgs
	}
	for _, a := range []struct {
		member, alg string
		offered     []string
	}{
		{"id_token_signed_response_alg", m.IDTokenAlg, r.SigningAlgs},
		{"userinfo_signed_response_alg", m.UserInfoAlg, r.SigningAlgs},
		{"introspection_signed_response_alg", m.IntrospectionAlg, r.SigningAlgs},
		{"request_object_signing_alg", m.RequestObjectAlg, r.ClientAlgs},
		{"token_endpoint_auth_signing_alg", m.TokenAuthAlg, assertions},
	} {
		if a.alg != "" && !slices.Contains(a.offered, a.alg) {
			return bad(a.member, "names an algorithm that this server does not use for it. It uses %s.", join(a.offered))
		}
	}
	return nil
}

// subjects: OpenID Connect Core §8, §8.1.
func (r *Rules) subjects(c *oauth.Client) error {
	m := &c.Metadata
	if m.SubjectType != "" && !slices.Contains(r.SubjectTypes, m.SubjectType) {
		return bad("subject_type", "names a type that this server does not offer. It offers %s.", join(r.SubjectTypes))
	}
	if m.SubjectType != oauth.SubjectPairwise || m.SectorIdentifierURI != "" {
		return nil
	}
	var hosts []string
	for _, uri := range c.RedirectURIs {
		u, err := url.Parse(uri)
		if err != nil || u.Hostname() == "" {
			return bad("sector_identifier_uri", "is missing: a redirect URI without a host tells no sector.")
		}
		hosts = append(hosts, strings.ToLower(u.Hostname()))
	}
	if len(unique(hosts)) != 1 {
		return bad("sector_identifier_uri", "is missing: pairwise subjects need it unless all redirect URIs have one host.")
	}
	return nil
}

// CheckChange reports whether somebody else than the operator may make next of a
// client. What it was granted in one sector must not show it the pairwise subjects
// of another (OpenID Connect Core §8.1). Errors are [*Error].
func CheckChange(c, next *oauth.Client) error {
	switch {
	case next.Metadata.SubjectType != oauth.SubjectPairwise:
		return nil
	case !c.MayUse(oauth.GrantDeviceCode) && next.MayUse(oauth.GrantDeviceCode):
		return errDevice
	case c.Metadata.SubjectType != oauth.SubjectPairwise:
		return bad("subject_type", "cannot become pairwise. Register another client.")
	case !slices.Equal(sectors(c), sectors(next)):
		return bad("redirect_uris", "and sector_identifier_uri must stay in their sector for pairwise subjects. Register another client.")
	}
	return nil
}

// sectors are the hosts that make the sector of a client: that of its
// sector_identifier_uri, else those of its redirect URIs.
func sectors(c *oauth.Client) (hosts []string) {
	uris := c.RedirectURIs
	if uri := c.Metadata.SectorIdentifierURI; uri != "" {
		uris = []string{uri}
	}
	for _, uri := range uris {
		if u, err := url.Parse(uri); err == nil {
			hosts = append(hosts, strings.ToLower(u.Hostname()))
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// accessTokens: a signed access token shows its subject to every resource, which
// a pairwise one is kept from (RFC 9068 §6).
func (r *Rules) accessTokens(c *oauth.Client) error {
	m := &c.Metadata
	switch {
	case !slices.Contains([]string{"", oauth.FormatOpaque, oauth.FormatJWT}, m.AccessTokenFormat):
		return bad("access_token_format", "must be opaque or jwt.")
	case m.AccessTokenFormat == oauth.FormatJWT && !r.JWTAccessTokens:
		return bad("access_token_format", "must be opaque: this server has no signing key.")
	case m.AccessTokenFormat == oauth.FormatJWT && m.SubjectType == oauth.SubjectPairwise:
		return bad("access_token_format", "must be opaque for a client of pairwise subjects: a signed access token shows its subject.")
	}
	return nil
}

// details: what is neither a URI nor an algorithm.
func details(c *oauth.Client) error {
	m := &c.Metadata
	for _, err := range []error{
		texts("contacts", m.Contacts), texts("default_acr_values", m.DefaultACRValues),
		text("software_id", m.SoftwareID), text("software_version", m.SoftwareVersion),
	} {
		if err != nil {
			return err
		}
	}
	if m.DefaultMaxAge != nil && (*m.DefaultMaxAge < 0 || *m.DefaultMaxAge > 1<<31) {
		return bad("default_max_age", "must be a number of seconds that is not negative.")
	}
	return nil
}

// CheckSector fetches the sector identifier of a client that has one: it must
// list every redirect URI (OpenID Connect Dynamic Client Registration §5). It
// talks to another server, so it must not be called inside a transaction. Errors
// are [*Error].
func (r *Rules) CheckSector(ctx context.Context, c *oauth.Client) error {
	const member = "sector_identifier_uri"
	uri := c.Metadata.SectorIdentifierURI
	if uri == "" {
		return nil
	}
	if r.Fetch == nil {
		return bad(member, "cannot be used: this server fetches nothing.")
	}
	doc, err := r.Fetch.Get(ctx, uri, fetch.Options{Accept: "application/json"})
	if err != nil {
		return unusable(member, err)
	}
	var listed []string
	if json.Unmarshal(doc.Body, &listed) != nil {
		return bad(member, "does not lead to a JSON array of URIs.")
	}
	for _, uri := range c.RedirectURIs {
		if !slices.Contains(listed, uri) {
			return bad(member, "leads to a list that lacks one of the redirect URIs.")
		}
	}
	return nil
}

// unusable tells why a URI cannot be fetched.
func unusable(member string, err error) error {
	return &Error{Member: member, Message: "The member " + member + " cannot be used: " + fetch.Reason(err) + ".", Cause: err}
}
