// Package keys keeps the server's signing keys: ES256 keys in the store, their
// private halves sealed by the operator's keyring.
//
// One key is active and signs. Rotation makes it retiring, so that what it
// signed can still be verified for an overlap, and puts a new one in its place.
// The public halves of all that are not past their overlap are published as a
// JSON Web Key Set (RFC 7517), ready as bytes with an entity tag.
//
// The keyring has keys of its own. When the operator adds one, Reseal encrypts
// every private key anew with the newest, after which the old one may go.
// Inspect says how many private keys each still seals, and Droppable refuses to
// let one go that is needed.
//
// A server without a keyring makes no signing keys. Until the first key is made
// there is no key set either: 503, which nobody keeps.
package keys
