package cli

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/trace"
	"strings"
	"syscall"
	"time"

	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/internal/metrics"
	"github.com/valetkey/valetkey/oauth"
)

// private is the listener for whoever runs the server: metrics, profiles, health.
// Nobody else may reach it, for it asks nobody who they are.
type private struct {
	listener net.Listener
	exposed  bool // other machines may reach it
	metrics  *metrics.Metrics
	recorder *trace.FlightRecorder // nil: off
}

// openPrivate takes the address of metrics.addr. It returns nil if there is none.
func openPrivate(c config.Metrics) (*private, error) {
	if c.Addr == config.Off {
		return nil, nil
	}
	l, err := net.Listen("tcp", c.Addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, unavailablef("%s, for metrics, is taken by another program, perhaps another Valetkey: choose another address with --metrics-addr (port 0 takes any), or none with --metrics-addr off", c.Addr)
	case err != nil:
		return nil, unavailablef("%s, for metrics, cannot be listened on: %w", c.Addr, err)
	}
	p := &private{listener: l, exposed: c.Expose, metrics: metrics.New()}
	if c.FlightRecorder {
		p.recorder = trace.NewFlightRecorder(trace.FlightRecorderConfig{MinAge: recorderAge, MaxBytes: recorderBytes})
		if err := p.recorder.Start(); err != nil {
			l.Close()
			return nil, unavailablef("the flight recorder cannot be started: %w", err)
		}
	}
	return p, nil
}

// What the flight recorder remembers.
const (
	recorderAge   = 10 * time.Second
	recorderBytes = 16 << 20
)

// serve answers until close is called.
func (p *private) serve(h *house, hl *health) (closeAll func()) {
	p.metrics.Ask(h.sources(hl))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", p.metrics)
	mux.HandleFunc("GET /healthz", hl.healthz)
	mux.HandleFunc("GET /readyz", hl.readyz)
	mux.HandleFunc("GET /debug/flightrecorder", p.flightRecorder)
	mux.HandleFunc("GET /debug/pprof/{$}", profiles)
	mux.HandleFunc("GET /debug/pprof/{name}", profile)
	mux.HandleFunc("GET /debug/pprof/profile", processorProfile)
	server := &http.Server{
		Handler: p.byAddress(mux), ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout, // a profile takes as long as was asked
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(h.log.Handler(), slog.LevelWarn),
	}
	go func() {
		if err := server.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
			h.log.Error("metrics can no longer be read", "error", err)
		}
	}()
	h.log.Info("serving metrics", "metrics_addr", p.listener.Addr().String())
	if p.exposed {
		h.log.Warn("metrics.expose is on: profiles of this process can be read by whoever reaches " + p.listener.Addr().String())
	}
	return func() {
		server.Close()
		if p.recorder != nil {
			p.recorder.Stop()
		}
	}
}

// byAddress refuses requests that name a host, other than localhost: a page of
// another site whose name was made to point here (DNS rebinding) has to.
func (p *private) byAddress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		_, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil && !strings.EqualFold(host, "localhost") && !p.exposed {
			http.Error(w, "This listener is asked by its address, or as localhost.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// flightRecorder answers with the execution trace of the last seconds, for "go tool trace".
func (p *private) flightRecorder(w http.ResponseWriter, r *http.Request) {
	if p.recorder == nil {
		http.Error(w, "The flight recorder is off: turn it on with metrics.flight_recorder.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="valetkey.trace"`)
	if _, err := p.recorder.WriteTo(w); err != nil { // somebody else is at it
		w.Header().Del("Content-Disposition")
		http.Error(w, "The flight recorder cannot be read now: "+err.Error(), http.StatusServiceUnavailable)
	}
}

// sources is what metrics ask of the house.
func (h *house) sources(hl *health) metrics.Sources {
	version, _ := buildVersion()
	return metrics.Sources{
		Version: version, Go: runtime.Version(), Database: h.database.dialect.String(), Now: h.env.Now,
		Load:    []func() []oauth.Load{h.server.Load, h.door.Load},
		Pool:    h.db.Stats,
		Writers: h.store.DB().Waiting,
		Cache: func() metrics.Cache {
			m := h.server.Memory()
			return metrics.Cache{Hits: m.Hits, Misses: m.Misses, Entries: m.Entries, Bytes: m.Bytes, Behind: m.Behind}
		},
		Ready: func() bool { return !hl.draining.Load() && hl.database(context.Background()) == nil },
		Logouts: func(ctx context.Context, limit int) (int, error) {
			due, err := h.store.DueLogouts(ctx, h.env.Now(), limit)
			return len(due), err
		},
		Keys: h.keysInUse,
		Backlog: func(ctx context.Context, limit int) (int, time.Time, error) {
			return h.store.Backlog(ctx, h.env.Now(), limit)
		},
	}
}

// keysInUse lists the signing keys, but those that are published no more.
func (h *house) keysInUse(ctx context.Context) ([]metrics.Key, error) {
	list, err := h.keys.List(ctx)
	if err != nil {
		return nil, err
	}
	var out []metrics.Key
	for _, k := range list {
		since := k.CreatedAt
		for _, later := range []time.Time{k.ActiveAt, k.RetiredAt} {
			if !later.IsZero() {
				since = later
			}
		}
		if k.ExpiresAt.IsZero() || h.env.Now().Before(k.ExpiresAt) {
			out = append(out, metrics.Key{Algorithm: k.Algorithm, State: string(k.State), Since: since})
		}
	}
	return out, nil
}

// observers tells all of them.
type observers []oauth.Observer

func (all observers) Request(ctx context.Context, o oauth.Observation) {
	for _, one := range all {
		one.Request(ctx, o)
	}
}
