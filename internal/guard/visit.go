package guard

import (
	"context"
	"log/slog"
	"net/http"
	"slices"

	"github.com/valetkey/valetkey/internal/identity"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
)

// visit is the context of a guarded request: its peer, a logger, what let it in,
// and whom it acts as. They are one value, because every call of an API makes all
// of them: that value and the copy of the request that carries it are all that a
// guard allocates when it answers from memory.
type visit struct {
	context.Context
	known  bool // the peer is that of Context
	peer   peer.Visit
	logger *slog.Logger

	live      liveness.Live
	identity  identity.Identity
	principal oauth.Principal
	taken     bool // principal is in use
	scopes    [8]string
}

type visitKey struct{}

// Value implements [context.Context].
func (v *visit) Value(key any) any {
	switch key.(type) {
	case visitKey:
		return v
	case peer.Key:
		if !v.known {
			return &v.peer
		}
	case respond.LoggerKey:
		return v.logger
	case identity.Key:
		if v.identity.By != nil {
			return &v.identity
		}
	case identity.PlaceKey:
		if v.identity.By != nil {
			return nil
		}
		return &v.identity
	}
	return v.Context.Value(key)
}

// enter returns the request with a visit for its context, once for all guards it
// passes.
func (g *Guard) enter(w http.ResponseWriter, r *http.Request) *http.Request {
	ctx := r.Context()
	if v, _ := ctx.Value(visitKey{}).(*visit); v != nil {
		if v.logger == g.cfg.Logger {
			return r
		}
		return r.WithContext(respond.LogTo(ctx, g.cfg.Logger))
	}
	v := &visit{Context: ctx, logger: g.cfg.Logger, known: peer.Known(ctx)}
	if !v.known {
		v.peer.Begin(w, r, g.cfg.TrustedProxies)
	}
	return r.WithContext(v)
}

// principalOf is whom the token acts for. The scopes are copied: the row is
// everybody's, and the principal its handler's own.
func (v *visit) principalOf(t *oauth.Token) *oauth.Principal {
	p, scopes := &v.principal, v.scopes[:0]
	if v.taken {
		p, scopes = new(oauth.Principal), nil
	}
	v.taken = true
	*p = oauth.Principal{Subject: t.Subject, ClientID: t.ClientID, Method: oauth.ByAccessToken, TokenID: t.ID}
	if len(t.Scopes) > 0 {
		p.Scopes = slices.Clip(append(scopes, t.Scopes...))
	}
	if t.Kind == oauth.PersonalToken {
		p.Method = oauth.ByPersonalToken
	}
	return p
}
