package pages

import (
	"cmp"
	"slices"

	"github.com/valetkey/valetkey/oauth"
)

// AdminApplicationsItem, AdminTokensItem and AdminActivityItem are the menu
// items of the administration's pages.
const (
	AdminApplicationsItem = "admin.applications"
	AdminTokensItem       = "admin.tokens"
	AdminActivityItem     = "admin.activity"
)

// AdminList is what the lists of the administration have in common.
type AdminList struct {
	Filter Form   // what was searched for; its values are the query string
	Bad    bool   // the query string held a value that is none; nothing is listed
	Sort   string // value of the hidden field sort, so that a new search keeps the order
	// Sorts holds the headers that can be sorted by, by name.
	Sorts map[string]Sorting
	Pager Pager
}

// Sorting is a header whose link sorts by it.
type Sorting struct {
	URL string
	By  string // "ascending" or "descending"; empty: the list is sorted by something else
}

// Pager leads to the other pages of a list; empty URLs: there are none.
type Pager struct {
	First, Next           string
	FirstLabel, NextLabel string
}

// AdminApplications lists everybody's clients. Its fields are q, owner and internal.
type AdminApplications struct {
	AdminList
	Clients []*oauth.Client
}

func (AdminApplications) Template() string { return "admin/applications.html" }
func (AdminApplications) Title() string    { return "Applications" }

// AdminTokens lists everybody's tokens. Its fields are q, kind, state, subject and client.
type AdminTokens struct {
	AdminList
	Tokens []*oauth.Token
}

func (AdminTokens) Template() string { return "admin/tokens.html" }
func (AdminTokens) Title() string    { return "Tokens" }

// AdminActivity lists the audit trail. Its fields are involving, client and type.
type AdminActivity struct {
	AdminList
	Events []*oauth.Event
}

func (AdminActivity) Template() string { return "admin/activity.html" }
func (AdminActivity) Title() string    { return "Activity" }

// EventOption is a type of event to choose.
type EventOption struct {
	Type  oauth.EventType
	Label string
}

// EventTypes lists the types by their names.
func (AdminActivity) EventTypes() []EventOption {
	var all []EventOption
	for t, label := range eventNames {
		all = append(all, EventOption{t, label})
	}
	slices.SortFunc(all, func(a, b EventOption) int { return cmp.Compare(a.Label, b.Label) })
	return all
}
