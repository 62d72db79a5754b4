package settings

import (
	"crypto/rand"
	"errors"
	"net/url"
	"strings"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/manage"
)

// pick keeps the named fields, so that a form hands on nothing it did not ask for.
func pick(values url.Values, names ...string) url.Values {
	out := url.Values{}
	for _, n := range names {
		if v, ok := values[n]; ok {
			out[n] = v
		}
	}
	return out
}

// formIDField is the hidden field of [pages.Form.ID].
const formIDField = "form_id"

// blank is a form that has not been sent yet.
func blank(values url.Values) pages.Form { return pages.Form{ID: rand.Text(), Values: values} }

// rejected turns what the desk says about an input into a form with mistakes.
// It returns false if the error is about something else.
func rejected(values url.Values, err error) (pages.Form, bool) {
	f := blank(values)
	var invalid *manage.Invalid
	if !errors.As(err, &invalid) {
		return f, false
	}
	for _, e := range invalid.Errors {
		f.Add(e.Field, e.Message)
	}
	return f, true
}

// list splits values at commas and spaces, for links that prefill a form.
func list(values []string) []string {
	return strings.FieldsFunc(strings.Join(values, " "), func(r rune) bool { return r == ',' || r == ' ' })
}
