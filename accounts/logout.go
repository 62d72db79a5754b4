package accounts

import (
	"context"
	"net/http"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/oauth"
)

// logoutPage is GET /logout/: it changes nothing, so another site's image or a
// prefetch cannot sign anybody out.
func (a *Accounts) logoutPage(w http.ResponseWriter, r *http.Request) error {
	v, err := a.visit(r)
	if err != nil {
		return err
	}
	if v == nil {
		http.Redirect(w, r, a.loginURL(nil), http.StatusFound)
		return nil
	}
	a.render(w, r, http.StatusOK, "", pages.Logout{})
	return nil
}

// logout is POST /logout/. The session is dead in the store, not only in the
// browser; the device cookie stays.
func (a *Accounts) logout(w http.ResponseWriter, r *http.Request) error {
	v, err := a.visit(r)
	if err != nil {
		return err
	}
	if v != nil {
		err := a.store.InTx(r.Context(), func(ctx context.Context, tx Store) error {
			if err := tx.EndSession(ctx, v.account.ID, v.session.ID); err != nil {
				return ignore(err, ErrNotFound)
			}
			return a.record(ctx, oauth.EventSignOut, v.account.ID, v.account.ID, "")
		})
		if err != nil {
			return err
		}
	}
	a.clearCookie(w, sessionCookie)
	a.see(w, r, pathLogin+"?done=signed-out")
	return nil
}
