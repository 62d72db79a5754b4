// Package userinfo is the UserInfo endpoint (OpenID Connect Core §5.3): a client
// shows an access token with the scope openid and learns about the person it acts
// for.
//
// The token comes in the Authorization header, by GET or POST, or in the form of
// a POST (RFC 6750 §2.1, §2.2); one in the URL is refused, because URLs end up in
// logs. No cookie is read, so a page of any origin may ask.
//
// What is told follows from the token's scopes, which a person has allowed, and
// from the claims parameter that the authorization was asked for with. sub is the
// one of the client's ID tokens. The answer is JSON, or a JWT for a client that
// registered userinfo_signed_response_alg.
package userinfo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"

	"github.com/valetkey/valetkey/internal/cache"
	"github.com/valetkey/valetkey/internal/claims"
	"github.com/valetkey/valetkey/internal/form"
	"github.com/valetkey/valetkey/internal/guard"
	"github.com/valetkey/valetkey/internal/liveness"
	"github.com/valetkey/valetkey/internal/respond"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Config says what the endpoint is made of. All fields are required.
type Config struct {
	// Guard lets live tokens in and answers the others (RFC 6750 §3).
	Guard    *guard.Guard
	Memory   *cache.Cache // where grants are looked up
	Subjects *claims.Subjects
	Issuer   string
	// Sign makes a JWT of claims, with that algorithm and typ.
	Sign func(ctx context.Context, alg, typ string, claims any) (string, error)
}

type endpoint struct{ Config }

// New returns the UserInfo endpoint.
func New(c Config) http.Handler {
	e := &endpoint{c}
	h := e.formToken(c.Guard.RequireToken(oauth.ScopeOpenID)(e))
	return respond.CORS(methods(h), http.MethodGet, http.MethodPost)
}

func methods(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodPost:
			next.ServeHTTP(w, r)
		default:
			respond.MethodNotAllowed(w, r, http.MethodGet, http.MethodPost)
		}
	})
}

// formToken puts the token of a form where the guard looks, and refuses a request
// that has one in its URL or in two places (RFC 6750 §2).
func (e *endpoint) formToken(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := sentToken(w, r)
		switch {
		case err != nil:
			e.Guard.Refuse(w, r, err)
			return
		case token != "":
			r = r.Clone(r.Context())
			r.Header.Set("Authorization", "Bearer "+token)
		}
		next.ServeHTTP(w, r)
	})
}

func sentToken(w http.ResponseWriter, r *http.Request) (string, error) {
	if r.URL.Query().Has("access_token") {
		return "", refuse("The access token must be in the Authorization header or in the form of a POST, never in the URL.")
	}
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Method != http.MethodPost || mediaType != "application/x-www-form-urlencoded" {
		return "", nil
	}
	f, err := form.Parse(w, r)
	if err != nil {
		return "", err
	}
	token := f["access_token"]
	if token != "" && r.Header.Get("Authorization") != "" {
		return "", refuse("The request has an access token both in the Authorization header and in its form.")
	}
	return token, nil
}

func refuse(description string) error {
	return &oauth.Error{Code: oauth.InvalidRequest, Description: description}
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	live := guard.LiveFrom(r.Context())
	if live == nil || live.User == nil || live.Client == nil {
		e.Guard.Refuse(w, r, &oauth.Error{Code: oauth.InvalidToken, Description: "The access token acts for nobody whom UserInfo could tell about."})
		return
	}
	if err := e.tell(w, r, live); err != nil {
		respond.Error(w, r, err)
	}
}

func (e *endpoint) tell(w http.ResponseWriter, r *http.Request, live *liveness.Live) error {
	ctx := r.Context()
	sub, err := e.Subjects.Of(ctx, live.Client, live.User.Subject)
	if err != nil {
		return err
	}
	asked, err := e.asked(ctx, live.Token)
	if err != nil {
		return err
	}
	told := claims.UserInfo(live.User, sub, live.Token.Scopes, asked)
	alg := live.Client.Metadata.UserInfoAlg
	if alg == "" {
		respond.JSON(w, http.StatusOK, told)
		return nil
	}
	// OpenID Connect Core §5.3.2: a signed answer says who made it, and for whom.
	signed := maps.Clone(told)
	signed["iss"], signed["aud"] = e.Issuer, live.Client.ID
	jwt, err := e.Sign(ctx, alg, "JWT", signed)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/jwt")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	io.WriteString(w, jwt)
	return nil
}

// asked is the claims parameter of the token's authorization.
func (e *endpoint) asked(ctx context.Context, t *oauth.Token) (*claims.Request, error) {
	if t.GrantID == "" {
		return nil, nil
	}
	// A grant's claims never change, so what is remembered is as good.
	g, _, err := e.Memory.Grants.Get(ctx, t.GrantID, e.Memory.Current())
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil // gone since the token was looked up
	}
	if err != nil {
		return nil, fmt.Errorf("look up grant: %w", err)
	}
	asked, err := claims.ParseRequest(g.Claims)
	if err != nil {
		return nil, fmt.Errorf("grant %s: what it keeps of the claims parameter: %v", g.ID, err)
	}
	return asked, nil
}
