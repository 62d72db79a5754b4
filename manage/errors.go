package manage

import (
	"net/http"
	"strings"
)

// ErrNotFound: there is no such thing, or it is not the actor's. The two are
// never told apart.
var ErrNotFound error = notFound{}

type notFound struct{}

func (notFound) Error() string             { return "manage: not found" }
func (notFound) HTTPStatus() int           { return http.StatusNotFound }
func (notFound) Public() string            { return "There is no such thing, or it is not yours." }
func (notFound) Fields() map[string]string { return nil }

// FieldError is one sentence about one field of an input. Field is the name
// the API uses, "redirect_uris"; a form names its inputs alike.
type FieldError struct{ Field, Message string }

// Invalid says what is wrong with an input, in the order of its fields. Nothing
// was changed.
type Invalid struct{ Errors []FieldError }

func (e *Invalid) Error() string {
	all := make([]string, len(e.Errors))
	for i, f := range e.Errors {
		all[i] = f.Field + ": " + f.Message
	}
	return "manage: invalid input: " + strings.Join(all, "; ")
}

// HTTPStatus is 422.
func (e *Invalid) HTTPStatus() int { return http.StatusUnprocessableEntity }

// Public is a sentence for whoever sent the input.
func (e *Invalid) Public() string { return "Some of the values cannot be accepted." }

// Fields returns the sentences by field; several about one field are joined by a space.
func (e *Invalid) Fields() map[string]string {
	m := make(map[string]string, len(e.Errors))
	for _, f := range e.Errors {
		m[f.Field] = strings.TrimPrefix(m[f.Field]+" "+f.Message, " ")
	}
	return m
}

// add notes a sentence about a field.
func (e *Invalid) add(field, message string) {
	e.Errors = append(e.Errors, FieldError{field, message})
}

// err is nil while nothing was noted.
func (e *Invalid) err() error {
	if len(e.Errors) == 0 {
		return nil
	}
	return e
}

func invalid(field, message string) error {
	return &Invalid{Errors: []FieldError{{field, message}}}
}

// Refused says that the actor may not do this, whatever the input. Nothing was changed.
type Refused struct{ Reason string }

func (e *Refused) Error() string { return "manage: refused: " + e.Reason }

// HTTPStatus is 403.
func (e *Refused) HTTPStatus() int { return http.StatusForbidden }

// Public is the reason.
func (e *Refused) Public() string { return e.Reason }

// Fields is empty.
func (e *Refused) Fields() map[string]string { return nil }
