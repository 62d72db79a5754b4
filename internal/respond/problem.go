package respond

import (
	"errors"
	"net/http"

	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
)

// telling is an error that knows its HTTP status and what may be told of it:
// the errors of the management desk. Fields holds a sentence for each input
// field at fault, or nothing.
type telling interface {
	HTTPStatus() int
	Public() string
	Fields() map[string]string
}

type problemBody struct {
	Type      string            `json:"type"` // "about:blank": the status says what kind it is (RFC 9457 §4.2.1)
	Title     string            `json:"title"`
	Status    int               `json:"status"`
	Detail    string            `json:"detail,omitempty"`
	Errors    map[string]string `json:"errors,omitempty"` // by input field
	RequestID string            `json:"request_id,omitempty"`
}

// Problem answers with the error as application/problem+json (RFC 9457).
func Problem(w http.ResponseWriter, r *http.Request, err error) {
	p := problemBody{Type: "about:blank", RequestID: peer.From(r.Context()).RequestID}
	var t telling
	if errors.As(err, &t) {
		p.Status, p.Detail, p.Errors = t.HTTPStatus(), t.Public(), t.Fields()
	} else {
		refusal := Refusal(r, err)
		p.Status, p.Detail = Status(refusal.Code), Description(refusal)
		if refusal.Code == oauth.ServerError {
			p.Detail = ""
		}
		RetryLater(w, p.Status)
	}
	p.Title = http.StatusText(p.Status)
	write(w, p.Status, "application/problem+json", p)
}
