package pages

// Development is the front page of "valetkey dev": what to open and what to paste.
type Development struct {
	URL      string // of the server, without a slash at the end
	Users    []string
	Password string // the one all demo users have
	Commands []string
}

func (Development) Template() string { return "development.html" }
func (Development) Title() string    { return "This is a development server" }
