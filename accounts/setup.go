package accounts

import (
	"context"
	"net/http"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/oauth"
)

// SetupLink returns a one-time link by which the first administrator makes their
// account, or "" if there is an account already. It works for an hour and
// replaces the link before it. There are no default passwords.
func (a *Accounts) SetupLink(ctx context.Context) (url string, err error) {
	any, err := a.anybody(ctx, a.store)
	if any || err != nil {
		return "", err
	}
	return a.newLink(ctx, Link{Purpose: PurposeSetup}, setupLife)
}

func (a *Accounts) anybody(ctx context.Context, tx Store) (bool, error) {
	list, err := tx.ListAccounts(ctx, AccountQuery{}, Page{Limit: 1})
	return len(list) > 0, err
}

func (a *Accounts) renderSetup(w http.ResponseWriter, r *http.Request, status int, f pages.Form) {
	a.render(w, r, status, "", pages.NewPassword{Form: f, Heading: "Set up " + a.cfg.Product, Action: r.URL.Path, AskMail: true, AskName: true,
		Lede: "You will be the first administrator of " + a.base + ".", Button: "Create the account", Min: minPassword})
}

// setupPage is GET /setup/{link}/.
func (a *Accounts) setupPage(w http.ResponseWriter, r *http.Request) error {
	if _, err := a.link(r, PurposeSetup); err != nil {
		return err
	}
	a.renderSetup(w, r, http.StatusOK, pages.Form{})
	return nil
}

// setup is POST /setup/{link}/. Whoever has the link, and is the first, becomes
// the administrator.
func (a *Accounts) setup(w http.ResponseWriter, r *http.Request) error {
	values, err := form(w, r)
	if err != nil {
		return err
	}
	l, err := a.link(r, PurposeSetup)
	if err != nil {
		return err
	}
	acc, err := a.personWithPassword(r.Context(), NewUser{Email: values.Get("email"), Name: values.Get("name"), Password: oauth.Secret(values.Get("password")), Admin: true})
	if err == nil {
		err = a.store.InTx(r.Context(), func(ctx context.Context, tx Store) error {
			if err := a.use(ctx, tx, l); err != nil {
				return err
			}
			if any, err := a.anybody(ctx, tx); err != nil {
				return err
			} else if any {
				return errLink
			}
			return a.insert(ctx, tx, "", acc)
		})
	}
	if err != nil {
		f := pages.Form{Values: keep(values)}
		if err := wrong(&f, err); err != nil {
			return err
		}
		a.renderSetup(w, r, http.StatusUnprocessableEntity, f)
		return nil
	}
	return a.welcome(w, r, acc)
}

// personWithPassword validates an account that must have a password from the start.
func (a *Accounts) personWithPassword(ctx context.Context, u NewUser) (*Account, error) {
	if u.Password == "" {
		return nil, checkPassword("", "", "")
	}
	return a.newAccount(ctx, u)
}

// welcome signs in the person who has just made their account.
func (a *Accounts) welcome(w http.ResponseWriter, r *http.Request, acc *Account) error {
	if err := a.signIn(w, r, &proof{account: acc, hash: acc.PasswordHash}, false); err != nil {
		return err
	}
	a.see(w, r, a.cfg.Home)
	return nil
}
