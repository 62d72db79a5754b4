// Package attacks replays other people's vulnerabilities against a whole
// Valetkey: the server, the bundled door and a protected API beside them, on
// SQLite, over HTTP.
//
// Each test is named after an entry of the list it comes from (TestM37_…: a code
// redeemed by many at once) and holds the requests that showed the hole
// elsewhere. It is of no worth without its control: the same requests with
// honest values succeed, or a server that refuses everything would pass. An
// entry about a feature that is not there is skipped as "n/a: feature absent",
// after a look that it is not there.
//
// The cast, made anew for each test:
//
//	alice, mallory  people; the victim and the attacker
//	root            an administrator
//	web, web2       confidential clients, https://web.test/cb and https://web2.test/cb
//	spa             a public client in a browser, https://spa.test/cb
//	native          a public client on a device, http://127.0.0.1/cb and com.example.app:/cb
//	m2m             a client that acts for itself
//	rs              a resource server that introspects
//
// The races hold back the last byte of every request until all of them are
// there, over connections that are open already. TestLeak… drives every flow and
// then looks for each secret it met where no secret may be: in the log, in the
// pages and in the database.
//
// There is nothing here but tests.
package attacks
