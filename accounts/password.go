package accounts

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
)

func (a *Accounts) renderPassword(w http.ResponseWriter, r *http.Request, status int, v *visit, f pages.Form) {
	a.render(w, r, status, menuSecurity, pages.ChangePassword{Form: f, Email: v.account.Email, Min: minPassword, LostPassword: a.mailer != nil})
}

// passwordPage is GET /account/settings/password/.
func (a *Accounts) passwordPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	a.renderPassword(w, r, http.StatusOK, v, pages.Form{})
	return nil
}

// password is POST /account/settings/password/. It asks for the current
// password, under the same limits as signing in.
func (a *Accounts) password(w http.ResponseWriter, r *http.Request, v *visit) error {
	values, err := form(w, r)
	if err != nil {
		return err
	}
	var f pages.Form
	next := oauth.Secret(values.Get("password"))
	if err := checkPassword(next, v.account.Email, a.cfg.Product); err != nil {
		if err := wrong(&f, err); err != nil {
			return err
		}
		a.renderPassword(w, r, http.StatusUnprocessableEntity, v, f)
		return nil
	}
	device, _, _ := a.cookie(r, deviceCookie)
	err = a.attempt(r.Context(), v.account.Email, oauth.Secret(values.Get("current_password")), device, func(p *proof) error {
		return a.changePassword(w, r, v, p, next)
	})
	var wait *Throttled
	switch {
	case errors.Is(err, errWrong):
		f.Add("current_password", "This is not your current password.")
		a.renderPassword(w, r, http.StatusUnprocessableEntity, v, f)
	case errors.As(err, &wait):
		f.Add("current_password", waitSentence(wait))
		w.Header().Set("Retry-After", strconv.Itoa(wait.Seconds()))
		a.renderPassword(w, r, http.StatusTooManyRequests, v, f)
	case err != nil:
		return err
	default:
		a.see(w, r, pathSecurity+"?done=password")
	}
	return nil
}

// changePassword ends every session, and begins a new one here that clients take
// for the old one.
func (a *Accounts) changePassword(w http.ResponseWriter, r *http.Request, v *visit, p *proof, next oauth.Secret) error {
	hash, err := a.hasher.hash(r.Context(), next)
	if err != nil {
		return err
	}
	o, err := a.open(r, p.account.ID, v.session.Remember)
	if err != nil {
		return err
	}
	err = a.store.InTx(r.Context(), func(ctx context.Context, tx Store) error {
		if err := p.accept(ctx, tx, o.session.CreatedAt); err != nil {
			return err
		}
		if err := a.replacePassword(ctx, tx, p.account.ID, hash, v.session.ID, o.session.Device); err != nil {
			return err
		}
		if err := a.begin(ctx, tx, r, o); err != nil {
			return err
		}
		return a.record(ctx, oauth.EventPasswordChanged, p.account.ID, p.account.ID, "")
	})
	if err != nil {
		return err
	}
	a.give(w, o)
	a.warnPassword(r.Context(), p.account, peer.From(r.Context()).Network())
	return nil
}
