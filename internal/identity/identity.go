// Package identity is how a guard tells what is below it whom a request acts as.
//
// A request's context holds an [Identity] under [Key]. A context that was made to
// hold more of a request may offer an empty one under [PlaceKey], so that the
// guard need not make another context and copy the request for it.
package identity

import (
	"context"

	"github.com/valetkey/valetkey/oauth"
)

// Identity is whom a request acts as. By is the guard that vouches for it: another
// guard, which may trust another server, must not take its word. Nil: it is empty.
type Identity struct {
	Principal *oauth.Principal
	By        any
}

// Key finds the *Identity of a context, PlaceKey an empty one to be filled in.
type (
	Key      struct{}
	PlaceKey struct{}
)

// From returns the identity of the context; the empty one if it has none.
func From(ctx context.Context) Identity {
	if id, ok := ctx.Value(Key{}).(*Identity); ok {
		return *id
	}
	return Identity{}
}

// With returns a context that holds id: ctx itself if there is a place in it.
func With(ctx context.Context, id Identity) context.Context {
	if place, ok := ctx.Value(PlaceKey{}).(*Identity); ok {
		*place = id
		return ctx
	}
	kept := id
	return context.WithValue(ctx, Key{}, &kept)
}
