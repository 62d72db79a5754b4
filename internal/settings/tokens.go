package settings

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

const pathTokens = pathApplications + "tokens/"

func pathToken(id string) string { return pathTokens + url.PathEscape(id) + "/" }

// tokenFields are what the form of a token has, and what a link may prefill.
var tokenFields = []string{"name", "description", "scopes", "expires_in", "expires_at"}

// newToken asks for a token. The query may say what to put in; nothing is made
// without a click.
func (s *Settings) newToken(w http.ResponseWriter, r *http.Request, v *visitor) error {
	if err := s.fresh(v, form.ReturnTo(r)); err != nil {
		return err
	}
	given := pick(r.URL.Query(), tokenFields...)
	page := pages.TokenNew{FromLink: len(given) > 0}
	values := pick(given, "name", "description", "expires_in", "expires_at")
	for _, name := range list(given["scopes"]) {
		if sc, ok := s.cfg.Desk.Scopes().Find(name); ok && !sc.Internal && !sc.ClientOnly {
			values.Add("scopes", name)
		} else {
			page.Ignored = append(page.Ignored, name)
		}
	}
	switch in := values.Get("expires_in"); in {
	case "none", "custom":
	default:
		n, err := strconv.Atoi(in)
		if err != nil || n <= 0 || n > 10*366 {
			n = days(s.cfg.Desk.Policy().PersonalTokenDefault)
		}
		s.chooseExpiry(values, n)
	}
	page.Form = blank(values)
	return s.tokenForm(w, r, v, http.StatusOK, page)
}

func (s *Settings) tokenForm(w http.ResponseWriter, r *http.Request, v *visitor, status int, page pages.TokenNew) error {
	scopes := s.cfg.Desk.Scopes()
	page.Expiry, page.Groups = s.expiryChoice(), scopes.Group(names(scopes.Personal()))
	page.AllowNoScopes = s.cfg.Desk.Policy().AllowNoScopes
	return s.render(w, r, v, status, page)
}

func names(scopes []oauth.Scope) []string {
	out := make([]string, len(scopes))
	for i, sc := range scopes {
		out[i] = sc.Name
	}
	return out
}

// createToken makes a token and leads to the page that shows it.
func (s *Settings) createToken(w http.ResponseWriter, r *http.Request, v *visitor) error {
	fields, err := form.Page(w, r)
	if err != nil {
		return err
	}
	values := pick(fields, tokenFields...)
	if err := s.fresh(v, s.prefix+pathTokens+"new/?"+values.Encode()); err != nil {
		return err
	}
	a, err := s.recent.once(r.Context(), onceKey(v, fields), func(ctx context.Context) (answer, error) {
		in := manage.TokenInput{Name: values.Get("name"), Description: values.Get("description"), Scopes: values["scopes"]}
		var wrong string
		if in.ExpiresAt, wrong = s.expiresAt(values); wrong != "" {
			return answer{}, &manage.Invalid{Errors: []manage.FieldError{{Field: "expires_at", Message: wrong}}}
		}
		t, secret, err := s.cfg.Desk.CreateToken(ctx, v.actor, in)
		if err != nil {
			return answer{}, err
		}
		return s.created(v, pathToken(t.ID), secret)
	})
	if err == nil {
		return s.answer(w, r, a)
	}
	if f, ok := retry(values, err); ok {
		return s.tokenForm(w, r, v, http.StatusUnprocessableEntity, pages.TokenNew{Form: f})
	}
	return err
}

// onceKey tells one sending of a form from another; empty: the form has no id.
func onceKey(v *visitor, fields url.Values) string {
	id := fields.Get(formIDField)
	if id == "" || len(id) > 64 {
		return ""
	}
	return v.session.ID + "|" + id
}

// created is the answer to a form that made a secret: the page …/created/ shows it.
func (s *Settings) created(v *visitor, base string, secret oauth.Secret) (answer, error) {
	page := base + "created/"
	cookie, err := s.once.Cookie(v.session, s.prefix+page, secret)
	return answer{location: page, cookie: cookie}, err
}

// retry is rejected for forms that can also be refused as a whole, as when
// there are too many tokens: that too is said above the form.
func retry(values url.Values, err error) (pages.Form, bool) {
	f, ok := rejected(values, err)
	var refused *manage.Refused
	if errors.As(err, &refused) {
		f.Add("", refused.Reason)
		ok = true
	}
	return f, ok
}

// tokenCreated shows a new secret, if this is the first time it is looked at.
func (s *Settings) tokenCreated(w http.ResponseWriter, r *http.Request, v *visitor) error {
	t, err := s.personal(r, v)
	if err != nil {
		return err
	}
	page := pages.TokenCreated{Token: t, Secret: s.once.Take(w, r, v.session, s.prefix+pathToken(t.ID)+"created/")}
	if page.Secret != "" {
		page.Curl = pages.CurlFor(s.cfg.Issuer, page.Secret)
	}
	return s.render(w, r, v, http.StatusOK, page)
}

func (s *Settings) personal(r *http.Request, v *visitor) (*oauth.Token, error) {
	return s.cfg.Desk.Token(r.Context(), v.actor, r.PathValue("id"))
}

// token shows one personal access token.
func (s *Settings) token(w http.ResponseWriter, r *http.Request, v *visitor) error {
	t, err := s.personal(r, v)
	if err != nil {
		return err
	}
	values := url.Values{"name": {t.Name}, "description": {t.Description}, "scopes": t.Scopes}
	return s.tokenPage(w, r, v, http.StatusOK, t, blank(values))
}

