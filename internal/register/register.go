package register

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/valetkey/valetkey/internal/clientmeta"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/internal/strictjson"
	"github.com/valetkey/valetkey/internal/throttle"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Path is where clients register, below the issuer; below it lies each client's
// own registration.
const Path = "/oauth/register"

// Pattern is where a registration lies, for a mux.
const Pattern = Path + "/{id}"

const (
	// refill is how often a network that has had its burst may register one more.
	refill = 5 * time.Second
	// untouched is how often a client that is registered again is marked as wanted.
	untouched = 24 * time.Hour
)

// Config says what the room is made of. The first block is required.
type Config struct {
	Store  store.Store
	Mint   *mint.Mint
	Live   *liveness.Checker
	Rules  *clientmeta.Rules
	Issuer string
	Now    func() time.Time

	// Initial asks for an initial access token (RFC 7591 §3); without it anybody may
	// register, Burst at once from one network and then one every five seconds.
	Initial bool
	Burst   int
	// Seal encrypts a client secret that the server must be able to read again
	// (client_secret_jwt). Nil: there are no such secrets.
	Seal func(secret oauth.Secret, id string) string
}

// Room is the endpoint.
type Room struct {
	Config
	rate *throttle.Throttle
}

// New returns the room.
func New(c Config) *Room { return &Room{c, throttle.New(c.Burst, refill, c.Now)} }

// Registration is the handler of Path. Applications that run in a browser may
// register, so it answers pages of any origin.
func (rm *Room) Registration() http.Handler {
	return respond.CORS(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			respond.MethodNotAllowed(w, r, http.MethodPost)
			return
		}
		answer, err := rm.register(w, r)
		if err != nil {
			refuse(w, r, err)
			return
		}
		respond.JSON(w, http.StatusCreated, answer)
	}), http.MethodPost)
}

// answer is the client information response (RFC 7591 §3.2.1, RFC 7592 §3).
type answer struct {
	clientmeta.Description
	// A string, for oauth.Secret would not show itself, and that is the point here.
	Secret        string `json:"client_secret,omitempty"`
	SecretExpires *int64 `json:"client_secret_expires_at,omitempty"` // zero: never
	Token         string `json:"registration_access_token,omitempty"`
	URI           string `json:"registration_client_uri,omitempty"`
}

func (rm *Room) register(w http.ResponseWriter, r *http.Request) (*answer, error) {
	ctx := r.Context()
	sponsor, err := rm.sponsor(r)
	if err != nil {
		return nil, err
	}
	c, _, err := rm.read(w, r, rm.Rules)
	if err != nil {
		return nil, err
	}
	now := rm.Now()
	c.ID, c.CreatedAt, c.UpdatedAt = mint.NewID(now), now, now
	c.Registration, c.Fingerprint = oauth.RegisteredDynamically, clientmeta.Fingerprint(c)
	var made *answer
	create := func(ctx context.Context, tx store.Store) (err error) {
		made, err = rm.create(ctx, tx, c, sponsor)
		return err
	}
	err = rm.Store.InTx(ctx, create)
	if errors.Is(err, store.ErrExists) { // its twin was faster
		err = rm.Store.InTx(ctx, create)
	}
	return made, err
}

// sponsor is the subject who made the initial access token; empty: nobody had to,
// or the operator did.
func (rm *Room) sponsor(r *http.Request) (string, error) {
	if !rm.Initial {
		return "", rm.slow(r)
	}
	secret, err := bearer(r)
	if err != nil {
		return "", err
	}
	parsed, err := rm.Mint.Parse(secret, mint.InitialToken)
	if err != nil {
		return "", errInitial(err)
	}
	t, err := rm.Store.Token(r.Context(), parsed.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "", errInitial(err)
	case err != nil:
		return "", fmt.Errorf("look up initial access token: %w", err)
	case t.Kind != oauth.InitialToken || !t.Hash.Equal(parsed.Hash) || !t.LiveAt(rm.Now()):
		return "", errInitial(errors.New("wrong secret, revoked or expired"))
	case t.Subject == "":
		return "", nil
	}
	if _, err := rm.Live.User(r.Context(), t.Subject); errors.Is(err, liveness.ErrDead) {
		return "", errInitial(err)
	} else if err != nil {
		return "", err
	}
	return t.Subject, nil
}

func errInitial(cause error) error {
	return &oauth.Error{Code: oauth.InvalidToken, Description: "The initial access token is unknown, revoked or expired. Ask the operator of this server for another.", Cause: cause}
}

// slow refuses a network that registers too much.
func (rm *Room) slow(r *http.Request) error {
	if !rm.Initial && !rm.rate.Take(peer.From(r.Context()).Network()) {
		return respond.TooMany("Too many registrations came from this network. Wait a minute.")
	}
	return nil
}

// read makes a client of the body, and asks what has to be asked about it.
func (rm *Room) read(w http.ResponseWriter, r *http.Request, rules *clientmeta.Rules) (*oauth.Client, *clientmeta.Document, error) {
	body, err := strictjson.Body(w, r)
	if err != nil {
		return nil, nil, metadataError(err)
	}
	doc, err := clientmeta.Parse(body)
	if err != nil {
		return nil, nil, metadataError(err)
	}
	c, err := rules.Client(doc)
	if err != nil {
		return nil, nil, metadataError(err)
	}
	if err := rules.CheckSector(r.Context(), c); err != nil {
		return nil, nil, metadataError(err)
	}
	return c, doc, nil
}

