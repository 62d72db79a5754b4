package accounts

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

const (
	sessionCookie = "vk_sid"
	deviceCookie  = "vk_dev"
	// deviceLife is how long a browser is remembered after a sign-in.
	deviceLife = 180 * 24 * time.Hour
	secretLen  = 32 // bytes behind a cookie or a one-time link
)

// drawSecret makes the value of a cookie or the secret part of a link.
func drawSecret() oauth.Secret {
	b := make([]byte, secretLen)
	rand.Read(b)
	return oauth.Secret(base64.RawURLEncoding.EncodeToString(b))
}

// cookieName: the prefix __Host- keeps other hosts of the same domain from
// planting a cookie. Browsers take it over https only, so a server on a plain
// http loopback address goes without.
func (a *Accounts) cookieName(name string) string {
	if a.secure {
		return "__Host-" + name
	}
	return name
}

// cookie returns the hash of the cookie's value. A value that is not canonical
// has another hash, so it finds nothing.
func (a *Accounts) cookie(r *http.Request, name string) (oauth.Hash, oauth.Secret, bool) {
	c, err := r.Cookie(a.cookieName(name))
	if err != nil || len(c.Value) != base64.RawURLEncoding.EncodedLen(secretLen) {
		return oauth.Hash{}, "", false
	}
	return oauth.HashSecret(oauth.Secret(c.Value)), oauth.Secret(c.Value), true
}

// setCookie keeps a cookie for life; zero: until the browser is closed.
func (a *Accounts) setCookie(w http.ResponseWriter, name string, value oauth.Secret, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: a.cookieName(name), Value: string(value), Path: "/", MaxAge: int(life / time.Second),
		Secure: a.secure, HttpOnly: true,
		// Lax, not Strict: an authorization request is a navigation from another
		// site and must see the session.
		SameSite: http.SameSiteLaxMode,
	})
}

// forget takes the browser's session cookie.
func (a *Accounts) forget(w http.ResponseWriter) {
	a.clearCookie(w, sessionCookie)
	a.changed(w)
}

// changed says to other rooms that the browser has another session now, or none.
func (a *Accounts) changed(w http.ResponseWriter) {
	if a.cfg.SessionChanged != nil {
		a.cfg.SessionChanged(w)
	}
}

func (a *Accounts) clearCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{Name: a.cookieName(name), Path: "/", MaxAge: -1, Secure: a.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}
