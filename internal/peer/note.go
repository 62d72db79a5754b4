package peer

import (
	"context"
	"sync"
)

// Note is what the rooms that answer a request learn about it, for one line in
// the access log. It is safe for concurrent use.
type Note struct {
	mu            sync.Mutex
	route, client string
}

// Route is the pattern that was matched; empty: nobody said.
func (n *Note) Route() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.route
}

// Client is the id of the client that proved who it is; empty: none did.
func (n *Note) Client() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.client
}

type noteKey struct{}

// WithNote returns a context whose requests are noted in the Note.
func WithNote(ctx context.Context) (context.Context, *Note) {
	n := &Note{}
	return context.WithValue(ctx, noteKey{}, n), n
}

// NoteRoute notes the pattern that a mux matched. The innermost is said first
// and stays.
func NoteRoute(ctx context.Context, pattern string) {
	if n, ok := ctx.Value(noteKey{}).(*Note); ok && pattern != "" {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.route == "" {
			n.route = pattern
		}
	}
}

// NoteClient notes which client sent the request, once that is proved.
func NoteClient(ctx context.Context, id string) {
	if n, ok := ctx.Value(noteKey{}).(*Note); ok {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.client = id
	}
}
