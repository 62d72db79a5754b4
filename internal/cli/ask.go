package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/valetkey/valetkey/oauth"
)

// maxSecret bounds what is read as a secret.
const maxSecret = 64 << 10

// secret reads a secret: from the named file, from standard input if the name
// is "-" or there is no terminal, else by a prompt that shows nothing. With
// twice the prompt asks again, against slips.
func (e *Env) secret(prompt, file string, twice bool) (oauth.Secret, error) {
	terminal := e.terminal()
	switch {
	case file != "" && file != "-":
		text, err := os.ReadFile(file)
		if err != nil {
			return "", invalidf("%w", err)
		}
		return notEmpty(prompt, strings.TrimRight(string(text), "\r\n"))
	case file == "-" || terminal == nil:
		line, err := e.line()
		if err != nil {
			return "", err
		}
		return notEmpty(prompt, line)
	}
	first, err := e.hidden(terminal, prompt+": ")
	if err != nil || !twice {
		return first, err
	}
	second, err := e.hidden(terminal, "Once more: ")
	if err == nil && first != second {
		err = refusedf("the two are not the same")
	}
	return first, err
}

func notEmpty(what, s string) (oauth.Secret, error) {
	if s == "" {
		return "", invalidf("%s: nothing was given on standard input or in the file", strings.ToLower(what))
	}
	return oauth.Secret(s), nil
}

// terminal returns standard input if a person sits at it.
func (e *Env) terminal() *os.File {
	if f, ok := e.Stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

func (e *Env) hidden(terminal *os.File, prompt string) (oauth.Secret, error) {
	fmt.Fprint(e.Stderr, prompt)
	text, err := term.ReadPassword(int(terminal.Fd()))
	fmt.Fprintln(e.Stderr)
	if err != nil {
		return "", unavailablef("the terminal cannot be read: %w", err)
	}
	return notEmpty(strings.TrimSuffix(prompt, ": "), string(text))
}

// line reads one line of standard input.
func (e *Env) line() (string, error) {
	var b strings.Builder
	for b.Len() < maxSecret {
		c, err := e.lines.ReadByte()
		if errors.Is(err, io.EOF) || err == nil && c == '\n' {
			return strings.TrimSuffix(b.String(), "\r"), nil
		}
		if err != nil {
			return "", unavailablef("standard input cannot be read: %w", err)
		}
		b.WriteByte(c)
	}
	return "", invalidf("the line on standard input is too long")
}

// confirm asks and wants y or yes. Nothing else, and no answer at all, goes on.
func (e *Env) confirm(question string) error {
	fmt.Fprintf(e.Stderr, "%s [y/N]: ", question)
	answer, err := e.line()
	if err != nil {
		return err
	}
	if e.terminal() == nil {
		fmt.Fprintln(e.Stderr)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return refusedf("aborted; nothing was changed (--force does it without asking)")
}
