package api

import (
	"net/http"
	"net/url"
	"time"

	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/internal/strictjson"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// application is a client in JSON.
type application struct {
	ClientID      string                `json:"client_id"`
	Type          oauth.ApplicationType `json:"type"`
	Name          string                `json:"name"`
	Description   string                `json:"description"`
	Website       string                `json:"website"`
	RedirectURIs  []string              `json:"redirect_uris"`
	Scopes        []string              `json:"scopes"`
	DefaultScopes []string              `json:"default_scopes"`
	GrantTypes    []string              `json:"grant_types"`
	AuthMethod    oauth.AuthMethod      `json:"auth_method"`
	Public        bool                  `json:"public"`
	RequirePKCE   bool                  `json:"require_pkce"`
	FirstParty    bool                  `json:"first_party"`
	Disabled      bool                  `json:"disabled"`
	CreatedAt     time.Time             `json:"created_at"`
	UpdatedAt     time.Time             `json:"updated_at"`
	// ClientSecret is the secret itself, in the one answer that shows it.
	ClientSecret string `json:"client_secret,omitempty"`
}

func showClient(c *oauth.Client) application {
	return application{
		ClientID: c.ID, Type: c.Type, Name: c.Name, Description: c.Description, Website: c.Website,
		RedirectURIs: listed(c.RedirectURIs), Scopes: listed(c.Scopes), DefaultScopes: listed(c.DefaultScopes),
		GrantTypes: listed(c.GrantTypes), AuthMethod: c.AuthMethod, Public: c.Public(), RequirePKCE: c.RequirePKCE,
		FirstParty: c.FirstParty, Disabled: c.Disabled, CreatedAt: c.CreatedAt.UTC(), UpdatedAt: c.UpdatedAt.UTC(),
	}
}

// applicationDetail is an application with what its owner sees of its use.
type applicationDetail struct {
	application
	Secrets []secretHint `json:"secrets"`
	Users   int          `json:"users"`
}

type secretHint struct {
	Hint       string     `json:"hint"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
}

// applicationInput is the body of a POST and of a PATCH. What only the operator
// may say is not in it.
type applicationInput struct {
	Type          strictjson.Field[oauth.ApplicationType] `json:"type"`
	Name          strictjson.Field[string]                `json:"name"`
	Description   strictjson.Field[string]                `json:"description"`
	Website       strictjson.Field[string]                `json:"website"`
	RedirectURIs  strictjson.Field[[]string]              `json:"redirect_uris"`
	Scopes        strictjson.Field[[]string]              `json:"scopes"`
	DefaultScopes strictjson.Field[[]string]              `json:"default_scopes"`
	GrantTypes    strictjson.Field[[]string]              `json:"grant_types"`
	Public        strictjson.Field[bool]                  `json:"public"`
	AuthMethod    strictjson.Field[oauth.AuthMethod]      `json:"auth_method"`
	RequirePKCE   strictjson.Field[bool]                  `json:"require_pkce"`
}

// over lays the body over what the application is now. A null is what it was.
func (in applicationInput) over(c oauth.Client) manage.ApplicationInput {
	out := manage.ApplicationInput{
		Type: in.Type.Or(c.Type), Name: in.Name.Or(c.Name), Description: in.Description.Or(c.Description),
		Website: in.Website.Or(c.Website), RedirectURIs: in.RedirectURIs.Or(c.RedirectURIs),
		Scopes: in.Scopes.Or(nil), DefaultScopes: in.DefaultScopes.Or(nil), GrantTypes: in.GrantTypes.Or(nil),
		Public: in.Public.Or(c.Public()), AuthMethod: in.AuthMethod.Or(""),
	}
	if in.RequirePKCE.Set && !in.RequirePKCE.Null {
		out.RequirePKCE = &in.RequirePKCE.Value
	}
	return out
}

func (a *api) listApplications(c *call) error {
	p, err := page(c)
	if err != nil {
		return err
	}
	if p.After != "" { // a cursor of this list is the caller's own
		if _, err := a.Desk.Application(c.ctx(), c.actor, p.After); err != nil {
			return badCursor
		}
	}
	rows, err := a.Desk.Applications(c.ctx(), c.actor, manage.ApplicationQuery{}, p)
	if err != nil {
		return err
	}
	rows = next(a, c, p, rows, func(c *oauth.Client) string { return c.ID })
	respond.JSON(c.w, http.StatusOK, itemsOf(rows, showClient))
	return nil
}

func (a *api) createApplication(c *call) error {
	var in applicationInput
	if err := strictjson.Request(c.w, c.r, &in); err != nil {
		return err
	}
	client, secret, err := a.Desk.CreateApplication(c.ctx(), c.actor, in.over(oauth.Client{}))
	if err != nil {
		return err
	}
	out := showClient(client)
	out.ClientSecret = string(secret)
	c.w.Header().Set("Location", a.base+"/applications/"+url.PathEscape(client.ID))
	respond.JSON(c.w, http.StatusCreated, out)
	return nil
}

func (a *api) showApplication(c *call) error {
	app, err := a.Desk.Application(c.ctx(), c.actor, c.id())
	if err != nil {
		return err
	}
	out := applicationDetail{application: showClient(app.Client), Secrets: []secretHint{}, Users: app.Users}
	for _, s := range app.Secrets {
		out.Secrets = append(out.Secrets, secretHint{s.Hint, s.CreatedAt.UTC(), optional(s.ExpiresAt), optional(s.LastUsedAt)})
	}
	respond.JSON(c.w, http.StatusOK, out)
	return nil
}

func (a *api) updateApplication(c *call) error {
	var in applicationInput
	if err := strictjson.Request(c.w, c.r, &in); err != nil {
		return err
	}
	client, err := a.Desk.EditApplication(c.ctx(), c.actor, c.id(), in.over)
	if err != nil {
		return err
	}
	respond.JSON(c.w, http.StatusOK, showClient(client))
	return nil
}

func (a *api) rotateSecret(c *call) error {
	var in struct {
		KeepOld int64 `json:"keep_old"` // seconds
	}
	if err := strictjson.Request(c.w, c.r, &in); err != nil {
		return err
	}
	// Longer than any time the desk allows, and short enough to be counted in nanoseconds.
	const tooLong = 1 << 32
	keep := time.Duration(max(-1, min(in.KeepOld, tooLong))) * time.Second
	secret, err := a.Desk.RotateSecret(c.ctx(), c.actor, c.id(), keep)
	if err != nil {
		return err
	}
	respond.JSON(c.w, http.StatusOK, struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	}{c.id(), string(secret)})
	return nil
}

func (a *api) deleteApplication(c *call) error {
	if err := a.Desk.DeleteApplication(c.ctx(), c.actor, c.id()); err != nil {
		return err
	}
	noContent(c)
	return nil
}
