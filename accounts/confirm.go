package accounts

import (
	"context"
	"errors"
	"net/http"

	"github.com/valetkey/valetkey/internal/pages"
)

// backToProfile is GET /account/settings/profile/confirm-email/: where somebody
// arrives who had to sign in before the form was accepted.
func (a *Accounts) backToProfile(w http.ResponseWriter, r *http.Request) error {
	a.see(w, r, pathProfile)
	return nil
}

// sendConfirmation is POST /account/settings/profile/confirm-email/.
func (a *Accounts) sendConfirmation(w http.ResponseWriter, r *http.Request, v *visit) error {
	if a.mailer == nil || v.account.EmailVerified {
		return errNoPage
	}
	acc := v.account
	due, err := a.spendMail(r.Context(), PurposeConfirm, acc.Email)
	if err != nil {
		return err
	}
	if due {
		a.later(r.Context(), "confirmation", func(ctx context.Context) error {
			return a.mailLink(ctx, Link{Purpose: PurposeConfirm, AccountID: acc.ID, Email: acc.Email}, mailedLife, a.confirmMail(acc))
		})
	}
	a.see(w, r, pathProfile+"?done=confirm-sent")
	return nil
}

// confirmPage is GET /confirm-email/{link}/.
func (a *Accounts) confirmPage(w http.ResponseWriter, r *http.Request) error {
	l, err := a.link(r, PurposeConfirm)
	if err != nil {
		return err
	}
	a.render(w, r, http.StatusOK, "", pages.Confirm{Heading: "Confirm your e-mail address", Text: "Is " + l.Email + " the address of your account?",
		Button: "Confirm", Action: r.URL.Path})
	return nil
}

// confirm is POST /confirm-email/{link}/.
func (a *Accounts) confirm(w http.ResponseWriter, r *http.Request) error {
	l, err := a.link(r, PurposeConfirm)
	if err != nil {
		return err
	}
	defer a.userChanged(l.AccountID)
	err = a.store.InTx(r.Context(), func(ctx context.Context, tx Store) error {
		if err := a.use(ctx, tx, l); err != nil {
			return err
		}
		if err := tx.VerifyEmail(ctx, l.AccountID, l.Email); err != nil {
			return err
		}
		acc, err := tx.Account(ctx, l.AccountID)
		if err != nil {
			return err
		}
		acc.Claims.UpdatedAt = a.cfg.Now().Unix() // email_verified is a claim, too
		return tx.SetProfile(ctx, acc.ID, acc.Name, acc.Claims)
	})
	if errors.Is(err, ErrNotFound) {
		return errLink // the account has another address by now
	}
	if err != nil {
		return err
	}
	a.see(w, r, pathProfile+"?done=confirmed")
	return nil
}
