package metrics_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/metrics"
	"github.com/valetkey/valetkey/oauth"
)

func read(m *metrics.Metrics) string {
	w := httptest.NewRecorder()
	m.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

// has fails unless each line is in the text.
func has(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+text, "\n"+line+"\n") {
			t.Errorf("%s is missing in\n%s", line, ours(text))
		}
	}
}

// ours leaves out what the runtime and the process say.
func ours(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, "valetkey_") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

func TestRequest(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	m.Ask(metrics.Sources{Now: time.Now})
	for range 2 {
		m.Request(t.Context(), oauth.Observation{Method: "POST", Route: "/oauth/token", Status: 200, Duration: 3 * time.Millisecond,
			GrantType: "authorization_code", Issued: []string{oauth.IssuedAccess, oauth.IssuedID}, ClientID: "web", RequestID: "R1", TraceID: "T1"})
	}
	m.Request(t.Context(), oauth.Observation{Method: "POST", Route: "/oauth/token", Status: 400, Code: oauth.InvalidGrant, Duration: time.Hour})
	m.Request(t.Context(), oauth.Observation{Method: "POST", Route: `/a"b\`, Status: 200, Introspected: "active", SignIn: oauth.SignInWrong})
	text := read(m)
	has(t, text,
		`valetkey_http_requests_total{route="/oauth/token",method="POST",status="200"} 2`,
		`valetkey_http_requests_total{route="/oauth/token",method="POST",status="400"} 1`,
		`valetkey_http_requests_total{route="/a\"b\\",method="POST",status="200"} 1`,
		`valetkey_http_request_duration_seconds_bucket{route="/oauth/token",le="0.0025"} 0`,
		`valetkey_http_request_duration_seconds_bucket{route="/oauth/token",le="0.005"} 2`,
		`valetkey_http_request_duration_seconds_bucket{route="/oauth/token",le="5"} 2`,
		`valetkey_http_request_duration_seconds_bucket{route="/oauth/token",le="+Inf"} 3`,
		`valetkey_tokens_issued_total{grant_type="authorization_code",kind="access_token"} 2`,
		`valetkey_tokens_issued_total{grant_type="authorization_code",kind="id_token"} 2`,
		`valetkey_refusals_total{route="/oauth/token",code="invalid_grant"} 1`,
		`valetkey_introspections_total{result="active"} 1`,
		`valetkey_sign_ins_total{result="wrong"} 1`,
		"# TYPE valetkey_http_requests_total counter",
		"# HELP valetkey_introspections_total Answers of the introspection endpoint: active or inactive.",
	)
	for _, id := range []string{"web", "R1", "T1"} {
		if strings.Contains(ours(text), id) {
			t.Errorf("%s became a label", id)
		}
	}
}

func TestWatcher(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	m.Ask(metrics.Sources{Now: time.Now})
	w := m.Watcher(time.Now)
	w.Statement(200*time.Microsecond, nil)
	w.Statement(time.Minute, errors.New("away"))
	w.Transaction(2*time.Millisecond, 3, nil)
	w.Transaction(2*time.Millisecond, 300, errors.New("full"))
	has(t, read(m),
		"valetkey_store_statement_duration_seconds_count 2", "valetkey_store_statement_errors_total 1",
		"valetkey_store_transaction_duration_seconds_count 2", "valetkey_store_transactions_undone_total 1",
		`valetkey_store_commit_group_size_bucket{le="2"} 0`, `valetkey_store_commit_group_size_bucket{le="4"} 1`,
		`valetkey_store_commit_group_size_bucket{le="256"} 1`, "valetkey_store_commit_group_size_count 2",
	)
}

func TestSources(t *testing.T) {
	t.Parallel()
	m, now := metrics.New(), time.Unix(1000, 0)
	keys := []metrics.Key{{"ES256", "active", now.Add(-time.Minute)}, {"ES256", "retiring", now.Add(-time.Second)}, {"ES256", "retiring", now.Add(-time.Hour)}}
	away := false
	m.Ask(metrics.Sources{
		Version: "v1", Go: "go1", Database: "SQLite", Now: func() time.Time { return now },
		Load: []func() []oauth.Load{func() []oauth.Load {
			return []oauth.Load{{Class: "tokens", InFlight: 1, Places: 2, Queued: 3, Refused: 4}}
		}},
		Pool: func() sql.DBStats {
			return sql.DBStats{MaxOpenConnections: 8, InUse: 1, Idle: 2, WaitCount: 3, WaitDuration: 1500 * time.Millisecond}
		},
		Writers: func() int { return 5 },
		Cache: func() metrics.Cache {
			return metrics.Cache{Hits: 1, Misses: 2, Entries: 3, Bytes: 4, Behind: 250 * time.Millisecond}
		},
		Ready: func() bool { return !away },
		Backlog: func(_ context.Context, limit int) (int, time.Time, error) {
			if away {
				return 0, time.Time{}, errors.New("away")
			}
			return limit, now.Add(-time.Hour), nil
		},
		Logouts: func(context.Context, int) (int, error) { return 7, nil },
		Keys:    func(context.Context) ([]metrics.Key, error) { return keys, nil },
	})
	has(t, read(m), `valetkey_build_info{version="v1",go="go1",database="SQLite"} 1`,
		`valetkey_work_in_flight{class="tokens"} 1`, `valetkey_work_places{class="tokens"} 2`, `valetkey_work_queued{class="tokens"} 3`, `valetkey_work_refused_total{class="tokens"} 4`,
		`valetkey_db_connections{state="in_use"} 1`, `valetkey_db_connections{state="idle"} 2`, "valetkey_db_connections_max 8",
		"valetkey_db_connection_waits_total 3", "valetkey_db_connection_wait_seconds_total 1.5", "valetkey_store_writers_waiting 5",
		"valetkey_cache_hits_total 1", "valetkey_cache_misses_total 2", "valetkey_cache_entries 3", "valetkey_cache_bytes 4", "valetkey_cache_behind_seconds 0.25",
		"valetkey_ready 1", "valetkey_logout_notices_due 7", "valetkey_backlog_tokens 100000", "valetkey_backlog_oldest_seconds 3600",
		`valetkey_signing_key_age_seconds{algorithm="ES256",state="active"} 60`, `valetkey_signing_key_age_seconds{algorithm="ES256",state="retiring"} 3600`,
		`valetkey_source_errors_total{source="backlog"} 0`)

	away, keys = true, keys[:1]
	text := read(m)
	has(t, text, "valetkey_ready 0", `valetkey_source_errors_total{source="backlog"} 1`, `valetkey_signing_key_age_seconds{algorithm="ES256",state="active"} 60`)
	for _, gone := range []string{"valetkey_backlog_tokens", "valetkey_backlog_oldest_seconds", `state="retiring"`} {
		if strings.Contains(text, gone) {
			t.Errorf("%s is still told although nobody said so", gone)
		}
	}
}

// Whatever labels somebody makes up, memory stays bounded.
func TestLabelsAreBounded(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	m.Ask(metrics.Sources{Now: time.Now})
	for n := range 5000 {
		m.Request(t.Context(), oauth.Observation{Method: "GET", Route: fmt.Sprint("/", n), Status: 200})
	}
	text := read(m)
	if n := strings.Count(text, "\nvaletkey_http_requests_total{"); n != 1001 {
		t.Errorf("%d series, want 1000 and one for all others", n)
	}
	has(t, text, `valetkey_http_requests_total{route="other",method="other",status="0"} 4000`)
}

// Every metric has the type and the labels that the list says, and is on it.
func TestFamilies(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	w := m.Watcher(time.Now)
	w.Statement(0, nil)
	w.Transaction(0, 1, nil)
	m.Ask(all(time.Now))
	m.Request(t.Context(), oauth.Observation{Method: "GET", Route: "/", Status: 200, Code: oauth.InvalidGrant, GrantType: "x", Issued: []string{"x"}, Introspected: "x", SignIn: "x"})
	text := ours(read(m))
	listed := metrics.Families()
	for _, f := range listed {
		if !strings.Contains(text, "# TYPE "+f.Name+" "+f.Type+"\n") {
			t.Errorf("%s is not there as a %s", f.Name, f.Type)
		}
		if strings.HasSuffix(f.Name, "_total") != (f.Type == "counter") {
			t.Errorf("%s: counters, and they alone, end in _total", f.Name)
		}
	}
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ = strings.Cut(name, " ")
			if !slices.ContainsFunc(listed, func(f metrics.Family) bool { return f.Name == name }) {
				t.Errorf("%s is not listed", name)
			}
		}
	}
}

// all are sources that all answer.
func all(now func() time.Time) metrics.Sources {
	return metrics.Sources{
		Version: "v", Go: "go", Database: "SQLite", Now: now,
		Load:    []func() []oauth.Load{func() []oauth.Load { return []oauth.Load{{Class: "tokens"}} }},
		Pool:    func() sql.DBStats { return sql.DBStats{} },
		Writers: func() int { return 0 },
		Cache:   func() metrics.Cache { return metrics.Cache{} },
		Ready:   func() bool { return true },
		Backlog: func(context.Context, int) (int, time.Time, error) { return 0, time.Time{}, nil },
		Logouts: func(context.Context, int) (int, error) { return 0, nil },
		Keys:    func(context.Context) ([]metrics.Key, error) { return []metrics.Key{{"ES256", "active", now()}}, nil },
	}
}

var issuance = oauth.Observation{Method: "POST", Route: "/oauth/token", Status: 200, Duration: 3 * time.Millisecond,
	GrantType: "authorization_code", Issued: []string{oauth.IssuedAccess, oauth.IssuedID}}

func BenchmarkRequest(b *testing.B) {
	m := metrics.New()
	b.ReportAllocs()
	for b.Loop() {
		m.Request(context.Background(), issuance)
	}
}

func TestRequestAllocatesNothing(t *testing.T) {
	m := metrics.New()
	if n := testing.AllocsPerRun(100, func() { m.Request(context.Background(), issuance) }); n != 0 {
		t.Errorf("counting a request allocates %v times", n)
	}
}
