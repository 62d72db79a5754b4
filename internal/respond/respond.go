package respond

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
)

// JSON writes v with headers that forbid keeping it (RFC 6749 §5.1).
func JSON(w http.ResponseWriter, status int, v any) {
	write(w, status, "application/json", v)
}

// Values of headers that all answers share: to set them one by one would allocate
// each anew. They are never changed; to add to one copies it.
var noStore, noCache, noSniff = []string{"no-store"}, []string{"no-cache"}, []string{"nosniff"}

func write(w http.ResponseWriter, status int, contentType string, v any) {
	body, err := json.Marshal(v)
	if err != nil { // v is ours: a value that cannot be written is a programming mistake
		panic("respond: " + err.Error())
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h["Cache-Control"], h["Pragma"], h["X-Content-Type-Options"] = noStore, noCache, noSniff
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}

// retryWait is how many seconds whoever was told 503 should wait.
const retryWait = "5"

// RetryLater sends Retry-After with status 503 (RFC 9110 §15.6.4).
func RetryLater(w http.ResponseWriter, status int) {
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", retryWait)
	}
}

type errorBody struct {
	Error       oauth.ErrorCode `json:"error"`
	Description string          `json:"error_description,omitempty"`
	RequestID   string          `json:"request_id,omitempty"`
}

// Error answers with the error (RFC 6749 §5.2).
func Error(w http.ResponseWriter, r *http.Request, err error) {
	refusal := Refusal(r, err)
	status := Status(refusal.Code)
	if errors.Is(err, errDenied) {
		status = http.StatusBadRequest
	}
	if errors.Is(err, errTooMany) {
		status = http.StatusTooManyRequests // RFC 6585 §4
		w.Header().Set("Retry-After", strconv.Itoa(int(tooManyWait/time.Second)))
	}
	writeError(w, r, status, refusal)
}

// NotFound answers invalid_client with 404, as the predecessor did for a
// client it did not know.
func NotFound(w http.ResponseWriter, r *http.Request, err error) {
	writeError(w, r, http.StatusNotFound, Refusal(r, err))
}

// TooLarge answers 413 to a body that is larger than is read (RFC 9126 §2.3).
func TooLarge(w http.ResponseWriter, r *http.Request, err error) {
	writeError(w, r, http.StatusRequestEntityTooLarge, Refusal(r, err))
}

// MethodNotAllowed answers 405 and names the methods that are allowed (RFC 9110 §15.5.6).
func MethodNotAllowed(w http.ResponseWriter, r *http.Request, allow ...string) {
	w.Header().Set("Allow", strings.Join(allow, ", "))
	writeError(w, r, http.StatusMethodNotAllowed, &oauth.Error{
		Code: oauth.InvalidRequest, Description: "This endpoint answers " + strings.Join(allow, " and ") + " only."})
}

func writeError(w http.ResponseWriter, r *http.Request, status int, e *oauth.Error) {
	challenge(w, r, status, e.Code)
	RetryLater(w, status)
	JSON(w, status, errorBody{Error: e.Code, Description: Description(e), RequestID: peer.From(r.Context()).RequestID})
}

// challenge names the scheme that was tried (RFC 6749 §5.2). Without an
// Authorization header there is none to name, and a browser would ask its
// person for a password.
func challenge(w http.ResponseWriter, r *http.Request, status int, code oauth.ErrorCode) {
	if status == http.StatusUnauthorized && code == oauth.InvalidClient && r.Header.Get("Authorization") != "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="client", charset="UTF-8"`)
	}
}

// Refusal returns what may be told of err: err itself if it is a refusal, else
// temporarily_unavailable or server_error without a word of its text. Faults, and
// refusals that a fault caused, are logged.
func Refusal(r *http.Request, err error) *oauth.Error {
	var refusal *oauth.Error
	fault := true
	switch {
	case errors.As(err, &refusal):
		fault = refusal.Cause != nil
	case Passing(err):
		refusal = &oauth.Error{Code: oauth.TemporarilyUnavailable, Description: "The server cannot do this now. Try again in a moment.", Cause: err}
	default:
		refusal = &oauth.Error{Code: oauth.ServerError, Cause: err}
	}
	peer.NoteCode(r.Context(), refusal.Code)
	if fault && Status(refusal.Code) >= 500 && !errors.Is(r.Context().Err(), context.Canceled) {
		logger(r.Context()).ErrorContext(r.Context(), "request failed",
			"error", err, "method", r.Method, "path", r.URL.Path, "request_id", peer.From(r.Context()).RequestID)
	}
	return refusal
}

// Passing reports whether a fault is none of our own making and may be gone at the
// next try: what cannot be reached now, and what took longer than the request may.
func Passing(err error) bool {
	return errors.Is(err, oauth.TemporarilyUnavailable) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// tooManyWait is how long whoever was told [TooMany] should wait.
const tooManyWait = time.Minute

var errTooMany = errors.New("too many attempts")

// TooMany makes a refusal that is answered with 429 and Retry-After. Its code is
// slow_down, which RFC 8628 §3.5 answers with 400 to a device that polls too fast.
func TooMany(description string) error {
	return &oauth.Error{Code: oauth.SlowDown, Description: description, Cause: errTooMany}
}

var errDenied = errors.New("the person refused")

// Denied makes the refusal that a person gave to a device, which RFC 8628 §3.5
// and RFC 6749 §5.2 answer with 400 unlike other things that are denied.
func Denied() error {
	return &oauth.Error{Code: oauth.AccessDenied, Description: "The person refused.", Cause: errDenied}
}

// Description is the error's text in the characters that RFC 6749 §5.2 allows:
// %x20-21 / %x23-5B / %x5D-7E. It is the one place where that is seen to.
func Description(e *oauth.Error) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '"':
			return '\''
		case c == '\\':
			return '/'
		case c == '\t' || c == '\r' || c == '\n':
			return ' '
		case c < 0x20 || c > 0x7e:
			return '?'
		}
		return c
	}, e.Description)
}

// LoggerKey finds the *slog.Logger that [LogTo] put into a context.
type LoggerKey struct{}

// WithLogger lets faults below next be logged to l.
func WithLogger(next http.Handler, l *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(LogTo(r.Context(), l)))
	})
}

// LogTo is [WithLogger] for a handler that makes a context anyway.
func LogTo(ctx context.Context, l *slog.Logger) context.Context {
	return context.WithValue(ctx, LoggerKey{}, l)
}

func logger(ctx context.Context) *slog.Logger {
	if l, ok := ctx.Value(LoggerKey{}).(*slog.Logger); ok && l != nil {
		return l
	}
	return slog.New(slog.DiscardHandler)
}
