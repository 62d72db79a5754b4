// Package doctor examines a site: its configuration, its files, its database, its
// keys, and what the world sees at its public URL. Each check is one function in
// the list of [checks]; it says what it found in a sentence that ends in what to
// do.
//
// A finding is
//
//   - ok: as it should be;
//   - note: nothing is wrong, and an operator should know;
//   - warning: it works, and is weaker or nearer to its end than it should be;
//   - problem: it does not work, or does not keep what it promises.
//
// "valetkey doctor" runs every check; "valetkey serve" runs those that need no
// network and do not take long, and logs what is worse than a note.
//
// The package changes nothing but the row that a ping writes and takes away, and
// never prints a secret: it is not given any but the database URL, which it masks.
package doctor
