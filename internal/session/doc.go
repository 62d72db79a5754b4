// Package session knows what clients are told of a browser's session.
//
// They are told its name, the sid (OpenID Connect Front-Channel Logout §3,
// Back-Channel Logout §2.1): [SID]. Whoever issues something by which a client
// signs a person in calls [Note], so that the client hears when the session ends.
//
// And they may watch it (OpenID Connect Session Management): every authorization
// response of OpenID Connect carries a session_state, which a frame of ours on the
// client's page compares with a cookie, without asking the network. [States] makes
// both. The cookie is readable by scripts and goes along into frames of other
// sites, because that is its whole purpose (§3.2). It is a keyed hash of the
// session's name: it opens nothing, and nothing is ever decided by it.
//
// # What watching cannot do
//
// A session that expires changes no cookie, so a watching client sees no change
// then. Browsers that keep cookies from frames of other sites show ours none; the
// frame then answers "error", which tells the client not to ask again (§4.1),
// rather than "changed", which would sign the person out of it. On plain http,
// which the server takes on loopback only, a cookie cannot be marked for such
// frames (SameSite=None demands Secure), so watching works only among pages of
// the same host.
package session
