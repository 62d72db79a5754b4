package overload

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

// Time is how long one request may take, from its first byte that is read here. It
// is longer than what another server is given to answer (see internal/fetch).
const Time = 6 * time.Second

// Bound gives ctx the deadline of a request unless it has one: whoever embeds the
// library may send requests without.
func Bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, Time)
}

// Limit lets requests of the class through to next, each with a deadline, and
// answers the others by refuse.
func (c *Class) Limit(next http.Handler, refuse func(w http.ResponseWriter, r *http.Request, err error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(c.places) > c.limits.InFlight/2 {
			r.Body = early(r.Body)
		}
		ctx, cancel := context.WithTimeout(r.Context(), Time)
		defer cancel()
		if err := c.Enter(ctx); err != nil {
			refuse(w, r, err)
			return
		}
		defer c.Leave()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// mostEarly bounds what is read of a body before there is a place for it; no form
// that is accepted is longer.
const mostEarly = 64 << 10

// early reads the beginning of a body and returns it whole.
func early(body io.ReadCloser) io.ReadCloser {
	if body == nil || body == http.NoBody {
		return body
	}
	var begin bytes.Buffer
	// An error comes again when the rest is read.
	io.Copy(&begin, io.LimitReader(body, mostEarly))
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(&begin, body), body}
}