func (s *Settings) tokenPage(w http.ResponseWriter, r *http.Request, v *visitor, status int, t *oauth.Token, f pages.Form) error {
	wider := url.Values{"name": {t.Name}, "description": {t.Description}, "scopes": t.Scopes}
	return s.render(w, r, v, status, pages.TokenView{
		Form: f, Token: t, Groups: s.cfg.Desk.Scopes().Group(t.Scopes), Wider: s.prefix + pathTokens + "new/?" + wider.Encode(),
	})
}

// updateToken renames a token and takes scopes away from it.
func (s *Settings) updateToken(w http.ResponseWriter, r *http.Request, v *visitor) error {
	fields, err := form.Page(w, r)
	if err != nil {
		return err
	}
	t, err := s.personal(r, v)
	if err != nil {
		return err
	}
	if fields.Has("delete") { // the predecessor's button: it leads to the question now
		return s.seeOther(w, r, pathToken(t.ID)+"revoke/")
	}
	values := pick(fields, "name", "description", "scopes")
	_, err = s.cfg.Desk.UpdateToken(r.Context(), v.actor, t.ID, manage.TokenInput{
		Name: values.Get("name"), Description: values.Get("description"), Scopes: values["scopes"],
	})
	if err == nil {
		return s.seeOther(w, r, pathToken(t.ID)+"?done=saved")
	}
	if f, ok := rejected(values, err); ok {
		return s.tokenPage(w, r, v, http.StatusUnprocessableEntity, t, f)
	}
	return err
}

// askRegenerate asks for how long the new secret shall live: as long as the old
// one did, unless the person says otherwise.
func (s *Settings) askRegenerate(w http.ResponseWriter, r *http.Request, v *visitor) error {
	t, err := s.personal(r, v)
	if err != nil {
		return err
	}
	if err := s.fresh(v, form.ReturnTo(r)); err != nil {
		return err
	}
	policy, values := s.cfg.Desk.Policy(), url.Values{}
	switch {
	case !t.ExpiresAt.IsZero():
		s.chooseExpiry(values, max(1, days(min(t.ExpiresAt.Sub(t.IssuedAt), policy.PersonalTokenMax))))
	case policy.AllowNoExpiry:
		values.Set("expires_in", "none")
	default:
		s.chooseExpiry(values, days(policy.PersonalTokenDefault))
	}
	return s.render(w, r, v, http.StatusOK, pages.TokenRegenerate{Form: blank(values), Token: t, Expiry: s.expiryChoice()})
}

// regenerateToken replaces the secret and leads to the page that shows the new one.
func (s *Settings) regenerateToken(w http.ResponseWriter, r *http.Request, v *visitor) error {
	fields, err := form.Page(w, r)
	if err != nil {
		return err
	}
	t, err := s.personal(r, v)
	if err != nil {
		return err
	}
	if err := s.fresh(v, form.ReturnTo(r)); err != nil {
		return err
	}
	values := pick(fields, "expires_in", "expires_at")
	a, err := s.recent.once(r.Context(), onceKey(v, fields), func(ctx context.Context) (answer, error) {
		at, wrong := s.expiresAt(values)
		if wrong != "" {
			return answer{}, &manage.Invalid{Errors: []manage.FieldError{{Field: "expires_at", Message: wrong}}}
		}
		_, secret, err := s.cfg.Desk.RegenerateToken(ctx, v.actor, t.ID, at)
		if err != nil {
			return answer{}, err
		}
		return s.created(v, pathToken(t.ID), secret)
	})
	if err == nil {
		return s.answer(w, r, a)
	}
	if f, ok := retry(values, err); ok {
		return s.render(w, r, v, http.StatusUnprocessableEntity, pages.TokenRegenerate{Form: f, Token: t, Expiry: s.expiryChoice()})
	}
	return err
}

// askRevoke asks before a personal access token, or what an application may do,
// is revoked. Both have this address, as they had in the predecessor.
func (s *Settings) askRevoke(w http.ResponseWriter, r *http.Request, v *visitor) error {
	t, err := s.personal(r, v)
	if err == nil {
		return s.render(w, r, v, http.StatusOK, pages.TokenRevoke{Token: t})
	}
	if !errors.Is(err, manage.ErrNotFound) {
		return err
	}
	a, err := s.cfg.Desk.Authorization(r.Context(), v.actor, r.PathValue("id"))
	if err != nil {
		return err
	}
	page, err := s.authorizationPage(r.Context(), a)
	if err != nil {
		return err
	}
	return s.render(w, r, v, http.StatusOK, pages.RevokeAuthorization{Authorization: page})
}

// revoke does it.
func (s *Settings) revoke(w http.ResponseWriter, r *http.Request, v *visitor) error {
	id := r.PathValue("id")
	err := s.cfg.Desk.RevokeToken(r.Context(), v.actor, id)
	if err == nil {
		return s.seeOther(w, r, pathApplications+"?done=token-revoked")
	}
	if !errors.Is(err, manage.ErrNotFound) {
		return err
	}
	if err := s.cfg.Desk.RevokeAuthorization(r.Context(), v.actor, id); err != nil {
		return err
	}
	return s.seeOther(w, r, pathApplications+"?done=access-revoked")
}
