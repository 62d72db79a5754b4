package clientauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/valetkey/valetkey/internal/clientkeys"
	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/keyring"
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
	Store store.Store
	Live  *liveness.Checker
	Now   func() time.Time
	// Resolve brings a client whose id is the URL of its metadata document up to date
	// before it is looked up; nil: there are none. A refusal of it is told to nobody.
	Resolve func(ctx context.Context, id string) error
	Logger  *slog.Logger // hears when a secret's last use could not be recorded; nil: nobody does
	// Issuer is whom a client assertion must be made for.
	Issuer string
	// Keys verify private_key_jwt; nil: the method is not on offer.
	Keys *clientkeys.Keys
	// Ring opens the sealed secrets behind client_secret_jwt; nil: the method is
	// not on offer.
	Ring *keyring.Ring
	// AnySecretMethod takes a secret by Basic and in the body, whichever of the
	// two the client is registered for.
	AnySecretMethod bool
	// Profile holds clients that are registered for none of their own.
	Profile oauth.Profile
}

// Authenticator authenticates clients. It remembers recent failures.
type Authenticator struct {
	cfg      Config
	origin   string // of the issuer
	failures *throttle
	uses     *lastuse.Recorder
}

// New returns an authenticator.
func New(c Config) *Authenticator {
	return &Authenticator{cfg: c, origin: origin(c.Issuer), failures: newThrottle(c.Now), uses: lastuse.New(c.Now, c.Logger)}
}

// Wait blocks until the uses of secrets seen so far are recorded, for shutdown
// and tests.
func (a *Authenticator) Wait() { a.uses.Wait() }

// credentials is what a request says about its sender.
type credentials struct {
	method   oauth.AuthMethod
	clientID string
	secret   oauth.Secret // with the two methods that send it
	// assertion is there with the two methods that sign one.
	assertion assertion
}

// failure is a refusal that counts: somebody showed a proof, and it was wrong.
type failure struct {
	answer error
	detail string // for the audit trail
}

func (f *failure) Error() string { return f.detail + ": " + f.answer.Error() }
func (f *failure) Unwrap() error { return f.answer }

// Authenticate returns the live client that sent the request. A refusal is an
// [*oauth.Error] of code invalid_client, invalid_request (two methods at once)
// or slow_down; any other error is a fault.
func (a *Authenticator) Authenticate(r *http.Request, f form.Values) (*oauth.Client, error) {
	given, err := a.read(r, f)
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	network := peer.From(ctx).Network()
	source := given.clientID + "|" + network
	client, err := a.verify(ctx, given, r.URL.Path)
	var wrong *failure
	if errors.As(err, &wrong) {
		// Only who is wrong is told to wait: otherwise whoever shares a client's network,
		// or its proxy, could lock it out.
		if a.failures.over(source) {
			return nil, respond.TooMany("Too many wrong client credentials came from this network. Wait a minute.")
		}
		a.failures.add(source)
		if err := a.record(ctx, client, network, wrong.detail); err != nil {
			return nil, err
		}
		return nil, wrong.answer
	}
	if err != nil {
		return nil, err
	}
	peer.NoteClient(ctx, client.ID)
	return client, nil
}

// read decides which method was used (RFC 6749 §2.3: no more than one).
func (a *Authenticator) read(r *http.Request, f form.Values) (credentials, error) {
	var used []credentials
	for _, method := range []func(*http.Request, form.Values) (credentials, bool, error){basic, post, a.readAssertion} {
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
		Description: "The client authenticates by more than one method. Use one of the Authorization header, client_secret and client_assertion."}
}

// verify checks the proof, the method, and whether the client is alive; path is
// the endpoint that is asked. The look-ups and comparisons are the same whether or
// not the client exists. With a failure the client, if there is one, is returned
// too.
func (a *Authenticator) verify(ctx context.Context, given credentials, path string) (*oauth.Client, error) {
	if err := a.resolve(ctx, given.clientID); err != nil {
		return nil, err
	}
	if client := a.remembered(ctx, given); client != nil {
		return client, nil
	}
	client, err := a.cfg.Live.Memory.Clients.Load(ctx, given.clientID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("look up client: %w", err)
	}
	shown, err := a.prove(ctx, client, given)
	if err != nil {
		return nil, err
	}
	switch {
	case client == nil && given.method == oauth.AuthNone:
		return nil, refuse(ErrUnknownClient)
	case client == nil:
		return nil, &failure{detail: "unknown client", answer: refuse(ErrUnknownClient)}
	case !shown.right:
		return client, &failure{detail: "wrong client " + given.kind(), answer: refuse(shown.why)}
	case client.AuthMethod != given.method && given.method == oauth.AuthNone:
		return nil, refuse(errors.New("a confidential client sent no secret"))
	case !a.registered(client, given.method):
		return nil, &oauth.Error{Code: oauth.InvalidClient, Description: fmt.Sprintf("This client is registered for %s and used %s.", client.AuthMethod, given.method)}
	}
	if err := a.cfg.Live.ClientRow(ctx, client); errors.Is(err, liveness.ErrDead) {
		return nil, refuse(err)
	} else if err != nil {
		return nil, err
	}
	if given.assertion.jws != "" {
		if err := a.checkAssertion(ctx, client, given.assertion, path); err != nil {
			return client, err
		}
	}
	a.used(ctx, shown.secretID)
	return client, nil
}

