package clientmeta

import (
	"net/url"
	"slices"
	"strings"

	"github.com/valetkey/valetkey/internal/redirecturi"
	"github.com/valetkey/valetkey/oauth"
)

// redirectURIs: RFC 7591 §2, OpenID Connect Dynamic Client Registration §2.
func redirectURIs(d *Document, c *oauth.Client) error {
	const member = "redirect_uris"
	if len(d.RedirectURIs) > MaxURIs {
		return bad(member, "must have at most %d entries.", MaxURIs)
	}
	c.RedirectURIs = unique(d.RedirectURIs)
	if len(c.RedirectURIs) == 0 && slices.ContainsFunc(c.GrantTypes, redirects) {
		return bad(member, "is missing.")
	}
	for _, uri := range c.RedirectURIs {
		if err := redirecturi.Validate(uri, c.Type); err != nil {
			return &Error{Member: member, Message: "The member redirect_uris: " + err.Error()}
		}
	}
	// An implicit answer is bound to nothing but where it goes.
	if c.MayUse(oauth.GrantImplicit) && c.Type != oauth.NativeApplication {
		for _, uri := range c.RedirectURIs {
			if u, err := url.Parse(uri); err != nil || u.Scheme != "https" || Loopback(u) {
				return bad(member, "must use https and a host on the web for the implicit grant of a web application.")
			}
		}
	}
	return nil
}

// absolute parses a URI that is plain ASCII and has a host. It never returns one
// with user information.
func absolute(member, uri string) (*url.URL, error) {
	if len(uri) > redirecturi.MaxLength {
		return nil, bad(member, "must be at most %d characters long.", redirecturi.MaxLength)
	}
	if strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\\\"<>^`{|}", r) }) {
		return nil, bad(member, "must be a URL in plain ASCII, without spaces and backslashes.")
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return nil, bad(member, "must be an absolute URL with a host.")
	case u.User != nil:
		return nil, bad(member, "must not hold a user name or password.")
	}
	return u, nil
}

// https checks a URI that a browser is sent to by the server.
func https(member, uri string) error {
	if uri == "" {
		return nil
	}
	u, err := absolute(member, uri)
	switch {
	case err != nil:
		return err
	case u.Scheme != "https":
		return bad(member, "must be an https URL.")
	case strings.Contains(uri, "#"):
		return bad(member, "must not have a fragment (the part after #).")
	}
	return nil
}

// links: addresses that people may follow. One on their own machine leads
// everybody else astray, so it goes only with redirect URIs on that machine.
func links(c *oauth.Client) error {
	m := &c.Metadata
	for _, l := range []struct{ member, uri string }{
		{"client_uri", c.Website}, {"logo_uri", m.LogoURI}, {"policy_uri", m.PolicyURI}, {"tos_uri", m.TermsURI},
	} {
		if l.uri == "" {
			continue
		}
		u, err := absolute(l.member, l.uri)
		switch {
		case err != nil:
			return err
		case u.Scheme != "https" && u.Scheme != "http":
			return bad(l.member, "must be an http or https URL.")
		case Loopback(u) && !local(c.RedirectURIs):
			return bad(l.member, "may be on your own machine only while the redirect URIs are there too.")
		}
	}
	return nil
}

// postLogout: OpenID Connect RP-Initiated Logout §3.1. The browser goes there as
// it does to a redirect URI, so the rules are the same.
func postLogout(c *oauth.Client) error {
	const member = "post_logout_redirect_uris"
	list := c.Metadata.PostLogoutRedirectURIs
	if len(list) > MaxURIs {
		return bad(member, "must have at most %d entries.", MaxURIs)
	}
	for _, uri := range list {
		if err := redirecturi.Validate(uri, c.Type); err != nil {
			return &Error{Member: member, Message: "The member post_logout_redirect_uris: " + err.Error()}
		}
	}
	return nil
}

// calls: addresses that the server itself would ask, and the one that starts a
// sign-in (OpenID Connect Core §4).
func (r *Rules) calls(c *oauth.Client) error {
	m := &c.Metadata
	if len(m.RequestURIs) > MaxURIs {
		return bad("request_uris", "must have at most %d entries.", MaxURIs)
	}
	for _, uri := range m.RequestURIs { // may have a fragment: a hash of what lies there (OpenID Connect Core §6.2)
		before, _, _ := strings.Cut(uri, "#")
		if err := r.fetched("request_uris", before); err != nil {
			return err
		}
		if before == "" {
			return bad("request_uris", "must not hold empty entries.")
		}
	}
	for _, err := range []error{
		r.fetched("jwks_uri", m.JWKSURI), r.fetched("sector_identifier_uri", m.SectorIdentifierURI),
		r.fetched("backchannel_logout_uri", m.BackchannelLogoutURI), https("initiate_login_uri", m.InitiateLoginURI),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// fetched checks an address that the server would ask.
func (r *Rules) fetched(member, uri string) error {
	if uri == "" {
		return nil
	}
	if r.Fetch == nil {
		return https(member, uri)
	}
	if _, err := absolute(member, uri); err != nil {
		return err
	}
	if strings.Contains(uri, "#") {
		return bad(member, "must not have a fragment (the part after #).")
	}
	if err := r.Fetch.Check(uri); err != nil {
		return unusable(member, err)
	}
	return nil
}

// frontchannel: OpenID Connect Front-Channel Logout §2. It is loaded inside our
// page, so it is where the client lives.
func frontchannel(c *oauth.Client) error {
	const member = "frontchannel_logout_uri"
	uri := c.Metadata.FrontchannelLogoutURI
	if uri == "" {
		return nil
	}
	if err := https(member, uri); err != nil {
		return err
	}
	same := func(redirect string) bool {
		return strings.EqualFold(redirecturi.Origin(redirect), redirecturi.Origin(uri))
	}
	if !slices.ContainsFunc(c.RedirectURIs, same) {
		return bad(member, "must have scheme, host and port of a redirect URI.")
	}
	return nil
}
