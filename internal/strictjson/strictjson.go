// Package strictjson reads the JSON bodies that clients send, and accepts one
// reading of them only.
//
// encoding/json is lenient where it matters here: it matches member names in
// any case, lets the last of two members of one name win, and drops members it
// does not know. Two programs may then read one body differently, and somebody
// who misspells a member, or hopes that an extra one is taken over, is never
// told. So [Decode] wants exact names, each once, and none that the target lacks
// (RFC 8259 §4, RFC 7493 §2.3). [Members] and [Fill] are
// for documents whose specification says that unknown members are ignored.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// MaxBody is the largest body that is read, in bytes.
	MaxBody = 64 << 10
	// maxDepth is how deep objects and arrays may lie in each other.
	maxDepth = 16
)

// Error says what is wrong with a body. It holds member names and nothing else
// of what was sent.
type Error struct {
	Status  int // 400, 413 or 415
	Message string
}

func (e *Error) Error() string { return "strictjson: " + e.Message }

// HTTPStatus is Status.
func (e *Error) HTTPStatus() int { return e.Status }

// Public is Message.
func (e *Error) Public() string { return e.Message }

// Fields is empty.
func (e *Error) Fields() map[string]string { return nil }

func bad(format string, args ...any) error {
	return &Error{Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

// Request reads the body of r into v, as Decode does. The body must be declared
// as JSON, which no cross-site form can do; an empty body is an empty object.
func Request(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := Body(w, r)
	if err != nil {
		return err
	}
	return Decode(body, v)
}

// Body reads the body of r, which must be declared as JSON; one that is not there
// is an empty object. What it holds is for Decode or Members to check.
func Body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &Error{http.StatusRequestEntityTooLarge, "The body is larger than 64 KiB."}
	case err != nil:
		return nil, bad("The body could not be read.")
	case len(body) == 0 && r.Header.Get("Content-Type") == "":
		body = []byte("{}")
	default:
		mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || mediaType != "application/json" && mediaType != "application/merge-patch+json" {
			return nil, &Error{http.StatusUnsupportedMediaType, "The body must be sent as application/json."}
		}
	}
	return body, nil
}

// Decode reads one JSON object into v, a pointer to a struct whose fields all
// have a json tag. Errors are [*Error].
func Decode(data []byte, v any) error {
	names, values, err := read(data)
	if err != nil {
		return err
	}
	known := members(reflect.TypeOf(v).Elem())
	for _, name := range names {
		if !slices.Contains(known, name) {
			return bad("There is no member %s here. Known are: %s.", quote(name), strings.Join(known, ", "))
		}
	}
	return Fill(values, v)
}

// Members reads one JSON object whose members are not known beforehand, such as
// the claims of a JWT. Each may occur once, at every depth; nothing else is asked
// of the values. Errors are [*Error].
func Members(data []byte) (map[string]json.RawMessage, error) {
	_, values, err := read(data)
	return values, err
}

// Fill sets the fields of v, a pointer to a struct like Decode's, from the members
// that it knows. Errors are [*Error].
func Fill(values map[string]json.RawMessage, v any) error {
	target := reflect.ValueOf(v).Elem()
	for i, name := range members(target.Type()) {
		value, sent := values[name]
		if !sent {
			continue
		}
		field := target.Field(i)
		if json.Unmarshal(value, field.Addr().Interface()) != nil {
			return bad("The member %s must be %s.", quote(name), wanted(field.Interface()))
		}
	}
	return nil
}

// read checks that data is one object that can be read in one way only, and
// returns the names of its members in their order, and their values.
func read(data []byte) ([]string, map[string]json.RawMessage, error) {
	if !utf8.Valid(data) {
		return nil, nil, bad("The body is not UTF-8.")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	names, err := object(d)
	if err != nil {
		return nil, nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, nil, bad("There is more than one JSON object in the body.")
	}
	var values map[string]json.RawMessage
	return names, values, syntax(json.Unmarshal(data, &values))
}

// object walks over one object, which must be the whole of what is there, and
// returns its member names.
func object(d *json.Decoder) ([]string, error) {
	t, err := d.Token()
	if err != nil {
		return nil, syntax(err)
	}
	if t != json.Delim('{') {
		return nil, bad("The body must be a JSON object.")
	}
	return inside(d, 1)
}

// inside walks to the end of an object whose brace has been read.
func inside(d *json.Decoder, depth int) ([]string, error) {
	var names []string
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, syntax(err)
		}
		name, _ := t.(string)
		if slices.Contains(names, name) {
			return nil, bad("The member %s occurs twice.", quote(name))
		}
		// A bound that no honest body reaches keeps the search above short.
		if len(names) == 100 {
			return nil, bad("An object has more than 100 members.")
		}
		names = append(names, name)
		if err := value(d, depth); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return names, syntax(err)
}

// value walks over one value.
func value(d *json.Decoder, depth int) error {
	t, err := d.Token()
	if err != nil {
		return syntax(err)
	}
	if depth == maxDepth {
		return bad("The body is nested too deeply.")
	}
	switch t {
	case json.Delim('{'):
		_, err := inside(d, depth+1)
		return err
	case json.Delim('['):
		for d.More() {
			if err := value(d, depth+1); err != nil {
				return err
			}
		}
		_, err := d.Token()
		return syntax(err)
	}
	return nil
}

func syntax(err error) error {
	if err == nil {
		return nil
	}
	return bad("The body is not JSON.")
}

// members lists the names of the struct's json tags, one for each of its fields.
func members(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// quote shows a member name, cut short and without what a page could misread.
func quote(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r > 0x7e || r == '`' {
			return '?'
		}
		return r
	}, name)
	return "`" + name[:min(len(name), 60)] + "`"
}

// Field is a member that may be absent or null, which encoding/json cannot tell apart.
type Field[T any] struct {
	Set   bool // the member is there
	Null  bool // and is null
	Value T
}

// UnmarshalJSON implements [json.Unmarshaler].
func (f *Field[T]) UnmarshalJSON(data []byte) error {
	f.Set = true
	if string(data) == "null" {
		f.Null = true
		return nil
	}
	return json.Unmarshal(data, &f.Value)
}

func (f Field[T]) wanted() string { return wanted(f.Value) }

// Or returns the value, or other when the member is absent or null.
func (f Field[T]) Or(other T) T {
	if f.Set && !f.Null {
		return f.Value
	}
	return other
}

// wanted describes the type of v in the words of JSON.
func wanted(v any) string {
	if field, ok := v.(interface{ wanted() string }); ok {
		return field.wanted()
	}
	switch t := reflect.TypeOf(v); t.Kind() {
	case reflect.Pointer:
		return wanted(reflect.Zero(t.Elem()).Interface())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "a list, each item " + wanted(reflect.Zero(t.Elem()).Interface())
	case reflect.Struct:
		return "a time like 2026-12-23T23:59:00Z"
	}
	return "another type"
}
