package authorize

import (
	"context"
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

// fresh is for how long a sign-in satisfies prompt and max_age by that it came after
// the note: the browser is back in a moment. Notes are anybody's to get, and an old
// one must not stand in for the password of somebody who left a browser open.
const fresh = 5 * time.Minute

// account is a parameter that only this server adds: the person wants another
// account, which prompt cannot say for a request that something else carries.
const account = "vk_account"

// ownPrompt is what this server itself wants of the person beside prompt.
func (q *request) ownPrompt() []string {
	if q.sent[account] == "" {
		return nil
	}
	return []string{"select_account"}
}

// mustSignIn says why the person has to sign in (again); empty if they need not.
// A refusal says that signing in has not helped.
func (a *Room) mustSignIn(ctx context.Context, q *request, s *oauth.Session) (oauth.LoginReason, error) {
	if s == nil {
		return oauth.LoginNeeded, nil
	}
	asked, brought := a.asked(q)
	expected, err := a.expected(ctx, q, s)
	switch {
	case err != nil:
		return "", err
	case s.Stale:
		return oauth.LoginAgain, nil
	case !expected && brought:
		return "", &oauth.Error{Code: oauth.LoginRequired, Description: "Somebody else signed in than the request is about."}
	case !expected:
		return oauth.LoginOther, nil
	case slices.Contains(q.prompt, "select_account") && !brought:
		return oauth.LoginOther, nil
	case brought && s.AuthTime.Unix() >= asked.Unix() && a.Now().Sub(s.AuthTime) < fresh: // hosts may keep whole seconds
		return "", q.strongEnough(s)
	case slices.Contains(q.prompt, "login"), q.hasMaxAge && !a.Now().Before(s.AuthTime.Add(q.maxAge)), q.strongEnough(s) != nil:
		return oauth.LoginAgain, nil
	}
	return "", nil
}

// signIn hands the browser to the host, to come back with the same request.
func (a *Room) signIn(w http.ResponseWriter, r *http.Request, q *request, reason oauth.LoginReason) {
	back := q.query()
	if reason != oauth.LoginNeeded || q.waits() {
		back.Set(returned, a.mark(q, a.Now()))
	}
	a.Login.Login(w, r, oauth.LoginRequest{
		ReturnTo:     a.Pages.Path(Path) + "?" + back.Encode(),
		Reason:       reason,
		Hint:         q.form["login_hint"],
		ACRValues:    q.wantedACR(),
		UILocales:    strings.Fields(q.form["ui_locales"]),
		ClientName:   q.client.Name,
		ClientOrigin: redirecturi.Origin(q.redirectURI),
	})
}

// waits: something about the request is satisfied by a sign-in from now on, or
// must not run out before it.
func (q *request) waits() bool {
	return len(q.prompt) > 0 || q.form["max_age"] != "" || q.client.Metadata.DefaultMaxAge != nil || q.carrier != inTheOpen
}

// switchAccount is a link that asks for another account and comes back here.
func (a *Room) switchAccount(q *request) string {
	query := q.query()
	if q.carrier == inTheOpen {
		query.Set("prompt", "select_account")
	} else {
		query.Set(account, "other")
	}
	return a.Pages.Path(Path) + "?" + query.Encode()
}

// query is the request as it came, without what only a sign-in adds.
func (q *request) query() url.Values {
	v := q.sent.URL()
	v.Del(returned)
	return v
}

// mark writes the parameter: seconds and a code of authentication that covers
// the client too, and what carries the request.
func (a *Room) mark(q *request, at time.Time) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	return seconds + "." + q.seal(a.Keys[0], seconds)
}

// asked reads the parameter; it is false if it is missing, forged or too old.
func (a *Room) asked(q *request) (time.Time, bool) {
	seconds, mac, _ := strings.Cut(q.sent[returned], ".")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || a.Now().Sub(time.Unix(n, 0)) > patience {
		return time.Time{}, false
	}
	for _, key := range a.Keys {
		if hmac.Equal([]byte(mac), []byte(q.seal(key, seconds))) {
			return time.Unix(n, 0), true
		}
	}
	return time.Time{}, false
}

func (q *request) seal(key []byte, seconds string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(seconds + "." + q.client.ID + "\x00" + q.sent["request"] + "\x00" + q.sent["request_uri"]))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}
