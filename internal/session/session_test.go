package session

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestSID(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]*oauth.Session{"": nil, "id": {ID: "id"}, "sid": {ID: "id", SID: "sid"}} {
		if got := SID(s); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestNote(t *testing.T) {
	t.Parallel()
	openid, other := []string{"openid", "profile"}, []string{"profile"}
	back := oauth.ClientMetadata{BackchannelLogoutURI: "https://rp.test/back"}
	front := oauth.ClientMetadata{FrontchannelLogoutURI: "https://rp.test/front"}
	for name, tt := range map[string]struct {
		metadata oauth.ClientMetadata
		sid      string
		scopes   []string
		want     int
	}{
		"back-channel":       {back, "s", openid, 1},
		"front-channel":      {front, "s", openid, 1},
		"does not want to":   {oauth.ClientMetadata{}, "s", openid, 0},
		"no sign-in":         {back, "s", other, 0},
		"no browser session": {back, "", openid, 0},
	} {
		s := memstore.New()
		c := &oauth.Client{ID: "c", Metadata: tt.metadata}
		if err := s.CreateClient(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := Note(t.Context(), s, c, tt.sid, "alice", tt.scopes, now); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		rows, err := s.SessionClients(t.Context(), tt.sid)
		if err != nil || len(rows) != tt.want {
			t.Errorf("%s: got %d rows, %v; want %d", name, len(rows), err, tt.want)
		}
		for _, row := range rows {
			if row.ClientID != "c" || row.Subject != "alice" || !row.ExpiresAt.Equal(now.Add(Memory)) {
				t.Errorf("%s: got %+v", name, row)
			}
		}
	}
}

// A code that was under way when the session ended is not issued.
func TestNoteAfterTheEnd(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	c := &oauth.Client{ID: "c", Metadata: oauth.ClientMetadata{BackchannelLogoutURI: "https://rp.test/back"}}
	if err := s.CreateClient(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := s.EndSession(t.Context(), "s", now); err != nil {
		t.Fatal(err)
	}
	if err := Note(t.Context(), s, c, "s", "alice", []string{"openid"}, now); !errors.Is(err, store.ErrUsed) {
		t.Errorf("got %v, want ErrUsed", err)
	}
}

var key = []byte("0123456789abcdef0123456789abcdef")

// answer asks for a session_state in a browser that has the cookie value.
func answer(s *States, value string, session *oauth.Session, client, uri string) (state string, set *http.Cookie) {
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
	if value != "" {
		r.AddCookie(&http.Cookie{Name: s.Cookie(), Value: value})
	}
	state = s.Answer(w, r, session, client, uri)
	if cookies := w.Result().Cookies(); len(cookies) > 0 {
		set = cookies[0]
	}
	return state, set
}

func TestL6_SessionState(t *testing.T) {
	t.Parallel()
	s := NewStates(key, true)
	alice := &oauth.Session{ID: "1", SID: "sid"}
	state, cookie := answer(s, "", alice, "c", "https://RP.test:443/cb?x=y")
	if cookie == nil || cookie.Name != "__Host-vk_bs" || cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteNoneMode || cookie.Path != "/" || cookie.Domain != "" {
		t.Fatalf("the cookie: %v", cookie)
	}
	if strings.Contains(cookie.Value, "sid") || len(cookie.Value) != 43 {
		t.Errorf("the cookie's value is %q", cookie.Value)
	}
	// OpenID Connect Session Management §3.2, computed by hand.
	hash, salt, _ := strings.Cut(state, ".")
	sum := sha256.Sum256([]byte("c https://rp.test " + cookie.Value + " " + salt))
	if want := base64.RawURLEncoding.EncodeToString(sum[:]); hash != want || salt == "" || strings.Contains(state, " ") {
		t.Errorf("got %q, want %s and a salt", state, want)
	}
	again, unset := answer(s, cookie.Value, alice, "c", "https://rp.test/cb")
	if unset != nil || again == state {
		t.Errorf("the second time: %q, cookie %v; want another salt and no cookie", again, unset)
	}
	if _, changed := answer(s, cookie.Value, &oauth.Session{ID: "2", SID: "sid"}, "c", "https://rp.test/cb"); changed != nil {
		t.Errorf("the same session after another sign-in: %v, want no new cookie", changed)
	}
	for name, other := range map[string]*oauth.Session{"somebody else": {ID: "3"}, "nobody": nil} {
		if _, changed := answer(s, cookie.Value, other, "c", "https://rp.test/cb"); changed == nil || changed.Value == cookie.Value {
			t.Errorf("%s: %v, want another cookie", name, changed)
		}
	}
	w := httptest.NewRecorder()
	s.Forget(w)
	if _, unset := answer(s, w.Result().Cookies()[0].Value, nil, "c", "https://rp.test/cb"); unset != nil {
		t.Errorf("after signing out: %v, want the state of nobody", unset)
	}
}

func TestSessionStateOfNoWebPage(t *testing.T) {
	t.Parallel()
	s := NewStates(key, false)
	for uri, want := range map[string]bool{"com.example.app:/cb": false, "": false, "javascript:alert(1)": false, "http://127.0.0.1:7000/cb": true, "http://[::1]/cb": true} {
		state, cookie := answer(s, "", nil, "c", uri)
		if (state != "") != want || (cookie != nil) != want {
			t.Errorf("%s: got %q and %v", uri, state, cookie)
		}
		if cookie != nil && (cookie.Name != "vk_bs" || cookie.Secure || cookie.SameSite != http.SameSiteLaxMode) {
			t.Errorf("%s: the cookie on plain http: %v", uri, cookie)
		}
	}
	var none *States
	none.Forget(httptest.NewRecorder())
	if got := none.Answer(httptest.NewRecorder(), nil, nil, "c", "https://rp.test/cb"); got != "" {
		t.Errorf("without States: %q", got)
	}
}

func TestWebOrigin(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]string{
		"https://rp.test/cb": "https://rp.test", "https://rp.test:443": "https://rp.test", "https://rp.test:8443/": "https://rp.test:8443",
		"http://localhost:80/": "http://localhost", "http://[::1]:5000/cb": "http://[::1]:5000", "HTTPS://RP.test/": "https://rp.test",
		"app:/cb": "", "//rp.test/cb": "", "https:rp.test": "", "%": "",
	} {
		if got := webOrigin(uri); got != want {
			t.Errorf("%s: got %q, want %q", uri, got, want)
		}
	}
}
