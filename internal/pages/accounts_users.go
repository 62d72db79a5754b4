package pages

import "time"

// Users lists the accounts for an administrator.
type Users struct {
	Users []UserRow
	Text  string // what was searched for
	// Newest and Older are links to other parts of the list; empty: none.
	Newest, Older string
}

func (Users) Template() string { return "accounts/users.html" }
func (Users) Title() string    { return "Users" }

// UserRow is one account as an administrator sees it.
type UserRow struct {
	Subject, Email, Name string
	EmailVerified        bool
	Admin, Disabled      bool
	CreatedAt            time.Time
	LastSignIn           time.Time // zero: never
	URL                  string
}

// CreateUser asks for the facts of a new account. Its fields are email, name,
// password and admin.
type CreateUser struct {
	Form Form
	Min  int  // characters of the password
	Mail bool // without a password, a link to choose one can be mailed
}

func (CreateUser) Template() string { return "accounts/create_user.html" }
func (CreateUser) Title() string    { return "Create a user" }

// UserDetails is one account with what an administrator may do about it.
type UserDetails struct {
	User     UserRow
	Sessions []SessionRow
	Actions  []UserAction
	Self     bool // the administrator's own account
}

func (UserDetails) Template() string { return "accounts/user.html" }
func (UserDetails) Title() string    { return "User" }

// UserAction leads to the page that asks whether it shall be done.
type UserAction struct {
	Label, URL string
	Danger     bool
}
