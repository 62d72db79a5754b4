package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/valetkey/valetkey/internal/cli"
	"github.com/valetkey/valetkey/oauth"
)

// tracer makes a span of each request. Spans that the collector does not take fast
// enough are thrown away: nobody waits for it.
type tracer struct {
	provider *sdktrace.TracerProvider
	tracer   trace.Tracer
	// parents reads and writes traceparent (W3C Trace Context). Baggage, which may be
	// anything, is neither read nor passed on.
	parents propagation.TraceContext
}

var _ cli.Tracer = (*tracer)(nil)

func newTracer(ctx context.Context, endpoint, version string) (cli.Tracer, error) {
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimSuffix(endpoint, "/")+"/v1/traces"))
	if err != nil {
		return nil, fmt.Errorf("make exporter: %w", err)
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "valetkey"), attribute.String("service.version", version))),
	)
	return &tracer{provider: provider, tracer: provider.Tracer("github.com/valetkey/valetkey")}, nil
}

// Wrap implements [cli.Tracer].
func (t *tracer) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers := propagation.HeaderCarrier(r.Header)
		ctx := t.parents.Extract(r.Context(), headers)
		ctx, span := t.tracer.Start(ctx, "request", trace.WithSpanKind(trace.SpanKindServer))
		defer span.End()
		t.parents.Inject(ctx, headers) // our log names this span's trace
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// Request implements [oauth.Observer]: it says on the span what the request was.
func (t *tracer) Request(ctx context.Context, o oauth.Observation) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetName(o.Method + " " + o.Route)
	attributes := []attribute.KeyValue{
		attribute.String("http.request.method", o.Method),
		attribute.String("http.route", o.Route),
		attribute.Int("http.response.status_code", o.Status),
		attribute.String("valetkey.request_id", o.RequestID),
	}
	for key, value := range map[string]string{
		"error.type": string(o.Code), "oauth.client_id": o.ClientID, "oauth.grant_type": o.GrantType,
		"oauth.introspection": o.Introspected, "valetkey.sign_in": o.SignIn,
	} {
		if value != "" {
			attributes = append(attributes, attribute.String(key, value))
		}
	}
	if len(o.Issued) > 0 {
		attributes = append(attributes, attribute.StringSlice("oauth.issued", o.Issued))
	}
	span.SetAttributes(attributes...)
	if o.Status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, string(o.Code))
	}
}

// Close implements [cli.Tracer].
func (t *tracer) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }
