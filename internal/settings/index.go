package settings

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// rows is how many applications, tokens or events one page shows.
const rows = 100

// index shows the three panels.
func (s *Settings) index(w http.ResponseWriter, r *http.Request, v *visitor) error {
	ctx, q := r.Context(), r.URL.Query()
	clients, err := s.cfg.Desk.Applications(ctx, v.actor, manage.ApplicationQuery{}, manage.Page{After: q.Get("clients"), Limit: rows})
	if err != nil {
		return err
	}
	tokens, err := s.cfg.Desk.Tokens(ctx, v.actor, manage.TokenQuery{}, manage.Page{After: q.Get("tokens"), Limit: rows})
	if err != nil {
		return err
	}
	page := pages.Applications{Clients: clients, Tokens: tokens}
	if len(clients) == rows {
		page.MoreClients = "?" + url.Values{"clients": {clients[rows-1].ID}}.Encode()
	}
	if len(tokens) == rows {
		page.MoreTokens = "?" + url.Values{"tokens": {tokens[rows-1].ID}}.Encode()
	}
	sortTokens(tokens, s.cfg.Now())
	list, err := s.cfg.Desk.Authorizations(ctx, v.actor)
	if err != nil {
		return err
	}
	for _, a := range list {
		row, err := s.authorizationPage(ctx, &a)
		if err != nil {
			return err
		}
		page.Authorizations = append(page.Authorizations, row)
	}
	return s.render(w, r, v, http.StatusOK, page)
}

// sortTokens puts what expires soonest first, what never does after that, and
// what has expired last.
func sortTokens(tokens []*oauth.Token, now time.Time) {
	rank := func(t *oauth.Token) int {
		switch {
		case t.ExpiresAt.IsZero():
			return 1
		case !t.LiveAt(now):
			return 2
		}
		return 0
	}
	slices.SortStableFunc(tokens, func(a, b *oauth.Token) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.ExpiresAt.Compare(b.ExpiresAt))
	})
}

// authorizationPage puts an authorization into words.
func (s *Settings) authorizationPage(ctx context.Context, a *manage.Authorization) (pages.Authorization, error) {
	publisher, err := s.publisher(ctx, a.Client)
	return pages.Authorization{
		ID: a.ID, Client: a.Client, Publisher: publisher, Scopes: s.cfg.Desk.Scopes().Group(a.Scopes), Names: a.Scopes,
		GrantedAt: a.GrantedAt, LastUsedAt: a.LastUsedAt,
	}, err
}

// authorization shows what one application may do.
func (s *Settings) authorization(w http.ResponseWriter, r *http.Request, v *visitor) error {
	a, err := s.cfg.Desk.Authorization(r.Context(), v.actor, r.PathValue("id"))
	if err != nil {
		return err
	}
	page, err := s.authorizationPage(r.Context(), a)
	if err != nil {
		return err
	}
	return s.render(w, r, v, http.StatusOK, page)
}

// activity shows what happened to the account.
func (s *Settings) activity(w http.ResponseWriter, r *http.Request, v *visitor) error {
	after := r.URL.Query().Get("after")
	events, err := s.cfg.Desk.Activity(r.Context(), v.actor, manage.EventQuery{}, manage.Page{After: after, Limit: rows})
	if err != nil {
		return err
	}
	page := pages.Activity{Events: events}
	if len(events) == rows {
		page.Older = "?" + url.Values{"after": {events[rows-1].ID}}.Encode()
	}
	if after != "" {
		page.Newest = s.prefix + pathActivity
	}
	s.cfg.Pages.Render(w, r, http.StatusOK, s.shell(r, v, pages.SettingsActivity), page)
	return nil
}
