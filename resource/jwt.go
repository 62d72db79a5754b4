package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/valetkey/valetkey/oauth"
)

// JWTConfig says whose access tokens an API takes. Issuer, Audience and JWKS are
// required.
type JWTConfig struct {
	// Issuer is the authorization server's identifier, byte for byte.
	Issuer string
	// Audience is what this API is called in tokens: the resource that clients name
	// (RFC 8707). A token for another API opens nothing here.
	Audience string
	// JWKS is the URL of the server's key set: https, or plain http on loopback.
	JWKS string
	// HTTPClient fetches the key set; nil: one that gives up after ten seconds.
	// Redirects are never followed.
	HTTPClient *http.Client
	// Now is the clock; nil: the system's.
	Now func() time.Time
}

// JWT returns a Verifier of access tokens in JWT form (RFC 9068). It checks type,
// signature, issuer, audience and expiry by itself, with the server's published
// keys, and asks nobody about a token: one that was revoked opens doors until it
// expires. Where that is too long, use Introspection.
//
// Keys are fetched when they are needed and kept for five minutes; a token by a key
// that is not among them makes us look again, once in ten seconds at most. When the
// server cannot be reached the keys that are known serve for a day, and without any
// requests are refused as temporarily_unavailable.
func JWT(c JWTConfig) (Verifier, error) {
	u, err := url.Parse(c.JWKS)
	switch {
	case err != nil || u.Host == "" || u.Fragment != "" || u.User != nil:
		return nil, fmt.Errorf("resource: key set URL %q is not an absolute URL", c.JWKS)
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return nil, fmt.Errorf("resource: key set URL %q must use https; plain http is for loopback addresses only", c.JWKS)
	case c.Issuer == "":
		return nil, errors.New("resource: JWTConfig.Issuer is missing")
	case c.Audience == "":
		return nil, errors.New("resource: JWTConfig.Audience is missing: without it a token for any other API would open this one (RFC 9068 §4)")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	j := &jwtVerifier{cfg: c, keys: newKeySet(c)}
	return j.verify, nil
}

type jwtVerifier struct {
	cfg  JWTConfig
	keys *keySet
}

// algorithms that Valetkey signs with. The token does not choose (RFC 8725 §3.1).
var jwtAlgorithms = []jose.SignatureAlgorithm{jose.ES256, jose.RS256}

// maxSkew is how far the server's clock may be ahead of ours.
const maxSkew = time.Minute

func (j *jwtVerifier) verify(ctx context.Context, token oauth.Secret) (*oauth.Principal, error) {
	if len(token) > maxToken {
		return nil, notOurs(errors.New("too long"))
	}
	jws, err := jose.ParseSignedCompact(string(token), jwtAlgorithms)
	if err != nil {
		return nil, notOurs(err)
	}
	header := jws.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); !isAccessToken(typ) {
		return nil, notOurs(fmt.Errorf("a JWT of the type %q", typ))
	}
	key, err := j.keys.find(ctx, header.KeyID, header.Algorithm)
	if err != nil {
		return nil, err
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return nil, notOurs(err)
	}
	p, err := j.judge(payload)
	if err != nil {
		return nil, notOurs(err)
	}
	return p, nil
}

// isAccessToken: an ID token by the same key is none (RFC 9068 §4).
func isAccessToken(typ string) bool {
	typ = strings.ToLower(typ)
	return typ == "at+jwt" || typ == "application/at+jwt"
}

func notOurs(cause error) error {
	return &oauth.Error{Code: oauth.InvalidToken, Cause: cause,
		Description: "The access token is not one that this API takes, or it has expired."}
}

// judge checks the claims (RFC 9068 §4).
func (j *jwtVerifier) judge(payload []byte) (*oauth.Principal, error) {
	members, err := object(payload)
	if err != nil {
		return nil, err
	}
	var issuer, sub, clientID, jti, scope string
	var expires, goodFor float64 // a NumericDate may have a fraction (RFC 7519 §2)
	for name, into := range map[string]any{
		"iss": &issuer, "sub": &sub, "client_id": &clientID, "jti": &jti, "scope": &scope, "exp": &expires, "nbf": &goodFor,
	} {
		if raw, ok := members[name]; ok && json.Unmarshal(raw, into) != nil {
			return nil, fmt.Errorf("claim %s is of the wrong type", name)
		}
	}
	_, bound := members["cnf"]
	now := j.cfg.Now()
	switch {
	case issuer != j.cfg.Issuer:
		return nil, errors.New("of another issuer")
	case !slices.Contains(audience(members["aud"]), j.cfg.Audience):
		return nil, errors.New("for another audience")
	case expires == 0 || float64(now.Unix()) >= expires:
		return nil, errors.New("exp has passed or is missing")
	case goodFor > float64(now.Add(maxSkew).Unix()):
		return nil, errors.New("nbf has not come")
	case bound:
		return nil, errors.New("bound to a key, which showing it does not prove")
	case sub == "" || clientID == "":
		return nil, errors.New("without sub or client_id")
	}
	scopes, err := oauth.ParseScope(scope)
	if err != nil {
		return nil, errors.New("claim scope is not a list of scopes")
	}
	return &oauth.Principal{Subject: sub, ClientID: clientID, Scopes: scopes, Method: oauth.ByAccessToken, TokenID: jti}, nil
}

// audience reads aud, a string or a list of them (RFC 7519 §4.1.3).
func audience(raw json.RawMessage) (list []string) {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	return list
}
