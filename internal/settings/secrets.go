package settings

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/manage"
)

// clientCreated shows a new client secret, if this is the first time it is looked at.
func (s *Settings) clientCreated(w http.ResponseWriter, r *http.Request, v *visitor) error {
	app, err := s.application(r, v)
	if err != nil {
		return err
	}
	c := app.Client
	page := pages.ClientCreated{Client: c, Secret: s.once.Take(w, r, v.session, s.prefix+pathClient(c.ID)+"created/")}
	if page.Secret != "" {
		page.Env = pages.EnvFor(s.cfg.Issuer, c, page.Secret)
	}
	return s.render(w, r, v, http.StatusOK, page)
}

// resetClient asks before a client secret is replaced.
func (s *Settings) resetClient(w http.ResponseWriter, r *http.Request, v *visitor) error {
	app, err := s.application(r, v)
	if err != nil {
		return err
	}
	if app.Client.Public() {
		return &manage.Refused{Reason: "A public application has no secret."}
	}
	if err := s.fresh(v, form.ReturnTo(r)); err != nil {
		return err
	}
	return s.render(w, r, v, http.StatusOK, pages.ClientReset{Form: blank(url.Values{"keep_old": {"0"}}), Client: app.Client})
}

// rotateSecret replaces a client secret. Like the predecessor's, the form does
// nothing unless its button was pressed (reset=yes).
func (s *Settings) rotateSecret(w http.ResponseWriter, r *http.Request, v *visitor) error {
	fields, err := form.Page(w, r)
	if err != nil {
		return err
	}
	app, err := s.application(r, v)
	if err != nil {
		return err
	}
	base := pathClient(app.Client.ID)
	if fields.Get("reset") != "yes" {
		return s.seeOther(w, r, base)
	}
	if err := s.fresh(v, form.ReturnTo(r)); err != nil {
		return err
	}
	values := pick(fields, "keep_old")
	a, err := s.recent.once(r.Context(), onceKey(v, fields), func(ctx context.Context) (answer, error) {
		hours := 0
		if text := values.Get("keep_old"); text != "" {
			if hours, err = strconv.Atoi(text); err != nil || hours < 0 || hours > 10_000 {
				return answer{}, &manage.Invalid{Errors: []manage.FieldError{{Field: "keep_old", Message: "Choose how long the old secret goes on working."}}}
			}
		}
		secret, err := s.cfg.Desk.RotateSecret(ctx, v.actor, app.Client.ID, time.Duration(hours)*time.Hour)
		if err != nil {
			return answer{}, err
		}
		return s.created(v, base, secret)
	})
	if err == nil {
		return s.answer(w, r, a)
	}
	if f, ok := rejected(values, err); ok {
		return s.render(w, r, v, http.StatusUnprocessableEntity, pages.ClientReset{Form: f, Client: app.Client})
	}
	return err
}

// askDelete asks for the application's name before it is deleted.
func (s *Settings) askDelete(w http.ResponseWriter, r *http.Request, v *visitor) error {
	app, err := s.application(r, v)
	if err != nil {
		return err
	}
	if err := s.fresh(v, form.ReturnTo(r)); err != nil {
		return err
	}
	return s.render(w, r, v, http.StatusOK, pages.ClientDelete{Client: app.Client, Users: app.Users})
}

// deleteClient does it.
func (s *Settings) deleteClient(w http.ResponseWriter, r *http.Request, v *visitor) error {
	fields, err := form.Page(w, r)
	if err != nil {
		return err
	}
	app, err := s.application(r, v)
	if err != nil {
		return err
	}
	if err := s.fresh(v, form.ReturnTo(r)); err != nil {
		return err
	}
	// Compared as they are shown: nobody can type what cannot be seen.
	if pages.Plain(fields.Get("name")) != pages.Plain(app.Client.Name) {
		f := blank(pick(fields, "name"))
		f.Add("name", "That is not the application’s name.")
		return s.render(w, r, v, http.StatusUnprocessableEntity, pages.ClientDelete{Form: f, Client: app.Client, Users: app.Users})
	}
	if err := s.cfg.Desk.DeleteApplication(r.Context(), v.actor, app.Client.ID); err != nil {
		return err
	}
	return s.seeOther(w, r, pathApplications+"?done=client-deleted")
}
