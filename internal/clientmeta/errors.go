package clientmeta

import (
	"fmt"

	"github.com/valetkey/valetkey/oauth"
)

// Error says what is wrong with one member.
type Error struct {
	Member  string // empty: the document as a whole
	Message string // a sentence that names the member
	Cause   error  // for the log only
}

func (e *Error) Error() string { return "clientmeta: " + e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Refusal is the error as a registration endpoint answers it (RFC 7591 §3.2.2).
func (e *Error) Refusal() *oauth.Error {
	code := oauth.InvalidClientMetadata
	switch e.Member {
	case "redirect_uris":
		code = oauth.InvalidRedirectURI
	case "software_statement":
		code = oauth.InvalidSoftwareStatement
	}
	return &oauth.Error{Code: code, Description: e.Message, Cause: e.Cause}
}

// bad is a refusal of a member; the format goes on after its name.
func bad(member, format string, args ...any) error {
	return &Error{Member: member, Message: "The member " + member + " " + fmt.Sprintf(format, args...)}
}
