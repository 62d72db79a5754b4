package pages

import (
	"time"

	"github.com/valetkey/valetkey/oauth"
)

// ClientOptions is what the forms about an application offer. The fields are
// type, name, website, description, redirect_uris, public, grant_types, scopes,
// auth_method and require_pkce.
type ClientOptions struct {
	Types      []TypeOption
	GrantTypes []string           // that may be chosen at all
	Groups     []oauth.ScopeGroup // scopes the application may be limited to
}

// GrantHelp is a word of advice about a grant type; mostly there is none.
func (ClientOptions) GrantHelp(grantType string) string {
	if grantType == oauth.GrantDeviceCode {
		return "For devices without a browser: people type the code that the device shows. Somebody can talk people into typing a code of theirs, so choose it only where it is needed."
	}
	return ""
}

// TypeOption explains one type of application.
type TypeOption struct {
	Type               oauth.ApplicationType
	Label, Explanation string
}

// ClientTypes explains the types in the order of the form; legacy adds the one
// for grant types that OAuth 2.1 dropped.
func ClientTypes(legacy bool) []TypeOption {
	types := []TypeOption{
		{oauth.WebApplication, "Web application", "Runs on a server that can keep a secret. People sign in to it with their browser."},
		{oauth.BrowserApplication, "Browser application", "A single-page application: all of it runs in the browser, so it keeps no secret."},
		{oauth.NativeApplication, "Native application or command line", "Runs on the person's own device and keeps no secret. It may listen on a loopback address or have a scheme of its own."},
		{oauth.ServiceApplication, "Service", "Acts for itself, without a person: a nightly job, another server. It needs no redirect URI."},
	}
	if legacy {
		types = append(types, TypeOption{oauth.LegacyApplication, "Legacy application", "May use the implicit or the password grant. Both hand out more than they should; choose this only for software that cannot be changed."})
	}
	return types
}

// ClientNew asks for a new application.
type ClientNew struct {
	Form    Form
	Options ClientOptions
	// FromLink says that the values came from a link.
	FromLink bool
}

func (ClientNew) Template() string { return "client_new.html" }
func (ClientNew) Title() string    { return "New application" }

// ClientSecret is what is left to show of a secret.
type ClientSecret struct {
	Hint                             string
	CreatedAt, ExpiresAt, LastUsedAt time.Time
}

// ClientView shows an application to its owner and lets it be changed.
type ClientView struct {
	Form    Form
	Options ClientOptions
	Client  *oauth.Client
	Secrets []ClientSecret
	Users   int // people who authorized it
	Help    Help
}

func (ClientView) Template() string { return "client.html" }
func (ClientView) Title() string    { return "Application" }

// ClientCreated shows an application's new secret, once.
type ClientCreated struct {
	Client *oauth.Client
	Secret string // empty when the page has shown it before
	Env    string // the lines for a configuration file
}

func (ClientCreated) Template() string { return "client_created.html" }
func (c ClientCreated) Title() string {
	if c.Secret == "" {
		return "This secret was shown already"
	}
	return "Copy the client secret now"
}

// ClientReset asks whether to make a new secret. Its field is keep_old: how
// many hours the old one goes on working.
type ClientReset struct {
	Form   Form
	Client *oauth.Client
}

func (ClientReset) Template() string { return "client_reset.html" }
func (ClientReset) Title() string    { return "New client secret" }

// ClientDelete asks for the application's name before it is deleted. Its field
// is name.
type ClientDelete struct {
	Form   Form
	Client *oauth.Client
	Users  int
}

func (ClientDelete) Template() string { return "client_delete.html" }
func (ClientDelete) Title() string    { return "Delete application" }
