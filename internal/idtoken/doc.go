// Package idtoken makes ID tokens (OpenID Connect Core §2) and reads those that
// come back to us as id_token_hint.
//
// An ID token says who signed in, when and how, to one client, and nothing else.
// What a client may know about the person it gets from the UserInfo endpoint; the
// ID token holds such claims only where no access token goes along
// (response_type=id_token, §5.4) or where the claims parameter asks for them by
// name (§5.5).
//
// Its type is JWT in the header. Access tokens, logout tokens and whatever else
// the same keys sign have types of their own, and none passes for another.
package idtoken
