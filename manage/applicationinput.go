package manage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/valetkey/valetkey/internal/clientmeta"
	"github.com/valetkey/valetkey/internal/redirecturi"
	"github.com/valetkey/valetkey/oauth"
)

// maxRedirectURIs is how many redirect URIs one application may have.
const maxRedirectURIs = clientmeta.MaxURIs

// ApplicationInput is what somebody says about an application. The text fields,
// RedirectURIs and Public are taken as they are; the others mean "the
// default of the type" at creation, and "as it was" at an update, while they
// have their zero value.
type ApplicationInput struct {
	// ID is chosen by the operator only: one to 255 letters, digits and . _ ~ -
	ID          string
	Type        oauth.ApplicationType // empty: web, or as it was
	Name        string                // at most 60 characters
	Description string                // at most 500 characters
	Website     string                // http or https
	// RedirectURIs, one a line of a form: blank ones are dropped, and a message
	// about one counts its lines from 1.
	RedirectURIs []string
	// Scopes bounds what the application may ask for; empty but not nil: every
	// scope that is not internal.
	Scopes        []string
	DefaultScopes []string
	GrantTypes    []string
	// Public asks for an application without a secret. Browser and native
	// applications are public and services are not, whatever it says.
	Public      bool
	AuthMethod  oauth.AuthMethod // how it authenticates; ignored for public ones
	RequirePKCE *bool

	// The rest is the operator's.

	FirstParty *bool
	Internal   *bool
	// Metadata is what OpenID Connect and later RFCs know of a client; all of it.
	Metadata *oauth.ClientMetadata
	Profile  *oauth.Profile
	// Owner is the subject of a user; empty at creation: the actor, or nobody
	// when the actor is the operator.
	Owner string
}

// kind is what a type of application implies.
type kind struct {
	defaults []string // grant types of a new one
	allowed  []string // grant types it may be given
	public   bool     // never keeps a secret
	secret   bool     // always keeps one
}

var (
	code = oauth.GrantAuthorizationCode
	rt   = oauth.GrantRefreshToken
	cc   = oauth.GrantClientCredentials
	dev  = oauth.GrantDeviceCode // nobody's default: RFC 8628 §5.4

	kinds = map[oauth.ApplicationType]kind{
		oauth.WebApplication:     {defaults: []string{code, rt}, allowed: []string{code, rt, cc, dev}},
		oauth.BrowserApplication: {defaults: []string{code, rt}, allowed: []string{code, rt}, public: true},
		oauth.NativeApplication:  {defaults: []string{code, rt}, allowed: []string{code, rt, dev}, public: true},
		oauth.ServiceApplication: {defaults: []string{cc}, allowed: []string{cc}, secret: true},
		oauth.LegacyApplication: {defaults: []string{code, rt, oauth.GrantImplicit, oauth.GrantPassword},
			allowed: []string{code, rt, cc, oauth.GrantImplicit, oauth.GrantPassword}},
	}
)

// apply checks in and writes it to c, which is a new client or the stored one.
// The checks run in the order of the form, and all of them run.
func (d *Desk) apply(a Actor, in ApplicationInput, c *oauth.Client) error {
	before := *c
	var bad Invalid
	changed := d.applyType(&bad, in, c)
	d.applyTexts(&bad, a, in, c)
	d.applyGrants(&bad, a, in, c, changed)
	d.applyRedirectURIs(&bad, in, c)
	d.applyScopes(&bad, a, in, c)
	applyOperator(in, c)
	if err := bad.err(); err != nil {
		return err
	}
	if err := d.checkMetadata(c); err != nil {
		return err
	}
	if err := clientmeta.CheckChange(&before, c); err != nil && !a.Operator {
		return aboutMember(err)
	}
	// What it says now is not what it registered itself with, if it did.
	c.Fingerprint = ""
	return withinLimit(a, c, before)
}

// operatorOnly keeps what makes a client trusted, and whose it is, out of
// everybody else's hands. owner is whose it is.
func operatorOnly(a Actor, in ApplicationInput, owner string) error {
	switch {
	case a.Operator:
		return nil
	case in.ID != "":
		return &Refused{"Only the operator of this server may choose a client id."}
	case in.FirstParty != nil || in.Internal != nil:
		return &Refused{"Only the operator of this server may make a client first-party or internal."}
	case in.Metadata != nil || in.Profile != nil:
		return &Refused{"Only the operator of this server may change the OpenID Connect metadata of a client."}
	case in.Owner != "" && in.Owner != owner:
		return &Refused{"Only the operator of this server may choose the owner of an application."}
	}
	return nil
}

