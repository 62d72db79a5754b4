package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Exit codes; see the package comment.
const (
	exitOK          = 0
	exitUsage       = 2
	exitNotFound    = 3
	exitRefused     = 4
	exitUnavailable = 5
	exitProblem     = 6
)

// usageError: the command line is wrong.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// failure is an error with an exit code of its own.
type failure struct {
	code int
	err  error
}

func (e *failure) Error() string { return e.err.Error() }
func (e *failure) Unwrap() error { return e.err }

func invalidf(format string, args ...any) error {
	return &failure{exitUsage, fmt.Errorf(format, args...)}
}

func notFoundf(format string, args ...any) error {
	return &failure{exitNotFound, fmt.Errorf(format, args...)}
}

func refusedf(format string, args ...any) error {
	return &failure{exitRefused, fmt.Errorf(format, args...)}
}

func unavailablef(format string, args ...any) error {
	return &failure{exitUnavailable, fmt.Errorf(format, args...)}
}

// errHelp: a group of commands was called without one of them. Its help is the
// message.
var errHelp = &failure{exitUsage, errors.New("name one of the commands above")}

func exitCode(err error) int {
	var (
		own     *failure
		usage   *usageError
		mistake *config.Error
		bad     *manage.Invalid
		refused *manage.Refused
		person  *accounts.Invalid
	)
	switch {
	case errors.As(err, &own):
		return own.code
	case errors.As(err, &usage), errors.As(err, &mistake):
		return exitUsage
	case errors.Is(err, manage.ErrNotFound), errors.Is(err, accounts.ErrNotFound),
		errors.Is(err, store.ErrNotFound), errors.Is(err, oauth.ErrUserNotFound):
		return exitNotFound
	case errors.As(err, &bad), errors.As(err, &refused), errors.As(err, &person), errors.Is(err, accounts.ErrExists):
		return exitRefused
	}
	return exitUnavailable
}

// sentence is what to tell the person at the terminal.
func sentence(err error) string {
	var (
		own     *failure
		bad     *manage.Invalid
		refused *manage.Refused
		person  *accounts.Invalid
		many    interface{ Unwrap() []error }
	)
	switch {
	case errors.As(err, &own):
		return own.Error()
	case errors.As(err, &bad):
		var lines []string
		for _, e := range bad.Errors {
			lines = append(lines, strings.ReplaceAll(e.Field, "_", " ")+": "+e.Message)
		}
		return strings.Join(lines, "\n  ")
	case errors.As(err, &refused):
		return refused.Reason
	case errors.As(err, &many) && errors.As(err, &person):
		return strings.ReplaceAll(err.Error(), "\n", "\n  ")
	case errors.As(err, &person):
		return person.Message
	case errors.Is(err, manage.ErrNotFound):
		return "there is no such thing"
	}
	return err.Error()
}
