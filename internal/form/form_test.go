package form_test

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/oauth"
)

func TestParseString(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in   string
		want form.Values // nil: invalid_request
	}{
		"nothing":                 {"", form.Values{}},
		"one":                     {"a=b", form.Values{"a": "b"}},
		"plus and percent":        {"a=b+c%2Bd", form.Values{"a": "b c+d"}},
		"empty is absent":         {"a=&b=&c", form.Values{}},
		"empty pairs":             {"&&a=b&", form.Values{"a": "b"}},
		"value with equals sign":  {"a=b=c", form.Values{"a": "b=c"}},
		"semicolon is a letter":   {"state=a;b", form.Values{"state": "a;b"}},
		"UTF-8":                   {"a=%E2%82%AC", form.Values{"a": "€"}},
		"odd characters are fine": {"a=|^{}", form.Values{"a": "|^{}"}},
		"twice":                   {"a=b&a=c", nil},
		"twice the same":          {"a=b&a=b", nil},
		"twice, once empty":       {"a=&a=c", nil},
		"twice, once encoded":     {"a=b&%61=c", nil},
		"bad escape":              {"a=%zz", nil},
		"cut escape":              {"a=%2", nil},
		"not UTF-8":               {"a=%ff", nil},
		"NUL":                     {"a=%00", nil},
		"NUL in a name":           {"%00=a", nil},
		"too long":                {"a=" + strings.Repeat("x", form.MaxBytes), nil},
	}
	for name, tt := range tests {
		got, err := form.ParseString(tt.in)
		if tt.want == nil {
			if !errors.Is(err, oauth.InvalidRequest) {
				t.Errorf("%s: got %v, %v; want invalid_request", name, got, err)
			}
			continue
		}
		if err != nil || len(got) != len(tt.want) {
			t.Errorf("%s: got %v, %v; want %v", name, got, err, tt.want)
		}
		for k, v := range tt.want {
			if got[k] != v {
				t.Errorf("%s: %s = %q, want %q", name, k, got[k], v)
			}
		}
	}
}

// RFC 8707 §2: resource may be repeated, and nothing else.
func TestResourcesMayRepeat(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"":                                      nil,
		"a=b":                                   nil,
		"resource=":                             nil,
		"resource=x":                            {"x"},
		"resource=x&a=b&resource=y":             {"x", "y"},
		"resource=y&resource=x&resource=y":      {"y", "x"},
		"resource=&resource=x&resource":         {"x"},
		"resource=a%20b&resource=a&resource=b":  {"a b", "a", "b"},
		"resource=https%3A%2F%2Fx%2F&Resource=": {"https://x/"},
	} {
		got, err := form.ParseString(in)
		if err != nil || !slices.Equal(got.Resources(), want) {
			t.Errorf("%q: got %q, %v; want %q", in, got.Resources(), err, want)
			continue
		}
		if _, there := got.Params()["resource"]; there {
			t.Errorf("%q: Params holds the resources", in)
		}
		again, err := form.ParseString(got.URL().Encode())
		if err != nil || !maps.Equal(again, got) {
			t.Errorf("%q: written and read again it is %v, want %v", in, again, got)
		}
		if made := form.New(got.Params(), got.Resources()); !maps.Equal(made, got) {
			t.Errorf("%q: made anew it is %v, want %v", in, made, got)
		}
	}
	if got := form.New(map[string]string{"a": "", "resource": "evil", "b": "c"}, []string{"x", ""}); !maps.Equal(got, form.Values{"b": "c", "resource": "x"}) {
		t.Errorf("New: got %v", got)
	}
}

func TestM07_EveryRepeatedNameIsKnown(t *testing.T) {
	t.Parallel()
	values, err := form.ParseString("scope=a&redirect_uri=x&scope=b&redirect_uri=y")
	var repeated *form.Repeated
	if !errors.As(err, &repeated) || !slices.Equal(repeated.Names, []string{"scope", "redirect_uri"}) {
		t.Fatalf("got %v", err)
	}
	if values["redirect_uri"] != "x" {
		t.Errorf("values: %v", values)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	const formType = "application/x-www-form-urlencoded"
	tests := map[string]struct {
		query, contentType, body string
		ok                       bool
	}{
		"form":               {"", formType, "a=b", true},
		"charset":            {"", formType + "; charset=utf-8", "a=b", true},
		"case":               {"", "Application/X-WWW-Form-Urlencoded", "a=b", true},
		"harmless query":     {"x=y", formType, "a=b", true},
		"json":               {"", "application/json", `{"a":"b"}`, false},
		"multipart":          {"", "multipart/form-data; boundary=x", "", false},
		"no type":            {"", "", "a=b", false},
		"secret in the URL":  {"client_secret=x", formType, "a=b", false},
		"encoded secret":     {"client%5Fsecret=x", formType, "a=b", false},
		"code in the URL":    {"x=y&code=x", formType, "a=b", false},
		"too large":          {"", formType, "a=" + strings.Repeat("x", form.MaxBytes), false},
		"as large as can be": {"", formType, "a=" + strings.Repeat("x", form.MaxBytes-2), true},
	}
	for name, tt := range tests {
		r := httptest.NewRequest(http.MethodPost, "/oauth/token?"+tt.query, strings.NewReader(tt.body))
		r.Header.Set("Content-Type", tt.contentType)
		got, err := form.Parse(httptest.NewRecorder(), r)
		if tt.ok && (err != nil || got["a"] == "" || got["x"] != "") {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
		if !tt.ok && !errors.Is(err, oauth.InvalidRequest) {
			t.Errorf("%s: got %v, %v; want invalid_request", name, got, err)
		}
	}
}

func TestRequireAndOnly(t *testing.T) {
	t.Parallel()
	v := form.Values{"a": "1", "b": "2"}
	if err := v.Require("a", "b"); err != nil {
		t.Error(err)
	}
	if err := v.Require("a", "c"); !errors.Is(err, oauth.InvalidRequest) || !strings.Contains(err.Error(), "c is missing") {
		t.Errorf("got %v", err)
	}
	if got := v.Only("b", "c"); len(got) != 1 || got["b"] != "2" {
		t.Errorf("got %v", got)
	}
}

// A strange name must not come back in an error.
func TestRepeatedStrangeName(t *testing.T) {
	t.Parallel()
	_, err := form.ParseString("%3Cscript%3E=1&%3Cscript%3E=2")
	if err == nil || strings.Contains(err.Error()[:60], "<") {
		t.Errorf("got %v", err)
	}
}

func FuzzForm(f *testing.F) {
	for _, seed := range []string{"", "a=b", "a=b&a=c", "a=%zz", "a=%00", "resource=a&resource=b", "a;b=c", "%61=b&a=", "a=%E2%82%AC&=x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		values, err := form.ParseString(in)
		if err != nil {
			if !errors.Is(err, oauth.InvalidRequest) {
				t.Fatalf("%q: a refusal of another kind: %v", in, err)
			}
			return
		}
		for k, v := range values.URL() {
			if v[0] == "" || !utf8.ValidString(k+v[0]) || strings.ContainsRune(k+v[0], 0) {
				t.Fatalf("%q: value %q of %q", in, v, k)
			}
		}
		printed := values.URL()
		again, err := form.ParseString(printed.Encode())
		if len(printed.Encode()) > form.MaxBytes {
			return
		}
		if err != nil || len(again) != len(values) {
			t.Fatalf("%q: printed and parsed again: %v, %v", in, again, err)
		}
		for k, v := range values {
			if again[k] != v {
				t.Fatalf("%q: %q became %q", in, v, again[k])
			}
		}
	})
}
