package pages

import "time"

// Profile is what the server knows about a person, for themselves. Its fields are
// name, and the standard claims of OpenID Connect by their names (Core §5.1) with
// those of the address beside the others.
type Profile struct {
	Form     Form
	Email    string
	Verified bool
	// PreferredUsername was given by an administrator; empty: none.
	PreferredUsername string
	PhoneVerified     bool // the number that is kept, whatever the form holds
	// ConfirmEmail offers to mail a link by which the address is confirmed.
	ConfirmEmail bool
}

func (Profile) Template() string { return "accounts/profile.html" }
func (Profile) Title() string    { return "Profile" }

// Security lists a person's sessions and leads to what can be done about them.
type Security struct{ Sessions []SessionRow }

func (Security) Template() string { return "accounts/security.html" }
func (Security) Title() string    { return "Password and sessions" }

// Others reports whether the person is signed in anywhere else.
func (s Security) Others() bool { return len(s.Sessions) > 1 }

// SessionRow is a signed-in browser as people see it.
type SessionRow struct {
	ID             string
	Agent, System  string // "Firefox", "Windows"; "Other" if unknown
	Network        string // "192.0.2.0/24"; empty if unknown
	SignedIn, Seen time.Time
	Current        bool // the browser that shows the page
	Remember       bool
}

// Device says what the browser is: "Firefox on Windows".
func (s SessionRow) Device() string {
	switch {
	case s.Agent == "Other" && s.System == "Other":
		return "Unknown browser"
	case s.Agent == "Other":
		return "Unknown browser on " + s.System
	case s.System == "Other":
		return s.Agent
	}
	return s.Agent + " on " + s.System
}
