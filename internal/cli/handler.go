package cli

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valetkey/valetkey/internal/issuer"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/respond"
)

// pingTimeout bounds how long /readyz waits for the database.
const pingTimeout = 2 * time.Second

// health answers the two questions of whatever watches the server.
type health struct {
	draining atomic.Bool
	ping     func(context.Context) error

	mu    sync.Mutex
	asked time.Time // when ping returned the last time
	last  error     // what it returned
}

// pingAgain is how old the database's last answer may be: anybody may ask, and a
// ping writes to the disk.
const pingAgain = 250 * time.Millisecond

// database returns what the database says now, or said a moment ago.
func (h *health) database(ctx context.Context) error {
	h.mu.Lock() // for pingTimeout at most: who waits here takes the answer of who asks
	defer h.mu.Unlock()
	if time.Since(h.asked) >= pingAgain {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pingTimeout)
		defer cancel()
		h.last = h.ping(ctx)
		h.asked = time.Now()
	}
	return h.last
}

type status struct {
	Status string `json:"status"`
}

// healthz: the process lives. Nothing else is asked, so that a slow database
// does not get the server killed.
func (*health) healthz(w http.ResponseWriter, _ *http.Request) {
	respond.JSON(w, http.StatusOK, status{"ok"})
}

// readyz: requests may be sent here.
func (h *health) readyz(w http.ResponseWriter, r *http.Request) {
	if h.draining.Load() {
		respond.JSON(w, http.StatusServiceUnavailable, status{"stopping"})
		return
	}
	if err := h.database(r.Context()); err != nil {
		respond.JSON(w, http.StatusServiceUnavailable, status{"the database does not answer"})
		return
	}
	respond.JSON(w, http.StatusOK, status{"ok"})
}

// parting closes the connection of every answer once the server is about to stop
// (RFC 9110 §7.6.1).
func (h *health) parting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// handler is the route table of the program: the door, the server, and what
// watches them, for requests to a host that is ours. home answers GET / and the
// issuer itself.
func (h *house) handler(hl *health, listener net.Addr, home http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", hl.healthz)
	mux.HandleFunc("GET /readyz", hl.readyz)
	for _, pattern := range h.door.Patterns() {
		mux.Handle(pattern, h.door)
	}
	mux.Handle("GET /{$}", home)
	if path := issuer.Path(h.issuer()); path != "" {
		mux.Handle("GET "+path+"/{$}", home) // where the pages' own links lead
	}
	mux.Handle("/", h.server)

	var handler http.Handler = accessLog{h.log, h.loaded.Log.Access, onlyOurs(h.issuer(), listener, h.loaded.Server.Hosts, mux)}
	return peer.Identify(h.loaded.Server.TrustedProxies, handler)
}

// start sends people who come to / where they can do something.
func (h *house) start() http.Handler {
	return http.RedirectHandler(issuer.Path(h.issuer())+"/account/settings/applications/", http.StatusFound)
}
