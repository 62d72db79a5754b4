package pages

import (
	"cmp"
	"net/http"
	"time"
)

// ErrorPage says that a page cannot be had.
type ErrorPage struct {
	Status int // an HTTP status of 400 or more
	// Message is one sentence for the person; empty: the usual one for the status.
	Message string
	// RequestID is how the operator finds the request in the log. Empty: not shown.
	RequestID string
}

func (ErrorPage) Template() string { return "error.html" }

var errorTitles = map[int][2]string{
	http.StatusBadRequest:            {"That did not work", "The request was not complete. Go back and try again."},
	http.StatusForbidden:             {"You may not do that", "You are not allowed to see or change this."},
	http.StatusNotFound:              {"There is no such page", "It may have been deleted, or the address is not quite right."},
	http.StatusMethodNotAllowed:      {"That cannot be done here", "This page does not answer that kind of request."},
	http.StatusConflict:              {"That has changed meanwhile", "Somebody was faster. Go back, look again and decide anew."},
	http.StatusGone:                  {"This is no longer here", "The link was used before, or its time is over."},
	http.StatusRequestEntityTooLarge: {"That is too much", "The form holds more than the server accepts."},
	http.StatusTooManyRequests:       {"Please wait a moment", "There were too many attempts. Try again in a little while."},
	http.StatusServiceUnavailable:    {"Please try again in a moment", "The server is busy or being looked after."},
}

var errorFallback = [2]string{"Something went wrong", "It was our fault, not yours. Nothing was changed. Please try again."}

func (e ErrorPage) texts() [2]string {
	if t, ok := errorTitles[e.Status]; ok {
		return t
	}
	if e.Status < 500 {
		return errorTitles[http.StatusBadRequest]
	}
	return errorFallback
}

func (e ErrorPage) Title() string { return e.texts()[0] }

// Sentence is what the page says below its title.
func (e ErrorPage) Sentence() string { return cmp.Or(e.Message, e.texts()[1]) }

// AuthorizationError tells a person that an application asked for access in a
// way that cannot be answered, and tells its developer why.
type AuthorizationError struct {
	// Client is the application's name; empty when it is not known.
	Client string
	// User is what to say to the person; empty: "… You did nothing wrong. …"
	User string
	// Code is the OAuth error code: "invalid_request".
	Code string
	// Parameter names the request parameter at fault, Got what it held. Only what
	// the request itself carried may stand here.
	Parameter, Got string
	// Problem says what is wrong, Fix how to put it right, Spec where it is written.
	Problem, Fix, Spec string
	RequestID          string
	At                 time.Time // zero: not shown
}

func (AuthorizationError) Template() string { return "authorization_error.html" }
func (AuthorizationError) Title() string    { return "This request for access is not valid" }
