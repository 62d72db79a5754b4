// Package authorize is the authorization endpoint (RFC 6749 §3.1), the consent
// page behind it, and the page that explains errors.
//
// A request goes through these stages, and each decides how a refusal is told:
//
//  1. Who asks, and where would the answer go? (request.go) A client or redirect
//     URI that is not right is told to the person on a page and never
//     redirected (RFC 6749 §4.1.2.1). The parameters may be carried by a request
//     object or a pushed request (carried.go); then nothing beside them counts.
//  2. Who is at the keyboard? (signin.go) Unless prompt=none, somebody signs in
//     before anything else happens, so that nobody is bounced to a client by a
//     mere link (RFC 9700 §4.11.2).
//  3. Is the rest of the request right? (params.go, responsetype.go, openid.go)
//     Refusals go back to the client with state and iss (RFC 9207).
//  4. Is it the right person, signed in recently and well enough? (signin.go,
//     openid.go) If not, they sign in once more, and if that has not helped the
//     client is told.
//  5. Must the person be asked? (remember.go, consent.go) If so, the request is
//     kept by the server, bound to session and person, and a page is drawn; the
//     form that answers it carries nothing but the request's id and a yes or no.
//  6. The answer (issue.go): a code, an access token, an ID token, or several of
//     them. Rows are written in one transaction; what must be signed is signed
//     after it. It goes to the client in the query, in the fragment, or by a form
//     (redirect.go).
//
// [Room.Check] takes a pushed request through what of this needs no person.
//
// GET and HEAD never change anything a person would have to agree to. POST is
// the same request as a form and is turned into GET by a redirect.
//
// # Why redirects have no fragment of their own
//
// A browser hands the fragment of the URL it was on to the next one if that has
// none, so some servers append "#_" to every answer. This one does not: the
// answer to a client must hold nothing unexpected (FAPI 2.0, OpenID conformance
// suite), and a token in a fragment is never issued to a client that was not
// registered for the implicit grant.
//
// # What comes back from signing in
//
// The way back from a sign-in is the request as it came, with a sealed note of
// when the person came with it first. It says that prompt and max_age have been
// asked for, and keeps a pushed or signed request from running out while somebody
// looks for a password: what counts is that it was valid then.
package authorize
