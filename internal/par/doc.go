// Package par is the pushed authorization request endpoint (RFC 9126): a client
// sends its authorization request ahead, from server to server, and gets a
// request_uri to send through the browser in its place.
//
// The client authenticates as at the token endpoint, and the request is checked as
// the authorization endpoint would; what is kept is the request that passed, with
// the parameters of a request object in it already read. The request_uri is a
// minted secret of which the store knows the hash. It lives for a minute unless the
// operator says otherwise, is bound to the client, and is used up when an
// authorization comes of it, not before: a person may reload the page.
package par
