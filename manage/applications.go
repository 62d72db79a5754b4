package manage

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// maxKeepOld is the longest that a replaced client secret may go on working.
const maxKeepOld = 30 * 24 * time.Hour

// Application is a client as its owner sees it.
type Application struct {
	Client  *oauth.Client
	Secrets []SecretHint // the live ones, newest first
	Users   int          // how many subjects have a live grant to it
}

// SecretHint is what may be shown of a client secret after it was made.
type SecretHint struct {
	ID         string
	Hint       string // last four characters
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero: never
	LastUsedAt time.Time // zero: never
}

// ApplicationQuery narrows a list of applications; zero fields do not narrow.
type ApplicationQuery struct {
	// All lists everybody's, for administrators and the operator; otherwise the
	// list holds the actor's own that are not internal, and Owner and Internal
	// are ignored.
	All      bool
	Owner    string
	Text     string // part of the name, website or id
	Internal *bool
	ByName   bool // in the order of the names; otherwise newest first
}

// CreateApplication registers a client for the actor. The secret is shown here
// and never again; it is empty for a public client. Errors: [*Invalid], [*Refused].
func (d *Desk) CreateApplication(ctx context.Context, a Actor, in ApplicationInput) (*oauth.Client, oauth.Secret, error) {
	now := d.now()
	c := &oauth.Client{ID: cmp.Or(in.ID, mint.NewID(now)), CreatedAt: now, UpdatedAt: now}
	if !a.Operator {
		if a.Subject == "" {
			return nil, "", &Refused{"Only somebody who is signed in may register an application."}
		}
		c.Owner = a.Subject
	}
	if err := operatorOnly(a, in, c.Owner); err != nil {
		return nil, "", err
	}
	if err := d.apply(a, in, c); err != nil {
		return nil, "", err
	}
	if err := d.checkClientID(ctx, in.ID); err != nil {
		return nil, "", err
	}
	if err := d.checkOwner(ctx, in.Owner); err != nil {
		return nil, "", err
	}
	if err := d.checkSector(ctx, c); err != nil {
		return nil, "", err
	}
	var secret oauth.Secret
	err := d.store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		if err := tx.CreateClient(ctx, c); errors.Is(err, store.ErrExists) {
			return invalid("id", "The client id is taken.")
		} else if err != nil {
			return err
		}
		if HasSecret(c) {
			drawn, err := d.addSecret(ctx, tx, c, now)
			if err != nil {
				return err
			}
			secret = drawn.Secret
		}
		return d.record(ctx, tx, a, oauth.Event{Type: oauth.EventClientCreated, Subject: c.Owner, ClientID: c.ID, Detail: "registered " + c.Name})
	})
	if err != nil {
		return nil, "", err
	}
	return c, secret, nil
}

// HasSecret reports whether a client authenticates by a secret that the desk draws.
func HasSecret(c *oauth.Client) bool {
	return !c.Public() && c.AuthMethod != oauth.AuthPrivateKeyJWT
}

// addSecret draws a secret and stores its hash; and, for a client that signs with
// it, the secret itself, sealed.
func (d *Desk) addSecret(ctx context.Context, tx store.Store, c *oauth.Client, now time.Time) (mint.Drawn, error) {
	drawn := d.mint.Draw(mint.ClientSecret, now)
	row := &oauth.ClientSecret{ID: drawn.ID, ClientID: c.ID, Hash: drawn.Hash, Hint: drawn.Hint, CreatedAt: now}
	if c.AuthMethod == oauth.AuthSecretJWT {
		row.Sealed = d.seal(drawn.Secret, drawn.ID)
	}
	return drawn, tx.CreateClientSecret(ctx, row)
}

// client finds a client that the actor may see. ErrNotFound.
func (d *Desk) client(ctx context.Context, s store.Store, a Actor, id string) (*oauth.Client, error) {
	c, err := s.Client(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, ErrNotFound
	case err != nil:
		return nil, err
	case !a.all() && (!a.owns(c.Owner) || c.Internal):
		return nil, ErrNotFound
	}
	return c, nil
}

