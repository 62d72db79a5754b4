package manage

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// TokenInput is what somebody says about a personal access token.
type TokenInput struct {
	Name        string // at most 40 characters, unique among the user's live tokens
	Description string // at most 500 characters
	Scopes      []string
	// ExpiresAt is the first instant at which the token is dead; zero: never, if
	// the policy allows that.
	ExpiresAt time.Time

	// The rest is the operator's.

	Subject  string // for whom; empty: the actor
	Internal bool   // hide it from its user
}

// CreateToken makes a personal access token. The secret is shown here and never
// again. Errors: [*Invalid], [*Refused].
func (d *Desk) CreateToken(ctx context.Context, a Actor, in TokenInput) (*oauth.Token, oauth.Secret, error) {
	subject, err := d.tokenSubject(ctx, a, in)
	if err != nil {
		return nil, "", err
	}
	now := d.now()
	t := &oauth.Token{
		Kind: oauth.PersonalToken, Subject: subject, IssuedAt: now, ExpiresAt: instant(in.ExpiresAt), Internal: in.Internal,
		Name: strings.TrimSpace(in.Name), Description: strings.TrimSpace(in.Description), Scopes: unique(in.Scopes),
	}
	var bad Invalid
	bad.name(t.Name, maxTokenName, "The name must be less than 40 characters long.")
	bad.description(t.Description)
	d.tokenScopes(&bad, a, t.Scopes)
	d.expiry(&bad, a, t.ExpiresAt, now)
	if err := bad.err(); err != nil {
		return nil, "", err
	}
	drawn := d.mint.Draw(mint.PersonalToken, now)
	t.ID, t.Hash, t.Hint = drawn.ID, drawn.Hash, drawn.Hint
	err = d.store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		if err := withinMaker(ctx, tx, a, t, now); err != nil {
			return err
		}
		if err := d.room(ctx, tx, a, t, now); err != nil {
			return err
		}
		if err := tx.CreateToken(ctx, t); err != nil {
			return err
		}
		return d.record(ctx, tx, a, oauth.Event{Type: oauth.EventTokenIssued, Subject: t.Subject, TokenID: t.ID, Detail: "made the personal access token " + t.Name})
	})
	if err != nil {
		return nil, "", err
	}
	notePersonal(ctx)
	return t, drawn.Secret, nil
}

// notePersonal tells the observer that a personal access token was made.
func notePersonal(ctx context.Context) {
	peer.NoteGrantType(ctx, "personal")
	peer.NoteIssued(ctx, oauth.IssuedPersonal)
}

// tokenSubject decides for whom a token is.
func (d *Desk) tokenSubject(ctx context.Context, a Actor, in TokenInput) (string, error) {
	switch {
	case (in.Internal || in.Subject != "" && !a.owns(in.Subject)) && !a.Operator:
		return "", &Refused{"Only the operator of this server may make tokens for others."}
	case in.Subject == "" && a.Subject == "":
		return "", invalid("subject", "Say whose token it is.")
	case in.Subject == "" || a.owns(in.Subject):
		return a.Subject, nil
	}
	known, err := d.knownUser(ctx, in.Subject)
	if err == nil && !known {
		return "", invalid("subject", "There is no such user.")
	}
	return in.Subject, err
}

// tokenScopes: registered, not internal but for the operator, not for clients only,
// and at least one unless the policy lets go of that.
func (d *Desk) tokenScopes(bad *Invalid, a Actor, names []string) {
	if len(names) == 0 && !d.policy.AllowNoScopes && !a.Operator {
		bad.add("scopes", "Choose at least one permission.")
	}
	d.checkScopes(bad, "scopes", a, names, nil)
	for _, name := range names {
		if s, known := d.scopes.Find(name); known && s.ClientOnly {
			bad.add("scopes", fmt.Sprintf("The scope %s is for applications; a personal access token cannot have it.", quoted(name)))
		}
	}
}

// expiry holds the end of a token against the policy.
func (d *Desk) expiry(bad *Invalid, a Actor, at, now time.Time) {
	switch {
	case at.IsZero():
		if !d.policy.AllowNoExpiry && !a.Operator {
			bad.add("expires_at", "Choose when the token expires.")
		}
	case !now.Before(at):
		bad.add("expires_at", "The expiration must be in the future.")
	case !a.Operator && at.After(now.Add(d.policy.PersonalTokenMax)):
		bad.add("expires_at", fmt.Sprintf("The token may live for at most %d days.", d.policy.PersonalTokenMax/(24*time.Hour)))
	}
}

