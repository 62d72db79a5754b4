package clientauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/lastuse"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// ErrUnknownClient is the cause of a refusal when the request names no client,
// or one that does not exist. It is for compatibility switches, not for strangers.
var ErrUnknownClient = errors.New("clientauth: no such client")

// Config says what to ask. Store, Live and Now are required.
type Config struct {
	Store  store.Store
	Live   *liveness.Checker
	Now    func() time.Time
	Logger *slog.Logger // hears when a secret's last use could not be recorded; nil: nobody does
	// AnySecretMethod takes a secret by Basic and in the body, whichever of the
	// two the client is registered for.
	AnySecretMethod bool
}

// Authenticator authenticates clients. It remembers recent failures.
type Authenticator struct {
	cfg      Config
	failures *throttle
	uses     *lastuse.Recorder
}

// New returns an authenticator.
func New(c Config) *Authenticator {
	return &Authenticator{cfg: c, failures: newThrottle(c.Now), uses: lastuse.New(c.Now, c.Logger)}
}

// Wait blocks until the uses of secrets seen so far are recorded, for shutdown
// and tests.
func (a *Authenticator) Wait() { a.uses.Wait() }

// credentials is what a request says about its sender.
type credentials struct {
	method   oauth.AuthMethod
	clientID string
	secret   oauth.Secret // empty with AuthNone
}

// Authenticate returns the live client that sent the request. A refusal is an
// [*oauth.Error] of code invalid_client, invalid_request (two methods at once)
// or slow_down; any other error is a fault.
func (a *Authenticator) Authenticate(r *http.Request, f form.Values) (*oauth.Client, error) {
	given, err := read(r, f)
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	network := peer.From(ctx).Network()
	source := given.clientID + "|" + network
	if given.method != oauth.AuthNone && a.failures.over(source) {
		return nil, respond.TooMany("Too many wrong client secrets came from this network. Wait a minute.")
	}
	client, err := a.verify(ctx, given)
	if errors.Is(err, errWrongSecret) {
		a.failures.add(source)
		if err := a.record(ctx, client, network); err != nil {
			return nil, err
		}
		return nil, refuse(err)
	}
	if err == nil {
		peer.NoteClient(ctx, client.ID)
	}
	return client, err
}

// read decides which method was used (RFC 6749 §2.3: no more than one).
func read(r *http.Request, f form.Values) (credentials, error) {
	var used []credentials
	for _, method := range []func(*http.Request, form.Values) (credentials, bool, error){basic, post} {
		given, ok, err := method(r, f)
		if err != nil {
			return credentials{}, err
		}
		if ok {
			used = append(used, given)
		}
	}
	switch len(used) {
	case 0:
		return none(f)
	case 1:
		return used[0], nil
	}
	return credentials{}, &oauth.Error{Code: oauth.InvalidRequest,
		Description: "The client authenticates by more than one method. Use either the Authorization header or client_secret."}
}

var errWrongSecret = errors.New("wrong or missing client secret")

// verify compares the secret, the method, and whether the client is alive. The
// look-ups and comparisons are the same whether or not the client exists. With
// errWrongSecret the client, if there is one, is returned too.
func (a *Authenticator) verify(ctx context.Context, given credentials) (*oauth.Client, error) {
	client, err := a.cfg.Store.Client(ctx, given.clientID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("look up client: %w", err)
	}
	var secretID string // of the secret that was shown
	if given.method != oauth.AuthNone {
		if secretID, err = a.holdsSecret(ctx, given); err != nil {
			return nil, err
		}
	}
	switch {
	case client == nil && given.method == oauth.AuthNone:
		return nil, refuse(ErrUnknownClient)
	case client == nil:
		return nil, errors.Join(errWrongSecret, ErrUnknownClient)
	case given.method != oauth.AuthNone && secretID == "":
		return client, errWrongSecret
	case client.AuthMethod != given.method && given.method == oauth.AuthNone:
		return nil, refuse(errors.New("a confidential client sent no secret"))
	case client.AuthMethod != given.method && (client.Public() || !a.cfg.AnySecretMethod):
		return nil, &oauth.Error{Code: oauth.InvalidClient, Description: fmt.Sprintf("This client is registered for %s and used %s.", client.AuthMethod, given.method)}
	}
	if err := a.cfg.Live.ClientRow(ctx, client); errors.Is(err, liveness.ErrDead) {
		return nil, refuse(err)
	} else if err != nil {
		return nil, err
	}
	if secretID != "" {
		a.uses.Record(ctx, secretID, func(ctx context.Context, now time.Time) error {
			return a.cfg.Store.TouchClientSecret(ctx, secretID, now)
		})
	}
	return client, nil
}

// active is how many secrets a client may have alive at once, so that one can
// be rotated without an outage.
const active = 2

// holdsSecret returns the id of the secret that was shown, or "" if it is none
// of the client's. It compares with the hash of every live one in constant
// time, and with as many made-up ones as are missing.
func (a *Authenticator) holdsSecret(ctx context.Context, given credentials) (string, error) {
	secrets, err := a.cfg.Store.ClientSecrets(ctx, given.clientID)
	if err != nil {
		return "", fmt.Errorf("look up client secrets: %w", err)
	}
	now, hash := a.cfg.Now(), oauth.HashSecret(given.secret)
	live := make([]*oauth.ClientSecret, 0, active)
	for i := len(secrets) - 1; i >= 0 && len(live) < active; i-- { // newest first
		if s := secrets[i]; s.ExpiresAt.IsZero() || now.Before(s.ExpiresAt) {
			live = append(live, s)
		}
	}
	nobody := &oauth.ClientSecret{}
	id := ""
	for i := range active {
		s := nobody
		if i < len(live) {
			s = live[i]
		}
		if s.Hash.Equal(hash) {
			id = s.ID
		}
	}
	return id, nil
}

// record writes the failure into the audit trail, unless the network has filled
// more than its share of it. client is nil if there is none.
func (a *Authenticator) record(ctx context.Context, client *oauth.Client, network string) error {
	if a.failures.over(network) {
		return nil
	}
	a.failures.add(network)
	now := a.cfg.Now()
	e := oauth.Event{
		ID: mint.NewID(now), At: now, Type: oauth.EventClientAuthFailed,
		Network: network, RequestID: peer.From(ctx).RequestID, Detail: "unknown client",
	}
	if client != nil {
		e.ClientID, e.Subject, e.Detail = client.ID, client.Owner, "wrong client secret"
	}
	if err := a.cfg.Store.RecordEvent(ctx, e); err != nil {
		return fmt.Errorf("record failed client authentication: %w", err)
	}
	return nil
}

// refuse says the same to everybody (RFC 6749 §5.2).
func refuse(cause error) error {
	return &oauth.Error{
		Code:        oauth.InvalidClient,
		Description: "Client authentication failed: unknown client, wrong or missing secret, or another method than the client is registered for.",
		Cause:       cause,
	}
}
