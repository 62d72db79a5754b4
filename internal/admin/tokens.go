package admin

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

func (a *admin) token(v *visit) error {
	t, err := a.Desk.Token(v.r.Context(), v.actor, v.id())
	if err != nil {
		return err
	}
	page := pages.AdminToken{Token: t, Scopes: a.Desk.Scopes().Group(t.Scopes)}
	if page.Owner, err = a.name(v, t.Subject); err != nil {
		return err
	}
	if t.ClientID != "" {
		app, err := a.Desk.Application(v.r.Context(), v.actor, t.ClientID)
		if err != nil && !errors.Is(err, manage.ErrNotFound) {
			return err
		}
		if err == nil {
			page.Client = app.Client
		}
	}
	return a.render(v, http.StatusOK, pages.AdminTokensItem, page)
}

// personal finds a token that has a name.
func (a *admin) personal(v *visit) (*oauth.Token, error) {
	t, err := a.Desk.Token(v.r.Context(), v.actor, v.id())
	if err == nil && (t.Kind != oauth.PersonalToken || !t.RevokedAt.IsZero()) {
		return nil, manage.ErrNotFound
	}
	return t, err
}

func (a *admin) tokenForm(v *visit, status int, form pages.Form, t *oauth.Token) error {
	return a.render(v, status, pages.AdminTokensItem, pages.AdminTokenForm{Form: form, Token: t, Groups: a.Desk.Scopes().Group(t.Scopes)})
}

func (a *admin) editToken(v *visit) error {
	t, err := a.personal(v)
	if err != nil {
		return err
	}
	return a.tokenForm(v, http.StatusOK, pages.Form{Values: url.Values{"name": {t.Name}, "description": {t.Description}, "scopes": t.Scopes}}, t)
}

func (a *admin) updateToken(v *visit) error {
	t, err := a.personal(v)
	if err != nil {
		return err
	}
	_, err = a.Desk.UpdateToken(v.r.Context(), v.actor, t.ID, manage.TokenInput{
		Name: v.form.Get("name"), Description: v.form.Get("description"), Scopes: v.form["scopes"]})
	if form, ok := rejected(v.form, err); ok {
		return a.tokenForm(v, http.StatusUnprocessableEntity, form, t)
	}
	if err != nil {
		return err
	}
	return a.seeOther(v, below(pathTokens, t.ID, "?done=saved"))
}

func (a *admin) askRevoke(v *visit) error {
	t, err := a.Desk.Token(v.r.Context(), v.actor, v.id())
	if err != nil {
		return err
	}
	what := "One " + string(t.Kind) + " token of " + cmp.Or(t.Subject, "the operator")
	if t.Kind == oauth.PersonalToken {
		what = "The personal access token " + t.Name + " of " + t.Subject
	}
	return a.confirm(v, pages.AdminTokensItem, below(pathTokens, t.ID), pages.Confirm{
		Heading: "Revoke the token", Button: "Revoke", Danger: true, Text: what + " stops working at once. This cannot be undone."})
}

func (a *admin) revokeToken(v *visit) error {
	if err := a.Desk.RevokeToken(v.r.Context(), v.actor, v.id()); err != nil {
		return err
	}
	return a.seeOther(v, below(pathTokens, v.id(), "?done=revoked"))
}
