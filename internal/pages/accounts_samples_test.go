package pages_test

import (
	"net/url"
	"time"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/oauth"
)

var failedForm = pages.Form{
	Values: url.Values{"username": {"maria@example.org"}, "email": {"maria@example"}, "name": {"<b>Maria</b>"}, "remember": {"yes"}, "admin": {"yes"}},
	Errors: []pages.FieldError{{Field: "email", Message: "Enter an e-mail address like maria@example.org."}, {Message: "This did not work."}},
}

// refusedForm is wrong as a whole, for pages without a field for the address.
var refusedForm = pages.Form{Values: failedForm.Values, Errors: failedForm.Errors[1:]}

// profileForm was filled in by somebody who wants to break the page.
var profileForm = pages.Form{
	Values: url.Values{"name": {"<b>Maria</b>"}, "given_name": {"Maria"}, "website": {"javascript:alert(1)"}, "birthdate": {"31.12.1990"},
		"street_address": {"1 Main Street\n</textarea><script>"}, "phone_number": {"+33123456789"}, "country": {"\" onfocus=\"x"}},
	Errors: []pages.FieldError{{Field: "website", Message: "Enter a web address that starts with https:// or http://."}, {Field: "birthdate", Message: "Enter the date as YYYY-MM-DD."}},
}

var sessionRows = []pages.SessionRow{
	{ID: "s1", Agent: "Firefox", System: "Windows", Network: "192.0.2.0/24", SignedIn: now.Add(-time.Hour), Seen: now, Current: true, Remember: true},
	{ID: "s2", Agent: "Other", System: "Other", SignedIn: now.Add(-48 * time.Hour), Seen: now.Add(-3 * time.Hour)},
}

var (
	settingsShell = pages.Shell{User: maria, Session: session, Active: "settings.security", Status: "You are signed out there."}
	adminShell    = pages.Shell{User: admin, Session: session, Active: "admin.users"}
)

// accountsSamples are the pages of the accounts room.
var accountsSamples = []sample{
	{"login", pages.Shell{Status: "You are signed out."}, pages.Login{Action: "/login/", LostPassword: true, Signup: true}},
	{"login_again", pages.Shell{User: maria, Session: session}, pages.Login{Form: refusedForm, Action: "/login/?next=%2F&reason=reauthenticate",
		Application: "Uploader <1>", Reason: oauth.LoginAgain}},
	{"login_other", pages.Shell{User: maria, Session: session}, pages.Login{Action: "/login/", Reason: oauth.LoginOther}},
	{"logout", pages.Shell{User: maria, Session: session}, pages.Logout{}},
	{"logout_empty", pages.Shell{}, pages.Logout{}},
	{"confirm", settingsShell, pages.Confirm{Heading: "Sign out everywhere else", Text: "Every other browser will be signed out.", Button: "Sign out", Danger: true,
		Action: "/account/settings/sessions/revoke", Cancel: "/account/settings/security/", Hidden: map[string]string{"others": "yes"}}},
	{"confirm_empty", pages.Shell{}, pages.Confirm{Heading: "Confirm", Button: "Confirm", Action: "/"}},
	{"change_password", settingsShell, pages.ChangePassword{Form: refusedForm, Email: "maria@example.org", Min: 8, LostPassword: true}},
	{"change_password_empty", settingsShell, pages.ChangePassword{}},
	{"lost_password", pages.Shell{}, pages.LostPassword{Form: failedForm}},
	{"lost_password_empty", pages.Shell{}, pages.LostPassword{}},
	{"new_password", pages.Shell{}, pages.NewPassword{Form: failedForm, Heading: "Set up Example Repository", Lede: "You will be its first administrator.",
		Action: "/setup/x/", AskMail: true, AskName: true, Button: "Create the account", Min: 8}},
	{"new_password_empty", pages.Shell{}, pages.NewPassword{Heading: "Choose a new password", Action: "/reset-password/x/", Email: "maria@example.org", Button: "Save", Min: 8}},
	{"signup", pages.Shell{}, pages.Signup{Form: failedForm}},
	{"signup_empty", pages.Shell{}, pages.Signup{}},
	{"profile", settingsShell, pages.Profile{Form: profileForm, Email: "maria@example.org", ConfirmEmail: true, PreferredUsername: "<i>maria</i>", PhoneVerified: true}},
	{"profile_empty", settingsShell, pages.Profile{Email: "maria@example.org", Verified: true}},
	{"security", settingsShell, pages.Security{Sessions: sessionRows}},
	{"security_empty", settingsShell, pages.Security{}},
	{"users", adminShell, pages.Users{Text: `"><script>`, Newest: "/admin/users/?q=x", Older: "/admin/users/?after=u2", Users: []pages.UserRow{
		{Subject: "u1", Email: "maria@example.org", Name: "<i>Maria</i>", CreatedAt: now.Add(-time.Hour), URL: "/admin/users/u1/", Disabled: true},
		{Subject: "u2", Email: "ada@example.org", CreatedAt: now, LastSignIn: now, URL: "/admin/users/u2/", Admin: true}}}},
	{"users_empty", adminShell, pages.Users{}},
	{"create_user", adminShell, pages.CreateUser{Form: failedForm, Min: 8, Mail: true}},
	{"create_user_empty", adminShell, pages.CreateUser{}},
	{"user", adminShell, pages.UserDetails{User: pages.UserRow{Subject: "u1", Email: "maria@example.org", Name: "Maria", EmailVerified: true, Admin: true, Disabled: true,
		CreatedAt: now, LastSignIn: now}, Sessions: sessionRows, Actions: []pages.UserAction{{Label: "Delete", URL: "/admin/users/u1/delete/", Danger: true}}}},
	{"user_empty", adminShell, pages.UserDetails{User: pages.UserRow{Subject: "u2", Email: "ada@example.org", CreatedAt: now}, Self: true}},
}