// changeable finds a client that the actor may change. A first-party client is
// trusted without consent, so that not even its owner may change where it sends
// people; only the operator's side may.
func (d *Desk) changeable(ctx context.Context, s store.Store, a Actor, id string) (*oauth.Client, error) {
	c, err := d.client(ctx, s, a, id)
	if err == nil && c.FirstParty && !a.all() {
		return nil, &Refused{"This application is first-party. Only the operator of this server may change it."}
	}
	return c, err
}

// UpdateApplication changes a client. Neither its id nor a secret changes; a
// client that comes to need a secret, or one to sign with, has none until
// RotateSecret, and the secrets of one that needs none any more stop working. A
// client that is a document says itself what it is. Errors: [ErrNotFound],
// [*Invalid], [*Refused].
func (d *Desk) UpdateApplication(ctx context.Context, a Actor, id string, in ApplicationInput) (*oauth.Client, error) {
	return d.EditApplication(ctx, a, id, func(oauth.Client) ApplicationInput { return in })
}

// EditApplication is UpdateApplication for those who change a part: edit makes
// the input from the client as it is, inside the transaction, so that of two who
// change different parts at once neither undoes what the other did. edit may be
// called more than once.
func (d *Desk) EditApplication(ctx context.Context, a Actor, id string, edit func(oauth.Client) ApplicationInput) (*oauth.Client, error) {
	c, err := d.changeable(ctx, d.store, a, id)
	if err != nil {
		return nil, err
	}
	// The host is asked before the transaction, which must not wait for it.
	if err := d.checkOwner(ctx, edit(*c).Owner); err != nil {
		return nil, err
	}
	next, in := *c, edit(*c)
	if in.Metadata != nil {
		next.Metadata = *in.Metadata
	}
	next.RedirectURIs = slices.DeleteFunc(slices.Clone(in.RedirectURIs), func(uri string) bool { return strings.TrimSpace(uri) == "" })
	if in.Metadata != nil || !slices.Equal(next.RedirectURIs, c.RedirectURIs) {
		if err := d.checkSector(ctx, &next); err != nil {
			return nil, err
		}
	}
	err = d.store.InTx(ctx, func(ctx context.Context, tx store.Store) (err error) {
		if c, err = d.changeable(ctx, tx, a, id); err != nil {
			return err
		}
		if c.Registration == oauth.RegisteredByDocument {
			return &Refused{"This application is described by the document at its own address, so it cannot be changed here. It can be disabled."}
		}
		before := c.AuthMethod
		in := edit(*c)
		if in.ID != "" && in.ID != id {
			return &Refused{"The client id of an application cannot be changed."}
		}
		in.ID = ""
		if err := operatorOnly(a, in, c.Owner); err != nil {
			return err
		}
		if err := d.apply(a, in, c); err != nil {
			return err
		}
		c.UpdatedAt = d.now()
		if err := tx.UpdateClient(ctx, c); err != nil {
			return err
		}
		if !HasSecret(c) || c.AuthMethod == oauth.AuthSecretJWT && before != c.AuthMethod {
			if err := tx.ExpireClientSecrets(ctx, id, "", c.UpdatedAt); err != nil {
				return err
			}
		}
		return d.record(ctx, tx, a, oauth.Event{Type: oauth.EventClientUpdated, Subject: c.Owner, ClientID: id, Detail: "changed " + c.Name})
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// SetApplicationDisabled refuses a client everywhere, or lets it work again.
// For administrators and the operator. Errors: [ErrNotFound], [*Refused].
func (d *Desk) SetApplicationDisabled(ctx context.Context, a Actor, id string, disabled bool) error {
	if !a.all() {
		return &Refused{"Only an administrator may disable an application."}
	}
	return d.store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		c, err := d.client(ctx, tx, a, id)
		if err != nil || c.Disabled == disabled {
			return err
		}
		c.Disabled, c.UpdatedAt = disabled, d.now()
		if err := tx.UpdateClient(ctx, c); err != nil {
			return err
		}
		detail := "enabled "
		if disabled {
			detail = "disabled "
		}
		return d.record(ctx, tx, a, oauth.Event{Type: oauth.EventClientUpdated, Subject: c.Owner, ClientID: id, Detail: detail + c.Name})
	})
}

// RotateSecret gives a confidential client a new secret, which is shown here and
// never again. The newest secret before it goes on working for keepOld, at most
// 30 days; every older one stops at once, so that two at most are alive.
// Errors: [ErrNotFound], [*Invalid], [*Refused].
func (d *Desk) RotateSecret(ctx context.Context, a Actor, id string, keepOld time.Duration) (oauth.Secret, error) {
	if keepOld < 0 || keepOld > maxKeepOld {
		return "", invalid("keep_old", "The old secret can go on working for at most 30 days.")
	}
	var secret oauth.Secret
	err := d.store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		c, err := d.changeable(ctx, tx, a, id)
		if err != nil {
			return err
		}
		if c.Public() {
			return &Refused{"A public application has no secret."}
		}
		if !HasSecret(c) {
			return &Refused{"This application authenticates by keys of its own and has no secret."}
		}
		if err := withinLimit(a, c, oauth.Client{}); err != nil {
			return err
		}
		now := d.now()
		live, err := d.liveSecrets(ctx, tx, id)
		if err != nil {
			return err
		}
		if len(live) > 0 {
			if err := tx.ExpireClientSecrets(ctx, id, live[0].ID, now); err != nil {
				return err
			}
		}
		drawn, err := d.addSecret(ctx, tx, c, now)
		if err != nil {
			return err
		}
		if err := tx.ExpireClientSecrets(ctx, id, drawn.ID, now.Add(keepOld)); err != nil {
			return err
		}
		secret = drawn.Secret
		return d.record(ctx, tx, a, oauth.Event{Type: oauth.EventSecretRotated, Subject: c.Owner, ClientID: id, Detail: "made a new secret for " + c.Name})
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// liveSecrets returns the secrets that work now, newest first.
func (d *Desk) liveSecrets(ctx context.Context, s store.Store, clientID string) ([]*oauth.ClientSecret, error) {
	secrets, err := s.ClientSecrets(ctx, clientID)
	if err != nil {
		return nil, err
	}
	now := d.now()
	secrets = slices.DeleteFunc(secrets, func(s *oauth.ClientSecret) bool {
		return !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt)
	})
	slices.Reverse(secrets)
	return secrets, nil
}

// DeleteApplication deletes a client with its secrets, grants and tokens.
// Errors: [ErrNotFound], [*Refused].
func (d *Desk) DeleteApplication(ctx context.Context, a Actor, id string) error {
	return d.store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		c, err := d.changeable(ctx, tx, a, id)
		if err != nil {
			return err
		}
		if err := tx.DeleteClient(ctx, id); err != nil {
			return err
		}
		return d.record(ctx, tx, a, oauth.Event{Type: oauth.EventClientDeleted, Subject: c.Owner, ClientID: id, Detail: "deleted " + c.Name})
	})
}

// Application returns one client with what its owner may see of it. ErrNotFound
// if it is not the actor's.
func (d *Desk) Application(ctx context.Context, a Actor, id string) (*Application, error) {
	c, err := d.client(ctx, d.store, a, id)
	if err != nil {
		return nil, err
	}
	live, err := d.liveSecrets(ctx, d.store, id)
	if err != nil {
		return nil, err
	}
	app := &Application{Client: c}
	for _, s := range live {
		app.Secrets = append(app.Secrets, SecretHint{ID: s.ID, Hint: s.Hint, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt, LastUsedAt: s.LastUsedAt})
	}
	app.Users, err = d.store.CountGrants(ctx, id)
	return app, err
}

// Applications lists clients, newest first unless q or p wants another order.
func (d *Desk) Applications(ctx context.Context, a Actor, q ApplicationQuery, p Page) ([]*oauth.Client, error) {
	sq := store.ClientQuery{Owner: q.Owner, Text: q.Text, Internal: q.Internal, ByName: q.ByName}
	switch {
	case q.All && a.all():
	case a.Subject == "":
		return nil, nil
	default:
		sq.Owner, sq.Internal = a.Subject, hidden()
	}
	return d.store.ListClients(ctx, sq, bounded(p))
}
