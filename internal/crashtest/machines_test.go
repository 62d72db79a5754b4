package crashtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"
)

// What software does by itself.

const (
	serviceToken  = "a client credentials token"
	personalToken = "a personal access token"
	registration  = "a registered client"
)

func (l *load) clientCredentials(ctx context.Context) error {
	token, err := l.token(ctx, l.service, url.Values{"grant_type": {"client_credentials"}})
	if err != nil {
		return err
	}
	l.ledger.holds(l.bearer(token.AccessToken, serviceToken, func(ctx context.Context) error {
		// RFC 7009
		_, err := l.send(ctx, http.MethodPost, "/oauth/revoke", formType, url.Values{"token": {token.AccessToken}}.Encode(), as(l.service))
		return err
	}))
	return nil
}

func (l *load) personalToken(ctx context.Context) error {
	wanted := fmt.Sprintf(`{"name":"made %d","scopes":["user:email"],"expires_at":%q}`, l.made.Add(1), time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	var made struct{ ID, Token string }
	if err := l.json(ctx, http.MethodPost, "/api/v1/tokens", wanted, l.api, &made); err != nil {
		return err
	}
	l.ledger.holds(l.bearer(made.Token, personalToken, func(ctx context.Context) error {
		_, err := l.send(ctx, http.MethodDelete, "/api/v1/tokens/"+made.ID, "", "", withToken(l.api))
		return err
	}))
	return nil
}

// json does one request of an API that speaks it.
func (l *load) json(ctx context.Context, method, path, body, token string, into any) error {
	contentType := "application/json"
	if method == http.MethodPatch {
		contentType = "application/merge-patch+json"
	}
	answer, err := l.send(ctx, method, path, contentType, body, withToken(token))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return &refused{http.StatusOK, string(answer)}
	}
	return nil
}

// register registers a client (RFC 7591), which looks after itself (RFC 7592).
func (l *load) register(ctx context.Context) error {
	var c struct {
		Token string `json:"registration_access_token"`
		URI   string `json:"registration_client_uri"`
	}
	wanted := fmt.Sprintf(`{"client_name":"made %d","redirect_uris":["https://made.example/callback"]}`, l.made.Add(1))
	if err := l.json(ctx, http.MethodPost, "/oauth/register", wanted, l.initial, &c); err != nil {
		return err
	}
	path := strings.TrimPrefix(c.URI, l.site.Issuer)
	l.ledger.holds(&fact{registration, func(ctx context.Context) (bool, error) {
		return works(l.send(ctx, http.MethodGet, path, "", "", withToken(c.Token)))
	}, func(ctx context.Context) error {
		_, err := l.send(ctx, http.MethodDelete, path, "", "", withToken(c.Token))
		return err
	}})
	return nil
}

// ending ends one living fact after the other.
func (l *load) ending(what ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		f := l.ledger.take(what...)
		if f == nil {
			time.Sleep(pause) // the others will make one
			return nil
		}
		if err := f.end(ctx); err != nil {
			return err
		}
		l.ledger.ended(f)
		return nil
	}
}

// chain is one refresh token and its successors.
type chain struct {
	load    *load
	n       int
	current string
}

func (c *chain) refresh(ctx context.Context) error {
	token, err := c.load.token(ctx, c.load.public, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.current}})
	if err != nil {
		return err
	}
	if token.RefreshToken == c.current {
		return &refused{http.StatusOK, "the refresh token did not rotate"}
	}
	c.current = token.RefreshToken
	c.load.ledger.holds(c.load.bearer(token.AccessToken, "an access token of a refresh", nil))
	return nil
}

// verify repeats the refresh that the kill may have cut off.
func (c *chain) verify(ctx context.Context) error {
	if err := c.refresh(ctx); err != nil {
		return fmt.Errorf("lost: refresh chain %d is broken: %w", c.n, err)
	}
	return nil
}

// setting is the name of an application, which is changed again and again.
type setting struct {
	load           *load
	id             string
	asked, granted atomic.Int64 // the number in the newest name, and in the newest that was acknowledged
}

type application struct {
	ID   string `json:"client_id"`
	Name string `json:"name"`
}

func (l *load) newSetting(ctx context.Context) (*setting, error) {
	var a application
	err := l.json(ctx, http.MethodPost, "/api/v1/applications", `{"name":"name 0","type":"service","scopes":["user:email"],"website":"https://setting.example/"}`, l.api, &a)
	return &setting{load: l, id: a.ID}, err
}

func (s *setting) change(ctx context.Context) error {
	n := s.asked.Add(1)
	var a application
	if err := s.load.json(ctx, http.MethodPatch, "/api/v1/applications/"+s.id, fmt.Sprintf(`{"name":"name %d"}`, n), s.load.api, &a); err != nil {
		return err
	}
	s.granted.Store(n)
	return nil
}

// verify: the name is the last that was acknowledged, or the one that was cut off,
// which counts from now on.
func (s *setting) verify(ctx context.Context) error {
	var a application
	if err := s.load.json(ctx, http.MethodGet, "/api/v1/applications/"+s.id, "", s.load.api, &a); err != nil {
		return err
	}
	granted, asked := s.granted.Load(), s.asked.Load()
	switch a.Name {
	case fmt.Sprint("name ", asked):
		s.granted.Store(asked)
	case fmt.Sprint("name ", granted):
	default:
		return fmt.Errorf("lost: the application is named %q, and name %d was acknowledged, name %d asked for", a.Name, granted, asked)
	}
	return nil
}

// betweenRotations is long enough for something to be signed by each key.
const betweenRotations = 100 * time.Millisecond

// rotateKey lets another key sign, as an operator does beside the server. A
// command that cannot write now says so; the kill does not reach it.
func (l *load) rotateKey(ctx context.Context) error {
	time.Sleep(betweenRotations)
	if _, err := l.site.Run(ctx, "", "key", "rotate", "--alg", "ES256"); err != nil && ctx.Err() == nil {
		return &operatorError{err}
	}
	return nil
}

// operatorError is what a command said that ran while something was killed.
type operatorError struct{ error }

// signed are some of the ID tokens that were handed out, the newest last.
type signed struct {
	mu  sync.Mutex
	all []string
}

// maxSigned ID tokens are remembered.
const maxSigned = 200

func (s *signed) add(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all = append(s.all, token); len(s.all) > maxSigned {
		s.all = s.all[1:]
	}
}

// verify holds the tokens against the published keys.
func (s *signed) verify(ctx context.Context, l *load) error {
	body, err := l.send(ctx, http.MethodGet, "/oauth/jwks", "", "", func(*http.Request) {})
	if err != nil {
		return err
	}
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(body, &keys); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, token := range s.all {
		jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
		if err != nil {
			return err
		}
		found := keys.Key(jws.Signatures[0].Header.KeyID)
		if len(found) != 1 {
			return fmt.Errorf("lost: an ID token is signed by key %q, which is not published", jws.Signatures[0].Header.KeyID)
		}
		if _, err := jws.Verify(found[0]); err != nil {
			return errors.New("an ID token does not verify")
		}
	}
	return nil
}

// redeem exchanges a code.
func (l *load) redeem(ctx context.Context, app *oauth2.Config, code, verifier string) error {
	token, err := l.token(ctx, app, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {app.RedirectURL}, "code_verifier": {verifier},
	})
	if err != nil {
		return err
	}
	if token.IDToken == "" {
		return &refused{http.StatusOK, "there is no ID token"}
	}
	l.signed.add(token.IDToken)
	l.ledger.holds(l.bearer(token.AccessToken, "an access token of the code flow", nil))
	return nil
}
