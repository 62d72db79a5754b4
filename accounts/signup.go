package accounts

import (
	"context"
	"errors"
	"net/http"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/oauth"
)

// Signing up makes nothing but a link that is mailed. The account is made when
// the link is opened, by somebody who has the mailbox, with a password that only
// they know; so nobody can make an account for somebody else's address and wait.

// signupPage is GET /signup/.
func (a *Accounts) signupPage(w http.ResponseWriter, r *http.Request) error {
	a.render(w, r, http.StatusOK, "", pages.Signup{})
	return nil
}

// signup is POST /signup/. The answer does not tell whether the address has an
// account.
func (a *Accounts) signup(w http.ResponseWriter, r *http.Request) error {
	values, err := form(w, r)
	if err != nil {
		return err
	}
	f := pages.Form{Values: keep(values)}
	email, emailErr := ParseEmail(values.Get("email"))
	name, nameErr := parseName(values.Get("name"))
	for _, err := range []error{emailErr, nameErr} {
		if err := wrong(&f, err); err != nil {
			return err
		}
	}
	if f.Failed() {
		a.render(w, r, http.StatusUnprocessableEntity, "", pages.Signup{Form: f})
		return nil
	}
	due, err := a.spendMail(r.Context(), PurposeSignup, email)
	if err != nil {
		return err
	}
	if due {
		a.later(r.Context(), "sign-up", func(ctx context.Context) error {
			acc, err := a.store.AccountByEmail(ctx, email)
			switch {
			case err == nil:
				return a.mailer.Send(ctx, a.takenMail(acc))
			case !errors.Is(err, ErrNotFound):
				return err
			}
			return a.mailLink(ctx, Link{Purpose: PurposeSignup, Email: email, Name: name}, mailedLife, a.signupMail(email))
		})
	}
	a.see(w, r, pathSignup+"?done=signup-sent")
	return nil
}

func (a *Accounts) renderFinish(w http.ResponseWriter, r *http.Request, status int, l *Link, f pages.Form) {
	a.render(w, r, status, "", pages.NewPassword{Form: f, Heading: "Finish creating your account", Action: r.URL.Path, Email: l.Email,
		Lede: "Your address is confirmed. Choose a password.", Button: "Create the account", Min: minPassword})
}

// finishSignupPage is GET /signup/{link}/.
func (a *Accounts) finishSignupPage(w http.ResponseWriter, r *http.Request) error {
	l, err := a.link(r, PurposeSignup)
	if err != nil {
		return err
	}
	a.renderFinish(w, r, http.StatusOK, l, pages.Form{})
	return nil
}

// finishSignup is POST /signup/{link}/.
func (a *Accounts) finishSignup(w http.ResponseWriter, r *http.Request) error {
	values, err := form(w, r)
	if err != nil {
		return err
	}
	l, err := a.link(r, PurposeSignup)
	if err != nil {
		return err
	}
	acc, err := a.personWithPassword(r.Context(), NewUser{Email: l.Email, EmailVerified: true, Name: l.Name, Password: oauth.Secret(values.Get("password"))})
	if err == nil {
		err = a.store.InTx(r.Context(), func(ctx context.Context, tx Store) error {
			if err := a.use(ctx, tx, l); err != nil {
				return err
			}
			return a.insert(ctx, tx, acc.ID, acc)
		})
	}
	if err != nil {
		var f pages.Form
		if err := wrong(&f, err); err != nil {
			return err
		}
		a.renderFinish(w, r, http.StatusUnprocessableEntity, l, f)
		return nil
	}
	return a.welcome(w, r, acc)
}
