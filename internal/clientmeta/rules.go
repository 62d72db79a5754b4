package clientmeta

import (
	"slices"
	"strings"

	"github.com/valetkey/valetkey/internal/fetch"
	"github.com/valetkey/valetkey/oauth"
)

// Rules say what the server can do, and so what clients may ask it for. The lists
// are in the order in which they are told to whoever asked for something else.
type Rules struct {
	GrantTypes    []string
	ResponseTypes []string // in the order of their registration: "code id_token"
	AuthMethods   []oauth.AuthMethod
	Scopes        *oauth.Scopes

	// SigningAlgs are what the server signs with (ID tokens, UserInfo,
	// introspection); ClientAlgs what clients may sign with, by keys of their own;
	// SecretAlgs by their secret.
	SigningAlgs, ClientAlgs, SecretAlgs []string
	// SubjectTypes are public, pairwise, or none without OpenID Connect.
	SubjectTypes []string
	// JWTAccessTokens says that access tokens can be signed (RFC 9068).
	JWTAccessTokens bool
	// Profile is that of new clients; OptionalPKCE lets even public ones leave PKCE out.
	Profile      oauth.Profile
	OptionalPKCE bool

	// Fetch asks other servers; nil: nobody is asked, and sector identifiers are refused.
	Fetch *fetch.Fetcher
}

// Client makes a client without id and times of a document. Errors are [*Error].
func (r *Rules) Client(d *Document) (*oauth.Client, error) {
	c := &oauth.Client{Profile: r.Profile, Metadata: d.ClientMetadata}
	for _, step := range []func(*Document, *oauth.Client) error{
		r.authMethod, r.grants, applicationType, r.names, redirectURIs, r.scopes, r.pkce, proven,
	} {
		if err := step(d, c); err != nil {
			return nil, err
		}
	}
	return c, r.Check(c)
}

// authMethod: RFC 7591 §2, token_endpoint_auth_method.
func (r *Rules) authMethod(d *Document, c *oauth.Client) error {
	c.AuthMethod = d.AuthMethod
	if c.AuthMethod == "" {
		c.AuthMethod = oauth.AuthBasic
	}
	if !slices.Contains(r.AuthMethods, c.AuthMethod) {
		return bad("token_endpoint_auth_method", "names a method that this server does not offer here. It offers %s.", join(r.AuthMethods))
	}
	return nil
}

// grants: grant_types and response_types (RFC 7591 §2). What the server does not
// offer is left out; what is absent follows from the other of the two.
func (r *Rules) grants(d *Document, c *oauth.Client) error {
	for _, err := range []error{texts("grant_types", d.GrantTypes), texts("response_types", d.ResponseTypes)} {
		if err != nil {
			return err
		}
	}
	var responses []string
	for _, t := range d.ResponseTypes {
		responses = append(responses, ordered(t))
	}
	grants := only(unique(d.GrantTypes), r.GrantTypes)
	responses = only(unique(responses), r.ResponseTypes)
	switch {
	case len(d.GrantTypes) > 0 && len(grants) == 0:
		return bad("grant_types", "names nothing that this server offers here. It offers %s.", join(r.GrantTypes))
	case len(d.ResponseTypes) > 0 && len(responses) == 0:
		return bad("response_types", "names nothing that this server offers here. It offers %s.", join(r.ResponseTypes))
	case len(grants) == 0 && len(responses) == 0:
		grants, responses = []string{oauth.GrantAuthorizationCode}, []string{oauth.ResponseTypeCode}
	case len(grants) == 0:
		grants = grantsOf(responses)
	case len(d.ResponseTypes) == 0:
		responses = responsesOf(grants, r.ResponseTypes)
	case len(d.GrantTypes) > len(grants) || len(d.ResponseTypes) > len(responses):
		// Something was left out of one list: what lived off it goes from the other.
		responses = slices.DeleteFunc(responses, func(t string) bool { return !oauth.ContainsScopes(grants, grantsOf([]string{t})) })
		served := grantsOf(responses)
		grants = slices.DeleteFunc(grants, func(g string) bool { return redirects(g) && !slices.Contains(served, g) })
	}
	c.GrantTypes, c.Metadata.ResponseTypes = grants, responses
	if len(grants) == 0 {
		return bad("grant_types", "and response_types have nothing in common that this server offers here.")
	}
	if slices.Contains(grants, oauth.GrantClientCredentials) && c.Public() {
		return bad("grant_types", "must not hold client_credentials for a client without a secret.")
	}
	return nil
}

// ordered writes a response type with its words in the order of its registration:
// their order has no meaning (OAuth 2.0 Multiple Response Type Encoding Practices §5).
func ordered(t string) string {
	words := strings.Fields(t)
	slices.Sort(words) // code, id_token, token
	return strings.Join(words, " ")
}

