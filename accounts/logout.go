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

// logout is POST /logout/.
func (a *Accounts) logout(w http.ResponseWriter, r *http.Request) error {
	if err := a.Logout(w, r); err != nil {
		return err
	}
	a.see(w, r, pathLogin+"?done=signed-out")
	return nil
}

// Logout signs the browser that sent r out, if anybody is signed in, and leaves
// the answer to the caller. The session is dead in the store, not only in the
// browser; the device cookie stays.
func (a *Accounts) Logout(w http.ResponseWriter, r *http.Request) error {
	v, err := a.visit(r)
	if err != nil {
		return err
	}
	if v != nil {
		err := a.store.InTx(r.Context(), func(ctx context.Context, tx Store) error {
			if err := a.endSession(ctx, tx, v.account.ID, v.session.ID); err != nil {
				return ignore(err, ErrNotFound)
			}
			return a.record(ctx, oauth.EventSignOut, v.account.ID, v.account.ID, "")
		})
		if err != nil {
			return err
		}
	}
	a.forget(w)
	return nil
}

// endSession deletes one session and says so to other rooms. ErrNotFound.
func (a *Accounts) endSession(ctx context.Context, tx Store, accountID, id string) error {
	sid, err := tx.EndSession(ctx, accountID, id)
	if err != nil {
		return err
	}
	return a.ended(ctx, sid)
}

// endSessions deletes the account's sessions but the one named, and says so to
// other rooms.
func (a *Accounts) endSessions(ctx context.Context, tx Store, accountID, except string) error {
	sids, err := tx.EndSessions(ctx, accountID, except)
	if err != nil {
		return err
	}
	return a.ended(ctx, sids...)
}

func (a *Accounts) ended(ctx context.Context, sids ...string) error {
	if a.cfg.SessionEnded == nil || len(sids) == 0 {
		return nil
	}
	return a.cfg.SessionEnded(ctx, sids...)
}
