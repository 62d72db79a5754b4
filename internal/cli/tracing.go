package cli

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
)

// Tracer makes a span of each request. The program has none: OpenTelemetry would make
// it a fifth larger, beyond its limit. contrib/valetkey-otel is the program with one.
type Tracer interface {
	// Wrap begins the span of a request that next answers. It sets the header
	// traceparent of the request to the span, so that our log names it.
	Wrap(next http.Handler) http.Handler
	// Request, of the observer, says what the request was. The context is one of Wrap.
	oauth.Observer
	// Close sends what was not sent yet.
	Close(context.Context) error
}

// newTracer returns the tracer that the configuration asks for, or nil.
func newTracer(ctx context.Context, env *Env, l *config.Loaded) (Tracer, error) {
	endpoint := l.Tracing.Endpoint
	switch {
	case endpoint == "":
		return nil, nil
	case env.NewTracer == nil:
		return nil, invalidf("tracing.otlp_endpoint (%s): this program was built without OpenTelemetry; contrib/valetkey-otel is the same with it", l.Origin("tracing.otlp_endpoint"))
	}
	version, _ := buildVersion()
	t, err := env.NewTracer(ctx, endpoint, version)
	if err != nil {
		return nil, unavailablef("tracing.otlp_endpoint: %w", err)
	}
	return t, nil
}

// flushTime is for how long the last spans are tried to be sent when the server stops.
const flushTime = 5 * time.Second

func flush(t Tracer, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	if err := t.Close(ctx); err != nil {
		log.Warn("the last traces were not sent", "error", err)
	}
}

// traced adds the trace that a request belongs to to what is logged about it.
type traced struct{ slog.Handler }

func (h traced) Handle(ctx context.Context, r slog.Record) error {
	if id := peer.From(ctx).TraceID; id != "" {
		r.AddAttrs(slog.String("trace_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{h.Handler.WithAttrs(attrs)} }
func (h traced) WithGroup(name string) slog.Handler       { return traced{h.Handler.WithGroup(name)} }
