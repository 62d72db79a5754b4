package admin

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// operator is the administrator with the operator's powers, which they have
// about applications.
func (v *visit) operator() manage.Actor {
	a := v.actor
	a.Operator = true
	return a
}

func (a *admin) find(v *visit) (*manage.Application, error) {
	return a.Desk.Application(v.r.Context(), v.actor, v.id())
}

func (a *admin) application(v *visit) error {
	app, err := a.find(v)
	if err != nil {
		return err
	}
	page := pages.AdminApplication{Client: app.Client, Users: app.Users, Scopes: a.Desk.Scopes().Group(app.Client.Scopes)}
	for _, s := range app.Secrets {
		page.Secrets = append(page.Secrets, pages.ClientSecret{Hint: s.Hint, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt, LastUsedAt: s.LastUsedAt})
	}
	if page.Owner, err = a.name(v, app.Client.Owner); err != nil {
		return err
	}
	return a.render(v, http.StatusOK, pages.AdminApplicationsItem, page)
}

// options offers everything, internal scopes too.
func (a *admin) options() pages.ClientOptions {
	legacy, scopes := a.Desk.Policy().LegacyGrants, a.Desk.Scopes()
	var names []string
	for _, s := range scopes.All() {
		names = append(names, s.Name)
	}
	o := pages.ClientOptions{
		Types: pages.ClientTypes(legacy), Groups: scopes.Group(names),
		GrantTypes: []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials, oauth.GrantDeviceCode},
	}
	if legacy {
		o.GrantTypes = append(o.GrantTypes, oauth.GrantImplicit, oauth.GrantPassword)
	}
	return o
}

// input reads the form of an application.
func input(form url.Values) manage.ApplicationInput {
	yes := func(name string) bool { return form.Get(name) == "yes" }
	firstParty, internal := yes("first_party"), yes("internal")
	in := manage.ApplicationInput{
		ID: strings.TrimSpace(form.Get("id")), Owner: strings.TrimSpace(form.Get("owner")),
		Type: oauth.ApplicationType(form.Get("type")), Name: form.Get("name"), Website: form.Get("website"), Description: form.Get("description"),
		RedirectURIs: strings.Split(form.Get("redirect_uris"), "\n"), GrantTypes: form["grant_types"],
		Scopes: append([]string{}, form["scopes"]...), DefaultScopes: append([]string{}, strings.Fields(form.Get("default_scopes"))...),
		Public: yes("public"), AuthMethod: oauth.AuthMethod(form.Get("auth_method")), FirstParty: &firstParty, Internal: &internal,
	}
	if choice := form.Get("require_pkce"); choice != "" {
		required := choice == "yes"
		in.RequirePKCE = &required
	}
	return in
}

// values puts an application into the fields of its form.
func values(c *oauth.Client) url.Values {
	form := url.Values{
		"type": {string(c.Type)}, "name": {c.Name}, "website": {c.Website}, "description": {c.Description}, "owner": {c.Owner},
		"redirect_uris": {strings.Join(c.RedirectURIs, "\n")}, "grant_types": c.GrantTypes, "scopes": c.Scopes,
		"default_scopes": {oauth.ScopeString(c.DefaultScopes)}, "auth_method": {string(c.AuthMethod)}, "require_pkce": {"no"},
	}
	for name, set := range map[string]bool{"public": c.Public(), "require_pkce": c.RequirePKCE, "first_party": c.FirstParty, "internal": c.Internal} {
		if set {
			form.Set(name, "yes")
		}
	}
	return form
}

func (a *admin) newApplication(v *visit) error {
	form := pages.Form{Values: url.Values{"type": {string(oauth.WebApplication)}}}
	return a.applicationForm(v, http.StatusOK, form, nil)
}

func (a *admin) applicationForm(v *visit, status int, form pages.Form, c *oauth.Client) error {
	return a.render(v, status, pages.AdminApplicationsItem, pages.AdminApplicationForm{Form: form, Options: a.options(), Client: c})
}

func (a *admin) createApplication(v *visit) error {
	c, secret, err := a.Desk.CreateApplication(v.r.Context(), v.operator(), input(v.form))
	if form, ok := rejected(v.form, err); ok {
		return a.applicationForm(v, http.StatusUnprocessableEntity, form, nil)
	}
	if err != nil {
		return err
	}
	if secret == "" {
		return a.seeOther(v, below(pathApplications, c.ID, "?done=created"))
	}
	return a.shownAt(v, c.ID, secret)
}

func (a *admin) editApplication(v *visit) error {
	app, err := a.find(v)
	if err != nil {
		return err
	}
	return a.applicationForm(v, http.StatusOK, pages.Form{Values: values(app.Client)}, app.Client)
}

