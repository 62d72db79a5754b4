package guard_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/csrf"
	"github.com/valetkey/valetkey/internal/guard"
	"github.com/valetkey/valetkey/oauth"
)

const (
	missing  = "Missing required header argument."
	format   = "The JWT token has invalid format."
	notValid = "The JWT token is not valid."
	expired  = "The JWT token is expired."
)

// TestParity41_HeaderAndType: both are configurable; an empty type is the bare value.
func TestParity41_HeaderAndType(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name         string
		header, typ  string
		bearerJWT    bool
		sent, prefix string
		want         int
	}{
		{"default", "", "", false, "X-CSRF-Token", "", 200},
		{"default, as bearer", "", "", false, "X-CSRF-Token", "Bearer ", 400},
		{"default, in Authorization", "", "", false, "Authorization", "Bearer ", 401},
		{"with BearerJWT", "", "", true, "Authorization", "Bearer ", 200},
		{"with BearerJWT, in lower case", "", "", true, "Authorization", "bearer ", 200},
		{"with BearerJWT, the default still", "", "", true, "X-CSRF-Token", "", 200},
		{"with BearerJWT, the bare value", "", "", true, "Authorization", "", 400},
		{"as the predecessor", "Authorization", "Bearer", false, "Authorization", "Bearer ", 200},
		{"as the predecessor, wrong type", "Authorization", "Bearer", false, "Authorization", "JWT ", 400},
		{"as the predecessor, one word", "Authorization", "Bearer", false, "Authorization", "", 400},
		{"Authorization, another type", "Authorization", "JWT", false, "Authorization", "JWT ", 200},
		{"Authorization, no type", "Authorization", "", false, "Authorization", "", 200},
		{"own header and type", "X-Proof", "JWT", false, "X-Proof", "JWT ", 200},
		{"own header, without its type", "X-Proof", "JWT", false, "X-Proof", "", 400},
		{"own header, not sent", "X-Proof", "JWT", false, "X-CSRF-Token", "", 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(c *guard.Config) { c.Header, c.Type, c.BearerJWT = tt.header, tt.typ, tt.bearerJWT })
			if a := w.do("POST", "/any", cookie, ulla, tt.sent, tt.prefix+w.proof()); a.status != tt.want {
				t.Errorf("got %d %s, want %d", a.status, a.body, tt.want)
			}
		})
	}
}

