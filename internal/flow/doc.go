// Package flow is an OAuth client for any server, behind the commands "valetkey
// flow" and "valetkey jwt". The flows themselves are golang.org/x/oauth2's.
//
// It holds a server to what the specifications promise a client: endpoints are
// https, or http on this machine; the metadata names the issuer that was asked
// (RFC 8414 §3.3); an authorization response carries the state that was sent and
// the issuer it was sent to (RFC 9207 §2.4); a code is bound by PKCE; an ID token
// is signed by one of the server's keys, for this client, and answers this
// request (OpenID Connect Core §3.1.3.7).
//
// What the other side refuses, or what is not as it must be, is a [*Refusal];
// any other error says that something could not be reached or read.
package flow

import "fmt"

// Refusal is a no: of the server, of the person, or of a check of ours. Its text
// is a sentence without a full stop.
type Refusal struct{ text string }

func (r *Refusal) Error() string { return r.text }

func refusef(format string, args ...any) error { return &Refusal{fmt.Sprintf(format, args...)} }
