// Package memstore keeps everything in memory: the reference implementation of
// [store.Store], the fake of all unit tests, and a store for trying things out.
// Nothing outlives the process.
//
// One mutex makes every transaction run alone. A transaction keeps a journal of
// how to undo each write, so a rollback is as real as in a database.
package memstore
