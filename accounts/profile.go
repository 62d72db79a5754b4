package accounts

import (
	"net/http"
	"net/url"

	"github.com/valetkey/valetkey/internal/pages"
)

func (a *Accounts) renderProfile(w http.ResponseWriter, r *http.Request, status int, v *visit, f pages.Form) {
	a.render(w, r, status, menuProfile, pages.Profile{Form: f, Email: v.account.Email, Verified: v.account.EmailVerified,
		ConfirmEmail: a.mailer != nil && !v.account.EmailVerified})
}

// profilePage is GET /account/settings/profile/.
func (a *Accounts) profilePage(w http.ResponseWriter, r *http.Request, v *visit) error {
	a.renderProfile(w, r, http.StatusOK, v, pages.Form{Values: url.Values{"name": {v.account.Name}}})
	return nil
}

// profile is POST /account/settings/profile/. Of the fields sent only name counts.
func (a *Accounts) profile(w http.ResponseWriter, r *http.Request, v *visit) error {
	values, err := form(w, r)
	if err != nil {
		return err
	}
	name, err := parseName(values.Get("name"))
	if err != nil {
		f := pages.Form{Values: keep(values)}
		if err := wrong(&f, err); err != nil {
			return err
		}
		a.renderProfile(w, r, http.StatusUnprocessableEntity, v, f)
		return nil
	}
	if err := a.store.RenameAccount(r.Context(), v.account.ID, name); err != nil {
		return err
	}
	a.see(w, r, pathProfile+"?done=profile")
	return nil
}
