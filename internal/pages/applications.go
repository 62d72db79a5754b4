package pages

import (
	"time"

	"github.com/valetkey/valetkey/oauth"
)

// SettingsApplications and SettingsActivity are the menu items of these pages.
const (
	SettingsApplications = "settings.applications"
	SettingsActivity     = "settings.activity"
)

// Applications is the settings page with its three panels: the applications one
// registered, one's personal access tokens, and the applications one authorized.
type Applications struct {
	Clients        []*oauth.Client
	Tokens         []*oauth.Token
	Authorizations []Authorization
	// MoreClients and MoreTokens are URLs of the rows that did not fit; empty: none.
	MoreClients, MoreTokens string
}

func (Applications) Template() string { return "applications.html" }
func (Applications) Title() string    { return "Applications" }

// Authorization is an application that the person allowed something, as a row
// and as a page of its own.
type Authorization struct {
	ID        string
	Client    *oauth.Client
	Publisher string             // display name of who registered it; empty: the operator
	Scopes    []oauth.ScopeGroup // empty: it learned only that there is an account
	Names     []string           // the same scopes by name
	GrantedAt time.Time
	// LastUsedAt is shown only roughly; zero: never.
	LastUsedAt time.Time
}

// Unchecked reports whether nobody here has looked at the application.
func (a Authorization) Unchecked() bool { return unchecked(a.Client) }

func (Authorization) Template() string { return "authorization.html" }
func (Authorization) Title() string    { return "Authorized application" }

// RevokeAuthorization asks whether to take back all of it.
type RevokeAuthorization struct{ Authorization }

func (RevokeAuthorization) Template() string { return "authorization_revoke.html" }
func (RevokeAuthorization) Title() string    { return "Revoke access" }

// Activity lists what happened to the person's account.
type Activity struct {
	Events []*oauth.Event
	Older  string // URL of the next page; empty: none
	Newest string // URL of the first page; empty: this is it
}

func (Activity) Template() string { return "activity.html" }
func (Activity) Title() string    { return "Activity" }
