// Package device lets a person sign in on a device that has no browser, or no
// keyboard worth the name (RFC 8628). It is the device authorization endpoint,
// and the page where the person types what the device shows; the device's polls
// are a grant type of the token endpoint.
//
// # What a person sees
//
//  1. Sign-in, if nobody is. It comes first, so that only people who are known
//     can try codes, and so that no form of ours leads to somebody else's login.
//  2. The code, which a link may fill in but never sends (RFC 8628 §3.3.1).
//  3. "Is this you?", always, even for what was allowed before: who asks, since
//     when, from which network and with which program, the code once more, and
//     what it will be able to do. The weak spot of this flow is somebody who
//     reads a code out to a victim (RFC 8628 §5.4), so the page says all that
//     could make the victim wonder, and no answer is remembered.
//  4. That it is done, or that nothing was allowed.
//
// # Who may answer
//
// The first person who opens a code has it: an authorization request is kept by
// the server under an id that only one can create, bound to person and session,
// and the form that answers it carries nothing but that id and a yes or no. Who
// goes back lets the code go. The answer uses the request up, makes the grant and
// approves the code in one transaction.
//
// # Guessing
//
// A user code has 34 bits. A person may be wrong five times in fifteen minutes,
// in whatever session and from whatever network; the sixth code is refused
// without a look. A wrong code takes one of five places in the store, and the
// place is taken before the code is looked up: the transaction that does both is
// undone if the code was right. So a crowd of guesses sent at once gets no
// further than five, on any number of servers.
//
// Wrong, expired, answered and other people's codes are told alike.
package device