// metadataError is an error about the metadata as RFC 7591 §3.2.2 has it.
func metadataError(err error) error {
	var about *clientmeta.Error
	var body *strictjson.Error
	switch {
	case errors.As(err, &about):
		return about.Refusal()
	case errors.As(err, &body):
		return &oauth.Error{Code: oauth.InvalidClientMetadata, Description: body.Public()}
	}
	return err
}

// create inserts the client, or finds the one that is registered alike.
func (rm *Room) create(ctx context.Context, tx store.Store, c *oauth.Client, sponsor string) (*answer, error) {
	if c.Fingerprint != "" {
		twin, err := tx.ClientByFingerprint(ctx, c.Fingerprint)
		if err == nil {
			return rm.share(ctx, tx, twin)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return nil, fmt.Errorf("look for the same registration: %w", err)
		}
	}
	if err := tx.CreateClient(ctx, c); err != nil {
		return nil, fmt.Errorf("create client: %w", err)
	}
	a := &answer{Description: clientmeta.Describe(c), URI: rm.uri(c)}
	if err := rm.addSecret(ctx, tx, c, a); err != nil {
		return nil, err
	}
	now := rm.Now()
	token := rm.Mint.Draw(mint.RegistrationToken, now)
	if err := tx.CreateToken(ctx, &oauth.Token{
		ID: token.ID, Kind: oauth.RegistrationToken, Hash: token.Hash, Hint: token.Hint, ClientID: c.ID, Subject: c.ID, IssuedAt: now,
	}); err != nil {
		return nil, fmt.Errorf("create registration token: %w", err)
	}
	a.Token = string(token.Secret)
	e := rm.event(ctx, oauth.EventClientRegistered, c, "registered itself as "+c.Name)
	e.Subject = sponsor
	return a, tx.RecordEvent(ctx, e)
}

// errMoved: what is registered alike changed meanwhile; look again.
var errMoved = fmt.Errorf("the same registration is another now: %w", store.ErrExists)

// share answers with a client that is there. From now on nobody in particular
// looks after it.
func (rm *Room) share(ctx context.Context, tx store.Store, c *oauth.Client) (*answer, error) {
	now := rm.Now()
	if c.Disabled {
		return nil, &oauth.Error{Code: oauth.AccessDenied, Description: "The operator of this server has disabled the client that is registered like this."}
	}
	tokens, err := tx.ListTokens(ctx, store.TokenQuery{Kind: oauth.RegistrationToken, ClientID: c.ID, LiveAt: now}, store.Page{Limit: 10})
	if err != nil {
		return nil, fmt.Errorf("list registration tokens: %w", err)
	}
	for _, t := range tokens {
		if err := tx.RevokeToken(ctx, t.ID, now); errors.Is(err, store.ErrNotFound) {
			return nil, errMoved
		} else if err != nil {
			return nil, fmt.Errorf("revoke registration token: %w", err)
		}
	}
	// Whoever held the token may have changed the client until now.
	if c, err = tx.ClientByFingerprint(ctx, c.Fingerprint); errors.Is(err, store.ErrNotFound) {
		return nil, errMoved
	} else if err != nil {
		return nil, fmt.Errorf("look for the same registration: %w", err)
	}
	if now.Sub(c.UpdatedAt) > untouched { // it is wanted: Purge goes by the last change
		c.UpdatedAt = now
		if err := tx.UpdateClient(ctx, c); err != nil {
			return nil, fmt.Errorf("update client: %w", err)
		}
	}
	return &answer{Description: clientmeta.Describe(c)}, nil
}

// needsSecret: the client authenticates by a secret that we draw.
func needsSecret(m oauth.AuthMethod) bool {
	return m == oauth.AuthBasic || m == oauth.AuthPost || m == oauth.AuthSecretJWT
}

// addSecret draws a secret if the client needs one, and puts it into the answer.
func (rm *Room) addSecret(ctx context.Context, tx store.Store, c *oauth.Client, a *answer) error {
	if !needsSecret(c.AuthMethod) {
		return nil
	}
	now := rm.Now()
	drawn := rm.Mint.Draw(mint.ClientSecret, now)
	row := &oauth.ClientSecret{ID: drawn.ID, ClientID: c.ID, Hash: drawn.Hash, Hint: drawn.Hint, CreatedAt: now}
	if c.AuthMethod == oauth.AuthSecretJWT {
		row.Sealed = rm.Seal(drawn.Secret, drawn.ID)
	}
	if err := tx.CreateClientSecret(ctx, row); err != nil {
		return fmt.Errorf("create client secret: %w", err)
	}
	a.Secret, a.SecretExpires = string(drawn.Secret), new(int64)
	return nil
}

// uri is where the client finds its registration (RFC 7592 §3).
func (rm *Room) uri(c *oauth.Client) string { return rm.Issuer + Path + "/" + c.ID }

func (rm *Room) event(ctx context.Context, typ oauth.EventType, c *oauth.Client, detail string) oauth.Event {
	now, from := rm.Now(), peer.From(ctx)
	return oauth.Event{
		ID: mint.NewID(now), At: now, Type: typ, Actor: c.ID, ClientID: c.ID,
		Network: from.Network(), RequestID: from.RequestID, Detail: detail,
	}
}