// applyType sets the type and how the client authenticates. It reports whether
// the type is another than before.
func (d *Desk) applyType(bad *Invalid, in ApplicationInput, c *oauth.Client) (changed bool) {
	typ := cmp.Or(in.Type, c.Type, oauth.WebApplication)
	k, known := kinds[typ]
	switch {
	case !known:
		bad.add("type", "Choose one of web, browser, native, service and legacy.")
		return false
	case typ == oauth.LegacyApplication && !d.policy.LegacyGrants && c.Type != typ:
		bad.add("type", "Legacy applications are switched off on this server.")
		return false
	}
	changed = c.Type != typ
	keepsSecret := !changed && !c.Public() // one that registered itself as native may
	c.Type = typ
	switch {
	case k.public && !keepsSecret, in.Public && !k.secret:
		c.AuthMethod = oauth.AuthNone
	case in.AuthMethod != oauth.AuthNone && slices.Contains(d.authMethods(), in.AuthMethod):
		c.AuthMethod = in.AuthMethod
	case in.AuthMethod != "" && in.AuthMethod != oauth.AuthNone:
		bad.add("auth_method", fmt.Sprintf("Choose one of %s.", list(d.authMethods())))
	case c.AuthMethod == "" || c.AuthMethod == oauth.AuthNone:
		c.AuthMethod = oauth.AuthBasic
	}
	return changed
}

func (d *Desk) applyTexts(bad *Invalid, a Actor, in ApplicationInput, c *oauth.Client) {
	c.Name, c.Description, c.Website = strings.TrimSpace(in.Name), strings.TrimSpace(in.Description), strings.TrimSpace(in.Website)
	bad.name(c.Name, maxApplicationName, "The name must be at most 60 characters long.")
	bad.description(c.Description)
	local := slices.ContainsFunc(in.RedirectURIs, func(s string) bool {
		u, err := url.Parse(strings.TrimSpace(s))
		return err == nil && clientmeta.Loopback(u)
	})
	bad.website(c.Website, !a.Operator, local || a.Operator)
}

// applyGrants sets the grant types and whether PKCE is required.
func (d *Desk) applyGrants(bad *Invalid, a Actor, in ApplicationInput, c *oauth.Client, typeChanged bool) {
	k := kinds[c.Type]
	switch {
	case len(in.GrantTypes) > 0:
		c.GrantTypes = unique(in.GrantTypes)
	case typeChanged:
		c.GrantTypes = slices.Clone(k.defaults)
		// What a token makes acts for itself only if it says so; see withinLimit.
		if d.policy.ClientCredentials && !c.Public() && a.byToken() == nil {
			c.GrantTypes = unique(append(c.GrantTypes, cc))
		}
	}
	for _, g := range c.GrantTypes {
		switch {
		case !slices.Contains(k.allowed, g):
			bad.add("grant_types", fmt.Sprintf("An application of type %s cannot use %s.", c.Type, quoted(g)))
		case (g == oauth.GrantImplicit || g == oauth.GrantPassword) && !d.policy.LegacyGrants:
			bad.add("grant_types", fmt.Sprintf("%s is switched off on this server.", quoted(g)))
		case g == cc && c.Public():
			bad.add("grant_types", "A public application cannot use `client_credentials`: it has no secret to prove who it is.")
		}
	}
	if c.MayUse(rt) && !c.MayUse(code) && !c.MayUse(dev) && !c.MayUse(oauth.GrantPassword) {
		bad.add("grant_types", "`refresh_token` goes with `authorization_code` or the device code.")
	}
	switch {
	case !c.MayUse(code):
		c.RequirePKCE = false
	case in.RequirePKCE != nil:
		c.RequirePKCE = *in.RequirePKCE
	case typeChanged:
		c.RequirePKCE = d.policy.RequirePKCE
	}
	if c.Public() && c.MayUse(code) && !c.RequirePKCE && d.policy.RequirePKCE {
		// RFC 9700 §2.1.1: without a secret the code is bound to nothing else.
		if in.RequirePKCE != nil {
			bad.add("require_pkce", "A public application must use PKCE.")
		}
		c.RequirePKCE = true
	}
}

