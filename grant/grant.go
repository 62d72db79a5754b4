// Package grant is the seam for grant types at the token endpoint. A grant type
// is a [Handler]; one that is not in the server's table does not exist.
//
// A handler decides and says what to issue; it never draws a token. The token
// endpoint has already parsed the form, authenticated the client, checked that
// the client may use the grant type, and opened the transaction.
//
// Refusals commit, faults roll back: when Grant returns an [*oauth.Error] what
// it wrote stays (a replayed code must revoke its grant), and any other error
// undoes everything.
package grant

import (
	"context"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Handler answers one grant type (RFC 6749 §4).
type Handler interface {
	// GrantType is the wire name, the value of grant_type.
	GrantType() string
	// Params lists the form fields the handler reads; the endpoint drops the rest.
	Params() []string
	// Subject tells for whom access is asked, before the transaction is opened;
	// empty if for nobody, or if the request names nothing that Grant would
	// accept. It decides nothing and writes nothing. Slow work (a password's
	// hash) belongs here. The endpoint then asks who the user is.
	Subject(ctx context.Context, s store.Store, r *Request) (string, error)
	// Grant checks the request and says what to issue. It runs inside tx, and may
	// be run again from its beginning.
	Grant(ctx context.Context, tx store.Store, r *Request) (*Issue, error)
}

// Request is an authenticated token request.
type Request struct {
	Client *oauth.Client
	// User is the live user whom Subject named; nil if it named nobody.
	User *oauth.User
	// Form holds the fields named by Params, each at most once, none of them empty.
	Form map[string]string
	// Resources are the values of the resource parameter, the only one that may be
	// repeated (RFC 8707 §2).
	Resources []string
	Now       time.Time
	// Network is where the request came from, as a CIDR prefix, and RequestID
	// what it is called in the log; both are for the audit trail.
	Network, RequestID string
}

// Issue says what a token response will hold.
type Issue struct {
	Subject string
	Scopes  []string
	// Resources the access token is meant for (RFC 8707); empty: the server's own.
	Resources []string
	// IDToken asks for an ID token as well; nil: none.
	IDToken *IDToken
	// Grant the tokens belong to. Empty: none (client credentials).
	GrantID string
	// Refresh asks for a new refresh token, RefreshResources bounds what it may be
	// used for; empty: Resources do.
	Refresh          bool
	RefreshResources []string
	// RefreshToken is an existing or derived refresh token to hand out again
	// instead of a new one; its row exists or is Successor.
	RefreshToken oauth.Secret
	// Successor is the row of RefreshToken when it has still to be inserted.
	Successor *oauth.Token
	// RevokeAccess revokes the grant's earlier access tokens first.
	RevokeAccess bool
	// Detail says in the audit trail how the tokens came about; the grant type's
	// name will do.
	Detail string
}

// IDToken says what an ID token beside the other tokens will hold (OpenID Connect
// Core §2); the rest follows from client, user and grant.
type IDToken struct {
	Nonce          string
	Authentication oauth.Authentication
	Claims         string // see oauth.Grant.Claims
}
