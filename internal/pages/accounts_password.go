package pages

// ChangePassword asks for the current password and a new one. Its fields are
// current_password and password.
type ChangePassword struct {
	Form  Form
	Email string // for password managers
	Min   int    // characters of the new password
	// LostPassword offers the page for those who do not know the current one.
	LostPassword bool
}

func (ChangePassword) Template() string { return "accounts/change_password.html" }
func (ChangePassword) Title() string    { return "Change your password" }

// LostPassword asks where to send a link to. Its field is email.
type LostPassword struct{ Form Form }

func (LostPassword) Template() string { return "accounts/lost_password.html" }
func (LostPassword) Title() string    { return "Forgot your password?" }

// NewPassword is behind a link: it asks for a password and, when an account is
// made by it, for a name. Its fields are name and password.
type NewPassword struct {
	Form    Form
	Heading string
	// Lede says what comes of it.
	Lede    string
	Action  string
	Email   string // whose password it is; empty when the form asks for it
	AskMail bool   // ask for the e-mail address too
	AskName bool
	Button  string
	Min     int // characters of the password
}

func (NewPassword) Template() string { return "accounts/new_password.html" }
func (p NewPassword) Title() string  { return p.Heading }

// Signup asks for an address to send a link to that makes an account. Its
// fields are email and name.
type Signup struct{ Form Form }

func (Signup) Template() string { return "accounts/signup.html" }
func (Signup) Title() string    { return "Create an account" }
