package accounts

import (
	"context"
	"net/http"
	"net/url"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/oauth"
)

const usersPerPage = 50

func (a *Accounts) userURL(id string) string { return pathUsers + url.PathEscape(id) + "/" }

func (a *Accounts) userRow(acc *Account) pages.UserRow {
	return pages.UserRow{Subject: acc.ID, Email: acc.Email, Name: acc.Name, EmailVerified: acc.EmailVerified, Admin: acc.Admin,
		Disabled: acc.Disabled, CreatedAt: acc.CreatedAt, LastSignIn: acc.LastSignInAt, URL: a.pages.Path(a.userURL(acc.ID))}
}

// usersPage is GET /admin/users/?q=…&after=….
func (a *Accounts) usersPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	text, after := r.URL.Query().Get("q"), r.URL.Query().Get("after")
	list, err := a.store.ListAccounts(r.Context(), AccountQuery{Text: text}, Page{After: after, Limit: usersPerPage + 1})
	if err != nil {
		return err
	}
	page := pages.Users{Text: text}
	link := func(after string) string {
		q := url.Values{}
		for name, value := range map[string]string{"q": text, "after": after} {
			if value != "" {
				q.Set(name, value)
			}
		}
		return a.pages.Path(pathUsers) + "?" + q.Encode()
	}
	if len(list) > usersPerPage {
		list = list[:usersPerPage]
		page.Older = link(list[len(list)-1].ID)
	}
	if after != "" {
		page.Newest = link("")
	}
	for _, acc := range list {
		page.Users = append(page.Users, a.userRow(acc))
	}
	a.render(w, r, http.StatusOK, menuUsers, page)
	return nil
}

// userPage is GET /admin/users/{id}/.
func (a *Accounts) userPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	acc, err := a.store.Account(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	rows, err := a.sessionRows(r.Context(), acc.ID, v.session.ID)
	if err != nil {
		return err
	}
	page := pages.UserDetails{User: a.userRow(acc), Sessions: rows, Self: acc.ID == v.account.ID}
	for _, name := range userActionOrder {
		if act := userActions[name]; act.offered(a, acc, v) {
			page.Actions = append(page.Actions, pages.UserAction{Label: act.label, URL: a.pages.Path(a.userURL(acc.ID) + name + "/"), Danger: act.danger})
		}
	}
	a.render(w, r, http.StatusOK, menuUsers, page)
	return nil
}

// createUserPage is GET /admin/users/new/.
func (a *Accounts) createUserPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	a.renderCreateUser(w, r, http.StatusOK, pages.Form{})
	return nil
}

func (a *Accounts) renderCreateUser(w http.ResponseWriter, r *http.Request, status int, f pages.Form) {
	a.render(w, r, status, menuUsers, pages.CreateUser{Form: f, Min: minPassword, Mail: a.mailer != nil})
}

// createUserForm is POST /admin/users/new/. Without a password the person is
// mailed a link by which they choose one.
func (a *Accounts) createUserForm(w http.ResponseWriter, r *http.Request, v *visit) error {
	values, err := form(w, r)
	if err != nil {
		return err
	}
	invite := values.Get("password") == "" && a.mailer != nil
	u := NewUser{Email: values.Get("email"), Name: values.Get("name"), Password: oauth.Secret(values.Get("password")), Admin: values.Get("admin") != ""}
	validate := a.personWithPassword
	if invite {
		validate = a.newAccount
	}
	acc, err := validate(r.Context(), u)
	if err == nil {
		err = a.create(r.Context(), v.account.ID, acc)
	}
	if err != nil {
		f := pages.Form{Values: keep(values)}
		if err := wrong(&f, err); err != nil {
			return err
		}
		a.renderCreateUser(w, r, http.StatusUnprocessableEntity, f)
		return nil
	}
	key := "user-created"
	if invite {
		key = "user-invited"
		a.later(r.Context(), "invitation", func(ctx context.Context) error {
			return a.mailLink(ctx, Link{Purpose: PurposeReset, AccountID: acc.ID, Email: acc.Email}, inviteLife, a.inviteMail(acc))
		})
	}
	a.see(w, r, a.userURL(acc.ID)+"?done="+key)
	return nil
}

// userAction is something an administrator does to an account, after a page
// that asks.
type userAction struct {
	label  string // on the button, too
	text   string
	danger bool
	done   string // key of the sentence shown afterwards
	self   bool   // may be done to one's own account
	fits   func(a *Accounts, acc *Account) bool
	// do is part of the transaction in which it was looked at whether it may be
	// done; then follows when that is through. Either may be nil.
	do   func(a *Accounts, ctx context.Context, actor string, acc *Account) error
	then func(a *Accounts, ctx context.Context, acc *Account)
}

// offered: nobody disables, demotes or deletes themselves, so there is always an
// administrator left.
func (u *userAction) offered(a *Accounts, acc *Account, v *visit) bool {
	return u != nil && (u.self || acc.ID != v.account.ID) && u.fits(a, acc)
}

var userActionOrder = []string{"reset", "sign-out", "make-admin", "withdraw-admin", "enable", "disable", "delete"}

