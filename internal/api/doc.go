// Package api is the JSON API under /api/v1/: what the settings pages do, for
// programs. It holds no rules; package manage does.
//
// # Who may call it
//
// The signed-in user, by session with the proof against cross-site requests, or
// a bearer token that has the scope of the operation (see [Scopes]). Whoever
// calls sees and changes what is theirs, administrators too: what belongs to
// others is on the admin pages. A token never makes more than it is: see the
// comment of package manage. With a session, what hands out a secret needs a
// recent sign-in (Config.Recent), as on the pages; a token needs none, because
// it is itself a proof that was given out after one, and cannot exceed itself.
//
// # How it speaks
//
// Bodies are JSON objects of exactly the documented members; unknown, misspelt
// and doubled ones are refused, not dropped. A PATCH changes the members it
// names; null is as good as absent, except where the document gives it a
// meaning. Errors are problem details (RFC 9457), with a sentence for
// each field at fault under "errors". Lists come newest first in an "items"
// array; while there is more, a Link header with rel="next" leads on (RFC 8288).
// What is not the caller's is answered 404, like what does not exist.
//
// The whole is described by openapi.yaml, written by hand, embedded and served;
// a test holds every answer against it.
package api
