package manage

import (
	"context"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// TokenState is how alive a token is.
type TokenState string

const (
	TokensKept    TokenState = ""        // active or expired
	TokensActive  TokenState = "active"  // works now
	TokensExpired TokenState = "expired" // ended by itself
	TokensRevoked TokenState = "revoked" // ended by somebody, or replaced by its successor
	TokensAll     TokenState = "all"
)

// TokenQuery narrows a list of tokens; zero fields do not narrow.
type TokenQuery struct {
	// All lists everybody's tokens of every kind, for administrators and the
	// operator. Otherwise the list holds the actor's own personal access tokens
	// that are not internal, and Kind, Subject and ClientID are ignored.
	All      bool
	Kind     oauth.TokenKind
	Subject  string
	ClientID string
	Text     string // part of the name, subject, client id or token id
	State    TokenState
}

// Token returns one token. ErrNotFound if the actor may not see it.
func (d *Desk) Token(ctx context.Context, a Actor, id string) (*oauth.Token, error) {
	return d.token(ctx, d.store, a, id)
}

// Tokens lists tokens, newest first unless p wants it the other way round.
func (d *Desk) Tokens(ctx context.Context, a Actor, q TokenQuery, p Page) ([]*oauth.Token, error) {
	sq := store.TokenQuery{Kind: q.Kind, Subject: q.Subject, ClientID: q.ClientID, Text: q.Text}
	switch {
	case q.All && a.all():
	case a.Subject == "":
		return nil, nil
	default:
		sq.Kind, sq.Subject, sq.ClientID, sq.Internal = oauth.PersonalToken, a.Subject, "", hidden()
	}
	p = bounded(p)
	now := d.now()
	if q.State == TokensActive {
		sq.LiveAt = now
	}
	var out []*oauth.Token
	for {
		page, err := d.store.ListTokens(ctx, sq, p)
		if err != nil {
			return nil, err
		}
		for _, t := range page {
			if matches(q.State, StateOf(t, now)) && len(out) < p.Limit {
				out = append(out, t)
			}
		}
		if len(out) == p.Limit || len(page) < p.Limit {
			return out, nil
		}
		p.After = page[len(page)-1].ID
	}
}

// StateOf tells how alive the token itself is at now: active, expired or revoked.
func StateOf(t *oauth.Token, now time.Time) TokenState {
	switch {
	case !t.RevokedAt.IsZero() || !t.RotatedAt.IsZero():
		return TokensRevoked
	case !t.LiveAt(now):
		return TokensExpired
	}
	return TokensActive
}

func matches(want, is TokenState) bool {
	if want == TokensKept {
		return is != TokensRevoked
	}
	return want == TokensAll || want == is
}
