package register

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/valetkey/valetkey/internal/clientmeta"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Management is the handler of Pattern (RFC 7592 §2).
func (rm *Room) Management() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var do func(http.ResponseWriter, *http.Request, *liveness.Live) (*answer, error)
		switch r.Method {
		case http.MethodGet:
			do = rm.show
		case http.MethodPut:
			do = rm.replace
		case http.MethodDelete:
			do = rm.remove
		default:
			respond.MethodNotAllowed(w, r, http.MethodGet, http.MethodPut, http.MethodDelete)
			return
		}
		live, token, err := rm.own(r)
		if err != nil {
			refuse(w, r, err)
			return
		}
		a, err := do(w, r, live)
		switch {
		case err != nil:
			refuse(w, r, err)
		case a == nil:
			w.Header().Set("Cache-Control", "no-store")
			w.WriteHeader(http.StatusNoContent)
		default:
			// Only the hash is kept, so the token goes back to who has just shown it.
			a.Token, a.URI = string(token), rm.uri(live.Client)
			respond.JSON(w, http.StatusOK, a)
		}
	})
}

// own finds the client whose registration token was shown. That of another client,
// and one whose client is gone, are refused alike (RFC 7592 §2).
func (rm *Room) own(r *http.Request) (*liveness.Live, oauth.Secret, error) {
	secret, err := bearer(r)
	if err != nil {
		return nil, "", err
	}
	live, err := rm.Live.Token(r.Context(), secret, mint.RegistrationToken)
	switch {
	case errors.Is(err, liveness.ErrDead):
		return nil, "", errToken(err)
	case err != nil:
		return nil, "", err
	case live.Token.Kind != oauth.RegistrationToken || live.Client == nil || live.Client.ID != r.PathValue("id"):
		return nil, "", errToken(errors.New("another client's token"))
	case live.Client.FirstParty:
		return nil, "", &oauth.Error{Code: oauth.AccessDenied, Description: "The operator of this server looks after this client."}
	}
	return live, secret, nil
}

func errToken(cause error) error {
	return &oauth.Error{Code: oauth.InvalidToken, Description: "The registration access token is not that of a client with this id.", Cause: cause}
}

// show: RFC 7592 §2.1.
func (rm *Room) show(_ http.ResponseWriter, _ *http.Request, live *liveness.Live) (*answer, error) {
	return &answer{Description: clientmeta.Describe(live.Client)}, nil
}

// replace: RFC 7592 §2.2. What the new metadata does not say is gone.
func (rm *Room) replace(w http.ResponseWriter, r *http.Request, live *liveness.Live) (*answer, error) {
	c := live.Client
	if err := rm.slow(r); err != nil {
		return nil, err
	}
	rules := *rm.Rules
	rules.Profile = c.Profile // the operator may have changed it
	next, doc, err := rm.read(w, r, &rules)
	if err != nil {
		return nil, err
	}
	if err := rm.sameClient(r.Context(), c, doc); err != nil {
		return nil, err
	}
	var a *answer
	update := func(ctx context.Context, tx store.Store) (err error) {
		if err := tx.UpdateToken(ctx, live.Token); err != nil {
			return err // it was revoked since: somebody else shares the client
		}
		a, err = rm.update(ctx, tx, c.ID, *next)
		return err
	}
	err = rm.Store.InTx(r.Context(), update)
	if errors.Is(err, store.ErrExists) { // somebody registered like this just now
		err = rm.Store.InTx(r.Context(), update)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = errToken(err)
	}
	return a, err
}

// sameClient: the request says whose it is, does not say what only we may say, and
// chooses no secret (RFC 7592 §2.2).
func (rm *Room) sameClient(ctx context.Context, c *oauth.Client, doc *clientmeta.Document) error {
	if doc.ClientID != c.ID {
		return &oauth.Error{Code: oauth.InvalidClientMetadata, Description: "The member client_id must be that of the client that is changed."}
	}
	for _, ours := range []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"} {
		if doc.Has(ours) {
			return &oauth.Error{Code: oauth.InvalidClientMetadata, Description: "The member " + ours + " is not for clients to send. Leave it out."}
		}
	}
	if doc.ClientSecret == "" {
		return nil
	}
	secrets, err := rm.Store.ClientSecrets(ctx, c.ID)
	if err != nil {
		return fmt.Errorf("look up client secrets: %w", err)
	}
	now, sent := rm.Now(), oauth.HashSecret(oauth.Secret(doc.ClientSecret))
	for _, s := range secrets {
		if s.Hash.Equal(sent) && (s.ExpiresAt.IsZero() || now.Before(s.ExpiresAt)) {
			return nil
		}
	}
	return &oauth.Error{Code: oauth.InvalidClientMetadata, Description: "The member client_secret is not the secret of this client, which clients do not choose. Leave it out."}
}

// update writes the new metadata over the client as it is now.
func (rm *Room) update(ctx context.Context, tx store.Store, id string, next oauth.Client) (*answer, error) {
	c, err := tx.Client(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("look up client: %w", err)
	}
	if err := clientmeta.CheckChange(c, &next); err != nil {
		return nil, metadataError(err)
	}
	before := c.AuthMethod
	c.Type, c.Name, c.Website, c.AuthMethod, c.RedirectURIs = next.Type, next.Name, next.Website, next.AuthMethod, next.RedirectURIs
	c.GrantTypes, c.Scopes, c.RequirePKCE, c.Metadata = next.GrantTypes, next.Scopes, next.RequirePKCE, next.Metadata
	c.DefaultScopes, c.UpdatedAt = nil, rm.Now()
	c.Fingerprint = clientmeta.Fingerprint(c)
	if c.Fingerprint != "" {
		twin, err := tx.ClientByFingerprint(ctx, c.Fingerprint)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("look for the same registration: %w", err)
		}
		if twin != nil && twin.ID != id {
			c.Fingerprint = "" // new ones become the other one
		}
	}
	if err := tx.UpdateClient(ctx, c); err != nil {
		return nil, fmt.Errorf("update client: %w", err)
	}
	a := &answer{Description: clientmeta.Describe(c)}
	if keeps := needsSecret(before) && needsSecret(c.AuthMethod) && (c.AuthMethod != oauth.AuthSecretJWT || before == oauth.AuthSecretJWT); !keeps {
		if err := tx.ExpireClientSecrets(ctx, id, "", c.UpdatedAt); err != nil {
			return nil, fmt.Errorf("expire client secrets: %w", err)
		}
		if err := rm.addSecret(ctx, tx, c, a); err != nil {
			return nil, err
		}
	}
	return a, tx.RecordEvent(ctx, rm.event(ctx, oauth.EventClientUpdated, c, "changed its registration as "+c.Name))
}

// remove: RFC 7592 §2.3. Its secrets, grants and tokens go with it.
func (rm *Room) remove(_ http.ResponseWriter, r *http.Request, live *liveness.Live) (*answer, error) {
	c := live.Client
	err := rm.Store.InTx(r.Context(), func(ctx context.Context, tx store.Store) error {
		if err := tx.UpdateToken(ctx, live.Token); err != nil {
			return err
		}
		if err := tx.DeleteClient(ctx, c.ID); err != nil {
			return err
		}
		return tx.RecordEvent(ctx, rm.event(ctx, oauth.EventClientDeleted, c, "deleted its registration as "+c.Name))
	})
	if errors.Is(err, store.ErrNotFound) {
		err = errToken(err)
	}
	return nil, err
}