func (a *admin) updateApplication(v *visit) error {
	app, err := a.find(v)
	if err != nil {
		return err
	}
	in := input(v.form)
	in.ID = ""
	_, err = a.Desk.UpdateApplication(v.r.Context(), v.operator(), app.Client.ID, in)
	if form, ok := rejected(v.form, err); ok {
		return a.applicationForm(v, http.StatusUnprocessableEntity, form, app.Client)
	}
	if err != nil {
		return err
	}
	return a.seeOther(v, below(pathApplications, app.Client.ID, "?done=saved"))
}

// shownAt sends the browser to the page that shows the new secret.
func (a *admin) shownAt(v *visit, id string, secret oauth.Secret) error {
	local := below(pathApplications, id, "created/")
	cookie, err := a.once.Cookie(v.session, a.Pages.Path(local), secret)
	if err != nil {
		return err
	}
	http.SetCookie(v.w, cookie)
	return a.seeOther(v, local)
}

func (a *admin) showSecret(v *visit) error {
	app, err := a.find(v)
	if err != nil {
		return err
	}
	path := a.Pages.Path(below(pathApplications, app.Client.ID, "created/"))
	return a.render(v, http.StatusOK, pages.AdminApplicationsItem, pages.AdminApplicationSecret{
		Client: app.Client, Made: true, Secret: a.once.Take(v.w, v.r, v.session, path)})
}

func (a *admin) askSecret(v *visit) error {
	app, err := a.find(v)
	if err != nil {
		return err
	}
	if app.Client.Public() {
		return &manage.Refused{Reason: "A public application has no secret."}
	}
	return a.render(v, http.StatusOK, pages.AdminApplicationsItem, pages.AdminApplicationSecret{Client: app.Client})
}

func (a *admin) rotateSecret(v *visit) error {
	app, err := a.find(v)
	if err != nil {
		return err
	}
	hours, err := strconv.ParseUint(v.form.Get("keep_old"), 10, 16)
	if err != nil {
		hours = 1 << 16 // refused as too long
	}
	secret, err := a.Desk.RotateSecret(v.r.Context(), v.operator(), app.Client.ID, time.Duration(hours)*time.Hour)
	if form, ok := rejected(v.form, err); ok {
		return a.render(v, http.StatusUnprocessableEntity, pages.AdminApplicationsItem, pages.AdminApplicationSecret{Form: form, Client: app.Client})
	}
	if err != nil {
		return err
	}
	return a.shownAt(v, app.Client.ID, secret)
}

// confirm asks before something is done to an application or a token.
func (a *admin) confirm(v *visit, item, place string, page pages.Confirm) error {
	page.Action, page.Cancel = v.r.URL.EscapedPath(), a.Pages.Path(place)
	return a.render(v, http.StatusOK, item, page)
}

func (a *admin) askDisable(v *visit) error {
	app, err := a.find(v)
	if err != nil {
		return err
	}
	page := pages.Confirm{Heading: "Disable the application", Button: "Disable", Danger: true, Hidden: map[string]string{"disabled": "yes"},
		Text: app.Client.Name + " is refused everywhere, and its tokens do not work, until it is enabled again."}
	if app.Client.Disabled {
		page = pages.Confirm{Heading: "Enable the application", Button: "Enable", Hidden: map[string]string{"disabled": "no"},
			Text: app.Client.Name + " works again, and so do those of its tokens that have not expired."}
	}
	return a.confirm(v, pages.AdminApplicationsItem, below(pathApplications, app.Client.ID), page)
}

func (a *admin) disable(v *visit) error {
	disabled := v.form.Get("disabled") == "yes"
	if !disabled && v.form.Get("disabled") != "no" {
		return form.ErrPage
	}
	if err := a.Desk.SetApplicationDisabled(v.r.Context(), v.actor, v.id(), disabled); err != nil {
		return err
	}
	if disabled {
		return a.seeOther(v, below(pathApplications, v.id(), "?done=disabled"))
	}
	return a.seeOther(v, below(pathApplications, v.id(), "?done=enabled"))
}

func (a *admin) askDelete(v *visit) error {
	app, err := a.find(v)
	if err != nil {
		return err
	}
	return a.confirm(v, pages.AdminApplicationsItem, below(pathApplications, app.Client.ID), pages.Confirm{
		Heading: "Delete the application", Button: "Delete", Danger: true,
		Text: app.Client.Name + " is deleted with its secrets, and " + strconv.Itoa(app.Users) + " users lose what they allowed it. Its tokens stop working at once. This cannot be undone."})
}

func (a *admin) deleteApplication(v *visit) error {
	if err := a.Desk.DeleteApplication(v.r.Context(), v.actor, v.id()); err != nil {
		return err
	}
	return a.seeOther(v, pathApplications+"?done=deleted")
}
