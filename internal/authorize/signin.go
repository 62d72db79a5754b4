package authorize

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/redirecturi"
	"github.com/valetkey/valetkey/oauth"
)

// returned is the parameter that a browser brings back from signing in. It says
// since when prompt and max_age have been waiting to be satisfied; without it a
// request with prompt=login would ask for the password for ever.
const returned = "vk_asked"

// patience is how long somebody may take to sign in.
const patience = time.Hour

// mustSignIn reports whether the person has to sign in (again), and why.
func (a *Room) mustSignIn(q *request, s *oauth.Session) (oauth.LoginReason, bool) {
	if s == nil {
		return oauth.LoginNeeded, true
	}
	asked, brought := a.asked(q)
	switch {
	case s.Stale:
		return oauth.LoginAgain, true
	case slices.Contains(q.prompt, "select_account") && !brought:
		return oauth.LoginOther, true
	case brought && s.AuthTime.Unix() >= asked.Unix(): // hosts may keep whole seconds
		return "", false
	case slices.Contains(q.prompt, "login"), q.hasMaxAge && !a.Now().Before(s.AuthTime.Add(q.maxAge)):
		return oauth.LoginAgain, true
	}
	return "", false
}

// signIn hands the browser to the host, to come back with the same request.
func (a *Room) signIn(w http.ResponseWriter, r *http.Request, q *request, reason oauth.LoginReason) {
	back := q.query()
	if reason != oauth.LoginNeeded || len(q.prompt) > 0 || q.form["max_age"] != "" {
		back.Set(returned, a.mark(q.client.ID, a.Now()))
	}
	a.Login.Login(w, r, oauth.LoginRequest{
		ReturnTo:     a.Pages.Path(Path) + "?" + back.Encode(),
		Reason:       reason,
		Hint:         q.form["login_hint"],
		ClientName:   q.client.Name,
		ClientOrigin: redirecturi.Origin(q.redirectURI),
	})
}

// switchAccount is a link that asks for another account and comes back here.
func (a *Room) switchAccount(q *request) string {
	query := q.query()
	query.Set("prompt", "select_account")
	return a.Pages.Path(Path) + "?" + query.Encode()
}

// query is the request as it came, without what only this server adds.
func (q *request) query() url.Values {
	v := url.Values{}
	for name, value := range q.form {
		v.Set(name, value)
	}
	v.Del(returned)
	return v
}

// mark writes the parameter: seconds and a code of authentication that covers
// the client too.
func (a *Room) mark(clientID string, at time.Time) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	return seconds + "." + seal(a.Keys[0], seconds, clientID)
}

// asked reads the parameter; it is false if it is missing, forged or too old.
func (a *Room) asked(q *request) (time.Time, bool) {
	seconds, mac, _ := strings.Cut(q.form[returned], ".")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || a.Now().Sub(time.Unix(n, 0)) > patience {
		return time.Time{}, false
	}
	for _, key := range a.Keys {
		if hmac.Equal([]byte(mac), []byte(seal(key, seconds, q.client.ID))) {
			return time.Unix(n, 0), true
		}
	}
	return time.Time{}, false
}

func seal(key []byte, seconds, clientID string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(seconds + "." + clientID))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}
