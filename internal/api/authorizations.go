package api

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// authorization is what the caller allows one application.
type authorization struct {
	ID          string     `json:"id"`
	Application publicInfo `json:"application"`
	Scopes      []string   `json:"scopes"`
	GrantedAt   time.Time  `json:"granted_at"`
	LastUsedAt  *time.Time `json:"last_used_at"`
}

// publicInfo is what everybody may know of an application.
type publicInfo struct {
	ClientID    string `json:"client_id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Website     string `json:"website"`
}

func showAuthorization(auth manage.Authorization) authorization {
	c := auth.Client
	return authorization{
		ID: auth.ID, Application: publicInfo{c.ID, c.Name, c.Description, c.Website}, Scopes: listed(auth.Scopes),
		GrantedAt: auth.GrantedAt.UTC(), LastUsedAt: optional(auth.LastUsedAt),
	}
}

func (a *api) listAuthorizations(c *call) error {
	p, err := page(c)
	if err != nil {
		return err
	}
	if p.After != "" && !isMinted(p.After) {
		return badCursor
	}
	rows, err := a.Desk.Authorizations(c.ctx(), c.actor)
	if err != nil {
		return err
	}
	slices.SortFunc(rows, func(x, y manage.Authorization) int { return cmp.Compare(y.ID, x.ID) })
	rows = slices.DeleteFunc(rows, func(x manage.Authorization) bool { return p.After != "" && x.ID >= p.After })
	rows = next(a, c, p, rows[:min(len(rows), p.Limit)], func(x manage.Authorization) string { return x.ID })
	respond.JSON(c.w, http.StatusOK, itemsOf(rows, showAuthorization))
	return nil
}

func (a *api) showAuthorization(c *call) error {
	auth, err := a.Desk.Authorization(c.ctx(), c.actor, c.id())
	if err != nil {
		return err
	}
	respond.JSON(c.w, http.StatusOK, showAuthorization(*auth))
	return nil
}

func (a *api) revokeAuthorization(c *call) error {
	if err := a.Desk.RevokeAuthorization(c.ctx(), c.actor, c.id()); err != nil {
		return err
	}
	noContent(c)
	return nil
}

// event is one row of the caller's activity.
type event struct {
	ID        string          `json:"id"`
	At        time.Time       `json:"at"`
	Type      oauth.EventType `json:"type"`
	Detail    string          `json:"detail"`
	ByYou     bool            `json:"by_you"` // false: somebody else, or a client, did it
	ClientID  *string         `json:"client_id"`
	TokenID   *string         `json:"token_id"`
	Network   *string         `json:"network"`
	RequestID *string         `json:"request_id"`
}

func showEvent(e *oauth.Event, caller string) event {
	return event{
		ID: e.ID, At: e.At.UTC(), Type: e.Type, Detail: e.Detail, ByYou: e.Actor == caller, ClientID: orNull(e.ClientID),
		TokenID: orNull(e.TokenID), Network: orNull(e.Network), RequestID: orNull(e.RequestID),
	}
}

func (a *api) listActivity(c *call) error {
	p, err := page(c)
	if err != nil {
		return err
	}
	if p.After != "" && !isMinted(p.After) {
		return badCursor
	}
	rows, err := a.Desk.Activity(c.ctx(), c.actor, manage.EventQuery{}, p)
	if err != nil {
		return err
	}
	rows = next(a, c, p, rows, func(e *oauth.Event) string { return e.ID })
	respond.JSON(c.w, http.StatusOK, itemsOf(rows, func(e *oauth.Event) event {
		return showEvent(e, c.actor.Subject)
	}))
	return nil
}
