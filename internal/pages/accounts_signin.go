package pages

import "github.com/valetkey/valetkey/oauth"

// Login asks for an e-mail address and a password. Its fields are username,
// password and remember.
type Login struct {
	Form Form
	// Action is where the form goes: the page itself, with its query.
	Action string
	// Application is the name of the application that waits; empty: none.
	Application string
	Reason      oauth.LoginReason
	// LostPassword and Signup offer the pages for those without a password or an account.
	LostPassword, Signup bool
}

func (Login) Template() string { return "accounts/login.html" }

func (l Login) Title() string {
	if l.Reason == oauth.LoginAgain {
		return "Please confirm it’s you"
	}
	return "Sign in"
}

// Logout asks whether to sign out of this browser.
type Logout struct{}

func (Logout) Template() string { return "accounts/logout.html" }
func (Logout) Title() string    { return "Sign out" }

// Confirm asks whether something that cannot be undone shall be done. Its form
// has no fields but the ones in Hidden.
type Confirm struct {
	Heading string
	// Text is what will happen, in one or two sentences.
	Text   string
	Button string // a verb: "Sign out everywhere else"
	Danger bool   // the button warns
	Action string // where the form goes
	Cancel string // where "Cancel" leads
	Hidden map[string]string
}

func (Confirm) Template() string { return "accounts/confirm.html" }
func (c Confirm) Title() string  { return c.Heading }
