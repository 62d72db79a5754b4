// Package logout ends sessions and tells clients so.
//
// # At a client's wish
//
// [Room.EndSession] is the end_session_endpoint (OpenID Connect RP-Initiated
// Logout 1.0). A request goes through these stages:
//
//  1. What does it ask? (request.go) The id_token_hint must be a token that we
//     signed, expired or not; the client is the one it was made for, or the one
//     that client_id names, and both when both are there; the
//     post_logout_redirect_uri must be one of that client's, character by
//     character. If anything of that is wrong nobody is sent anywhere: the person
//     is told, and may sign out all the same.
//  2. Is it certain that the person wants it? Only a hint that belongs to this
//     very session says so (§2). Otherwise a page asks, whose form other sites
//     cannot send. When nobody is signed in there is nothing to ask.
//  3. The end (end.go): written down in the store, then carried out by the host,
//     which knows cookies and rows (Config.Logout); and clients are told.
//  4. On to the client, with state as it came and nothing else, or a page that
//     says so.
//
// GET ends a session only with such a hint. POST is the same request as a form,
// and comes without cookies if another site sends it, so it is turned into GET by
// a redirect.
//
// # Telling clients
//
// Clients that a session signed somebody in to are rows in the store
// ([session.Note] makes them). However a session ends, store.EndSession turns
// them into notices, if need be in the transaction that ended it, so that none
// is lost when the process dies. A [Deliverer] sends each to its client: a logout
// token by POST (OpenID Connect Back-Channel Logout 1.0), at once, and again after
// ten seconds and then ever longer waits for a day. A notice is claimed by moving
// its next attempt forward before it is sent, so two nodes rarely send the same
// one; when they do, the client ends a session that has ended.
//
// The logout endpoint waits up to two seconds for the first attempts, so that a
// client that looks at once finds its session gone. All other ways to end a
// session rely on [Deliverer.Run].
//
// Clients that want to be told by the browser (OpenID Connect Front-Channel
// Logout 1.0) are told only where there is one: by frames in the page that follows
// a request to the logout endpoint.
//
// # Watching
//
// [Room.CheckSession] is the frame of OpenID Connect Session Management 1.0; what
// it compares is made in package session.
package logout
