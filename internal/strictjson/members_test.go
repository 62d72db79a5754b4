package strictjson_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/strictjson"
)

// Unknown members are passed over, in one spelling only like the known ones.
func TestMembersAndFill(t *testing.T) {
	t.Parallel()
	values, err := strictjson.Members([]byte(`{"name":"a","Name":"b","other":{"x":1},"list":null}`))
	if err != nil || len(values) != 4 {
		t.Fatalf("members %v, %v", values, err)
	}
	var v target
	if err := strictjson.Fill(values, &v); err != nil || v.Name != "a" || v.List != nil {
		t.Errorf("filled %+v, %v", v, err)
	}
	for body, want := range map[string]string{
		`{"x":1,"x":2}`: "`x` occurs twice", `[]`: "must be a JSON object", `{"x":{"y":1,"y":2}}`: "`y` occurs twice", `{} {}`: "more than one", "{\"x\":\"\xff\"}": "not UTF-8",
	} {
		if _, err := strictjson.Members([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", body, err)
		}
	}
	wrong, _ := strictjson.Members([]byte(`{"name":1}`))
	if err := strictjson.Fill(wrong, &v); err == nil || !strings.Contains(err.Error(), "must be a string") {
		t.Errorf("wrong type: %v", err)
	}
}

func TestBody(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		contentType, body string
		status            int // zero: it is read
	}{
		"json":        {"application/json; charset=utf-8", `{"a":1}`, 0},
		"form":        {"application/x-www-form-urlencoded", `{"a":1}`, http.StatusUnsupportedMediaType},
		"no type":     {"", `{"a":1}`, http.StatusUnsupportedMediaType},
		"large":       {"application/json", strings.Repeat(" ", strictjson.MaxBody+1), http.StatusRequestEntityTooLarge},
		"not checked": {"application/json", `{`, 0},
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(tt.body))
		r.Header.Set("Content-Type", tt.contentType)
		got, err := strictjson.Body(httptest.NewRecorder(), r)
		var e *strictjson.Error
		if errors.As(err, &e) != (tt.status != 0) || e != nil && e.Status != tt.status || e == nil && string(got) != tt.body {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
