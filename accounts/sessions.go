package accounts

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/oauth"
)

// sessionRows are an account's live sessions for people to read; current is the
// id of the one that looks.
func (a *Accounts) sessionRows(ctx context.Context, accountID, current string) ([]pages.SessionRow, error) {
	now := a.cfg.Now()
	list, err := a.store.ListSessions(ctx, accountID, now)
	if err != nil {
		return nil, err
	}
	var rows []pages.SessionRow
	for _, s := range list {
		if a.over(s, now) {
			continue
		}
		rows = append(rows, pages.SessionRow{ID: s.ID, Agent: s.Agent, System: s.System, Network: s.Network,
			SignedIn: s.AuthTime, Seen: s.LastSeenAt, Current: s.ID == current, Remember: s.Remember})
	}
	return rows, nil
}

// securityPage is GET /account/settings/security/.
func (a *Accounts) securityPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	rows, err := a.sessionRows(r.Context(), v.account.ID, v.session.ID)
	if err != nil {
		return err
	}
	a.render(w, r, http.StatusOK, menuSecurity, pages.Security{Sessions: rows})
	return nil
}

// revokePage is GET /account/settings/sessions/revoke: it asks whether to sign
// out one other browser (session=ID) or all of them (others=yes).
func (a *Accounts) revokePage(w http.ResponseWriter, r *http.Request, v *visit) error {
	if r.URL.RawQuery == "" { // the form was sent, but the person had to sign in first
		a.see(w, r, pathSecurity)
		return nil
	}
	page := pages.Confirm{Button: "Sign out", Danger: true, Action: a.pages.Path(pathRevoke), Cancel: a.pages.Path(pathSecurity)}
	if r.URL.Query().Get("others") != "" {
		page.Heading, page.Text = "Sign out everywhere else?", "Every browser but this one will have to sign in again."
		page.Button, page.Hidden = "Sign out everywhere else", map[string]string{"others": "yes"}
		a.render(w, r, http.StatusOK, menuSecurity, page)
		return nil
	}
	rows, err := a.sessionRows(r.Context(), v.account.ID, v.session.ID)
	if err != nil {
		return err
	}
	for _, s := range rows {
		if s.ID == r.URL.Query().Get("session") {
			page.Heading, page.Text = "Sign out that browser?", s.Device()+" will have to sign in again."
			page.Hidden = map[string]string{"session": s.ID}
			a.render(w, r, http.StatusOK, menuSecurity, page)
			return nil
		}
	}
	return errNoPage
}

// revoke is POST /account/settings/sessions/revoke.
func (a *Accounts) revoke(w http.ResponseWriter, r *http.Request, v *visit) error {
	values, err := form(w, r)
	if err != nil {
		return err
	}
	id, others := values.Get("session"), values.Get("others") != ""
	if others == (id != "") {
		return &refusal{status: http.StatusBadRequest}
	}
	own := id == v.session.ID
	err = a.store.InTx(r.Context(), func(ctx context.Context, tx Store) error {
		detail := "One session, from the list of sessions."
		if others {
			detail = "Every other session, from the list of sessions."
			if err := a.endSessions(ctx, tx, v.account.ID, v.session.ID); err != nil {
				return err
			}
		} else if err := a.endSession(ctx, tx, v.account.ID, id); err != nil {
			return err
		}
		return a.record(ctx, oauth.EventSessionRevoked, v.account.ID, v.account.ID, detail)
	})
	if errors.Is(err, ErrNotFound) {
		return errNoPage
	}
	if err != nil {
		return err
	}
	key := "session-ended"
	if others {
		key = "sessions-ended"
	}
	if own {
		a.forget(w)
	}
	a.see(w, r, pathSecurity+"?"+url.Values{"done": {key}}.Encode())
	return nil
}