// withinMaker: what a token makes reaches no further and lives no longer than
// the token itself, and only a token that its user made may make another.
func withinMaker(ctx context.Context, tx store.Store, a Actor, t *oauth.Token, now time.Time) error {
	limit := a.byToken()
	if limit == nil {
		return nil
	}
	if limit.Method != oauth.ByPersonalToken {
		return &Refused{"An application cannot make personal access tokens. They are made by people, on the settings pages."}
	}
	if !oauth.ContainsScopes(limit.Scopes, t.Scopes) {
		return &Refused{"A token cannot make one with scopes that it lacks itself."}
	}
	maker, err := tx.Token(ctx, limit.TokenID)
	if errors.Is(err, store.ErrNotFound) || err == nil && !maker.LiveAt(now) {
		return &Refused{"The token that asks for this is no longer valid."}
	}
	if err != nil {
		return err
	}
	if !maker.ExpiresAt.IsZero() && (t.ExpiresAt.IsZero() || t.ExpiresAt.After(maker.ExpiresAt)) {
		return invalid("expires_at", "A token made by a token must not outlive it: this one expires at "+maker.ExpiresAt.UTC().Format(time.RFC3339)+".")
	}
	return nil
}

// room: the name is free among the user's other live tokens, and there are not
// too many of them. Internal tokens are the operator's and count for nobody.
func (d *Desk) room(ctx context.Context, tx store.Store, a Actor, t *oauth.Token, now time.Time) error {
	if t.Internal {
		return nil
	}
	others := 0
	for after := ""; ; {
		page, err := tx.ListTokens(ctx, store.TokenQuery{Kind: oauth.PersonalToken, Subject: t.Subject, Internal: hidden(), LiveAt: now}, store.Page{After: after, Limit: MaxPage})
		if err != nil {
			return err
		}
		for _, other := range page {
			if other.ID == t.ID {
				continue
			}
			if other.Name == t.Name {
				return invalid("name", "There is an active token of that name already. Choose another name.")
			}
			others++
		}
		if len(page) < MaxPage {
			break
		}
		after = page[len(page)-1].ID
	}
	if others >= d.policy.MaxPersonalTokens && !a.Operator {
		return &Refused{fmt.Sprintf("You have %d active tokens, which is as many as you may have. Revoke one that you no longer need.", others)}
	}
	return nil
}

// UpdateToken renames a personal access token, changes its description, and
// narrows its scopes; in replaces all three. More scopes are refused: whoever
// holds the secret would get them unasked. ExpiresAt, Subject and Internal are
// ignored. Errors: [ErrNotFound], [*Invalid].
func (d *Desk) UpdateToken(ctx context.Context, a Actor, id string, in TokenInput) (*oauth.Token, error) {
	return d.EditToken(ctx, a, id, func(oauth.Token) TokenInput { return in })
}

