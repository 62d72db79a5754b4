// Package introspect is the introspection endpoint (RFC 7662): a resource server
// shows a token and learns whom it stands for.
//
// Only clients that authenticate with a secret may ask. Any of them may ask
// about access tokens and personal access tokens, for it is shown those by the
// programs that call it; about a refresh token only the client that holds it. Who
// the person is, the operator's own resource servers learn; any other client learns
// what UserInfo would tell: sub as the token's client knows it, and the user name if
// the token's scopes allow. A
// token that is not alive, or that the asker may not know, is
// {"active":false} and nothing else (§2.2), so that nobody learns whether it
// ever existed.
//
// A caller that wants proof of where the answer came from asks for it with
// Accept: application/token-introspection+jwt and gets it signed, for itself
// alone (RFC 9701).
package introspect

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/valetkey/valetkey/internal/claims"
	"github.com/valetkey/valetkey/internal/clientauth"
	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/internal/peer"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
)

// Config says what the endpoint is made of. The first block is required.
type Config struct {
	Clients *clientauth.Authenticator
	Live    *liveness.Checker
	Issuer  string
	Now     func() time.Time
	// Subjects tells under which sub a client knows a person. Nil: the server is no
	// OpenID Provider, and everybody goes by one.
	Subjects *claims.Subjects

	// Sign makes a JWT of claims, with that algorithm and typ; nil: answers are
	// JSON only.
	Sign func(ctx context.Context, alg, typ string, claims any) (string, error)
}

type endpoint struct{ Config }

// New returns the introspection endpoint.
func New(c Config) http.Handler { return &endpoint{c} }

// answer is the introspection response (RFC 7662 §2.2).
type answer struct {
	Active    bool   `json:"active"`
	Scope     string `json:"scope,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	Username  string `json:"username,omitempty"`
	TokenType string `json:"token_type,omitempty"`
	Exp       int64  `json:"exp,omitempty"` // seconds since 1970; absent: never
	Iat       int64  `json:"iat,omitempty"`
	Sub       string `json:"sub,omitempty"`
	// Aud holds the resources it is meant for; absent: the server's own.
	Aud []string `json:"aud,omitempty"`
	Iss string   `json:"iss,omitempty"`
	Jti string   `json:"jti,omitempty"`
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		respond.MethodNotAllowed(w, r, http.MethodPost)
		return
	}
	if err := e.serve(w, r); err != nil {
		respond.Error(w, r, err)
	}
}

func (e *endpoint) serve(w http.ResponseWriter, r *http.Request) error {
	f, err := form.Parse(w, r)
	if err != nil {
		return err
	}
	asker, err := e.Clients.Authenticate(r, f)
	if err != nil {
		return err
	}
	if asker.Public() { // RFC 7662 §2.1: the endpoint must require authorization
		return &oauth.Error{Code: oauth.InvalidClient, Description: "Only a client that authenticates with a secret may introspect tokens."}
	}
	if err := f.Require("token"); err != nil {
		return err
	}
	a, err := e.answer(r, f, asker)
	if err != nil {
		return err
	}
	peer.NoteIntrospected(r.Context(), a.Active)
	if e.wantsJWT(r) {
		return e.sendSigned(w, r, asker, a)
	}
	respond.JSON(w, http.StatusOK, a)
	return nil
}

func (e *endpoint) answer(r *http.Request, f form.Values, asker *oauth.Client) (answer, error) {
	live, err := e.Live.Token(r.Context(), oauth.Secret(f["token"]), mint.AccessToken, mint.PersonalToken, mint.RefreshToken)
	if errors.Is(err, liveness.ErrDead) {
		return answer{}, nil
	}
	if err != nil {
		return answer{}, err
	}
	if live.Token.Kind == oauth.RefreshToken && live.Token.ClientID != asker.ID {
		return answer{}, nil
	}
	return e.describe(r.Context(), live, asker)
}

func (e *endpoint) describe(ctx context.Context, live *liveness.Live, asker *oauth.Client) (answer, error) {
	t := live.Token
	a := answer{
		Active: true, Scope: oauth.ScopeString(t.Scopes), ClientID: t.ClientID, TokenType: "Bearer",
		Iat: t.IssuedAt.Unix(), Sub: t.Subject, Aud: t.Resources, Iss: e.Issuer, Jti: t.ID,
	}
	if t.Kind == oauth.RefreshToken { // not a token to call an API with (RFC 6749 §7.1)
		a.TokenType = ""
	}
	if !t.ExpiresAt.IsZero() {
		a.Exp = t.ExpiresAt.Unix()
	}
	if live.User == nil {
		return a, nil
	}
	ours, err := e.ours(ctx, asker, t)
	if err != nil {
		return answer{}, err
	}
	if ours {
		a.Username = live.User.Username
		return a, nil
	}
	told := claims.UserInfo(live.User, t.Subject, t.Scopes, nil)
	a.Username, _ = told["preferred_username"].(string)
	if live.Client != nil && e.Subjects != nil {
		a.Sub, err = e.Subjects.Of(ctx, live.Client, t.Subject)
	}
	return a, err
}

// ours: a resource server that the operator or an administrator registered, and not
// whom the token was issued to, who would learn more than the person allowed.
func (e *endpoint) ours(ctx context.Context, asker *oauth.Client, t *oauth.Token) (bool, error) {
	switch {
	case asker.FirstParty:
		return true, nil
	case asker.ID == t.ClientID || asker.Registration != oauth.RegisteredByHand || asker.Metadata.SubjectType == oauth.SubjectPairwise:
		return false, nil
	case asker.Owner == "":
		return true, nil
	}
	owner, _, err := e.Live.Memory.Users.Get(ctx, asker.Owner, e.Live.Memory.Current())
	if errors.Is(err, oauth.ErrUserNotFound) {
		return false, nil
	}
	return err == nil && owner.Admin && !owner.Disabled, err
}
