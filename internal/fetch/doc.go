// Package fetch is the only code that asks other servers for something because a
// client's registration names them: keys (jwks_uri), request objects
// (request_uri), sector identifiers, client metadata documents, and the delivery
// of logout tokens.
//
// Whoever registers a client chooses these URLs, so they are an attacker's way
// into the network the server stands in (server-side request forgery). Each is
// held to this, in this order:
//
//   - https. Plain http only for a host that the operator allows by its name
//   - no user information, no port that speaks something else than HTTP, and a
//     host that every reader takes for the same: a domain name, or an address in
//     its plain form
//   - the host is resolved once. All of its addresses must be public; one that is
//     not refuses them all, because the next question might be answered by that one
//   - exactly a checked address is dialled, so nothing is resolved a second time
//   - no redirect is followed, no proxy of the environment asked, no cookie kept,
//     nothing decompressed
//   - five seconds for all of it, and 64 KiB of body unless the caller wants another bound
//
// The operator may allow host names and networks that are not public. An allowed
// name may resolve to whatever it likes; an allowed network may be reached under
// any name.
//
// An [*Error] says in a clause what went wrong, for whoever registered the URL. It
// holds nothing that the other server answered, nor which address was refused,
// so that nobody can read the inner network off our errors.
package fetch
