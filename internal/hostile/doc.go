// Package hostile sends a whole Valetkey thousands of requests that no honest
// client sends, and checks that it stays upright.
//
// The requests are mutations of valid ones: every route with every method and
// content type; parameters dropped, doubled, moved between query and body, and
// replaced by markup, control characters, broken encodings, text of 64 KiB and
// other people's ids; headers forged, doubled and heaped up. They come in two
// waves: from a stranger without credentials, and from a signed-in user who
// wants what belongs to another one.
//
// Whatever arrives, the answer is never a server error, never holds a sent
// marker unescaped, never sets a header the request smuggled in, and never
// redirects to a host that nobody registered. After the first wave the database
// is what it was; after the second everything of the other user is.
//
// go test sends a small number of requests; VALETKEY_HOSTILE_REQUESTS sets how
// many, VALETKEY_HOSTILE_SEED repeats a run. A failure prints the request.
//
// There is nothing here but tests.
package hostile
