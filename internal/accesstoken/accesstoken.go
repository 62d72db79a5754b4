package accesstoken

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/oauth"
)

// Type is that of access tokens in the header (RFC 9068 §2.1).
const Type = "at+jwt"

// Signer makes and reads access tokens.
type Signer struct {
	Keys interface {
		Sign(ctx context.Context, alg, typ string, claims any) (string, error)
		Verify(ctx context.Context, jws string) (payload []byte, typ string, err error)
	}
	Issuer string
	// Algorithm signs; RS256 if empty, which every API must know (RFC 9068 §2.1).
	Algorithm string
}

// claims of RFC 9068 §2.2.
type claims struct {
	Issuer   string   `json:"iss"`
	Expiry   int64    `json:"exp"`
	Audience any      `json:"aud"` // a string if there is one
	Subject  string   `json:"sub"`
	ClientID string   `json:"client_id"`
	IssuedAt int64    `json:"iat"`
	ID       string   `json:"jti"`
	Scope    string   `json:"scope,omitempty"`
	AuthTime int64    `json:"auth_time,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
}

// Sign writes the row t, which has been committed, as a JWT. auth says how the
// person signed in; it is zero for a client that acts for itself.
func (s *Signer) Sign(ctx context.Context, t *oauth.Token, c *oauth.Client, auth oauth.Authentication) (string, error) {
	if t.Kind != oauth.AccessToken || t.ExpiresAt.IsZero() || t.ID == "" || c.ID != t.ClientID {
		return "", fmt.Errorf("access token %s: its row is not that of an access token of client %s that expires", t.ID, c.ID)
	}
	set := claims{
		Issuer: s.Issuer, Expiry: t.ExpiresAt.Unix(), Audience: s.Issuer, Subject: t.Subject, ClientID: c.ID,
		IssuedAt: t.IssuedAt.Unix(), ID: t.ID, Scope: oauth.ScopeString(t.Scopes), ACR: auth.ACR, AMR: auth.AMR,
	}
	switch len(t.Resources) {
	case 0: // the server's own (RFC 9068 §3)
	case 1:
		set.Audience = t.Resources[0]
	default:
		set.Audience = t.Resources
	}
	if !auth.AuthTime.IsZero() {
		set.AuthTime = auth.AuthTime.Unix()
	}
	return s.Keys.Sign(ctx, cmp.Or(s.Algorithm, keys.RS256), Type, set)
}

// ErrNot: the text is not an access token that this server has signed.
var ErrNot = errors.New("accesstoken: not one of ours")

// Parse verifies signature, type and issuer and returns the id of the token's row,
// which alone says whether it is alive. ErrNot if it is none of ours; any other
// error is a fault.
func (s *Signer) Parse(ctx context.Context, token string) (id string, err error) {
	if !Is(token) {
		return "", ErrNot
	}
	payload, typ, err := s.Keys.Verify(ctx, token)
	if errors.Is(err, keys.ErrSignature) {
		return "", fmt.Errorf("%w: %w", ErrNot, err)
	}
	if err != nil {
		return "", err
	}
	var set claims
	if err := json.Unmarshal(payload, &set); err != nil || typ != Type || set.Issuer != s.Issuer || set.ID == "" {
		return "", fmt.Errorf("%w: a JWT of the type %q by %q", ErrNot, typ, set.Issuer)
	}
	return set.ID, nil
}

// Is reports whether the text says of itself that it is an access token in JWT
// form. It decides nothing but who looks at it next.
func Is(token string) bool {
	head, _, ok := strings.Cut(token, ".")
	if !ok || !strings.HasPrefix(head, "ey") || len(head) > 1024 {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		return false
	}
	var header struct {
		Type string `json:"typ"`
	}
	// The media type may be spelled out, in any case (RFC 9068 §4); we never do.
	return json.Unmarshal(raw, &header) == nil && header.Type == Type
}