func (d *Desk) applyRedirectURIs(bad *Invalid, in ApplicationInput, c *oauth.Client) {
	var uris []string
	for i, line := range in.RedirectURIs {
		uri := strings.TrimSpace(line)
		if uri == "" || slices.Contains(uris, uri) {
			continue
		}
		if len(uris) == maxRedirectURIs {
			bad.add("redirect_uris", "An application may have at most 20 redirect URIs.")
			break
		}
		if err := redirecturi.Validate(uri, c.Type); err != nil {
			bad.add("redirect_uris", fmt.Sprintf("Line %d: %s", i+1, err))
		}
		uris = append(uris, uri)
	}
	if len(uris) == 0 && (c.MayUse(code) || c.MayUse(oauth.GrantImplicit)) {
		bad.add("redirect_uris", "Give at least one redirect URI.")
	}
	c.RedirectURIs = uris
}

func (d *Desk) applyScopes(bad *Invalid, a Actor, in ApplicationInput, c *oauth.Client) {
	before := slices.Concat(c.Scopes, c.DefaultScopes)
	if in.Scopes != nil {
		c.Scopes = unique(in.Scopes)
		d.checkScopes(bad, "scopes", a, c.Scopes, before)
	}
	if in.DefaultScopes != nil {
		c.DefaultScopes = unique(in.DefaultScopes)
		d.checkScopes(bad, "default_scopes", a, c.DefaultScopes, before)
	}
	if len(c.Scopes) > 0 && !oauth.ContainsScopes(c.Scopes, c.DefaultScopes) {
		bad.add("default_scopes", "The default scopes must be among the scopes of the application.")
	}
}

// checkScopes: every scope is registered, and an internal one is the operator's
// to give. Nobody else learns that an internal scope exists; what an
// application has already it may keep.
func (d *Desk) checkScopes(bad *Invalid, field string, a Actor, names, had []string) {
	for _, name := range names {
		s, known := d.scopes.Find(name)
		if !known || s.Internal && !a.Operator && !slices.Contains(had, name) {
			bad.add(field, fmt.Sprintf("There is no scope %s.", quoted(name)))
		}
	}
}

// applyOperator sets what operatorOnly has let through.
func applyOperator(in ApplicationInput, c *oauth.Client) {
	if in.FirstParty != nil {
		c.FirstParty = *in.FirstParty
	}
	if in.Internal != nil {
		c.Internal = *in.Internal
	}
	if in.Metadata != nil {
		c.Metadata = *in.Metadata
	}
	if in.Profile != nil {
		c.Profile = *in.Profile
	}
	c.Owner = cmp.Or(in.Owner, c.Owner)
}

// withinLimit: what acts for itself (client credentials) may not come to reach
// further than the token that makes it so. Every other grant asks a person first.
func withinLimit(a Actor, c *oauth.Client, before oauth.Client) error {
	limit := a.byToken()
	if limit == nil || !c.MayUse(cc) || before.MayUse(cc) && slices.Equal(before.Scopes, c.Scopes) {
		return nil
	}
	if len(c.Scopes) == 0 || !oauth.ContainsScopes(limit.Scopes, c.Scopes) {
		return &Refused{"A token cannot give an application scopes that it lacks itself. Name the scopes of the application, all of them among the token's own."}
	}
	return nil
}

// checkClientID looks at the id an operator chose: RFC 3986 §2.3 unreserved
// characters, and not the subject of a user, since a client that acts for itself
// has its id as subject.
func (d *Desk) checkClientID(ctx context.Context, id string) error {
	const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
	if id == "" {
		return nil
	}
	switch {
	case len(id) > 255 || strings.Trim(id, unreserved) != "":
		return invalid("id", "A client id is one to 255 letters, digits and the characters . _ ~ and -")
	case id == "." || id == ".." || id == "new":
		return invalid("id", "This client id cannot be part of an address on the settings pages.")
	}
	known, err := d.knownUser(ctx, id)
	if err == nil && known {
		return invalid("id", "The client id is the subject of a user.")
	}
	return err
}

// checkOwner: the owner an operator chose exists.
func (d *Desk) checkOwner(ctx context.Context, subject string) error {
	if subject == "" {
		return nil
	}
	known, err := d.knownUser(ctx, subject)
	if err == nil && !known {
		return invalid("owner", "There is no such user.")
	}
	return err
}

func (d *Desk) knownUser(ctx context.Context, subject string) (bool, error) {
	_, err := d.users.User(ctx, subject)
	if errors.Is(err, oauth.ErrUserNotFound) {
		return false, nil
	}
	return err == nil, err
}

// unique keeps each name once, in order.
func unique(names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// quoted shows what somebody sent, cut short.
func quoted(s string) string {
	shown := strings.Map(func(r rune) rune {
		if r < ' ' || r > 0x7e || r == '`' {
			return '?'
		}
		return r
	}, s[:min(len(s), 60)])
	return "`" + shown + "`"
}