// redirects: the grant type needs the authorization endpoint.
func redirects(grant string) bool {
	return grant == oauth.GrantAuthorizationCode || grant == oauth.GrantImplicit
}

// grantsOf are the grant types that response types need (RFC 7591 §2.1, OpenID
// Connect Dynamic Client Registration §2).
func grantsOf(responses []string) []string {
	var grants []string
	for _, t := range responses {
		words := strings.Fields(t)
		if slices.Contains(words, "code") {
			grants = append(grants, oauth.GrantAuthorizationCode)
		}
		if slices.Contains(words, "token") || slices.Contains(words, "id_token") {
			grants = append(grants, oauth.GrantImplicit)
		}
	}
	return unique(grants)
}

// responsesOf is the least that grant types are good for.
func responsesOf(grants, offered []string) []string {
	switch {
	case slices.Contains(grants, oauth.GrantAuthorizationCode):
		return []string{oauth.ResponseTypeCode}
	case slices.Contains(grants, oauth.GrantImplicit):
		return only([]string{oauth.ResponseTypeToken, oauth.ResponseTypeIDToken, oauth.ResponseTypeIDTokenToken}, offered)
	}
	return nil
}

// applicationType: OpenID Connect Dynamic Client Registration §2.
func applicationType(d *Document, c *oauth.Client) error {
	if d.ApplicationType != "" && d.ApplicationType != "web" && d.ApplicationType != "native" {
		return bad("application_type", "must be web or native.")
	}
	c.Type = d.TypeOf(c.GrantTypes, c.AuthMethod)
	return nil
}

// TypeOf is our own type of a client with those grant types: they are finer than
// those of the specification, and follow from the rest.
func (d *Document) TypeOf(grants []string, method oauth.AuthMethod) oauth.ApplicationType {
	public := method == oauth.AuthNone
	switch {
	case d.ApplicationType == "native":
		return oauth.NativeApplication
	case slices.Contains(grants, oauth.GrantImplicit), slices.Contains(grants, oauth.GrantPassword):
		return oauth.LegacyApplication
	case len(d.RedirectURIs) == 0 && !slices.ContainsFunc(grants, redirects) && public:
		return oauth.NativeApplication
	case len(d.RedirectURIs) == 0 && !slices.ContainsFunc(grants, redirects):
		return oauth.ServiceApplication
	case public:
		return oauth.BrowserApplication
	}
	return oauth.WebApplication
}

// names: what people will read.
func (r *Rules) names(d *Document, c *oauth.Client) (err error) {
	c.Name, err = name(d.Name)
	c.Website = d.Website
	return err
}

// scopes: RFC 7591 §2. Scopes that do not exist, for strangers also the internal
// ones, are left out. A client that named some and may have none of them must not
// end up with all of them.
func (r *Rules) scopes(d *Document, c *oauth.Client) error {
	if len(d.Scope) > maxScope {
		return bad("scope", "must be at most %d bytes long.", maxScope)
	}
	names, err := oauth.ParseScope(d.Scope)
	if err != nil {
		return bad("scope", "must be a list of scope names separated by single spaces.")
	}
	for _, n := range names {
		if s, known := r.Scopes.Find(n); known && !s.Internal {
			c.Scopes = append(c.Scopes, n)
		}
	}
	if len(names) > 0 && len(c.Scopes) == 0 {
		return bad("scope", "names no scope that exists on this server.")
	}
	return nil
}

// pkce: on for every new client that has codes; a profile bends it for those that
// have a secret (RFC 9700 §2.1.1).
func (r *Rules) pkce(_ *Document, c *oauth.Client) error {
	c.RequirePKCE = !r.OptionalPKCE && c.MayUse(oauth.GrantAuthorizationCode) && (c.Public() || c.Profile != oauth.ProfileCertification)
	return nil
}

// proven: that somebody belongs to a sector is shown by nothing but that tokens come
// by way of its redirect URIs, which anybody may register. A device has none.
func proven(d *Document, c *oauth.Client) error {
	if d.SubjectType == oauth.SubjectPairwise && c.MayUse(oauth.GrantDeviceCode) {
		return errDevice
	}
	return nil
}

var errDevice = bad("grant_types", "must not hold %s for a client of pairwise subjects: no redirect URI would prove its sector.", oauth.GrantDeviceCode)

// only keeps what is offered.
func only(list, offered []string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return !slices.Contains(offered, s) })
}

// unique keeps each once, in order.
func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func join[S ~string](list []S) string {
	words := make([]string, len(list))
	for i, s := range list {
		words[i] = string(s)
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}
