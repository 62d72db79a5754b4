// Package shown carries a new secret from the form that made it to the one page
// that shows it.
//
// It travels in a cookie that only this server can read (sealed by the keyring),
// that is bound to the session and to that one page, lives for five minutes, and
// is deleted by the page that shows it. No server keeps it, so it does not
// matter which of many answers.
package shown

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/oauth"
)

// life is how long a new secret can be shown.
const life = 5 * time.Minute

// Once makes and opens the cookies.
type Once struct {
	Ring   *keyring.Ring
	Secure bool // the server is reached by https
	Now    func() time.Time
}

// sealed is what the cookie holds, before it is sealed.
type sealed struct {
	Secret string    `json:"s"` // not oauth.Secret, which would redact itself
	Until  time.Time `json:"u"`
}

// Cookie returns the cookie by which the page at the path, below the root of the
// host, shows the secret to the session.
func (o Once) Cookie(session *oauth.Session, path string, secret oauth.Secret) (*http.Cookie, error) {
	text, err := json.Marshal(sealed{Secret: string(secret), Until: o.Now().Add(life)})
	if err != nil {
		return nil, err
	}
	c := o.cookie(path)
	c.Value, c.MaxAge = o.Ring.Seal(text, place(session, path)), int(life/time.Second)
	return c, nil
}

// Take returns the secret that the page at the path is to show, and deletes the
// cookie. It is empty when there is none, or none any more. A HEAD request shows
// nothing to anybody, so it takes nothing either.
func (o Once) Take(w http.ResponseWriter, r *http.Request, session *oauth.Session, path string) string {
	sent, err := r.Cookie(o.name())
	if err != nil || r.Method == http.MethodHead {
		return ""
	}
	gone := o.cookie(path)
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	text, err := o.Ring.Open(sent.Value, place(session, path))
	if err != nil {
		return ""
	}
	var s sealed
	if json.Unmarshal(text, &s) != nil || !o.Now().Before(s.Until) {
		return ""
	}
	return s.Secret
}

// place binds the cookie to the session and the page it was made for.
func place(session *oauth.Session, path string) string {
	return "shown once|" + session.ID + "|" + path
}

// name: the prefix makes browsers refuse the cookie from plain http. It cannot
// be __Host-, because the cookie belongs to one page only.
func (o Once) name() string {
	if o.Secure {
		return "__Secure-vk_shown"
	}
	return "vk_shown"
}

func (o Once) cookie(path string) *http.Cookie {
	return &http.Cookie{Name: o.name(), Path: path, Secure: o.Secure, HttpOnly: true, SameSite: http.SameSiteStrictMode}
}
