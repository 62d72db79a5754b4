// Package upkeep deletes what has expired, in the background, in batches so small
// that nobody waits long behind one.
//
// A sweep takes one kind of row. Run takes a step of each sweep in turn; one that
// is not yet at its end takes the next step after a pause of twice as long as the
// step took, so that upkeep has a third of the database's time at most: on a busy
// database its steps take longer and so do its pauses. A sweep at its end rests,
// for seconds, or for an hour if it has to look at rows that may stay. A step that
// fails ends its sweep until after the rest.
//
// Batches are as large as they are because each also costs a commit; pauses are no
// longer because what is deleted has to outpace what is issued. docs/upkeep.md has
// the figures. Any number of servers may run upkeep on one database: the more of
// them, the faster it goes.
package upkeep
