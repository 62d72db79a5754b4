package peer

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

// Note is what the rooms that answer a request learn about it, for the access log
// and the observer. It is safe for concurrent use.
type Note struct {
	mu     sync.Mutex
	seen   oauth.Observation
	issued [4]string // where seen.Issued lies
}

// Route is the pattern that was matched; empty: nobody said.
func (n *Note) Route() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seen.Route
}

// Client is the id of the client that proved who it is; empty: none did.
func (n *Note) Client() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.seen.ClientID
}

// NoteOf returns the note of the request of that context, or nil outside one.
func NoteOf(ctx context.Context) *Note {
	if v, ok := ctx.Value(Key{}).(*Visit); ok {
		return &v.note
	}
	return nil
}

func note(ctx context.Context, write func(*Note)) {
	if n := NoteOf(ctx); n != nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		write(n)
	}
}

// NoteRoute notes the pattern that a mux matched. The innermost is said first
// and stays.
func NoteRoute(ctx context.Context, pattern string) {
	if pattern == "" {
		return
	}
	note(ctx, func(n *Note) {
		if n.seen.Route == "" {
			n.seen.Route = pattern
		}
	})
}

// Routed is mux, and notes which of its patterns matched.
func Routed(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r)
		NoteRoute(r.Context(), r.Pattern)
	})
}

// NoteClient notes which client sent the request, once that is proved.
func NoteClient(ctx context.Context, id string) {
	note(ctx, func(n *Note) { n.seen.ClientID = id })
}

// NoteCode notes why the request is refused.
func NoteCode(ctx context.Context, code oauth.ErrorCode) {
	note(ctx, func(n *Note) { n.seen.Code = code })
}

// NoteGrantType notes which grant type is asked for; only one that is on offer.
func NoteGrantType(ctx context.Context, grantType string) {
	note(ctx, func(n *Note) { n.seen.GrantType = grantType })
}

// NoteIssued notes what the answer hands out, once that is sure. Empty kinds are
// left out.
func NoteIssued(ctx context.Context, kinds ...string) {
	note(ctx, func(n *Note) {
		n.seen.Issued = n.issued[:0]
		for _, kind := range kinds {
			if kind != "" {
				n.seen.Issued = append(n.seen.Issued, kind)
			}
		}
	})
}

// NoteIntrospected notes what was said of a token.
func NoteIntrospected(ctx context.Context, active bool) {
	said := "inactive"
	if active {
		said = "active"
	}
	note(ctx, func(n *Note) { n.seen.Introspected = said })
}

// NoteSignIn notes how an attempt to sign in ended.
func NoteSignIn(ctx context.Context, how string) {
	note(ctx, func(n *Note) { n.seen.SignIn = how })
}

// methods are told apart; what else is sent is one.
var methods = []string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodConnect, http.MethodTrace}

// Observe has next answer the request, and tells the observer. The context of the
// request must have a peer ([Enter]).
func Observe(w http.ResponseWriter, r *http.Request, o oauth.Observer, now func() time.Time, next http.Handler) {
	rec := recorder{ResponseWriter: w}
	began, panics := now(), true
	defer func() {
		NoteRoute(r.Context(), r.Pattern)
		n := NoteOf(r.Context())
		if n == nil {
			return
		}
		status := rec.status
		switch {
		case panics && status == 0:
			status = http.StatusInternalServerError // whoever recovers says so
		case status == 0:
			status = http.StatusOK
		}
		o.Request(r.Context(), n.observation(r, status, now().Sub(began)))
	}()
	next.ServeHTTP(&rec, r)
	panics = false
}

// observation fills in what no room has noted.
func (n *Note) observation(r *http.Request, status int, took time.Duration) oauth.Observation {
	from := From(r.Context())
	n.mu.Lock()
	seen := n.seen
	n.mu.Unlock()
	seen.Method, seen.Status, seen.Duration = "other", status, took
	if at := slices.Index(methods, r.Method); at >= 0 {
		seen.Method = methods[at]
	}
	if _, path, ok := strings.Cut(seen.Route, " "); ok { // a pattern may begin with its method
		seen.Route = path
	}
	seen.RequestID, seen.TraceID = from.RequestID, from.TraceID
	return seen
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
