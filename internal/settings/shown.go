package settings

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

// shownFor is how long a new secret can be shown.
const shownFor = 5 * time.Minute

// sealedSecret is what the cookie holds, before it is sealed.
type sealedSecret struct {
	Secret string    `json:"s"` // not oauth.Secret, which would redact itself
	Until  time.Time `json:"u"`
}

// cookieName: the prefix makes browsers refuse the cookie from plain http. It
// cannot be __Host-, because the cookie belongs to one page only.
func (s *Settings) cookieName() string {
	if s.secure {
		return "__Secure-vk_shown"
	}
	return "vk_shown"
}

// place binds the cookie to the session and the page it was made for.
func place(v *visitor, page string) string { return "shown once|" + v.session.ID + "|" + page }

// showOnce returns the cookie by which the page at the path shows the secret.
func (s *Settings) showOnce(v *visitor, page string, secret oauth.Secret) (*http.Cookie, error) {
	text, err := json.Marshal(sealedSecret{Secret: string(secret), Until: s.cfg.Now().Add(shownFor)})
	if err != nil {
		return nil, err
	}
	c := s.cookie(page)
	c.Value, c.MaxAge = s.cfg.Ring.Seal(text, place(v, page)), int(shownFor/time.Second)
	return c, nil
}

// shown takes the secret that the page at the path is to show, and deletes the
// cookie. It is empty when there is none, or none any more.
func (s *Settings) shown(w http.ResponseWriter, r *http.Request, v *visitor, page string) string {
	sent, err := r.Cookie(s.cookieName())
	if err != nil {
		return ""
	}
	gone := s.cookie(page)
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	text, err := s.cfg.Ring.Open(sent.Value, place(v, page))
	if err != nil {
		return ""
	}
	var sealed sealedSecret
	if json.Unmarshal(text, &sealed) != nil || !s.cfg.Now().Before(sealed.Until) {
		return ""
	}
	return sealed.Secret
}

func (s *Settings) cookie(page string) *http.Cookie {
	return &http.Cookie{Name: s.cookieName(), Path: s.prefix + page, Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteStrictMode}
}

// answer sends the browser where a form led, now or when it was sent first.
func (s *Settings) answer(w http.ResponseWriter, r *http.Request, a answer) error {
	if a.cookie != nil {
		http.SetCookie(w, a.cookie)
	}
	return s.seeOther(w, r, a.location)
}
