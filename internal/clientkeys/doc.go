// Package clientkeys verifies what clients sign: assertions that authenticate
// them (RFC 7523) and request objects (RFC 9101).
//
// A client registers its public keys by value (jwks) or by a URL (jwks_uri), never
// both. A set by value counts from the moment it is registered. A set behind a
// URL is fetched when it is first needed and kept in memory for as long as its
// server says, an hour at most; so a key that its owner took out of the set is
// refused an hour later at the latest.
//
// A signature by a key that a kept set does not have makes us fetch the set
// again, because its owner may have rotated the keys. Strangers can send such
// signatures too, so that happens once a minute for each URL and no more often. While a
// set cannot be fetched the one that was kept is used a quarter of an hour longer.
//
// A key is chosen by the JWS header's kid, and must fit the algorithm; without a
// kid every key that fits is tried. A set with a private or symmetric key in it is
// refused as a whole: such a key is known to whoever saw the set. Keys that the
// header itself carries or points to (jwk, jku, x5c, x5u) are never looked at.
package clientkeys
