// Package token is the token endpoint (RFC 6749 §3.2).
//
// endpoint.go reads from top to bottom as what happens to every request: the
// form is read once, the grant type chosen, the client authenticated and held
// to its registration, the user looked up, and then, in one transaction, the
// grant type's handler decides and issue.go makes the tokens. Whatever a
// handler refuses is committed with what it wrote; any other error undoes
// everything. ID tokens, and access tokens in JWT form, are signed after the
// transaction.
//
// Each grant type is a file: authcode.go, refresh.go, device.go,
// clientcredentials.go and password.go. One that the server does not offer is not
// in Config.Grants.
//
// # Resources
//
// What an authorization named as resource bounds all its tokens (RFC 8707 §2.2). A
// token request may ask for less, each time for something else; a refresh token
// keeps the whole bound. A resource that is refused leaves code and refresh token
// as they were.
//
// # Refresh tokens
//
// A public client gets a new refresh token at every refresh (rotation). Answers
// get lost, so for ten seconds the old token gives the same successor again,
// derived, not stored; after that the old token is proof that two parties hold
// it, and the whole grant is revoked (RFC 9700 §4.14.2). A confidential client
// must authenticate anyway and keeps its refresh token. Either way a refresh
// token dies when it has not been used for its lifetime.
//
// # The redirect URI
//
// A code whose authorization request carried redirect_uri is redeemed with the
// same redirect_uri (RFC 6749 §4.1.3). A client that used PKCE may leave it out,
// as OAuth 2.1 does: the verifier binds the code already.
package token