// EditToken is UpdateToken for those who change a part: edit makes the input from
// the token as it is, inside the transaction, so that of two who change different
// parts at once neither undoes what the other did. edit may be called more than
// once.
func (d *Desk) EditToken(ctx context.Context, a Actor, id string, edit func(oauth.Token) TokenInput) (*oauth.Token, error) {
	var t *oauth.Token
	err := d.store.InTx(ctx, func(ctx context.Context, tx store.Store) (err error) {
		if t, err = d.personal(ctx, tx, a, id); err != nil {
			return err
		}
		before := *t
		in := edit(before)
		t.Name, t.Description, t.Scopes = strings.TrimSpace(in.Name), strings.TrimSpace(in.Description), unique(in.Scopes)
		var bad Invalid
		bad.name(t.Name, maxTokenName, "The name must be less than 40 characters long.")
		bad.description(t.Description)
		switch {
		case !oauth.ContainsScopes(before.Scopes, t.Scopes):
			bad.add("scopes", "A token cannot be given more permissions. Create a new token that has them.")
		case len(t.Scopes) == 0 && len(before.Scopes) > 0 && !d.policy.AllowNoScopes && !a.Operator:
			bad.add("scopes", "Choose at least one permission.")
		}
		if err := bad.err(); err != nil {
			return err
		}
		if now := d.now(); t.Name != before.Name && t.LiveAt(now) {
			if err := d.nameFree(ctx, tx, a, t, now); err != nil {
				return err
			}
		}
		if err := tx.UpdateToken(ctx, t); err != nil {
			return err
		}
		return d.record(ctx, tx, a, oauth.Event{Type: oauth.EventTokenUpdated, Subject: t.Subject, TokenID: t.ID, Detail: "changed the personal access token " + t.Name})
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// nameFree is room without the count: a rename makes no token.
func (d *Desk) nameFree(ctx context.Context, tx store.Store, a Actor, t *oauth.Token, now time.Time) error {
	var full *Refused
	err := d.room(ctx, tx, a, t, now)
	if errors.As(err, &full) {
		return nil
	}
	return err
}

// RegenerateToken gives a personal access token a new secret and a new end, and
// kills the old secret at once. Id, name and scopes stay. Only its own user and
// the operator may: whoever gets the secret acts as that user. Errors:
// [ErrNotFound], [*Invalid], [*Refused].
func (d *Desk) RegenerateToken(ctx context.Context, a Actor, id string, expiresAt time.Time) (*oauth.Token, oauth.Secret, error) {
	var t *oauth.Token
	var drawn mint.Drawn
	err := d.store.InTx(ctx, func(ctx context.Context, tx store.Store) (err error) {
		if t, err = d.personal(ctx, tx, a, id); err != nil {
			return err
		}
		if !a.owns(t.Subject) && !a.Operator {
			return &Refused{"Only its own user may regenerate a token."}
		}
		now := d.now()
		t.IssuedAt, t.ExpiresAt = now, instant(expiresAt)
		var bad Invalid
		d.expiry(&bad, a, t.ExpiresAt, now)
		if err := bad.err(); err != nil {
			return err
		}
		if err := withinMaker(ctx, tx, a, t, now); err != nil {
			return err
		}
		if err := d.room(ctx, tx, a, t, now); err != nil {
			return err
		}
		drawn = d.mint.Redraw(mint.PersonalToken, t.ID)
		t.Hash, t.Hint = drawn.Hash, drawn.Hint
		if err := tx.ReplaceToken(ctx, t); err != nil {
			return err
		}
		return d.record(ctx, tx, a, oauth.Event{Type: oauth.EventTokenIssued, Subject: t.Subject, TokenID: t.ID, Detail: "regenerated the personal access token " + t.Name})
	})
	if err != nil {
		return nil, "", err
	}
	notePersonal(ctx)
	return t, drawn.Secret, nil
}

// RevokeToken kills a token for good: a personal access token of the actor, or
// any token for administrators and the operator. ErrNotFound.
func (d *Desk) RevokeToken(ctx context.Context, a Actor, id string) error {
	return d.store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		t, err := d.token(ctx, tx, a, id)
		if err != nil || !t.RevokedAt.IsZero() {
			return err
		}
		if err := tx.RevokeToken(ctx, id, d.now()); err != nil {
			return err
		}
		detail := "revoked the personal access token " + t.Name
		if t.Kind != oauth.PersonalToken {
			detail = "revoked one " + string(t.Kind) + " token"
		}
		return d.record(ctx, tx, a, oauth.Event{Type: oauth.EventTokenRevoked, Subject: t.Subject, ClientID: t.ClientID, TokenID: t.ID, Detail: detail})
	})
}

// token finds a token that the actor may see: their own personal access tokens
// that are neither revoked nor internal, or any token for administrators and
// the operator, dead ones too. ErrNotFound.
func (d *Desk) token(ctx context.Context, s store.Store, a Actor, id string) (*oauth.Token, error) {
	t, err := s.Token(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, ErrNotFound
	case err != nil:
		return nil, err
	case a.all():
		return t, nil
	case t.Kind != oauth.PersonalToken || t.Internal || !t.RevokedAt.IsZero() || !a.owns(t.Subject):
		return nil, ErrNotFound
	}
	return t, nil
}

// personal finds a personal access token that can still be changed. ErrNotFound.
func (d *Desk) personal(ctx context.Context, s store.Store, a Actor, id string) (*oauth.Token, error) {
	t, err := d.token(ctx, s, a, id)
	if err == nil && (t.Kind != oauth.PersonalToken || !t.RevokedAt.IsZero()) {
		return nil, ErrNotFound
	}
	return t, err
}

// instant is a time as the store keeps it.
func instant(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}
