// Package accounts is the bundled door: people, their passwords and their
// signed-in browsers, with the pages for all of it. It answers the two questions
// that Valetkey asks its host, as an [oauth.Authenticator] and an
// [oauth.UserSource]. A host with a login of its own does not need it.
//
//	door, err := accounts.New(accounts.Config{Issuer: "https://id.example.org", Store: sqlaccounts.New(st)})
//	for _, pattern := range door.Patterns() {
//		mux.Handle(pattern, door)
//	}
//
// # What is kept
//
// An [Account] is a person. Its id is the subject in every token and never
// changes; its e-mail address is what the person signs in with. A [Session] is a
// signed-in browser: a row that holds the hash of a cookie's value. A [Device] is
// a browser in which somebody signed in before; it earns its owner a budget of
// attempts of their own and binds sessions to the browser, and it is no
// credential. A [Link] is a one-time link. Everything is behind [Store]; package
// sqlaccounts keeps it in SQL.
//
// # Claims
//
// An account holds every standard claim of OpenID Connect (Core §5.1), and the
// profile page lets the person edit them. Two are not theirs to say: whether a
// phone number is verified, which ends when they change it, and
// preferred_username. The latter is a matter of taste by the specification
// (Core §5.7), yet many applications tell people apart by it, and would take
// whoever chose the name of another for the other. [Accounts.SetProfile] sets
// both. Time zones are checked against the names of the IANA database, which this
// package brings along.
//
// # Signing in
//
// [Accounts.signIn] is the one way to a session: count the attempt, verify the
// password, and in one transaction make the new session and delete the old one.
// Attempts are counted before a password is looked at, so guesses sent at once
// do not slip past ([Limit]). Nobody is ever locked out: strangers wait longer
// and longer, up to a minute, and a browser that signed in before does not wait
// for strangers.
//
// # Passwords
//
// Argon2id in PHC strings. Hashes of passlib (pbkdf2_sha512) and bcrypt are
// accepted and replaced at the first sign-in. An unknown address costs the same
// work as a known one, and gets the same answer.
//
// # Sessions
//
// A session ends after [Config.Idle] without a request and at latest after
// [Config.Absolute]; that of a person who asked to be remembered ends after
// [Config.Remember] and not before. Every session ends at once when the account
// is disabled or deleted or its password changes.
// Clients know a session by its SID, which stays when the same person signs in
// anew in the same browser; [Config.SessionEnded] hears when it is over, unless it
// expired.
// [Binding] says how tightly it is tied to the machine and the browser it was
// made in.
package accounts
