package form

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// ErrPage: the form of a page cannot be read. A body that is too large is a
// *http.MaxBytesError as well.
var ErrPage = errors.New("form: the form cannot be read")

// Page reads the form that a page of ours sent: its body only, never the query,
// and at most MaxBytes of it. A field may repeat, as check boxes do.
func Page(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, MaxBytes)
	if err := r.ParseForm(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPage, err)
	}
	return r.PostForm, nil
}

// ReturnTo is where a browser comes back to after signing in: the page it looked
// at, or the page whose form it sent.
func ReturnTo(r *http.Request) string {
	if r.Method == http.MethodPost {
		return r.URL.EscapedPath()
	}
	return r.URL.RequestURI()
}
