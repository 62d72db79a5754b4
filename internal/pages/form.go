package pages

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Form is what a person typed and what is wrong with it. The zero Form is empty.
type Form struct {
	// ID is a random text in the hidden field form_id. A form that is sent twice
	// is recognised by it. Empty: no such field.
	ID string
	// Values is kept so that nothing needs to be typed twice. Passwords and other
	// secrets do not belong here.
	Values url.Values
	// Errors in the order of the fields on the page.
	Errors []FieldError
}

// FieldError says what is wrong with one field, and how to put it right.
type FieldError struct {
	Field   string // name of the input; empty: the form as a whole
	Message string // one sentence
}

// Add notes that a field is wrong.
func (f *Form) Add(field, message string) {
	f.Errors = append(f.Errors, FieldError{Field: field, Message: message})
}

// Failed reports whether anything is wrong.
func (f Form) Failed() bool { return len(f.Errors) > 0 }

// Value returns the first value of the named field.
func (f Form) Value(name string) string { return f.Values.Get(name) }

// Has reports whether the value was chosen for the named field.
func (f Form) Has(name, value string) bool { return slices.Contains(f.Values[name], value) }

// Error returns what is wrong with the named field, or "".
func (f Form) Error(name string) string {
	var all []string
	for _, e := range f.Errors {
		if e.Field == name {
			all = append(all, e.Message)
		}
	}
	return strings.Join(all, " ")
}

// Field is one labelled input as the partial "field" draws it.
type Field struct {
	Name, Label, Hint, Value, Error string
	// Type is that of the input element, or "textarea". Empty: text.
	Type         string
	Autocomplete string
	InputMode    string
	Placeholder  string
	Required     bool
	Conditional  bool // whether it is required depends on other fields
	Readonly     bool
	Autofocus    bool
	Code         bool // what is typed is for machines: monospaced, not spell-checked
	MaxLength    int
	Rows         int // of a textarea
	Min, Max     string
}

// DescribedBy lists the ids of what explains the input, for aria-describedby.
func (f Field) DescribedBy() string {
	var ids []string
	if f.Hint != "" {
		ids = append(ids, f.Name+"-hint")
	}
	if f.Error != "" {
		ids = append(ids, f.Name+"-error")
	}
	return strings.Join(ids, " ")
}

// Field describes an input of the form by pairs of a word and a value:
//
//	label hint type value autocomplete inputmode placeholder min max (strings)
//	required conditional readonly autofocus code (booleans)   maxlength rows (integers)
//
// The input's id is its name. What was typed comes from the form unless value
// is given. An unknown word is an error.
func (f Form) Field(name string, pairs ...any) (Field, error) {
	out := Field{Name: name, Value: f.Value(name), Error: f.Error(name), Type: "text"}
	texts := map[string]*string{"label": &out.Label, "hint": &out.Hint, "type": &out.Type, "value": &out.Value,
		"autocomplete": &out.Autocomplete, "inputmode": &out.InputMode, "placeholder": &out.Placeholder, "min": &out.Min, "max": &out.Max}
	flags := map[string]*bool{"required": &out.Required, "conditional": &out.Conditional, "readonly": &out.Readonly, "autofocus": &out.Autofocus, "code": &out.Code}
	numbers := map[string]*int{"maxlength": &out.MaxLength, "rows": &out.Rows}
	if len(pairs)%2 != 0 {
		return out, fmt.Errorf("field %q: a word has no value", name)
	}
	for i := 0; i < len(pairs); i += 2 {
		word, _ := pairs[i].(string)
		ok := false
		switch v := pairs[i+1].(type) {
		case string:
			ok = set(texts, word, v)
		case bool:
			ok = set(flags, word, v)
		case int:
			ok = set(numbers, word, v)
		}
		if !ok {
			return out, fmt.Errorf("field %q: there is no word %v with a value like %v", name, pairs[i], pairs[i+1])
		}
	}
	return out, nil
}

func set[T any](into map[string]*T, word string, v T) bool {
	p, ok := into[word]
	if ok {
		*p = v
	}
	return ok
}
