package oauth

import (
	"context"
	"time"
)

// Observer is told what a server does. A host has one to count requests in its own
// metrics, or to add to its traces.
type Observer interface {
	// Request is called once for each request, after it was answered, by the goroutine
	// that answered it and with the request's context: it should take a microsecond,
	// not a millisecond.
	Request(ctx context.Context, o Observation)
}

// Observation is what one request was. No field ever holds a secret. Those of the
// first block take few values, whatever is sent, and make good labels.
type Observation struct {
	Method string    // "other" unless it is one of RFC 9110 §9.3, or PATCH
	Route  string    // pattern of the route table, such as /oauth/token; never the path that was sent
	Status int       // of the answer
	Code   ErrorCode // why it was refused; empty: it was not, or without a code
	// GrantType is what was asked for at the token endpoint, if the server offers it;
	// at the authorization endpoint, once it issues something, authorization_code or
	// implicit; "personal" when a personal access token is made.
	GrantType string
	// Issued are the kinds of what was handed out: IssuedCode and so on.
	Issued []string
	// Introspected is what the introspection endpoint said: "active" or "inactive".
	Introspected string
	// SignIn is how an attempt to sign in by password ended: SignInRight and so on.
	SignIn string

	Duration  time.Duration
	ClientID  string // of the client that proved who it is; empty: none did
	RequestID string
	// TraceID is the trace that the request said it belongs to (W3C Trace Context
	// §3.2), 32 hexadecimal digits; empty: none.
	TraceID string
}

// What Observation.Issued holds.
const (
	IssuedCode     = "code"
	IssuedAccess   = "access_token"
	IssuedRefresh  = "refresh_token"
	IssuedID       = "id_token"
	IssuedPersonal = "personal_token"
)

// What Observation.SignIn holds.
const (
	SignInRight     = "right"
	SignInWrong     = "wrong"     // or the account is disabled
	SignInThrottled = "throttled" // too many attempts came before
)
