// Package requestobject reads authorization requests that a client signed (RFC
// 9101, OpenID Connect Core §6): the parameters are the claims of a JWT, sent as
// request, or fetched from where request_uri points.
//
// Only objects signed by the client's own registered keys count. "none" is never an
// algorithm, and encrypted objects are refused: what an encrypted text turns out to
// hold would have to pass the same checks, and one server after another has
// forgotten some of them.
//
// # Which parameters count
//
// Those inside the object, and none outside, even if inside they are absent (RFC
// 9101 §6.3): whoever can alter the URL in a browser could otherwise add to what
// the client signed. OpenID Connect Core §6.1 is older, and assembles a request
// from both sides, the inside winning. Nobody can obey both. A client of Core
// that repeats inside what it sends outside, as its libraries do, notices no
// difference; one that signs only a part of its request is refused for what is
// missing, which is safe, and is told so. That is why client_id must be inside,
// which Core leaves free. What is outside must not contradict it, which the
// authorization endpoint sees to.
//
// An object inside an object is refused.
//
// # By reference
//
// A request_uri must be one that the client registered, and is fetched by
// internal/fetch. The fragment may differ from the registered one: Core §6.2 makes it
// a hash by which a server that keeps objects learns that they changed. We keep
// none, and the signature already says whose object it is, so the fragment proves
// nothing that matters; and clients do send hashes of something else, because they
// registered the URI before there was an object.
//
// A request_uri that this server made for a pushed request (RFC 9126) is not for
// this package.
package requestobject
