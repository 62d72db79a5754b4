package peer_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
)

// seen keeps what it is told.
type seen []oauth.Observation

func (s *seen) Request(_ context.Context, o oauth.Observation) { *s = append(*s, o) }

func observe(o oauth.Observer, r *http.Request, h http.HandlerFunc) {
	began := time.Unix(0, 0)
	now := func() time.Time { began = began.Add(time.Second); return began }
	peer.Identify(nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer.Observe(w, r, o, now, h)
	})).ServeHTTP(httptest.NewRecorder(), r)
}

func TestObserve(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, method string
		handler      http.HandlerFunc
		want         oauth.Observation
	}{
		{"nothing is written", "GET", func(http.ResponseWriter, *http.Request) {}, oauth.Observation{Method: "GET", Status: 200}},
		{"a body", "POST", func(w http.ResponseWriter, r *http.Request) {
			peer.NoteRoute(r.Context(), "POST /login/{$}")
			peer.NoteRoute(r.Context(), "/")
			w.Write([]byte("x"))
		}, oauth.Observation{Method: "POST", Route: "/login/{$}", Status: 200}},
		{"a status", "POST", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(103)
			w.WriteHeader(401)
			peer.NoteCode(r.Context(), oauth.InvalidClient)
		}, oauth.Observation{Method: "POST", Status: 401, Code: oauth.InvalidClient}},
		{"a method that nobody knows", "BREW", func(w http.ResponseWriter, r *http.Request) {}, oauth.Observation{Method: "other", Status: 200}},
		{"a panic", "GET", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, oauth.Observation{Method: "GET", Status: 500}},
		{"what it was", "POST", func(w http.ResponseWriter, r *http.Request) {
			peer.NoteClient(r.Context(), "web")
			peer.NoteGrantType(r.Context(), oauth.GrantRefreshToken)
			peer.NoteIntrospected(r.Context(), true)
			peer.NoteSignIn(r.Context(), oauth.SignInWrong)
		}, oauth.Observation{Method: "POST", Status: 200, ClientID: "web", GrantType: "refresh_token", Introspected: "active", SignIn: "wrong"}},
	} {
		var got seen
		func() {
			defer func() { recover() }()
			observe(&got, httptest.NewRequest(tt.method, "/x", nil), tt.handler)
		}()
		if len(got) != 1 {
			t.Fatalf("%s: told %d times", tt.name, len(got))
		}
		o := got[0]
		if len(o.RequestID) != 26 || o.Duration != time.Second || len(o.Issued) != 0 {
			t.Errorf("%s: got %+v", tt.name, o)
		}
		o.RequestID, o.Duration, o.Issued = "", 0, nil
		tt.want.Issued = nil
		if got, want := [9]any{o.Method, o.Route, o.Status, o.Code, o.GrantType, o.Introspected, o.SignIn, o.ClientID, o.TraceID},
			[9]any{tt.want.Method, tt.want.Route, tt.want.Status, tt.want.Code, tt.want.GrantType, tt.want.Introspected, tt.want.SignIn, tt.want.ClientID, ""}; got != want {
			t.Errorf("%s: got %v, want %v", tt.name, got, want)
		}
	}
}

func TestIssued(t *testing.T) {
	t.Parallel()
	var got seen
	observe(&got, httptest.NewRequest("POST", "/", nil), func(_ http.ResponseWriter, r *http.Request) {
		peer.NoteIssued(r.Context(), oauth.IssuedAccess, "", oauth.IssuedID)
	})
	if i := got[0].Issued; len(i) != 2 || i[0] != oauth.IssuedAccess || i[1] != oauth.IssuedID {
		t.Errorf("got %v", i)
	}
}

func TestTraceID(t *testing.T) {
	t.Parallel()
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	for header, want := range map[string]string{
		"00-" + id + "-00f067aa0ba902b7-01":                                 id,
		"00-" + id + "-00f067aa0ba902b7-01-x":                               "", // version 00 ends here
		"cc-" + id + "-00f067aa0ba902b7-01-what the future holds":           id,
		"cc-" + id + "-00f067aa0ba902b7-01x":                                "",
		"ff-" + id + "-00f067aa0ba902b7-01":                                 "",
		"00-" + "4BF92F3577B34DA6A3CE929D0E0E4736" + "-00f067aa0ba902b7-01": "",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01":           "",
		"00-" + id + "-0000000000000000-01":                                 "",
		"00-" + id + "-00f067aa0ba902b7":                                    "",
		"00_" + id + "-00f067aa0ba902b7-01":                                 "",
		"00-\"},{\"msg\":\"forged\"}xxxxxxxxxx-00f067aa0ba902b7-01":         "",
		"": "",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Traceparent", header)
		if got := peer.Of(r, nil).TraceID; got != want {
			t.Errorf("%q: got %q, want %q", header, got, want)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	for range 2 {
		r.Header.Add("Traceparent", "00-"+id+"-00f067aa0ba902b7-01")
	}
	if got := peer.Of(r, nil).TraceID; got != "" {
		t.Errorf("two headers: got %q", got)
	}
}

type deaf struct{}

func (deaf) Request(context.Context, oauth.Observation) {}

// What observing costs beside answering.
func BenchmarkObserve(b *testing.B) {
	r := httptest.NewRequest("POST", "/oauth/token", nil)
	w := httptest.NewRecorder()
	r = r.WithContext(peer.Enter(w, r, nil))
	next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer.NoteIssued(r.Context(), oauth.IssuedAccess, "", oauth.IssuedID)
		w.WriteHeader(200)
	})
	b.ReportAllocs()
	for b.Loop() {
		peer.Observe(w, r, deaf{}, time.Now, next)
	}
}

// A request pays for its observer with the one thing that remembers its status.
func TestObserveAllocates(t *testing.T) {
	r := httptest.NewRequest("POST", "/oauth/token", nil)
	w := httptest.NewRecorder()
	r = r.WithContext(peer.Enter(w, r, nil))
	next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		peer.NoteIssued(r.Context(), oauth.IssuedAccess, "", oauth.IssuedID)
		peer.NoteCode(r.Context(), oauth.InvalidGrant)
	})
	if n := testing.AllocsPerRun(100, func() { peer.Observe(w, r, deaf{}, time.Now, next) }); n > 1 {
		t.Errorf("observing allocates %v times, want once", n)
	}
}
