// Package clientmeta knows what a client may say about itself: the metadata of
// RFC 7591 §2, of OpenID Connect Dynamic Client Registration §2, and of the logout
// specifications. Registration, client ID metadata documents and the desk ask the
// same [Rules] and get the same answer.
//
// [Parse] reads a JSON document from a stranger. It has one reading only: each
// member once and in its exact spelling; unknown members are ignored, as RFC 7591
// §2 wants it. [Rules.Client] turns it into a client; what is left out takes the
// default of its specification, and what the server does not offer is left out of
// lists, which the answer then shows ([Describe] is the echo). A list of which
// nothing remains, and everything else that cannot be had, is refused with an
// [*Error] that names the member.
//
// Nothing here makes a client privileged. No member makes it first-party, internal
// or somebody's; scopes that are internal do not exist; grant types are those of
// the Rules, so the password grant is never among them.
//
// # Addresses
//
//   - redirect_uris and post_logout_redirect_uris follow package redirecturi
//   - what the server itself fetches or calls (jwks_uri, sector_identifier_uri,
//     request_uris, backchannel_logout_uri) is what the guarded fetcher would ask;
//     nothing is fetched here but the sector identifier, by [Rules.CheckSector]
//   - what a browser is sent to (initiate_login_uri, frontchannel_logout_uri) is https
//   - links for people (client_uri, policy_uri, tos_uri, logo_uri) are http or
//     https, and on the person's own machine only if the redirect URIs are there
//     too. A logo is never loaded from elsewhere, so pages do not show it
package clientmeta
