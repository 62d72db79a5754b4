package strictjson_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/strictjson"
)

type target struct {
	Name  string                      `json:"name"`
	List  []string                    `json:"list"`
	Count int64                       `json:"count"`
	At    strictjson.Field[time.Time] `json:"at"`
	Maybe strictjson.Field[[]string]  `json:"maybe"`
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ body, want string }{
		"nothing":         {``, "not JSON"},
		"broken":          {`{"name":`, "not JSON"},
		"comma":           {`{"name":"a",}`, "not JSON"},
		"array":           {`[]`, "must be a JSON object"},
		"null":            {`null`, "must be a JSON object"},
		"two":             {`{} {}`, "more than one"},
		"rest":            {`{}x`, "more than one"},
		"unknown":         {`{"nme":"a"}`, "no member `nme` here. Known are: name, list, count, at, maybe."},
		"other case":      {`{"Name":"a"}`, "no member `Name`"},
		"kelvin sign":     {"{\"li\u017ft\":[]}", "no member"},
		"escaped twin":    {`{"name":"a","n\u0061me":"b"}`, "`name` occurs twice"},
		"twice":           {`{"name":"a","name":"b"}`, "`name` occurs twice"},
		"nested twice":    {`{"list":[{"a":1,"a":2}]}`, "`a` occurs twice"},
		"wrong type":      {`{"name":1}`, "The member `name` must be a string."},
		"wrong item":      {`{"list":[1]}`, "The member `list` must be a list, each item a string."},
		"fraction":        {`{"count":1.5}`, "The member `count` must be a whole number."},
		"beyond all":      {`{"count":99999999999999999999}`, "The member `count` must be a whole number."},
		"wrong time":      {`{"at":"tomorrow"}`, "The member `at` must be a time like 2026-12-23T23:59:00Z."},
		"wrong list":      {`{"maybe":"a"}`, "The member `maybe` must be a list, each item a string."},
		"not UTF-8":       {"{\"name\":\"\xff\"}", "not UTF-8"},
		"deep":            {`{"list":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`, "too deeply"},
		"deep objects":    {strings.Repeat(`{"a":`, 1000) + "1" + strings.Repeat("}", 1000), "too deeply"},
		"control in name": {"{\"\\u0007`x\":1}", "`??x`"},
	} {
		var v target
		err := strictjson.Decode([]byte(tt.body), &v)
		var e *strictjson.Error
		if !errors.As(err, &e) || !strings.Contains(e.Public(), tt.want) || e.HTTPStatus() != http.StatusBadRequest {
			t.Errorf("%s: err = %v, want …%s…", name, err, tt.want)
		}
	}
}

func TestDecodeReads(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 12, 23, 23, 59, 0, 0, time.UTC)
	for body, want := range map[string]target{
		`{}`: {},
		` {"name":"ü","list":["a","b"],"count":7} `: {Name: "ü", List: []string{"a", "b"}, Count: 7},
		`{"at":null,"maybe":[]}`:                    {At: strictjson.Field[time.Time]{Set: true, Null: true}, Maybe: strictjson.Field[[]string]{Set: true, Value: []string{}}},
		`{"at":"2026-12-23T23:59:00Z"}`:             {At: strictjson.Field[time.Time]{Set: true, Value: at}},
	} {
		var got target
		if err := strictjson.Decode([]byte(body), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Decode(%s) = %+v, %v, want %+v", body, got, err, want)
		}
	}
	f := strictjson.Field[string]{Set: true, Value: "x"}
	if got := f.Or("y"); got != "x" {
		t.Errorf("Or = %q, want x", got)
	}
	for _, f := range []strictjson.Field[string]{{}, {Set: true, Null: true}} {
		if got := f.Or("y"); got != "y" {
			t.Errorf("%+v.Or = %q, want y", f, got)
		}
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		contentType, body string
		want              int // 0: accepted
	}{
		"json":            {"application/json", `{"name":"a"}`, 0},
		"charset":         {"application/json; charset=utf-8", `{}`, 0},
		"merge patch":     {"application/merge-patch+json", `{}`, 0},
		"nothing at all":  {"", "", 0},
		"form":            {"application/x-www-form-urlencoded", `{}`, http.StatusUnsupportedMediaType},
		"text":            {"text/plain", `{}`, http.StatusUnsupportedMediaType},
		"no type":         {"", `{}`, http.StatusUnsupportedMediaType},
		"broken type":     {"application/json; =", `{}`, http.StatusUnsupportedMediaType},
		"empty json":      {"application/json", "", http.StatusBadRequest},
		"exactly 64 KiB":  {"application/json", `{"name":"` + strings.Repeat("a", 64<<10-11) + `"}`, 0},
		"one byte beyond": {"application/json", `{"name":"` + strings.Repeat("a", 64<<10-10) + `"}`, http.StatusRequestEntityTooLarge},
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(tt.body))
		if tt.contentType != "" {
			r.Header.Set("Content-Type", tt.contentType)
		}
		var v target
		err := strictjson.Request(httptest.NewRecorder(), r, &v)
		var e *strictjson.Error
		switch {
		case tt.want == 0 && err != nil:
			t.Errorf("%s: %v", name, err)
		case tt.want != 0 && (!errors.As(err, &e) || e.HTTPStatus() != tt.want || e.Fields() != nil):
			t.Errorf("%s: err = %v, want status %d", name, err, tt.want)
		}
	}
}

// FuzzDecode: what is accepted means the same to a lenient reader, and says
// nothing that the lenient reader would have dropped.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{`{}`, `{"name":"a","list":["b"],"count":1,"at":null,"maybe":["c"]}`, `{"name":"a","Name":"b"}`, `{"list":[[{}]]}`, `{"name":"\ud800"}`, `{} `} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var strict, lenient target
		if strictjson.Decode(body, &strict) != nil {
			return
		}
		if err := json.Unmarshal(body, &lenient); err != nil || !reflect.DeepEqual(strict, lenient) {
			t.Fatalf("%q is read as %+v, and as %+v (%v)", body, strict, lenient, err)
		}
		var members map[string]any
		if err := json.Unmarshal(body, &members); err != nil {
			t.Fatalf("%q is accepted: %v", body, err)
		}
		for name := range members {
			if !strings.Contains(" name list count at maybe ", " "+name+" ") {
				t.Fatalf("%q is accepted with the member %q", body, name)
			}
		}
	})
}
