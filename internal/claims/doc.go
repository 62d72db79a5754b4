// Package claims knows what a client may be told about a person: the standard
// claims of OpenID Connect Core §5.1, the scopes that stand for them (§5.4), the
// claims parameter that names them one by one (§5.5), and under which name each
// client knows the person (§8). It asks nobody, so every rule can be read and
// tested by itself.
//
// [Request] is a claims parameter in the server's own spelling. It keeps what the
// server can act on and drops the rest, because a claim that is not known is not
// an error (§5.5.1), and because what is dropped need not be stored. What it asks
// for is access like that of a scope: [Request.Scopes] says of which, so that the
// consent page can show it and [Request.Only] can hold a client to its registration.
//
// An empty claim is left out and never told as "", false or null (§5.3.2).
package claims
