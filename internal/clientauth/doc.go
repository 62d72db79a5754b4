// Package clientauth finds out which client sent a request, and makes it prove
// that (RFC 6749 §2.3). The token, revocation and introspection endpoints share
// one [Authenticator].
//
// A method is a file: basic.go (client_secret_basic), post.go
// (client_secret_post), secretjwt.go (client_secret_jwt), privatekeyjwt.go
// (private_key_jwt), none.go (public clients). A request uses exactly one of them,
// and it must be the one the client is registered for. The two that sign share
// assertion.go, which holds a signed assertion to RFC 7523 §3 and uses up its jti.
//
// What a stranger can learn is that authentication failed, not why: an unknown
// client costs the same look-ups and comparisons as a known one, and the answer
// is the same sentence. Only who holds the right secret is told that it came by
// the wrong method.
//
// Wrong secrets and assertions are recorded in the audit trail and counted by client and
// network; over the limit that client is asked to slow down in that network and
// nowhere else.
package clientauth
