// Package cache remembers the rows that decide about every request: tokens,
// clients and their secrets, grants and users. It says what it promises first.
//
// # The promise
//
// Memory may say yes, never no. Rooms ask [Table.Get] first; when what they
// would answer is a refusal and a row was remembered, they ask [Table.Load] and
// decide anew. So what was made or mended a moment ago, on this node or another,
// works at once. What was revoked is refused
//
//   - by the node that committed the revocation: before it answers. Every change
//     goes through the store that [Cache.Store] returns, which forgets what the
//     transaction has changed before its InTx returns;
//   - by every other process on the database: within the bound, one second unless
//     the operator says otherwise. [Cache.Run] reads what has changed
//     (store.Changes) four times in that time. A row is believed only while the
//     last good reading began less than the bound ago. Without Run, or when the
//     database cannot be read, nothing is believed and every look-up goes to the
//     database, which answers or fails.
//
// A row is believed for a minute at most, whatever happens. Users come from the
// host: they are believed for the bound, or like the others if the host says
// that it notes their changes (store.SubjectChanged).
//
// # How it is kept
//
// Rows that refuse (revoked, disabled, not there) are not kept. Rows are shared by
// all who ask and must not be written to.
//
// Forgetting is a stamp. A counter rises with each forgetting; a row carries the
// count at which its look-up began, and the places of a table of stamps that
// belong to its token, grant, client and subject. Forgetting a grant writes the
// new count into the grant's place; a row is believed if none of its places holds
// a later count than its own. So a look-up that was under way while something was
// forgotten is not believed either, one stamp forgets all tokens of a grant, and
// nothing has to be found or deleted. Two ids that share a place cost a look-up.
//
// Memory is bounded in bytes, an estimate. The least of it is thrown out first: a
// full shard drops rows that nobody has asked for since it last looked.
//
// Simultaneous look-ups of the same row are not joined: one that began before a
// revocation must not answer a request that came after it, and the database
// answers a hot row from its own memory.
package cache
