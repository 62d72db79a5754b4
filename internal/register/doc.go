// Package register lets software register itself (RFC 7591, OpenID Connect Dynamic
// Client Registration) and look after its registration (RFC 7592).
//
//	POST   /oauth/register       registers a client
//	GET    /oauth/register/{id}  shows it
//	PUT    /oauth/register/{id}  replaces its metadata
//	DELETE /oauth/register/{id}  deletes it with everything it was given
//
// Either whoever registers shows an initial access token that the operator made, or
// anybody may; then each network may register so many clients and has to wait. What
// a client may say about itself is decided by package clientmeta. No secret is ever
// chosen by a client.
//
// # Registered twice
//
// Some programs register anew each time they start. A public client that is
// registered exactly as another one becomes that one: it gets the same client_id.
// It is nobody's then, so the registration token that the first one got is revoked,
// and the second one gets none; RFC 7591 §3.2.1 leaves that to the server. Whoever
// registers first can therefore not change what others rely on. A client that
// keeps a secret is always a new one.
//
// A registration that is never used expires; the store's Purge sees to that.
package register
