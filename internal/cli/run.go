package cli

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// What one connection may cost.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = time.Minute
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
)

// echo is how long after a stop signal another counts as the same: timeout(1)
// and terminals send one to the process and one to its group.
const echo = 100 * time.Millisecond

// run serves until the process is told to stop, then stops in order: /readyz
// says no at once, so that a proxy sends its requests elsewhere, and with every
// answer its connection is closed, so that none is open when a client wants to use
// it again; after the drain time no connection is accepted; requests in flight may
// finish within the grace time, and what they left to be written is written. A
// second signal stops at once.
func (h *house) run(ctx context.Context, l net.Listener, handler http.Handler, hl *health) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	// Housekeeping outlives the requests: the last of them may leave it work.
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var housekeeping sync.WaitGroup
	housekeeping.Go(func() { h.keepHouse(background) })

	server := &http.Server{
		Handler:           hl.parting(handler),
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       slog.NewLogLogger(h.log.Handler(), slog.LevelWarn),
	}
	serve := func() error { return server.Serve(l) }
	if cert, key := h.loaded.Server.TLSCert, h.loaded.Server.TLSKey; cert != "" {
		c, err := loadCertificate(cert, key, h.env.Now, h.log)
		if err != nil {
			return err
		}
		server.TLSConfig = c.config()
		serve = func() error { return server.ServeTLS(l, "", "") }
	}
	failed := make(chan error, 1)
	go func() { failed <- serve() }()
	h.log.InfoContext(ctx, "serving", "addr", l.Addr().String(), "issuer", h.issuer(), "tls", server.TLSConfig != nil)

	select {
	case err := <-failed:
		return unavailablef("the server cannot go on: %w", err)
	case <-ctx.Done():
	case <-signals:
	}
	hl.draining.Store(true)
	drain, grace := h.loaded.Server.Drain.Std(), h.loaded.Server.Grace.Std()
	h.log.InfoContext(ctx, "stopping", "drain", drain.String(), "grace", grace.String())
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		time.Sleep(drain)
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if err := server.Shutdown(limited); err != nil {
			server.Close()
			h.log.WarnContext(ctx, "requests in flight were cut off", "error", err)
		}
		stop()
		housekeeping.Wait()
	}()
	for first := time.Now(); ; {
		select {
		case <-signals:
			if time.Since(first) < echo {
				continue
			}
			server.Close()
			return unavailablef("stopped at once by a second signal")
		case <-finished:
			h.log.InfoContext(ctx, "stopped")
			return nil
		}
	}
}
