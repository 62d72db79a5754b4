// Package settings is the pages on which people look after what they build and
// what they allow: /account/settings/applications/ and /account/settings/activity/.
//
// The pages draw forms and hand what was typed to manage.Desk, which has all
// the rules. They never see a store or a password. Only a session opens them: a
// bearer token does not.
//
// GET changes nothing: what is revoked or deleted is confirmed on a page of its
// own, whose form does it by POST and then redirects (303). Something that is
// not there and something that is somebody else's are both a 404. A form with
// mistakes comes back with 422 and with what was typed.
//
// # Shown once
//
// A new secret is shown by the page after the redirect. It travels there in a
// cookie that only this server can read (sealed), that is bound to the session
// and to that one page, lives for five minutes, and is deleted by the page that
// shows it. No server keeps it, so it does not matter which of many answers.
//
// # Sent twice
//
// A form that creates something carries a random id. When the same session
// sends the same form again, this process answers as it did the first time and
// creates nothing. The answers are kept in memory, for a few minutes and only
// so many: that is a convenience against double clicks and no protection. What
// must not exist twice (the name of a token) is refused by the desk.
//
// # Sensitive things
//
// Making or regenerating a token, registering an application, a new client
// secret and deletion need a fresh sign-in (Config.Fresh). A person who signed
// in too long ago is sent to do it again, and comes back to the form with what
// was typed.
//
// The handler must stand behind csrf.Guard.Protect.
package settings
