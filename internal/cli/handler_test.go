package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
)

func TestReadyz(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		draining bool
		ping     error
		want     int
	}{
		{"all is well", false, nil, http.StatusOK},
		{"the database does not answer", false, errors.New("disk on fire"), http.StatusServiceUnavailable},
		{"stopping", true, nil, http.StatusServiceUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := &health{ping: func(context.Context) error { return tt.ping }}
			h.draining.Store(tt.draining)
			w := httptest.NewRecorder()
			h.readyz(w, httptest.NewRequest("GET", "/readyz", nil))
			if w.Code != tt.want || strings.Contains(w.Body.String(), "fire") {
				t.Errorf("got %d %s, want %d", w.Code, w.Body, tt.want)
			}
			w = httptest.NewRecorder()
			h.healthz(w, httptest.NewRequest("GET", "/healthz", nil))
			if w.Code != http.StatusOK {
				t.Errorf("healthz: got %d, want 200", w.Code)
			}
		})
	}
}

// throughLog answers r through the access log and returns the answer and the log's
// entries.
func throughLog(t *testing.T, next http.HandlerFunc, r *http.Request) (*httptest.ResponseRecorder, []map[string]any) {
	t.Helper()
	var out bytes.Buffer
	log := newLogger(&out, config.Log{Level: "info", Format: "json"})
	w := httptest.NewRecorder()
	peer.Identify(nil, accessLog{log, true, next}).ServeHTTP(w, r)
	var entries []map[string]any
	for line := range strings.Lines(out.String()) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		entries = append(entries, e)
	}
	return w, entries
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /setup/{link}", func(w http.ResponseWriter, r *http.Request) {
		peer.NoteClient(r.Context(), "app")
		w.WriteHeader(http.StatusTeapot)
	})
	w, entries := throughLog(t, mux.ServeHTTP, httptest.NewRequest("POST", "/setup/one-time-secret?code=another", nil))
	if len(entries) != 1 {
		t.Fatalf("got %d entries, want 1: %v", len(entries), entries)
	}
	e := entries[0]
	for key, want := range map[string]any{"msg": "request", "method": "POST", "route": "POST /setup/{link}", "status": float64(http.StatusTeapot), "client_id": "app", "request_id": w.Header().Get("X-Request-Id")} {
		if e[key] != want {
			t.Errorf("%s: got %v, want %v", key, e[key], want)
		}
	}
	if _, ok := e["duration_ms"].(float64); !ok {
		t.Errorf("duration_ms: got %v", e["duration_ms"])
	}
	if text, _ := json.Marshal(e); bytes.Contains(text, []byte("secret")) || bytes.Contains(text, []byte("another")) {
		t.Errorf("the log holds what stood in the URL: %s", text)
	}
}

func TestPanicBecomesAnError(t *testing.T) {
	t.Parallel()
	w, entries := throughLog(t, func(http.ResponseWriter, *http.Request) { panic("oops") }, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "oops") {
		t.Errorf("got %d %s, want a silent 500", w.Code, w.Body)
	}
	if len(entries) != 2 || entries[0]["msg"] != "panic" || entries[0]["stack"] == "" || entries[1]["status"] != float64(500) {
		t.Errorf("got %v, want the panic and the request", entries)
	}
}

// Whoever lets a secret into the log, it does not arrive there.
func TestLogStrikesOutSecrets(t *testing.T) {
	t.Parallel()
	m, err := mint.New("acme", [][]byte{[]byte("key")})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []mint.Kind{mint.AccessToken, mint.RefreshToken, mint.PersonalToken, mint.AuthorizationCode, mint.ClientSecret} {
		secret := string(m.Draw(kind, time.Now()).Secret)
		for _, format := range []string{"json", "text"} {
			var out bytes.Buffer
			log := newLogger(&out, config.Log{Level: "debug", Format: format})
			log.Info("token "+secret, "plain", secret, "error", errors.New("bad token "+secret), "secret", oauth.Secret(secret),
				slog.Group("group", "inner", "x "+secret+" y"))
			if strings.Contains(out.String(), secret) {
				t.Errorf("%s, %s: %s", kind, format, out.String())
			}
			if !strings.Contains(out.String(), "bad token [redacted]") {
				t.Errorf("%s, %s: too much is gone: %s", kind, format, out.String())
			}
		}
	}
}

func TestLogLevel(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := newLogger(&out, config.Log{Level: "warn", Format: "json"})
	log.Info("quiet")
	log.Warn("loud")
	if got := out.String(); strings.Contains(got, "quiet") || !strings.Contains(got, "loud") {
		t.Errorf("got %s", got)
	}
}

func TestInsertFirst(t *testing.T) {
	t.Parallel()
	got := insertFirst("# comment\n\nold:a\n# note\nolder:b\n", "new:c")
	if want := "# comment\n\nnew:c\nold:a\n# note\nolder:b\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
