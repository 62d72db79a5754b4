// Package clientdoc knows clients whose client_id is the https URL of a document
// that describes them (OAuth Client ID Metadata Document, as MCP clients use it).
//
// Nobody registers such a client: the first time it asks, its document is fetched
// by the guarded fetcher, checked, and kept as a client like any other. From then
// on the row serves every endpoint. [Resolver.Resolve] is called where a client is
// looked up because of what a stranger sent, before the look-up; it brings the row
// up to date and decides nothing else.
//
// The document
//
//   - lies at a URL with a path, without user, fragment and dot segments, and its
//     client_id is that URL, character by character
//   - is a JSON object of at most 16 KiB, served as JSON with status 200
//   - names the client and its redirect URIs; no others count
//   - knows no secret: the client is public, or signs with keys that it publishes
//
// It is kept for as long as its server says, between a minute and a day. When it
// cannot be fetched anew, or no longer holds, the client goes on as it was for a
// day, and is refused after that. A client that was never seen has no such grace,
// and nothing is remembered of what failed.
//
// Which hosts may describe clients is the operator's choice, by lists of what is
// allowed and denied. An entry is a host, or *.host for all below it; hosts are
// compared as they were parsed, never as parts of text.
package clientdoc
