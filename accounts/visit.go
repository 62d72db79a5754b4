package accounts

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
)

// visit is a signed-in browser as one request shows it.
type visit struct {
	session *Session
	account *Account
	acr     string // Config.ACR
}

// public is what the engine and the pages know of the session.
func (v *visit) public() *oauth.Session {
	if v == nil {
		return nil
	}
	return &oauth.Session{Subject: v.account.ID, ID: v.session.ID, SID: v.session.SID, AuthTime: v.session.AuthTime,
		AMR: v.session.AMR, ACR: v.acr, Stale: !v.session.StaleAt.IsZero()}
}

type visitKey struct{}

// Session implements [oauth.Authenticator].
func (a *Accounts) Session(r *http.Request) (*oauth.Session, error) {
	v, err := a.visit(r)
	return v.public(), err
}

// visit finds out who sent the request, or returns nil. Inside our own handlers
// it was found out before.
func (a *Accounts) visit(r *http.Request) (*visit, error) {
	if v, ok := r.Context().Value(visitKey{}).(*visit); ok {
		return v, nil
	}
	return a.lookUp(r)
}

func (a *Accounts) lookUp(r *http.Request) (*visit, error) {
	hash, _, ok := a.cookie(r, sessionCookie)
	if !ok {
		return nil, nil
	}
	ctx, now := r.Context(), a.cfg.Now()
	s, acc, err := a.store.Session(ctx, hash)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// A session that is over stays in the table until Purge; it is dead here.
	if acc.Disabled || a.over(s, now) {
		return nil, nil
	}
	device, _, _ := a.cookie(r, deviceCookie)
	switch v := a.cfg.Binding.judge(s, surround(a.peer(r), device)); {
	case v.end != "":
		return nil, a.endBound(ctx, s, v.end)
	case v.stale != "" && s.StaleAt.IsZero():
		if err := a.markStale(ctx, s, v.stale); err != nil {
			return nil, err
		}
		s.StaleAt = now
	}
	if now.Sub(s.LastSeenAt) >= time.Minute {
		if err := a.store.TouchSession(ctx, s.ID, now); err != nil {
			return nil, err
		}
		s.LastSeenAt = now
	}
	return &visit{s, acc, a.cfg.ACR}, nil
}

// over reports whether the session has ended by itself. Idle is not for those who
// asked to be remembered: who comes back after a holiday is still signed in.
func (a *Accounts) over(s *Session, now time.Time) bool {
	idle := !s.Remember && now.Sub(s.LastSeenAt) >= a.cfg.Idle
	return idle || !now.Before(s.ExpiresAt)
}

// endBound ends a session whose cookie has left its browser.
func (a *Accounts) endBound(ctx context.Context, s *Session, why string) error {
	return a.store.InTx(ctx, func(ctx context.Context, tx Store) error {
		if err := a.endSession(ctx, tx, s.AccountID, s.ID); err != nil {
			return ignore(err, ErrNotFound) // another request ended it and told so
		}
		return a.record(ctx, oauth.EventSessionRevoked, "", s.AccountID, "The session ended because "+why+".")
	})
}

// markStale notes once that the surroundings of a session have changed.
func (a *Accounts) markStale(ctx context.Context, s *Session, why string) error {
	return a.store.InTx(ctx, func(ctx context.Context, tx Store) error {
		if err := tx.MarkSessionStale(ctx, s.ID, a.cfg.Now()); err != nil {
			return ignore(err, ErrUsed)
		}
		return a.record(ctx, oauth.EventSessionStale, "", s.AccountID, "The session must be confirmed because "+why+".")
	})
}

// fresh reports whether the person proved who they are a short while ago.
func (a *Accounts) fresh(v *visit) bool {
	return v.public().FreshAt(a.cfg.Now(), a.cfg.Reauthentication)
}

// peer is the sender of the request, also when nobody upstream found it out.
func (a *Accounts) peer(r *http.Request) peer.Peer {
	if p := peer.From(r.Context()); p.RequestID != "" {
		return p
	}
	return peer.Of(r, a.cfg.TrustedProxies)
}

// record appends to the audit trail, in the transaction that ctx carries.
func (a *Accounts) record(ctx context.Context, t oauth.EventType, actor, subject, detail string) error {
	if a.cfg.Audit == nil {
		return nil
	}
	p, now := peer.From(ctx), a.cfg.Now()
	return a.cfg.Audit.RecordEvent(ctx, oauth.Event{ID: mint.NewID(now), At: now, Type: t, Actor: actor, Subject: subject,
		Network: p.Network(), RequestID: p.RequestID, Detail: detail})
}

func ignore(err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return err
}
