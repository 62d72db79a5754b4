package respond_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
)

var allowed = regexp.MustCompile(`^[\x20-\x21\x23-\x5b\x5d-\x7e]*$`)

// request is one that has a request id and a place to log to.
func request(log *bytes.Buffer) *http.Request {
	var r *http.Request
	h := respond.WithLogger(http.HandlerFunc(func(_ http.ResponseWriter, got *http.Request) { r = got }), slog.New(slog.NewTextHandler(log, nil)))
	in := httptest.NewRequest(http.MethodPost, "/oauth/token", nil)
	h.ServeHTTP(httptest.NewRecorder(), in.WithContext(peer.With(in.Context(), peer.Peer{RequestID: "REQUEST"})))
	return r
}

func TestError(t *testing.T) {
	t.Parallel()
	secretive := errors.New("dial tcp 10.0.0.1: password=hunter2")
	tests := map[string]struct {
		err       error
		auth      string
		status    int
		code      string
		challenge bool
		retry     string
		logged    bool
	}{
		"refusal":                 {err: &oauth.Error{Code: oauth.InvalidGrant, Description: "No."}, status: 400, code: "invalid_grant"},
		"wrapped refusal":         {err: fmt.Errorf("x: %w", &oauth.Error{Code: oauth.InvalidScope}), status: 400, code: "invalid_scope"},
		"client, no header":       {err: &oauth.Error{Code: oauth.InvalidClient}, status: 401, code: "invalid_client"},
		"client, Basic":           {err: &oauth.Error{Code: oauth.InvalidClient}, auth: "Basic eDp5", status: 401, code: "invalid_client", challenge: true},
		"other error with Basic":  {err: &oauth.Error{Code: oauth.InvalidGrant}, auth: "Basic eDp5", status: 400, code: "invalid_grant"},
		"fault":                   {err: secretive, status: 500, code: "server_error", logged: true},
		"cause":                   {err: &oauth.Error{Code: oauth.InvalidGrant, Description: "No.", Cause: secretive}, status: 400, code: "invalid_grant"},
		"store fault":             {err: fmt.Errorf("%w: %w", oauth.TemporarilyUnavailable, secretive), status: 503, code: "temporarily_unavailable", retry: "5", logged: true},
		"time was up":             {err: fmt.Errorf("%w: %w", context.DeadlineExceeded, secretive), status: 503, code: "temporarily_unavailable", retry: "5", logged: true},
		"too often":               {err: respond.TooMany("Wait a minute."), status: 429, code: "slow_down", retry: "60"},
		"a person refused":        {err: respond.Denied(), status: 400, code: "access_denied"},
		"something is forbidden":  {err: &oauth.Error{Code: oauth.AccessDenied}, status: 403, code: "access_denied"},
		"a device polls too fast": {err: &oauth.Error{Code: oauth.SlowDown}, status: 400, code: "slow_down"},
	}
	for name, tt := range tests {
		var log bytes.Buffer
		r, w := request(&log), httptest.NewRecorder()
		if tt.auth != "" {
			r.Header.Set("Authorization", tt.auth)
		}
		respond.Error(w, r, tt.err)
		var body map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Errorf("%s: %v in %s", name, err, w.Body)
		}
		if w.Code != tt.status || body["error"] != tt.code || body["request_id"] != "REQUEST" {
			t.Errorf("%s: got %d %v, want %d %s", name, w.Code, body, tt.status, tt.code)
		}
		if got := w.Header().Get("WWW-Authenticate") != ""; got != tt.challenge {
			t.Errorf("%s: challenge %q", name, w.Header().Get("WWW-Authenticate"))
		}
		if got := w.Header().Get("Retry-After"); got != tt.retry {
			t.Errorf("%s: Retry-After %q, want %q", name, got, tt.retry)
		}
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Pragma") != "no-cache" {
			t.Errorf("%s: the answer may be kept", name)
		}
		if strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%s: the cause is told: %s", name, w.Body)
		}
		if got := strings.Contains(log.String(), "hunter2"); got != tt.logged {
			t.Errorf("%s: logged %v, want %v: %s", name, got, tt.logged, log.String())
		}
	}
}

func TestDescriptionCharacters(t *testing.T) {
	t.Parallel()
	got := respond.Description(&oauth.Error{Description: "a\"b\\c\r\n\té\x00\x7f ~!"})
	if want := "a'b/c   ??? ~!"; got != want || !allowed.MatchString(got) {
		t.Errorf("got %q, want %q", got, want)
	}
}

type deskError struct{}

func (deskError) Error() string             { return "the name is wrong" }
func (deskError) HTTPStatus() int           { return 422 }
func (deskError) Public() string            { return "Some fields are not right." }
func (deskError) Fields() map[string]string { return map[string]string{"name": "Too long."} }

func TestProblem(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err    error
		status int
		want   string
	}{
		"desk":    {fmt.Errorf("x: %w", deskError{}), 422, `"errors":{"name":"Too long."}`},
		"refusal": {&oauth.Error{Code: oauth.InsufficientScope, Description: "It lacks a scope."}, 403, `"detail":"It lacks a scope."`},
		"fault":   {errors.New("hunter2"), 500, `"title":"Internal Server Error"`},
	} {
		var log bytes.Buffer
		r, w := request(&log), httptest.NewRecorder()
		respond.Problem(w, r, tt.err)
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) || strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%s: got %d %s, want %d with %s", name, w.Code, w.Body, tt.status, tt.want)
		}
		if w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(w.Body.String(), "REQUEST") {
			t.Errorf("%s: %v %s", name, w.Header(), w.Body)
		}
	}
}

// Every error code that the words have is in the catalogue, with all there is to say.
func TestCatalogueIsComplete(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../../oauth/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); !ok || id.Name != "ErrorCode" {
			return true
		}
		codes++
		code := oauth.ErrorCode(strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`))
		if respond.Lookup(code).Code != code {
			t.Errorf("%s is not in the catalogue", code)
		}
		return true
	})
	if entries := respond.Catalogue(); len(entries) != codes || codes < 15 {
		t.Errorf("%d entries for %d codes", len(entries), codes)
	}
	for _, e := range respond.Catalogue() {
		if e.Status < 400 || e.User == "" || e.Developer == "" || e.Fix == "" || e.Spec == "" {
			t.Errorf("%s: something is not said: %+v", e.Code, e)
		}
	}
	if respond.Lookup("made_up").Code != oauth.ServerError {
		t.Error("an unknown code must be told as server_error")
	}
}

func TestMethodNotAllowed(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	respond.MethodNotAllowed(w, httptest.NewRequest(http.MethodPut, "/", nil).WithContext(context.Background()), "GET", "HEAD")
	if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
}
