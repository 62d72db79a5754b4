// Package manage is the desk: it keeps the rules about applications, personal
// access tokens, authorized applications and the audit trail. The settings
// pages, the admin pages, the JSON API and the command line all stand before
// the same desk; none of them decides anything.
//
// # Who may do what
//
// Every call names its [Actor]. A user may touch what is theirs. Whatever
// belongs to somebody else, or is internal, does not exist for them: the answer
// is [ErrNotFound], the same as for an id that was never given out. An
// administrator may see, change and revoke everybody's things. The operator may
// also make what is trusted: clients that skip consent, internal scopes, tokens
// for others, ids of their own choice.
//
// # Acting by a token
//
// Somebody who acts by a personal access token sets Actor.Limit, and the desk
// sees to it that a token never makes more than it is:
//
//   - A new or regenerated personal access token has no scope that the acting
//     token lacks and does not outlive it.
//   - An application gets the client credentials grant, or a new secret for it,
//     only when the application's scopes are named and all among the token's.
//   - An application's access token makes no personal access tokens at all.
//
// An existing token's scopes can be narrowed and never widened, whoever asks.
//
// # Answers
//
// [ErrNotFound], [*Invalid] (field by field, in sentences for people) and
// [*Refused] are refusals: nothing was changed. Any other error is a fault. Each
// change is one transaction together with its row of the audit trail.
//
// Secrets are drawn by package mint, returned once by the call that makes them,
// and kept as a hash.
package manage
