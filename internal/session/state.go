package session

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

// States makes session_state values and the cookie they are compared with. A nil
// *States makes neither.
type States struct {
	key    []byte
	secure bool
}

// NewStates returns the maker. key is secret and the same on every node; secure
// says that people reach the server by https.
func NewStates(key []byte, secure bool) *States { return &States{key: key, secure: secure} }

// Cookie is the cookie's name. The prefix __Host- keeps other hosts of the same
// domain from setting it; browsers take it over https only.
func (s *States) Cookie() string {
	if s.secure {
		return "__Host-vk_bs"
	}
	return "vk_bs"
}

// Answer returns the session_state of an authorization response that goes to the
// redirect URI, and sees to it that the browser has the cookie that belongs to it.
// session is nil when nobody is signed in. It is empty for a redirect URI that no
// web page lies behind. Responses of requests without the scope openid have none
// (OpenID Connect Session Management §2).
func (s *States) Answer(w http.ResponseWriter, r *http.Request, session *oauth.Session, clientID, redirectURI string) string {
	origin := webOrigin(redirectURI)
	if s == nil || origin == "" {
		return ""
	}
	state := s.browserState(SID(session))
	if c, err := r.Cookie(s.Cookie()); err != nil || c.Value != state {
		s.set(w, state)
	}
	return sessionState(clientID, origin, state, rand.Text())
}

// Forget tells pages that watch that the browser's session is another one, or
// over. The next authorization response says which.
func (s *States) Forget(w http.ResponseWriter) {
	if s != nil {
		s.set(w, s.browserState(""))
	}
}

// browserState stands for the session, or for nobody. It cannot be told from it
// which session that is.
func (s *States) browserState(sid string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(sid))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// sessionState: OpenID Connect Session Management §3.2; check_session.js computes
// the same.
func sessionState(clientID, origin, browserState, salt string) string {
	sum := sha256.Sum256([]byte(clientID + " " + origin + " " + browserState + " " + salt))
	return base64.RawURLEncoding.EncodeToString(sum[:]) + "." + salt
}

// set is the one cookie of ours that scripts may read: see the package comment.
func (s *States) set(w http.ResponseWriter, value string) {
	c := &http.Cookie{Name: s.Cookie(), Value: value, Path: "/", MaxAge: int(Memory / time.Second), SameSite: http.SameSiteLaxMode}
	if s.secure {
		c.Secure, c.SameSite = true, http.SameSiteNoneMode
	}
	http.SetCookie(w, c)
}

// webOrigin is the origin of the pages behind an http or https URL, as a browser
// writes it; empty for any other.
func webOrigin(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		return ""
	}
	scheme, host, port := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()
	if scheme != "https" && scheme != "http" {
		return ""
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return scheme + "://" + host
	}
	return scheme + "://" + host + ":" + port
}
