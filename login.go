package valetkey

import (
	"context"
	"net/http"
	"sync"

	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
)

// oncePerRequest asks the host for the session of a request once, however many
// rooms the request passes through.
type oncePerRequest struct{ oauth.Authenticator }

type sessionMemo struct {
	once    sync.Once
	session *oauth.Session
	err     error
}

type sessionMemoKey struct{}

// enter gives the requests below next all that their context holds: their peer, a
// logger, and a place for their session.
func (s *Server) enter(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := respond.LogTo(peer.Enter(w, r, s.cfg.TrustedProxies), s.cfg.Logger)
		ctx = context.WithValue(ctx, sessionMemoKey{}, new(sessionMemo))
		r = r.WithContext(ctx)
		if s.cfg.Observer != nil {
			peer.Observe(w, r, s.cfg.Observer, s.cfg.Now, next)
			return
		}
		next.ServeHTTP(w, r)
		peer.NoteRoute(ctx, r.Pattern)
	})
}

func (l oncePerRequest) Session(r *http.Request) (*oauth.Session, error) {
	memo, ok := r.Context().Value(sessionMemoKey{}).(*sessionMemo)
	if !ok {
		return l.Authenticator.Session(r)
	}
	memo.once.Do(func() { memo.session, memo.err = l.Authenticator.Session(r) })
	return memo.session, memo.err
}