// TestParity43_Matrix: the answers of the predecessor, word for word.
func TestParity43_Matrix(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	send := func(proof string) answer { return w.do("POST", "/any", cookie, ulla, "X-CSRF-Token", proof) }
	good := w.proof()
	send(good).is(t, "good", "ulla by session")
	w.do("POST", "/any", cookie, ulla).refused(t, "no header", 400, missing)
	send("").refused(t, "empty header", 400, missing)
	send("word").refused(t, "one word", 400, format)
	send("a.b.c").refused(t, "not a token", 400, format)
	send(good+"x").refused(t, "broken signature", 400, format)
	send(good[:len(good)-1]).refused(t, "cut off", 400, format)
	parts := strings.Split(good, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"csrf+jwt"}`))
	send(none+"."+parts[1]+".").refused(t, "algorithm none", 400, format)
	send(w.csrf.Token(&oauth.Session{Subject: "olga", ID: "1"})).refused(t, "somebody else's", 403, notValid)
	send(w.csrf.Token(&oauth.Session{Subject: "ulla", ID: "2"})).refused(t, "another session's", 403, notValid)
	elsewhere := csrf.New(csrf.Config{Keys: [][]byte{[]byte("0123456789abcdef0123456789abcdef")}, Issuer: "https://other.example", Now: w.clock})
	send(elsewhere.Token(&oauth.Session{Subject: "ulla", ID: "1"})).refused(t, "another issuer's", 403, notValid)
	w.pass(time.Hour)
	send(good).refused(t, "expired", 403, expired)
	send(w.proof()).is(t, "a new one", "ulla by session")
}

// TestParity42_ProofIsBoundToTheSession: lifetime, subject and session, and a
// form field is not where the API looks.
func TestParity42_ProofIsBoundToTheSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	proof := w.proof()
	w.do("POST", "/any", cookie, ulla, "X-CSRF-Token", proof).is(t, "own session", "ulla by session")
	w.do("POST", "/any", cookie, "sid=ulla.2", "X-CSRF-Token", proof).refused(t, "after signing in again", 403, notValid)
	w.do("POST", "/any", cookie, "sid=olga.1", "X-CSRF-Token", proof).refused(t, "another person", 403, notValid)
	if got := w.do("POST", "/any", "X-CSRF-Token", proof).status; got != 401 {
		t.Errorf("a proof without a session: got %d, want 401", got)
	}
}

// TestParity13k_ReadsNeedNoProof: the predecessor demanded it on GET, and
// crashed on a header of one word.
func TestParity13k_ReadsNeedNoProof(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *guard.Config) { c.Header, c.Type = "Authorization", "Bearer" })
	for _, method := range []string{"GET", "OPTIONS"} {
		w.do(method, "/any", cookie, ulla).is(t, method, "ulla by session")
	}
	if got := w.do("HEAD", "/any", cookie, ulla).status; got != 200 {
		t.Errorf("HEAD: got %d, want 200", got)
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "PROPFIND"} {
		w.do(method, "/any", cookie, ulla).refused(t, method, 400, missing)
	}
	for _, value := range []string{"Bearer", "Word", "Bearer ", " ", ""} {
		if got := w.do("POST", "/any", cookie, ulla, authorization, value).status; got != 400 {
			t.Errorf("Authorization: %q: got %d, want 400", value, got)
		}
	}
}

// TestParity44_EveryUnsafeMethodIsProtected, and a bearer request is not asked.
func TestParity44_EveryUnsafeMethodIsProtected(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	token := w.access()
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		w.do(method, "/any", cookie, ulla).refused(t, method, 400, missing)
		w.do(method, "/any", cookie, ulla, "X-CSRF-Token", w.proof()).is(t, method+" with proof", "ulla by session")
		w.do(method, "/any", authorization, "Bearer "+token).is(t, method+" with token", "ulla by access_token")
	}
}

// TestM88_ProofAndTokenAreNotExchangeable.
func TestM88_ProofAndTokenAreNotExchangeable(t *testing.T) {
	t.Parallel()
	for _, bearerJWT := range []bool{false, true} {
		w := newWorld(t, func(c *guard.Config) { c.BearerJWT, c.QueryToken = bearerJWT, true })
		for _, path := range []string{"/any", "/token", "/read"} {
			if got := w.do("GET", path, authorization, "Bearer "+w.proof()).status; got != 401 {
				t.Errorf("%s, BearerJWT %t: a proof as an access token: got %d, want 401", path, bearerJWT, got)
			}
			if got := w.do("GET", path+"?access_token="+w.proof()).status; got != 401 {
				t.Errorf("%s, BearerJWT %t: a proof in the query: got %d, want 401", path, bearerJWT, got)
			}
		}
		w.do("POST", "/any", cookie, ulla, "X-CSRF-Token", w.access()).refused(t, "an access token as a proof", 400, format)
		if got := w.do("GET", "/token", authorization, "Bearer "+w.proof(), cookie, ulla).status; got != 401 {
			t.Errorf("BearerJWT %t: a proof and a session where only tokens are taken: got %d, want 401", bearerJWT, got)
		}
	}
}

// TestM99_CrossSite: what the browser says about where a request comes from is
// believed when it says elsewhere, even with a good proof; saying nothing is
// not enough either.
func TestM99_CrossSite(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	host := strings.TrimPrefix(w.url, "http://")
	const elsewhere = "The request comes from another site."
	tests := []struct {
		name    string
		headers []string
		ok      bool
	}{
		{"nothing said", nil, true},
		{"same origin", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://" + host}, true},
		{"typed in", []string{"Sec-Fetch-Site", "none"}, true},
		{"old browser, same host", []string{"Origin", "http://" + host}, true},
		{"cross-site", []string{"Sec-Fetch-Site", "cross-site"}, false},
		{"same site, another host", []string{"Sec-Fetch-Site", "same-site"}, false},
		{"old browser, another host", []string{"Origin", "https://evil.example"}, false},
		{"old browser, another port", []string{"Origin", "http://127.0.0.1:1"}, false},
		{"host as a prefix", []string{"Origin", "http://" + host + ".evil.example"}, false},
		{"opaque origin", []string{"Origin", "null"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/any", "/read", "/open"} {
				a := w.do("POST", path, append(tt.headers, cookie, ulla, "X-CSRF-Token", w.proof())...)
				if tt.ok {
					a.is(t, path, "ulla by session")
					w.do("POST", path, append(tt.headers, cookie, ulla)...).refused(t, path+" without proof", 400, missing)
				} else {
					a.refused(t, path, 403, elsewhere)
				}
			}
		})
	}
}
