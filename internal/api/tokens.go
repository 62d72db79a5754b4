package api

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/internal/strictjson"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// token is a personal access token in JSON.
type token struct {
	ID              string            `json:"id"`
	Name            string            `json:"name"`
	Description     string            `json:"description"`
	Scopes          []string          `json:"scopes"`
	State           manage.TokenState `json:"state"`
	Hint            string            `json:"hint"`
	CreatedAt       time.Time         `json:"created_at"`
	ExpiresAt       *time.Time        `json:"expires_at"`
	LastUsedAt      *time.Time        `json:"last_used_at"`
	LastUsedNetwork *string           `json:"last_used_network"`
	// Token is the secret itself, in the one answer that shows it.
	Token string `json:"token,omitempty"`
}

func (a *api) token(t *oauth.Token) token {
	return token{
		ID: t.ID, Name: t.Name, Description: t.Description, Scopes: listed(t.Scopes), State: manage.StateOf(t, a.Now()),
		Hint: t.Hint, CreatedAt: t.IssuedAt.UTC(), ExpiresAt: optional(t.ExpiresAt),
		LastUsedAt: optional(t.LastUsedAt), LastUsedNetwork: orNull(t.LastUsedNetwork),
	}
}

func (a *api) shownOnce(t *oauth.Token, secret oauth.Secret) token {
	out := a.token(t)
	out.Token = string(secret)
	return out
}

func (a *api) listTokens(c *call) error {
	p, err := page(c)
	if err != nil {
		return err
	}
	if p.After != "" && !isMinted(p.After) {
		return badCursor
	}
	state := manage.TokenState(c.r.URL.Query().Get("state"))
	if !slices.Contains([]manage.TokenState{manage.TokensKept, manage.TokensActive, manage.TokensExpired, manage.TokensRevoked, manage.TokensAll}, state) {
		return badQuery("state must be active, expired, revoked or all.")
	}
	rows, err := a.Desk.Tokens(c.ctx(), c.actor, manage.TokenQuery{State: state}, p)
	if err != nil {
		return err
	}
	rows = next(a, c, p, rows, func(t *oauth.Token) string { return t.ID })
	respond.JSON(c.w, http.StatusOK, itemsOf(rows, a.token))
	return nil
}

func (a *api) createToken(c *call) error {
	var in struct {
		Name        string                      `json:"name"`
		Description string                      `json:"description"`
		Scopes      []string                    `json:"scopes"`
		ExpiresAt   strictjson.Field[time.Time] `json:"expires_at"` // absent: the default; null: never
	}
	if err := strictjson.Request(c.w, c.r, &in); err != nil {
		return err
	}
	expires, err := a.expiry(in.ExpiresAt, a.Desk.Policy().PersonalTokenDefault)
	if err != nil {
		return err
	}
	t, secret, err := a.Desk.CreateToken(c.ctx(), c.actor, manage.TokenInput{
		Name: in.Name, Description: in.Description, Scopes: in.Scopes, ExpiresAt: expires,
	})
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", a.base+"/tokens/"+url.PathEscape(t.ID))
	respond.JSON(c.w, http.StatusCreated, a.shownOnce(t, secret))
	return nil
}

// expiry is when a token is to end; zero: never. An absent member stands for the
// life that is given, where zero is for ever.
func (a *api) expiry(f strictjson.Field[time.Time], life time.Duration) (time.Time, error) {
	now := a.Now()
	switch {
	case f.Null, !f.Set && life == 0:
		return time.Time{}, nil
	case !f.Set:
		return now.Add(life), nil
	case !now.Before(f.Value): // the year 1 is Go's zero time, and does not mean never
		return time.Time{}, &manage.Invalid{Errors: []manage.FieldError{{Field: "expires_at", Message: "The expiration must be in the future."}}}
	}
	return f.Value, nil
}

func (a *api) showToken(c *call) error {
	t, err := a.Desk.Token(c.ctx(), c.actor, c.id())
	if err != nil {
		return err
	}
	respond.JSON(c.w, http.StatusOK, a.token(t))
	return nil
}

func (a *api) updateToken(c *call) error {
	var in struct {
		Name        strictjson.Field[string]   `json:"name"`
		Description strictjson.Field[string]   `json:"description"`
		Scopes      strictjson.Field[[]string] `json:"scopes"`
	}
	if err := strictjson.Request(c.w, c.r, &in); err != nil {
		return err
	}
	t, err := a.Desk.EditToken(c.ctx(), c.actor, c.id(), func(t oauth.Token) manage.TokenInput {
		return manage.TokenInput{Name: in.Name.Or(t.Name), Description: in.Description.Or(t.Description), Scopes: in.Scopes.Or(t.Scopes)}
	})
	if err != nil {
		return err
	}
	respond.JSON(c.w, http.StatusOK, a.token(t))
	return nil
}

func (a *api) regenerateToken(c *call) error {
	var in struct {
		ExpiresAt strictjson.Field[time.Time] `json:"expires_at"` // absent: as long as before; null: never
	}
	if err := strictjson.Request(c.w, c.r, &in); err != nil {
		return err
	}
	t, err := a.Desk.Token(c.ctx(), c.actor, c.id())
	if err != nil {
		return err
	}
	life := time.Duration(0)
	if !t.ExpiresAt.IsZero() {
		life = t.ExpiresAt.Sub(t.IssuedAt)
	}
	expires, err := a.expiry(in.ExpiresAt, life)
	if err != nil {
		return err
	}
	t, secret, err := a.Desk.RegenerateToken(c.ctx(), c.actor, t.ID, expires)
	if err != nil {
		return err
	}
	respond.JSON(c.w, http.StatusOK, a.shownOnce(t, secret))
	return nil
}

func (a *api) revokeToken(c *call) error {
	if err := a.Desk.RevokeToken(c.ctx(), c.actor, c.id()); err != nil {
		return err
	}
	noContent(c)
	return nil
}

// noContent says that it is done.
func noContent(c *call) {
	c.w.Header().Set("Cache-Control", "no-store")
	c.w.WriteHeader(http.StatusNoContent)
}
