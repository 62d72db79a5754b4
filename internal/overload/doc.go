// Package overload keeps a server upright when more is asked of it than it can do.
//
// Work is divided into classes ([Class]): what asks the processor for long must not
// hold up what is done in a moment, and what writes must not hold up what reads
// while the disk stands still. Of each class so many are under way at a time; a few
// more wait a little; every further one is refused at once, with 503 and
// Retry-After, for to be told so after a minute helps nobody. The limits are far
// above what a machine can do at once, so that only one that is overloaded, or
// whose database does not answer, ever meets them.
//
// [Class.Limit] wraps an HTTP handler. It also gives each request a deadline, that
// reaches the database through the context: whoever asks while the database is
// locked or away is answered within [Time].
//
// Somebody who sends the body of a request very slowly must not hold a place
// meanwhile. When half of the places are taken, bodies are read before one is taken.
package overload
