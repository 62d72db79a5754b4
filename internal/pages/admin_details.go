package pages

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/valetkey/valetkey/oauth"
)

// AdminApplication shows a client to an administrator.
type AdminApplication struct {
	Client  *oauth.Client
	Owner   string // display name; empty: nobody owns it, or the owner is gone
	Scopes  []oauth.ScopeGroup
	Secrets []ClientSecret
	Users   int
}

// Member is a member of a client's metadata, for people to read.
type Member struct {
	Name   string // as RFC 7591 §2 and its companions spell it
	Values []string
}

// Metadata lists what the client is registered with beyond what has a place of
// its own on the page, by name.
func (p AdminApplication) Metadata() []Member {
	body, err := json.Marshal(p.Client.Metadata)
	var members map[string]json.RawMessage
	if err != nil || json.Unmarshal(body, &members) != nil {
		return nil
	}
	var out []Member
	for _, name := range slices.Sorted(maps.Keys(members)) {
		var list []string
		var one string
		switch raw := members[name]; {
		case json.Unmarshal(raw, &list) == nil:
		case json.Unmarshal(raw, &one) == nil:
			list = []string{one}
		default:
			list = []string{string(raw)}
		}
		out = append(out, Member{name, list})
	}
	return out
}

func (AdminApplication) Template() string { return "admin/application.html" }
func (AdminApplication) Title() string    { return "Application" }

// AdminApplicationForm makes a client, or changes one. Its fields are those of
// [ClientOptions] and id, owner, default_scopes, first_party and internal.
type AdminApplicationForm struct {
	Form    Form
	Options ClientOptions
	Client  *oauth.Client // nil: a new one
}

func (AdminApplicationForm) Template() string { return "admin/application_form.html" }
func (p AdminApplicationForm) Title() string {
	if p.Client == nil {
		return "New application"
	}
	return "Change application"
}

// AdminApplicationSecret asks whether to make a new secret, or shows the one
// that was made, once.
type AdminApplicationSecret struct {
	Form   Form // its field is keep_old, in hours
	Client *oauth.Client
	Made   bool   // a secret was made just now
	Secret string // empty when the page has shown it before
}

func (AdminApplicationSecret) Template() string { return "admin/application_secret.html" }
func (p AdminApplicationSecret) Title() string {
	switch {
	case !p.Made:
		return "New client secret"
	case p.Secret == "":
		return "This secret was shown already"
	}
	return "Copy the client secret now"
}

// AdminToken shows a token of any kind.
type AdminToken struct {
	Token  *oauth.Token
	Owner  string // display name of its subject; empty: it is a client, or gone
	Client *oauth.Client
	Scopes []oauth.ScopeGroup
}

func (AdminToken) Template() string { return "admin/token.html" }
func (AdminToken) Title() string    { return "Token" }

// AdminTokenForm renames a personal access token and narrows it. Its fields are
// name, description and scopes.
type AdminTokenForm struct {
	Form   Form
	Token  *oauth.Token
	Groups []oauth.ScopeGroup // the token's own scopes
}

func (AdminTokenForm) Template() string { return "admin/token_form.html" }
func (AdminTokenForm) Title() string    { return "Change token" }
