// Package admin is the pages on which an administrator looks after everybody's
// applications, tokens and activity: /admin/applications/, /admin/tokens/ and
// /admin/activity/.
//
// Like the settings pages they draw forms and hand what was typed to
// manage.Desk, which has all the rules. Only the session of an administrator
// opens them: for everybody else who is signed in they are not there (404), and
// a bearer token opens nothing. About applications an administrator has the
// operator's powers: clients that skip consent, internal scopes, ids of their
// own choice. Nobody makes a token here, since whoever gets its secret acts as
// its user.
//
// GET changes nothing. What is disabled, revoked or deleted is confirmed on a
// page of its own, whose form does it by POST and then redirects (303). A form
// with mistakes comes back with 422 and with what was typed. All forms need a
// fresh sign-in (Config.Fresh). A new client secret is shown once, by package
// shown.
//
// A list is searched by a GET form, so that its address can be passed on. It is
// paged by key: the cursor is the id of the last row, checked to be one. A value
// in the address that is none lists nothing and says so.
//
// The handler must stand behind csrf.Guard.Protect.
package admin