var userActions = map[string]*userAction{
	"reset": {label: "Mail a link to choose a password", text: "They can sign in with their old password until they choose a new one.", done: "user-reset-link", self: true,
		fits: func(a *Accounts, acc *Account) bool { return a.mailer != nil && !acc.Disabled },
		then: func(a *Accounts, ctx context.Context, acc *Account) {
			a.later(ctx, "password reset", func(ctx context.Context) error {
				return a.mailLink(ctx, Link{Purpose: PurposeReset, AccountID: acc.ID, Email: acc.Email}, mailedLife, a.resetMail(acc))
			})
		}},
	"sign-out": {label: "Sign out everywhere", text: "Every browser of theirs will have to sign in again.", done: "user-signed-out",
		fits: func(*Accounts, *Account) bool { return true },
		do: func(a *Accounts, ctx context.Context, actor string, acc *Account) error {
			return a.signOutEverywhere(ctx, actor, acc.ID)
		}},
	"make-admin": {label: "Make administrator", text: "They will see and change everybody’s accounts, applications and tokens.", done: "user-admin",
		fits: func(_ *Accounts, acc *Account) bool { return !acc.Admin && !acc.Disabled },
		do: func(a *Accounts, ctx context.Context, actor string, acc *Account) error {
			return a.setAdmin(ctx, actor, acc.ID, true)
		}},
	"withdraw-admin": {label: "Withdraw administration", text: "They will keep their account and see only their own.", done: "user-not-admin",
		fits: func(_ *Accounts, acc *Account) bool { return acc.Admin },
		do: func(a *Accounts, ctx context.Context, actor string, acc *Account) error {
			return a.setAdmin(ctx, actor, acc.ID, false)
		}},
	"enable": {label: "Enable", text: "They can sign in again. What was ended stays ended.", done: "user-enabled",
		fits: func(_ *Accounts, acc *Account) bool { return acc.Disabled },
		do: func(a *Accounts, ctx context.Context, actor string, acc *Account) error {
			return a.enable(ctx, actor, acc.ID)
		}},
	"disable": {label: "Disable", text: "They are signed out everywhere and cannot sign in. Their tokens, and those of their applications, do not work until they are enabled again.", danger: true, done: "user-disabled",
		fits: func(_ *Accounts, acc *Account) bool { return !acc.Disabled },
		do: func(a *Accounts, ctx context.Context, actor string, acc *Account) error {
			return a.disable(ctx, actor, acc.ID)
		}},
	"delete": {label: "Delete", text: "Their account, their applications and every token of theirs are gone at once, and nothing brings them back.", danger: true, done: "user-deleted",
		fits: func(*Accounts, *Account) bool { return true },
		do: func(a *Accounts, ctx context.Context, actor string, acc *Account) error {
			return a.delete(ctx, actor, acc.ID)
		}},
}

// chosenAction finds the account and the action that the path names.
func (a *Accounts) chosenAction(ctx context.Context, s Store, r *http.Request, v *visit) (*Account, *userAction, error) {
	acc, err := s.Account(ctx, r.PathValue("id"))
	if err != nil {
		return nil, nil, err
	}
	act := userActions[r.PathValue("action")]
	if !act.offered(a, acc, v) {
		return nil, nil, errNoPage
	}
	return acc, act, nil
}

// userActionPage is GET /admin/users/{id}/{action}/.
func (a *Accounts) userActionPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	acc, act, err := a.chosenAction(r.Context(), a.store, r, v)
	if err != nil {
		return err
	}
	a.render(w, r, http.StatusOK, menuUsers, pages.Confirm{Heading: act.label + ": " + acc.Email, Text: act.text, Button: act.label, Danger: act.danger,
		Action: r.URL.Path, Cancel: a.pages.Path(a.userURL(acc.ID))})
	return nil
}

// userAction is POST /admin/users/{id}/{action}/. The transaction holds both
// accounts and then looks again at who acts: of two administrators who demote each
// other at once, one stays.
func (a *Accounts) userAction(w http.ResponseWriter, r *http.Request, v *visit) error {
	var acc *Account
	var act *userAction
	err := a.store.InTx(r.Context(), func(ctx context.Context, tx Store) error {
		if err := tx.HoldAccounts(ctx, v.account.ID, r.PathValue("id")); err != nil {
			return err
		}
		actor, err := tx.Account(ctx, v.account.ID)
		if err != nil {
			return err
		}
		if !actor.Admin || actor.Disabled {
			return errNoPage
		}
		if acc, act, err = a.chosenAction(ctx, tx, r, v); err != nil || act.do == nil {
			return err
		}
		return act.do(a, ctx, actor.ID, acc)
	})
	if err != nil {
		return err
	}
	if act.then != nil {
		act.then(a, r.Context(), acc)
	}
	to := a.userURL(acc.ID)
	if act.done == "user-deleted" {
		to = pathUsers
	}
	a.see(w, r, to+"?done="+act.done)
	return nil
}

func (a *Accounts) signOutEverywhere(ctx context.Context, actor, subject string) error {
	return a.store.InTx(ctx, func(ctx context.Context, tx Store) error {
		if err := a.endSessions(ctx, tx, subject, ""); err != nil {
			return err
		}
		return a.record(ctx, oauth.EventSessionRevoked, actor, subject, "Every session, by an administrator.")
	})
}

func (a *Accounts) setAdmin(ctx context.Context, actor, subject string, admin bool) error {
	detail := "Is an administrator no more."
	if admin {
		detail = "Is an administrator now."
	}
	defer a.userChanged(subject)
	return a.store.InTx(ctx, func(ctx context.Context, tx Store) error {
		if err := tx.SetAdmin(ctx, subject, admin); err != nil {
			return err
		}
		return a.record(ctx, oauth.EventUserUpdated, actor, subject, detail)
	})
}
