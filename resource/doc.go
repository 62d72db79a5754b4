// Package resource guards HTTP APIs with OAuth 2 access tokens (RFC 6750). It
// needs nothing else of Valetkey and may run in another process.
//
// A [Guard] wraps handlers, never paths, so what is guarded is what is served:
//
//	guard, err := resource.New(resource.Config{Verify: verify})
//	mux.Handle("GET /records", guard.RequireScopes("records:read")(list))
//	mux.Handle("POST /records", guard.RequireScopes("records:read", "records:write")(add))
//
// [Guard.RequireScopes] demands every scope it names and includes
// [Guard.RequireAuth], so it fails closed when it is used alone.
// [Guard.AllowAnonymous] lets a request without any credential pass. A guarded
// handler learns whom it serves from [PrincipalFrom].
//
// What verifies a token is a [Verifier]. [Introspection] asks the authorization
// server about each (RFC 7662) and learns at once, or after the time that it is
// told to remember, that one was revoked. [JWT] checks tokens in JWT form (RFC
// 9068) by the server's published keys and asks nobody. Within the server's own
// process its guards look the token up themselves.
//
// # How a token is read
//
// From the Authorization header, of which there must be exactly one: the word
// Bearer in any case, one space, and a token68 (RFC 6750 §2.1). From the query
// only if Config.QueryToken says so, and never if there is an Authorization
// header. Never from the form: the guard does not touch the body, so an upload
// is not read before it is known who sends it.
//
// # How a request is refused
//
//	401  a bare challenge       no credential (RFC 6750 §3.1)
//	401  invalid_token          a token that is not alive
//	400  invalid_request        two credentials, or one that cannot be read
//	403  insufficient_scope     a live token that lacks a scope; scope= names what is needed
//	503  temporarily_unavailable  the verifier could not be asked
//	500  server_error           a fault; its text goes to the log only
package resource
