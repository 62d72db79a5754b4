package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

// people is the users the app had all along, and their sign-in. It is what
// Valetkey asks: an oauth.Authenticator and an oauth.UserSource.
type people struct {
	users map[string]oauth.User
	key   []byte // signs the session cookie
}

func newPeople() *people {
	key := make([]byte, 32)
	rand.Read(key)
	return &people{key: key, users: map[string]oauth.User{
		"ann": {Subject: "ann", Username: "ann", Name: "Ann Example", Email: "ann@example.org", EmailVerified: true, Admin: true},
		"ben": {Subject: "ben", Username: "ben", Name: "Ben Example", Email: "ben@example.org"},
	}}
}

// User says who a subject is.
func (p *people) User(_ context.Context, subject string) (*oauth.User, error) {
	u, ok := p.users[subject]
	if !ok {
		return nil, oauth.ErrUserNotFound
	}
	return &u, nil
}

const cookieName = "notes-session"

// Session says who is at the keyboard, or nil.
func (p *people) Session(r *http.Request) (*oauth.Session, error) {
	c, err := r.Cookie(cookieName)
	if err != nil {
		return nil, nil
	}
	payload, mac, _ := strings.Cut(c.Value, ".")
	if subtle.ConstantTimeCompare([]byte(mac), []byte(p.sign(payload))) != 1 {
		return nil, nil
	}
	var s oauth.Session
	if raw, err := base64.RawURLEncoding.DecodeString(payload); err != nil || json.Unmarshal(raw, &s) != nil {
		return nil, nil
	}
	if time.Since(s.AuthTime) > 12*time.Hour {
		return nil, nil
	}
	return &s, nil
}

// Login sends the browser to the login page, and from there back to where
// Valetkey wants it.
func (p *people) Login(w http.ResponseWriter, r *http.Request, req oauth.LoginRequest) {
	http.Redirect(w, r, "/login/?next="+url.QueryEscape(req.ReturnTo), http.StatusSeeOther)
}

// login is the login page. The password is the name: it is an example.
func (p *people) login(w http.ResponseWriter, r *http.Request) {
	next := local(r.FormValue("next"))
	if r.Method != http.MethodPost {
		loginTemplate.Execute(w, map[string]string{"Next": next})
		return
	}
	u, ok := p.users[r.PostFormValue("username")]
	if !ok || r.PostFormValue("password") != u.Username {
		w.WriteHeader(http.StatusUnprocessableEntity)
		loginTemplate.Execute(w, map[string]string{"Next": next, "Error": "No such user, or another password."})
		return
	}
	raw, err := json.Marshal(oauth.Session{Subject: u.Subject, ID: rand.Text(), AuthTime: time.Now(), AMR: []string{"pwd"}})
	if err != nil {
		http.Error(w, "the session could not be written", http.StatusInternalServerError)
		return
	}
	payload := base64.RawURLEncoding.EncodeToString(raw)
	setCookie(w, payload+"."+p.sign(payload), 0)
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// logout asks, and signs out.
func (p *people) logout(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		logoutTemplate.Execute(w, nil)
		return
	}
	setCookie(w, "", -1)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (p *people) sign(payload string) string {
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(payload))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// setCookie: on https it would be Secure too, and called __Host-….
func setCookie(w http.ResponseWriter, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

// local lets the browser go on to a page of this app only.
func local(next string) string {
	if u, err := url.Parse(next); err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.Contains(next, `\`) {
		return "/"
	}
	return next
}

var loginTemplate = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><title>Sign in</title>
<h1>Sign in</h1>
{{with .Error}}<p role="alert">{{.}}</p>{{end}}
<form method="post" action="/login/">
<input type="hidden" name="next" value="{{.Next}}">
<p><label>User name <input id="username" name="username" autocomplete="username" required></label></p>
<p><label>Password <input id="password" name="password" type="password" autocomplete="current-password" required></label></p>
<button id="login" type="submit">Sign in</button>
</form>
`))

var logoutTemplate = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en"><title>Sign out</title>
<h1>Sign out?</h1>
<form method="post" action="/logout/"><button id="confirm-logout" type="submit">Sign out</button></form>
`))
