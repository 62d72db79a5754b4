package settings

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

const pathClients = pathApplications + "clients/"

func pathClient(id string) string { return pathClients + url.PathEscape(id) + "/" }

// clientFields are what the form of an application has, and what a link may prefill.
var clientFields = []string{"type", "name", "website", "description", "redirect_uris", "public", "grant_types", "scopes", "auth_method", "require_pkce"}

func (s *Settings) clientOptions() pages.ClientOptions {
	legacy, scopes := s.cfg.Desk.Policy().LegacyGrants, s.cfg.Desk.Scopes()
	o := pages.ClientOptions{
		Types: pages.ClientTypes(legacy), Groups: scopes.Group(names(scopes.Visible())),
		GrantTypes: []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials, oauth.GrantDeviceCode},
	}
	if legacy {
		o.GrantTypes = append(o.GrantTypes, oauth.GrantImplicit, oauth.GrantPassword)
	}
	return o
}

// clientInput reads the form of an application, and nothing that is not in it:
// owner, id and the like are not for a form to say.
func clientInput(values url.Values) manage.ApplicationInput {
	in := manage.ApplicationInput{
		Type: oauth.ApplicationType(values.Get("type")), Name: values.Get("name"), Website: values.Get("website"), Description: values.Get("description"),
		RedirectURIs: strings.Split(values.Get("redirect_uris"), "\n"), GrantTypes: values["grant_types"], Scopes: values["scopes"],
		Public: values.Get("public") == "yes", AuthMethod: oauth.AuthMethod(values.Get("auth_method")),
	}
	if in.Scopes == nil {
		in.Scopes = []string{} // none chosen: every scope
	}
	if choice := values.Get("require_pkce"); choice == "yes" || choice == "no" {
		required := choice == "yes"
		in.RequirePKCE = &required
	}
	return in
}

// newClient asks for an application.
func (s *Settings) newClient(w http.ResponseWriter, r *http.Request, v *visitor) error {
	if err := s.fresh(v, form.ReturnTo(r)); err != nil {
		return err
	}
	values := pick(r.URL.Query(), clientFields...)
	fromLink := len(values) > 0
	values.Set("type", cmp.Or(values.Get("type"), string(oauth.WebApplication)))
	return s.render(w, r, v, http.StatusOK, pages.ClientNew{Form: blank(values), Options: s.clientOptions(), FromLink: fromLink})
}

// createClient registers an application and leads to the page that shows its
// secret, or to the application itself if it has none.
func (s *Settings) createClient(w http.ResponseWriter, r *http.Request, v *visitor) error {
	fields, err := form.Page(w, r)
	if err != nil {
		return err
	}
	values := pick(fields, clientFields...)
	if err := s.fresh(v, s.prefix+pathClients+"new/?"+values.Encode()); err != nil {
		return err
	}
	a, err := s.recent.once(r.Context(), onceKey(v, fields), func(ctx context.Context) (answer, error) {
		c, secret, err := s.cfg.Desk.CreateApplication(ctx, v.actor, clientInput(values))
		if err != nil {
			return answer{}, err
		}
		if secret == "" {
			return answer{location: pathClient(c.ID) + "?done=client-created"}, nil
		}
		return s.created(v, pathClient(c.ID), secret)
	})
	if err == nil {
		return s.answer(w, r, a)
	}
	if f, ok := retry(values, err); ok {
		return s.render(w, r, v, http.StatusUnprocessableEntity, pages.ClientNew{Form: f, Options: s.clientOptions()})
	}
	return err
}

func (s *Settings) application(r *http.Request, v *visitor) (*manage.Application, error) {
	return s.cfg.Desk.Application(r.Context(), v.actor, r.PathValue("id"))
}

// client shows one application to its owner.
func (s *Settings) client(w http.ResponseWriter, r *http.Request, v *visitor) error {
	app, err := s.application(r, v)
	if err != nil {
		return err
	}
	return s.clientPage(w, r, v, http.StatusOK, app, blank(clientValues(app.Client)))
}

// clientValues puts an application into the fields of its form.
func clientValues(c *oauth.Client) url.Values {
	values := url.Values{
		"name": {c.Name}, "website": {c.Website}, "description": {c.Description},
		"redirect_uris": {strings.Join(c.RedirectURIs, "\n")}, "grant_types": c.GrantTypes, "scopes": c.Scopes,
		"auth_method": {string(c.AuthMethod)}, "require_pkce": {"no"},
	}
	if c.Public() {
		values.Set("public", "yes")
	}
	if c.RequirePKCE {
		values.Set("require_pkce", "yes")
	}
	return values
}

func (s *Settings) clientPage(w http.ResponseWriter, r *http.Request, v *visitor, status int, app *manage.Application, f pages.Form) error {
	page := pages.ClientView{Form: f, Options: s.clientOptions(), Client: app.Client, Users: app.Users, Help: pages.HelpFor(s.cfg.Issuer, app.Client)}
	for _, h := range app.Secrets {
		page.Secrets = append(page.Secrets, pages.ClientSecret{Hint: h.Hint, CreatedAt: h.CreatedAt, ExpiresAt: h.ExpiresAt, LastUsedAt: h.LastUsedAt})
	}
	return s.render(w, r, v, status, page)
}

// updateClient changes an application.
func (s *Settings) updateClient(w http.ResponseWriter, r *http.Request, v *visitor) error {
	fields, err := form.Page(w, r)
	if err != nil {
		return err
	}
	app, err := s.application(r, v)
	if err != nil {
		return err
	}
	if fields.Has("delete") { // the predecessor's button: it leads to the question now
		return s.seeOther(w, r, pathClient(app.Client.ID)+"delete/")
	}
	values := pick(fields, clientFields...)
	_, err = s.cfg.Desk.EditApplication(r.Context(), v.actor, app.Client.ID, func(c oauth.Client) manage.ApplicationInput {
		in := clientInput(values)
		in.Type = "" // an application stays what it is
		in.Scopes = append(in.Scopes, s.internalScopes(c)...)
		if len(in.Scopes) > 0 && !oauth.ContainsScopes(in.Scopes, c.DefaultScopes) {
			// The form has no default scopes; they go with the scopes.
			in.DefaultScopes = slices.DeleteFunc(append([]string{}, c.DefaultScopes...), func(name string) bool {
				return !slices.Contains(in.Scopes, name)
			})
		}
		return in
	})
	if err == nil {
		return s.seeOther(w, r, pathClient(app.Client.ID)+"?done=saved")
	}
	if f, ok := rejected(values, err); ok {
		return s.clientPage(w, r, v, http.StatusUnprocessableEntity, app, f)
	}
	return err
}

// internalScopes are those that the operator gave the application: the form does
// not show them, so it cannot take them away either.
func (s *Settings) internalScopes(c oauth.Client) []string {
	return slices.DeleteFunc(slices.Clone(c.Scopes), func(name string) bool {
		scope, known := s.cfg.Desk.Scopes().Find(name)
		return !known || !scope.Internal
	})
}
