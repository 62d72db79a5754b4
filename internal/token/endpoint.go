package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/valetkey/valetkey/grant"
	"github.com/valetkey/valetkey/internal/accesstoken"
	"github.com/valetkey/valetkey/internal/clientauth"
	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/idtoken"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/internal/target"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Config says what the endpoint is made of. The first block is required; OpenID
// and AccessTokens in it go together.
type Config struct {
	Store   store.Store
	Mint    *mint.Mint
	Clients *clientauth.Authenticator
	Live    *liveness.Checker
	Grants  []grant.Handler // the grant types on offer
	Now     func() time.Time
	// AccessToken is how long access tokens live, RefreshToken how long a refresh
	// token lives since its last use; zero: until it is revoked.
	AccessToken, RefreshToken time.Duration
	// Targets knows the protected resources, and which of them take JSON Web Tokens.
	Targets *target.Targets
	// OpenID signs ID tokens, AccessTokens access tokens in JWT form. Nil, both: the
	// server has no keys.
	OpenID       *idtoken.Minter
	AccessTokens *accesstoken.Signer

	OneTokenPerClient bool // kill what client and subject had before
	TokenUser         bool // add a user object to the answer
	UnknownClient404  bool // answer 404 to an unknown client
}

type endpoint struct {
	Config
	grants map[string]grant.Handler
}

// New returns the token endpoint.
func New(c Config) http.Handler {
	e := &endpoint{Config: c, grants: map[string]grant.Handler{}}
	for _, h := range c.Grants {
		e.grants[h.GrantType()] = h
	}
	return respond.CORS(e, http.MethodPost)
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		respond.MethodNotAllowed(w, r, http.MethodPost)
		return
	}
	answer, err := e.answer(w, r)
	switch {
	case err == nil:
		peer.NoteIssued(r.Context(), oauth.IssuedAccess, given(answer.RefreshToken, oauth.IssuedRefresh), given(answer.IDToken, oauth.IssuedID))
		respond.JSON(w, http.StatusOK, answer)
	case e.UnknownClient404 && errors.Is(err, clientauth.ErrUnknownClient):
		respond.NotFound(w, r, err)
	default:
		respond.Error(w, r, err)
	}
}

// answer is the way of one token request.
func (e *endpoint) answer(w http.ResponseWriter, r *http.Request) (*Answer, error) {
	f, err := form.Parse(w, r)
	if err != nil {
		return nil, err
	}
	handler, err := e.choose(f)
	if err != nil {
		return nil, err
	}
	if handler != nil {
		peer.NoteGrantType(r.Context(), handler.GrantType())
	}
	client, err := e.Clients.Authenticate(r, f)
	if err != nil {
		return nil, err
	}
	if err := e.mayUse(client, f["grant_type"], handler); err != nil {
		return nil, err
	}
	from := peer.From(r.Context())
	req := &grant.Request{
		Client: client, Form: f.Only(handler.Params()...), Resources: f.Resources(), Now: e.Now(),
		Network: from.Network(), RequestID: from.RequestID,
	}
	if req.User, err = e.user(r.Context(), handler, req); err != nil {
		return nil, err
	}
	made, err := e.decide(r.Context(), handler, req)
	if err != nil {
		return nil, err
	}
	// It is committed: now it must be answered, even if that took all the time.
	return e.sign(context.WithoutCancel(r.Context()), req, made)
}

// known are the grant types of RFC 6749: one that is not on offer is refused to
// the client that asks; a word that nobody knows is refused to everybody.
var known = []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials, oauth.GrantPassword}

// choose finds the handler of grant_type (RFC 6749 §4.5, §5.2). It is nil for a
// known grant type that is not on offer.
func (e *endpoint) choose(f form.Values) (grant.Handler, error) {
	if err := f.Require("grant_type"); err != nil {
		return nil, err
	}
	handler, offered := e.grants[f["grant_type"]]
	if !offered && !slices.Contains(known, f["grant_type"]) {
		return nil, &oauth.Error{Code: oauth.UnsupportedGrantType, Description: "This server does not know the grant_type."}
	}
	return handler, nil
}

// mayUse holds the client to its registration (RFC 6749 §5.2).
func (e *endpoint) mayUse(client *oauth.Client, grantType string, handler grant.Handler) error {
	switch {
	case handler == nil:
		return &oauth.Error{Code: oauth.UnauthorizedClient, Description: "This server does not offer the grant_type."}
	case grantType == oauth.GrantClientCredentials && client.Public():
		// RFC 6749 §4.4.2: the client must authenticate, and a public one cannot.
		return &oauth.Error{Code: oauth.InvalidClient, Description: "A public client cannot authenticate and so cannot use client_credentials."}
	case !client.MayUse(grantType):
		return &oauth.Error{Code: oauth.UnauthorizedClient, Description: "This client is not registered for the grant_type."}
	}
	return nil
}

// user looks up the person whose access is asked for, outside the transaction.
func (e *endpoint) user(ctx context.Context, handler grant.Handler, req *grant.Request) (*oauth.User, error) {
	subject, err := handler.Subject(ctx, e.Store, req)
	if err != nil || subject == "" {
		return nil, err
	}
	user, err := e.Live.User(ctx, subject)
	if errors.Is(err, liveness.ErrDead) {
		return nil, &oauth.Error{Code: oauth.InvalidGrant, Description: "The account that this was granted for is not active.", Cause: err}
	}
	return user, err
}

// decide runs the handler and makes the tokens in one transaction. Refusals
// commit, faults roll back.
func (e *endpoint) decide(ctx context.Context, handler grant.Handler, req *grant.Request) (*issued, error) {
	var made *issued
	var refusal *oauth.Error
	err := e.Store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		made, refusal = nil, nil // fn may run again
		issue, err := handler.Grant(ctx, tx, req)
		if errors.As(err, &refusal) {
			return nil
		}
		if err != nil {
			return err
		}
		made, err = e.issue(ctx, tx, req, issue)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", handler.GrantType(), err)
	}
	if refusal != nil {
		return nil, refusal
	}
	return made, nil
}
