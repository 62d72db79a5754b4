package par

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/valetkey/valetkey/internal/clientauth"
	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/internal/throttle"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Path is where the endpoint lives below the issuer.
const Path = "/oauth/par"

// Prefix begins every request_uri that this room makes (RFC 9126 §2.2).
const Prefix = "urn:ietf:params:oauth:request_uri:"

// Lifetimes of a request_uri (RFC 9126 §2.2).
const (
	DefaultLifetime  = time.Minute
	ShortestLifetime = 5 * time.Second
	LongestLifetime  = 10 * time.Minute
)

// Config says what the room is made of. All fields but Lifetime are required.
type Config struct {
	Store   store.Store
	Mint    *mint.Mint
	Clients *clientauth.Authenticator
	// Check validates what a client pushes as the authorization endpoint would, and
	// returns the parameters to keep.
	Check func(ctx context.Context, c *oauth.Client, f form.Values) (form.Values, error)
	Now   func() time.Time
	// Lifetime of a request_uri; DefaultLifetime if zero.
	Lifetime time.Duration
}

// Room is the endpoint, and finds again what was pushed to it.
type Room struct {
	Config
	// rate bounds what public clients push: whoever knows a client_id may.
	rate *throttle.Throttle
}

// New returns the room.
func New(c Config) *Room {
	c.Lifetime = cmp.Or(c.Lifetime, DefaultLifetime)
	return &Room{c, throttle.Requests(c.Now)}
}

// Handler is POST /oauth/par.
func (p *Room) Handler() http.Handler {
	return respond.CORS(http.HandlerFunc(p.serve), http.MethodPost)
}

// answer is what a client gets for its request (RFC 9126 §2.2).
type answer struct {
	RequestURI string `json:"request_uri"`
	ExpiresIn  int64  `json:"expires_in"` // seconds
}

func (p *Room) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		respond.MethodNotAllowed(w, r, http.MethodPost)
		return
	}
	made, err := p.push(w, r)
	tooLarge := (*http.MaxBytesError)(nil)
	switch {
	case err == nil:
		respond.JSON(w, http.StatusCreated, made)
	case errors.As(err, &tooLarge):
		respond.TooLarge(w, r, err)
	default:
		respond.Error(w, r, err)
	}
}

// credentials prove who pushes and are no part of what is pushed.
var credentials = []string{"client_secret", "client_assertion", "client_assertion_type"}

// push is the way of one pushed request (RFC 9126 §2.1).
func (p *Room) push(w http.ResponseWriter, r *http.Request) (*answer, error) {
	f, err := form.Parse(w, r)
	if err != nil {
		return nil, err
	}
	client, err := p.Clients.Authenticate(r, f)
	if err != nil {
		return nil, err
	}
	if f["request_uri"] != "" {
		return nil, &oauth.Error{Code: oauth.InvalidRequest, Description: "The parameter request_uri must not be pushed."}
	}
	for _, name := range credentials {
		delete(f, name)
	}
	f["client_id"] = client.ID
	keep, err := p.Check(r.Context(), client, f)
	if err != nil {
		return nil, err
	}
	if client.Public() && !p.rate.Take(peer.From(r.Context()).Network()+" "+client.ID) {
		return nil, respond.TooMany("Too many requests of this client were pushed from this network. Wait a minute.")
	}
	now := p.Now()
	drawn := p.Mint.Draw(mint.PushedRequest, now)
	err = p.Store.CreatePushedRequest(r.Context(), &oauth.PushedRequest{
		ID: drawn.ID, Hash: drawn.Hash, ClientID: client.ID, Form: keep.Params(), Resources: keep.Resources(),
		CreatedAt: now, ExpiresAt: now.Add(p.Lifetime),
	})
	if err != nil {
		return nil, fmt.Errorf("store pushed request: %w", err)
	}
	return &answer{RequestURI: Prefix + string(drawn.Secret), ExpiresIn: int64(p.Lifetime / time.Second)}, nil
}

// Resolve finds what the client pushed, as it was valid at a time: somebody who is
// back from signing in may find it expired meanwhile. It uses nothing up. A
// refusal is an [*oauth.Error] of code invalid_request_uri, the same whether the
// request_uri never was or is another client's.
func (p *Room) Resolve(ctx context.Context, c *oauth.Client, requestURI string, at time.Time) (*oauth.PushedRequest, error) {
	secret, ours := strings.CutPrefix(requestURI, Prefix)
	parsed, err := p.Mint.Parse(oauth.Secret(secret), mint.PushedRequest)
	if !ours || err != nil {
		return nil, unknown()
	}
	pushed, err := p.Store.PushedRequest(ctx, parsed.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, unknown()
	}
	if err != nil {
		return nil, fmt.Errorf("look up pushed request: %w", err)
	}
	switch {
	case !pushed.Hash.Equal(parsed.Hash), pushed.ClientID != c.ID:
		return nil, unknown()
	case !pushed.UsedAt.IsZero():
		return nil, refuse("The request_uri was used before. Push the request again.")
	case !at.Before(pushed.ExpiresAt):
		return nil, refuse("The request_uri has expired. Push the request again.")
	}
	return pushed, nil
}

func unknown() error {
	return refuse("There is no pushed request of this client behind request_uri.")
}

func refuse(description string) error {
	return &oauth.Error{Code: oauth.InvalidRequestURI, Description: description}
}
