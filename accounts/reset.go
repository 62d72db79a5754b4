package accounts

import (
	"context"
	"net/http"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
)

// lostPage is GET /lost-password/.
func (a *Accounts) lostPage(w http.ResponseWriter, r *http.Request) error {
	a.render(w, r, http.StatusOK, "", pages.LostPassword{})
	return nil
}

// lost is POST /lost-password/. The answer, and the work done before it, are the
// same whether or not the address belongs to anybody.
func (a *Accounts) lost(w http.ResponseWriter, r *http.Request) error {
	values, err := form(w, r)
	if err != nil {
		return err
	}
	email, err := ParseEmail(values.Get("email"))
	if err != nil {
		f := pages.Form{Values: keep(values)}
		if err := wrong(&f, err); err != nil {
			return err
		}
		a.render(w, r, http.StatusUnprocessableEntity, "", pages.LostPassword{Form: f})
		return nil
	}
	due, err := a.spendMail(r.Context(), PurposeReset, email)
	if err != nil {
		return err
	}
	if due {
		a.later(r.Context(), "password reset", func(ctx context.Context) error {
			acc, err := a.store.AccountByEmail(ctx, email)
			if err != nil || acc.Disabled {
				return ignore(err, ErrNotFound)
			}
			return a.mailLink(ctx, Link{Purpose: PurposeReset, AccountID: acc.ID, Email: acc.Email}, mailedLife, a.resetMail(acc))
		})
	}
	a.see(w, r, pathLost+"?done=link-sent")
	return nil
}

func (a *Accounts) renderReset(w http.ResponseWriter, r *http.Request, status int, l *Link, f pages.Form) error {
	acc, err := a.store.Account(r.Context(), l.AccountID)
	if err != nil {
		return err
	}
	page := pages.NewPassword{Form: f, Heading: "Choose a new password", Action: r.URL.Path, Email: l.Email, Button: "Change password", Min: minPassword,
		Lede: "You will be signed out everywhere. Afterwards, sign in with the new password and review your applications and tokens."}
	if acc.PasswordHash == "" { // invited by an administrator
		page.Heading, page.Button, page.Lede = "Choose your password", "Save password", "Afterwards, sign in with it."
	}
	a.render(w, r, status, "", page)
	return nil
}

// resetPage is GET /reset-password/{link}/. It uses nothing up: programs that
// look at mail open links too.
func (a *Accounts) resetPage(w http.ResponseWriter, r *http.Request) error {
	l, err := a.link(r, PurposeReset)
	if err != nil {
		return err
	}
	return a.renderReset(w, r, http.StatusOK, l, pages.Form{})
}

// reset is POST /reset-password/{link}/.
func (a *Accounts) reset(w http.ResponseWriter, r *http.Request) error {
	values, err := form(w, r)
	if err != nil {
		return err
	}
	l, err := a.link(r, PurposeReset)
	if err != nil {
		return err
	}
	password := oauth.Secret(values.Get("password"))
	if err := checkPassword(password, l.Email, a.cfg.Product); err != nil {
		var f pages.Form
		if err := wrong(&f, err); err != nil {
			return err
		}
		return a.renderReset(w, r, http.StatusUnprocessableEntity, l, f)
	}
	hash, err := a.hasher.hash(r.Context(), password)
	if err != nil {
		return err
	}
	defer a.userChanged(l.AccountID)
	err = a.store.InTx(r.Context(), func(ctx context.Context, tx Store) error {
		if err := a.use(ctx, tx, l); err != nil {
			return err
		}
		if err := a.replacePassword(ctx, tx, l.AccountID, hash, "", oauth.Hash{}); err != nil {
			return err
		}
		// The link came by mail, so mail reaches the person.
		if err := tx.VerifyEmail(ctx, l.AccountID, l.Email); ignore(err, ErrNotFound) != nil {
			return err
		}
		return a.record(ctx, oauth.EventPasswordReset, l.AccountID, l.AccountID, "By a mailed link.")
	})
	if err != nil {
		return err
	}
	a.warnPassword(r.Context(), &Account{Email: l.Email}, peer.From(r.Context()).Network())
	a.forget(w)
	a.see(w, r, pathLogin+"?done=reset")
	return nil
}
