// Package accesstoken makes and reads access tokens that are JSON Web Tokens
// (RFC 9068), for APIs that check them by themselves.
//
// Such a token has a row in the store like any other, and its jti is the row's id.
// Whoever asks us (our own guards, introspection, UserInfo) is answered from the
// row, so that revoking works at once; an API that only checks the signature
// learns of it when the token expires. The claims therefore decide nothing here:
// [Signer.Parse] returns the row's id and package liveness goes on from there.
//
// The type in the header is at+jwt and nothing else has that type: an ID token or
// a logout token by the same key is refused (RFC 9068 §4, RFC 8725 §3.11).
package accesstoken
