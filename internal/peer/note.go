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

// NoteOf returns the note of the request of that context, or nil outside one.
func NoteOf(ctx context.Context) *Note {
	if v, ok := ctx.Value(contextKey{}).(*visit); ok {
		return &v.note
	}
	return nil
}

// NoteRoute notes the pattern that a mux matched. The innermost is said first
// and stays.
func NoteRoute(ctx context.Context, pattern string) {
	if n := NoteOf(ctx); n != nil && pattern != "" {
		n.mu.Lock()
		defer n.mu.Unlock()
		if n.route == "" {
			n.route = pattern
		}
	}
}

// NoteClient notes which client sent the request, once that is proved.
func NoteClient(ctx context.Context, id string) {
	if n := NoteOf(ctx); n != nil {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.client = id
	}
}
