package accounts

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/oauth"
)

// SetProfile replaces the display name and every claim of the account, verified
// or not as claims says; UpdatedAt is kept by the account itself. What is wrong
// is an [*Invalid], or several joined; then nothing changes. ErrNotFound.
func (a *Accounts) SetProfile(ctx context.Context, subject, name string, claims oauth.UserClaims) error {
	return a.setProfile(ctx, operator, subject, func(acc *Account) { acc.Name, acc.Claims = name, claims })
}

// setProfile lets change edit the name and the claims of the account.
func (a *Accounts) setProfile(ctx context.Context, actor, subject string, change func(*Account)) error {
	defer a.userChanged(subject)
	return a.store.InTx(ctx, func(ctx context.Context, tx Store) error {
		acc, err := tx.Account(ctx, subject)
		if err != nil {
			return err
		}
		was := *acc
		change(acc)
		if err := a.parseProfile(acc); err != nil {
			return err
		}
		acc.Claims.UpdatedAt = was.Claims.UpdatedAt
		if acc.Name == was.Name && sameClaims(acc.Claims, was.Claims) {
			return nil
		}
		acc.Claims.UpdatedAt = a.cfg.Now().Unix()
		if err := tx.SetProfile(ctx, acc.ID, acc.Name, acc.Claims); err != nil {
			return err
		}
		return a.record(ctx, oauth.EventUserUpdated, actor, acc.ID, "The profile.")
	})
}

// parseProfile puts the name and the claims into the form in which they are
// kept, or says everything that is wrong with them.
func (a *Accounts) parseProfile(acc *Account) (err error) {
	if acc.Name, err = parseName(acc.Name); err != nil {
		_, wrong := parseClaims(acc.Claims, a.cfg.Now())
		return all(append([]*Invalid{err.(*Invalid)}, wrong...))
	}
	var wrong []*Invalid
	acc.Claims, wrong = parseClaims(acc.Claims, a.cfg.Now())
	return all(wrong)
}

// ownFields are the fields of the profile form beside the name, and where their
// values belong. Whether the phone number is verified is not for its owner to
// say; nor is preferred_username, which many applications take for an identity,
// although it is none (OpenID Connect Core §5.7).
func ownFields(c *oauth.UserClaims, a *oauth.Address) map[string]*string {
	return map[string]*string{
		"given_name": &c.GivenName, "middle_name": &c.MiddleName, "family_name": &c.FamilyName, "nickname": &c.Nickname,
		"profile": &c.Profile, "picture": &c.Picture, "website": &c.Website, "gender": &c.Gender,
		"birthdate": &c.Birthdate, "zoneinfo": &c.Zoneinfo, "locale": &c.Locale, "phone_number": &c.PhoneNumber,
		"formatted": &a.Formatted, "street_address": &a.StreetAddress, "postal_code": &a.PostalCode,
		"locality": &a.Locality, "region": &a.Region, "country": &a.Country,
	}
}

// withAddress returns the claims and their address, copied and never nil.
func withAddress(c oauth.UserClaims) (oauth.UserClaims, *oauth.Address) {
	a := oauth.Address{}
	if c.Address != nil {
		a = *c.Address
	}
	c.Address = &a
	return c, &a
}

func (a *Accounts) renderProfile(w http.ResponseWriter, r *http.Request, status int, v *visit, f pages.Form) {
	c := v.account.Claims
	a.render(w, r, status, menuProfile, pages.Profile{Form: f, Email: v.account.Email, Verified: v.account.EmailVerified,
		ConfirmEmail: a.mailer != nil && !v.account.EmailVerified, PreferredUsername: c.PreferredUsername, PhoneVerified: c.PhoneNumberVerified})
}

// profilePage is GET /account/settings/profile/.
func (a *Accounts) profilePage(w http.ResponseWriter, r *http.Request, v *visit) error {
	values := url.Values{"name": {v.account.Name}}
	c, address := withAddress(v.account.Claims)
	for name, value := range ownFields(&c, address) {
		values.Set(name, *value)
	}
	a.renderProfile(w, r, http.StatusOK, v, pages.Form{Values: values})
	return nil
}

// profile is POST /account/settings/profile/. A field that was not sent stays as
// it is; one that the form does not have does not count.
func (a *Accounts) profile(w http.ResponseWriter, r *http.Request, v *visit) error {
	values, err := form(w, r)
	if err != nil {
		return err
	}
	err = a.setProfile(r.Context(), v.account.ID, v.account.ID, func(acc *Account) {
		if values.Has("name") {
			acc.Name = values.Get("name")
		}
		c, address := withAddress(acc.Claims)
		for name, value := range ownFields(&c, address) {
			if values.Has(name) {
				*value = values.Get(name)
			}
		}
		if number, _ := phone(strings.TrimSpace(c.PhoneNumber)); number != acc.Claims.PhoneNumber {
			c.PhoneNumberVerified = false
		}
		acc.Claims = c
	})
	if err != nil {
		f := pages.Form{Values: keep(values)}
		if err := wrong(&f, err); err != nil {
			return err
		}
		a.renderProfile(w, r, http.StatusUnprocessableEntity, v, f)
		return nil
	}
	a.see(w, r, pathProfile+"?done=profile")
	return nil
}
