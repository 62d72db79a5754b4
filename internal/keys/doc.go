// Package keys keeps the server's signing keys, signs with them and verifies what
// they signed. Keys of ES256 and of RS256 live side by side in the store, their
// private halves sealed by the operator's keyring.
//
// A key is next, then active, then retiring, then gone. The next key is published
// before it signs, for longer than anybody keeps the key set, so that whoever
// verifies knows it already. The active one signs. A retiring one signs no more
// and is published for an overlap, the longest life of what it signed. After that
// it is no longer published, and still verifies what was signed long ago and comes
// back to us (the id_token_hint of OpenID Connect Core §3.1.2.1), until the store
// purges it. Maintain moves keys along by the clock; any number of nodes may call
// it at once. Rotate does it now.
//
// The public halves are published as a JSON Web Key Set (RFC 7517), ready as bytes
// with an entity tag. All keys are kept opened in memory and read anew every
// minute, so that another node's rotation is seen, or at once when somebody shows
// a signature by a key that is not known yet.
//
// An [oauth.Signer] takes the place of the ring's keys for its algorithm. The
// first of an algorithm signs; further ones are published and verify, so that one
// can follow another.
//
// Beside the keys lies one secret, the salt of pairwise subjects. It is sealed and
// resealed like a private key, never published, listed or rotated: a new one would
// give everybody another name.
//
// The keyring has keys of its own. When the operator adds one, Reseal encrypts
// every secret anew with the newest, after which the old one may go. Inspect says
// how many secrets each still seals, and Droppable refuses to let one go that is
// needed.
//
// A server without a keyring makes no signing keys. Until the first keys are made
// there is no key set either: 503, which nobody keeps.
package keys
