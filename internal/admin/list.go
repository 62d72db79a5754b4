package admin

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// pageSize is how many rows a page has.
const pageSize = 50

// list is the address of a list, understood.
type list struct {
	base   string
	values url.Values // the filters that are set, and sort
	page   manage.Page
	bad    bool // a value is none
}

// order is a way to sort a list: by a header, one way or the other.
type order struct {
	name       string // in the address; with "-" before it, descending
	descending bool   // is how the rows come from the desk when not reversed
}

// choice is a filter with few values.
type choice map[string][]string

// newList reads the address. Unknown parameters are left out, so that they do
// not stay in links for ever; the first order is the usual one.
func (a *admin) newList(v *visit, base string, texts []string, choices choice, orders ...order) list {
	l := list{base: a.Pages.Path(base), values: url.Values{}, page: manage.Page{Limit: pageSize + 1}}
	query, err := url.ParseQuery(v.r.URL.RawQuery)
	l.bad = err != nil
	for _, name := range texts {
		if value := strings.TrimSpace(query.Get(name)); value != "" {
			l.values.Set(name, value)
			l.bad = l.bad || !sensible(value)
		}
	}
	for name, allowed := range choices {
		if value := query.Get(name); value != "" {
			l.values.Set(name, value)
			l.bad = l.bad || !slices.Contains(allowed, value)
		}
	}
	if sort := query.Get("sort"); sort != "" {
		name, descending := strings.CutPrefix(sort, "-")
		i := slices.IndexFunc(orders, func(o order) bool { return o.name == name })
		if i < 0 {
			l.bad = true
		} else {
			l.values.Set("sort", sort)
			l.page.Reverse = descending != orders[i].descending
		}
	}
	if l.page.After = query.Get("after"); l.page.After != "" {
		l.bad = l.bad || !sensible(l.page.After) || strings.ContainsAny(l.page.After, " /\\'\"<>")
	}
	return l
}

// sensible reports whether a text can be a part of a name or an id.
func sensible(s string) bool {
	return len(s) <= 255 && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\ufffd' })
}

func (l list) get(name string) string { return l.values.Get(name) }

// address is that of the same list with another order or cursor.
func (l list) address(name, value string) string {
	values := url.Values{}
	for k, v := range l.values {
		values[k] = v
	}
	values.Del(name)
	if value != "" {
		values.Set(name, value)
	}
	if len(values) == 0 {
		return l.base
	}
	return l.base + "?" + values.Encode()
}

// head is what the page shows around the rows. last is the id of the last row
// when there are more.
func (l list) head(last string, orders ...order) pages.AdminList {
	h := pages.AdminList{Filter: pages.Form{Values: l.values}, Bad: l.bad, Sort: l.get("sort"), Sorts: map[string]pages.Sorting{}}
	current := l.get("sort")
	if current == "" {
		current = "-" + orders[0].name
	}
	for _, o := range orders {
		s := pages.Sorting{URL: l.address("sort", o.name)}
		switch current {
		case o.name:
			s.By, s.URL = "ascending", l.address("sort", "-"+o.name)
		case "-" + o.name:
			s.By = "descending"
		}
		h.Sorts[o.name] = s
	}
	switch {
	case current == "-"+orders[0].name:
		h.Pager.FirstLabel, h.Pager.NextLabel = "Newest", "Older"
	case current == orders[0].name:
		h.Pager.FirstLabel, h.Pager.NextLabel = "Oldest", "Newer"
	default:
		h.Pager.FirstLabel, h.Pager.NextLabel = "First page", "Next page"
	}
	if l.page.After != "" {
		h.Pager.First = l.address("after", "")
	}
	if last != "" {
		h.Pager.Next = l.address("after", last)
	}
	return h
}

// cut keeps the rows of the page, and returns the id of the last one if there
// are more.
func cut[T any](rows []T, id func(T) string) (kept []T, last string) {
	if len(rows) <= pageSize {
		return rows, ""
	}
	return rows[:pageSize], id(rows[pageSize-1])
}

var (
	byCreated = order{name: "created", descending: true}
	byName    = order{name: "name"}
	byIssued  = order{name: "issued", descending: true}
	byWhen    = order{name: "when", descending: true}
)

func (a *admin) applications(v *visit) error {
	l := a.newList(v, pathApplications, []string{"q", "owner"}, choice{"internal": {"yes", "no"}}, byCreated, byName)
	q := manage.ApplicationQuery{All: true, Text: l.get("q"), Owner: l.get("owner"), ByName: strings.TrimPrefix(l.get("sort"), "-") == byName.name}
	if value := l.get("internal"); value != "" {
		internal := value == "yes"
		q.Internal = &internal
	}
	var rows []*oauth.Client
	if !l.bad {
		var err error
		if rows, err = a.Desk.Applications(v.r.Context(), v.actor, q, l.page); err != nil {
			return err
		}
	}
	rows, last := cut(rows, func(c *oauth.Client) string { return c.ID })
	return a.render(v, l.status(), pages.AdminApplicationsItem, pages.AdminApplications{AdminList: l.head(last, byCreated, byName), Clients: rows})
}

func (a *admin) tokens(v *visit) error {
	l := a.newList(v, pathTokens, []string{"q", "subject", "client"}, choice{
		"kind":  {string(oauth.PersonalToken), string(oauth.AccessToken), string(oauth.RefreshToken)},
		"state": {string(manage.TokensActive), string(manage.TokensExpired), string(manage.TokensRevoked), string(manage.TokensAll)},
	}, byIssued)
	q := manage.TokenQuery{All: true, Text: l.get("q"), Subject: l.get("subject"), ClientID: l.get("client"),
		Kind: oauth.TokenKind(l.get("kind")), State: manage.TokenState(l.get("state"))}
	var rows []*oauth.Token
	if !l.bad {
		var err error
		if rows, err = a.Desk.Tokens(v.r.Context(), v.actor, q, l.page); err != nil {
			return err
		}
	}
	rows, last := cut(rows, func(t *oauth.Token) string { return t.ID })
	return a.render(v, l.status(), pages.AdminTokensItem, pages.AdminTokens{AdminList: l.head(last, byIssued), Tokens: rows})
}

func (a *admin) activity(v *visit) error {
	var page pages.AdminActivity
	types := choice{}
	for _, o := range page.EventTypes() {
		types["type"] = append(types["type"], string(o.Type))
	}
	l := a.newList(v, pathActivity, []string{"involving", "client"}, types, byWhen)
	q := manage.EventQuery{Involving: l.get("involving"), ClientID: l.get("client"), Type: oauth.EventType(l.get("type"))}
	var rows []*oauth.Event
	if !l.bad {
		var err error
		if rows, err = a.Desk.AuditTrail(v.r.Context(), v.actor, q, l.page); err != nil {
			return err
		}
	}
	rows, last := cut(rows, func(e *oauth.Event) string { return e.ID })
	page.AdminList, page.Events = l.head(last, byWhen), rows
	return a.render(v, l.status(), pages.AdminActivityItem, page)
}

// status is 400 for an address that holds a value that is none.
func (l list) status() int {
	if l.bad {
		return http.StatusBadRequest
	}
	return http.StatusOK
}
