// Package respond is the only code that turns an error into bytes.
//
// Handlers return an error; [Error] writes it as the OAuth endpoints must
// (RFC 6749 §5.2), [Problem] as the management API does (RFC 9457). The HTTP
// status follows from the error code through the catalogue, never from the
// place where the error arose. Whatever is not an [*oauth.Error] is a fault: it
// is logged and answered without a word of its text, as temporarily_unavailable
// with Retry-After if it wraps that code or the request's time was up ([Passing]),
// else as server_error.
//
// The catalogue ([Catalogue], [Lookup]) says of each code what it means to the
// person in front of the browser, what to the developer, how to fix it and
// which specification says so. Error pages and documentation are made from it.
package respond
