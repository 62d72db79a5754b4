// Package oauth holds the words of Valetkey: the types that every other room
// speaks in, and the two questions Valetkey asks its host.
//
// The words follow the specifications. A [Client] is registered software
// (RFC 6749 §1.1). A [Grant] is what one subject allows one client; revoking it
// kills its tokens. A [Token] is an access, refresh or personal access token,
// known to the store only by its hash. A [Scope] is a named piece of access
// (RFC 6749 §3.3). A [Principal] is whom a protected request acts as.
//
// The host answers two questions. Who is at the keyboard? is [Authenticator];
// there is a browser. Who is subject X? is [UserSource]; there is none.
//
// What the protocol refuses is an [*Error]; any other error is a fault of our
// own machinery and reaches nobody but the log.
//
// The package imports the standard library only.
package oauth
