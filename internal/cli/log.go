package cli

import (
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/internal/peer"
)

// newLogger writes the log. What looks like one of our secrets is struck out,
// whoever let it in; secrets that are known as such redact themselves.
func newLogger(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // the configuration allows the four names only
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: strikeOut}
	if c.Format == "text" {
		return slog.New(traced{slog.NewTextHandler(w, options)})
	}
	return slog.New(traced{slog.NewJSONHandler(w, options)})
}

// minted matches what package mint makes, of whatever brand.
var minted = regexp.MustCompile(`[a-z0-9]{1,10}_(?:at|rt|pat|ac|cs|dc|it|rg)_[0-9A-Za-z]{58}`)

func strikeOut(_ []string, a slog.Attr) slog.Attr {
	var text string
	switch v := a.Value.Any().(type) {
	case string:
		text = v
	case error:
		text = v.Error()
	default:
		return a
	}
	if !strings.Contains(text, "_") || !minted.MatchString(text) {
		return a
	}
	return slog.String(a.Key, minted.ReplaceAllString(text, "[redacted]"))
}

// accessLog writes one line for each request, with the route and not the URL:
// paths and queries hold one-time links, codes and tokens.
type accessLog struct {
	log  *slog.Logger
	on   bool
	next http.Handler
}

func (l accessLog) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	ctx := r.Context()
	rec := &recorder{ResponseWriter: w}
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			l.log.ErrorContext(ctx, "panic", "request_id", peer.From(ctx).RequestID, "panic", p, "stack", string(debug.Stack()))
			if rec.status == 0 {
				http.Error(rec, "The server made a mistake.", http.StatusInternalServerError)
			}
		}
		if l.on {
			l.line(r, peer.NoteOf(ctx), rec, time.Since(began))
		}
	}()
	l.next.ServeHTTP(rec, r)
}

func (l accessLog) line(r *http.Request, note *peer.Note, rec *recorder, took time.Duration) {
	status := rec.status
	if status == 0 {
		status = http.StatusOK
	}
	route, client := note.Route(), note.Client()
	if route == "" {
		route = r.Pattern
	}
	attrs := []slog.Attr{
		slog.String("request_id", peer.From(r.Context()).RequestID),
		slog.String("method", r.Method),
		slog.String("route", route),
		slog.Int("status", status),
		slog.Float64("duration_ms", float64(took.Microseconds())/1000),
	}
	if client != "" {
		attrs = append(attrs, slog.String("client_id", client))
	}
	l.log.LogAttrs(r.Context(), slog.LevelInfo, "request", attrs...)
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
