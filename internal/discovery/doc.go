// Package discovery serves the server's metadata (RFC 8414, OpenID Connect
// Discovery 1.0).
//
// The document is made once, from what the server is configured to do, and then
// served as ready bytes with an ETag, the same at every address where a client
// may look for it ([Paths]). Whatever it lists works, and whatever works is
// listed. It can hold only names of the IANA registry "OAuth Authorization
// Server Metadata": [Document.Set] refuses others.
package discovery
