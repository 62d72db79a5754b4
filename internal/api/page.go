package api

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/valetkey/valetkey/manage"
)

const (
	defaultLimit = 50
	maxLimit     = 100
)

// page reads after and limit from the query. A limit above 100 is 100. A cursor
// is the id of the last row of the page before; one that never was an id is
// refused. One row more than asked for is fetched, to tell whether there is more.
func page(c *call) (manage.Page, error) {
	// URL.Query would drop what it cannot read, and the list would begin anew.
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	p := manage.Page{Limit: defaultLimit, After: query.Get("after")}
	if err != nil {
		return p, badQuery("The query string cannot be read.")
	}
	if len(query["after"]) > 1 || len(query["limit"]) > 1 {
		return p, badQuery("after and limit may occur once.")
	}
	if query.Has("limit") {
		n, err := strconv.ParseUint(query.Get("limit"), 10, 31)
		if err != nil || n == 0 {
			return p, badQuery("limit must be a number from 1 to 100.")
		}
		p.Limit = int(min(n, maxLimit))
	}
	if query.Has("after") && !isID(p.After) {
		return p, badCursor
	}
	p.Limit++
	return p, nil
}

var badCursor = badQuery("after is not a cursor of this list. Follow the Link header of the page before, or begin anew.")

func badQuery(detail string) error { return &problem{http.StatusBadRequest, detail} }

// isID reports whether s can be an id: of the characters of RFC 3986 §2.3.
func isID(s string) bool {
	return s != "" && len(s) <= 255 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") == ""
}

// isMinted reports whether s can be an id that the server drew: 22 letters and digits.
func isMinted(s string) bool { return len(s) == 22 && isID(s) && !strings.ContainsAny(s, "-._~") }

// next cuts rows to the page and, if there are more, says in a Link header
// where they are (RFC 8288 §3).
func next[T any](a *api, c *call, p manage.Page, rows []T, id func(T) string) []T {
	if len(rows) < p.Limit {
		return rows
	}
	rows = rows[:p.Limit-1]
	query := c.r.URL.Query()
	query.Set("after", id(rows[len(rows)-1]))
	query.Set("limit", strconv.Itoa(p.Limit-1))
	path := strings.TrimPrefix(c.r.URL.Path, a.prefix)
	c.w.Header().Set("Link", "<"+a.base+(&url.URL{Path: path, RawQuery: query.Encode()}).String()+`>; rel="next"`)
	return rows
}

// items is a list in JSON.
type items[T any] struct {
	Items []T `json:"items"`
}

func itemsOf[R, T any](rows []R, show func(R) T) items[T] {
	out := items[T]{Items: make([]T, 0, len(rows))}
	for _, row := range rows {
		out.Items = append(out.Items, show(row))
	}
	return out
}
