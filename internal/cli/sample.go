package cli

import (
	"net/http"
	"strings"

	"github.com/valetkey/valetkey"
	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
)

// sample is GET / of the development server: the predecessor's protected
// resource for whoever brings a token, and a page that says what to do for a
// browser.
type sample struct {
	h         *house
	pages     *pages.Pages
	page      pages.Development
	protected http.Handler
}

func newSample(h *house, commands []string) (*sample, error) {
	p, err := pages.New(pages.Config{
		Product: h.loaded.Product, Issuer: h.loaded.Issuer, Development: true,
		Menu: append(valetkey.Menu(), h.door.Menu()...), Now: h.env.Now, Logger: h.log,
	})
	if err != nil {
		return nil, err
	}
	return &sample{
		h: h, pages: p,
		page:      pages.Development{URL: h.loaded.Issuer, Users: []string{devAdmin, devReader}, Password: devPassword, Commands: commands},
		protected: h.server.RequireScopes(testScope)(http.HandlerFunc(resource)),
	}, nil
}

func (s *sample) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token := r.Header.Get("Authorization") != "" || r.URL.Query().Has("access_token")
	if !token && strings.Contains(r.Header.Get("Accept"), "text/html") {
		s.front(w, r)
		return
	}
	s.protected.ServeHTTP(w, r)
}

// resource is what the token opens.
func resource(w http.ResponseWriter, r *http.Request) {
	p := valetkey.PrincipalFrom(r.Context())
	respond.JSON(w, http.StatusOK, map[string]any{
		"message": "You may read this.", "subject": p.Subject, "client_id": p.ClientID, "scopes": list(p.Scopes),
	})
}

// front is the page for people.
func (s *sample) front(w http.ResponseWriter, r *http.Request) {
	var shell pages.Shell
	var err error
	if shell.Session, err = s.h.door.Session(r); err == nil && shell.Session != nil {
		var user *oauth.User
		if user, err = s.h.door.User(r.Context(), shell.Session.Subject); err == nil {
			shell.User = user
		}
	}
	if err != nil {
		respond.Error(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, shell, s.page)
}