// remembered is the client if what is remembered of it says yes in everything.
// Otherwise it is nil, and the database decides.
func (a *Authenticator) remembered(ctx context.Context, given credentials) *oauth.Client {
	if given.assertion.jws != "" {
		return nil // it costs a write
	}
	client, secrets := a.cfg.Live.Remembered(given.clientID)
	if client == nil || !a.registered(client, given.method) {
		return nil
	}
	if given.method == oauth.AuthNone {
		return client
	}
	if secrets == nil {
		return nil
	}
	hash := oauth.HashSecret(given.secret)
	shown := a.among(secrets.List, func(s *oauth.ClientSecret) bool { return s.Hash.Equal(hash) })
	if !shown.right {
		return nil
	}
	a.used(ctx, shown.secretID)
	return client
}

func (a *Authenticator) used(ctx context.Context, secretID string) {
	if secretID == "" || a.uses.Recent(secretID) {
		return
	}
	a.uses.Record(ctx, secretID, func(ctx context.Context, now time.Time) error {
		return a.cfg.Store.TouchClientSecret(ctx, secretID, now)
	})
}

// resolve: a client that is a document of its own may be new or have changed.
func (a *Authenticator) resolve(ctx context.Context, id string) error {
	if a.cfg.Resolve == nil {
		return nil
	}
	err := a.cfg.Resolve(ctx, id)
	if errors.Is(err, oauth.InvalidClient) {
		return refuse(err)
	}
	return err
}

// registered holds the client to its method (RFC 7591 §2).
func (a *Authenticator) registered(client *oauth.Client, used oauth.AuthMethod) bool {
	sends := []oauth.AuthMethod{oauth.AuthBasic, oauth.AuthPost}
	return client.AuthMethod == used ||
		a.cfg.AnySecretMethod && slices.Contains(sends, client.AuthMethod) && slices.Contains(sends, used)
}

// shown is what a proof came to.
type shown struct {
	right    bool   // it is the client's, or none was needed
	secretID string // of the secret behind it
	why      error  // if it is not right
}

// prove checks the proof by its method. client is nil if there is none.
func (a *Authenticator) prove(ctx context.Context, client *oauth.Client, given credentials) (shown, error) {
	switch given.method {
	case oauth.AuthNone:
		return shown{right: true}, nil
	case oauth.AuthPrivateKeyJWT:
		err := a.signedWithKey(ctx, client, given.assertion)
		return shown{right: err == nil, why: err}, nil
	case oauth.AuthSecretJWT:
		return a.anySecret(ctx, given.clientID, func(s *oauth.ClientSecret) bool { return a.signedWithSecret(s, given.assertion) })
	}
	hash := oauth.HashSecret(given.secret)
	return a.anySecret(ctx, given.clientID, func(s *oauth.ClientSecret) bool { return s.Hash.Equal(hash) })
}

// kind is what the proof is called in the audit trail.
func (c credentials) kind() string {
	if c.assertion.jws != "" {
		return "assertion"
	}
	return "secret"
}

var errWrongSecret = errors.New("wrong or missing client secret")

// active is how many secrets a client may have alive at once, so that one can
// be rotated without an outage.
const active = 2

// anySecret finds the client's live secret that a proof was made with. It asks
// about every live one, and about as many made-up ones as are missing.
func (a *Authenticator) anySecret(ctx context.Context, clientID string, made func(*oauth.ClientSecret) bool) (shown, error) {
	secrets, err := a.cfg.Live.Memory.Secrets.Load(ctx, clientID)
	if err != nil {
		return shown{}, fmt.Errorf("look up client secrets: %w", err)
	}
	return a.among(secrets.List, made), nil
}

func (a *Authenticator) among(secrets []*oauth.ClientSecret, made func(*oauth.ClientSecret) bool) shown {
	now := a.cfg.Now()
	live := make([]*oauth.ClientSecret, 0, active)
	for i := len(secrets) - 1; i >= 0 && len(live) < active; i-- { // newest first
		if s := secrets[i]; s.ExpiresAt.IsZero() || now.Before(s.ExpiresAt) {
			live = append(live, s)
		}
	}
	nobody, out := &oauth.ClientSecret{}, shown{why: errWrongSecret}
	for i := range active {
		s := nobody
		if i < len(live) {
			s = live[i]
		}
		if made(s) && s != nobody {
			out = shown{right: true, secretID: s.ID}
		}
	}
	return out
}

// record writes the failure into the audit trail, unless the network has filled
// more than its share of it. client is nil if there is none.
func (a *Authenticator) record(ctx context.Context, client *oauth.Client, network, detail string) error {
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
		e.ClientID, e.Subject, e.Detail = client.ID, client.Owner, detail
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
		Description: "Client authentication failed: unknown client, wrong or missing secret or assertion, or another method than the client is registered for.",
		Cause:       cause,
	}
}
