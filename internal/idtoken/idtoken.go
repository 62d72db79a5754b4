package idtoken

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"time"

	"github.com/valetkey/valetkey/internal/claims"
	"github.com/valetkey/valetkey/internal/keys"
	"github.com/valetkey/valetkey/oauth"
)

// DefaultAlgorithm is that of a client that registered none (OpenID Connect Core §2).
const DefaultAlgorithm = keys.RS256

// typ is the type of ID tokens in the header (RFC 7519 §5.1).
const typ = "JWT"

// Keys signs and verifies; *keys.Keys does.
type Keys interface {
	Sign(ctx context.Context, alg, typ string, claims any) (string, error)
	Verify(ctx context.Context, jws string) (payload []byte, typ string, err error)
}

// Minter makes ID tokens. All fields are required.
type Minter struct {
	Keys     Keys
	Subjects *claims.Subjects
	Issuer   string
	Lifetime time.Duration
	Now      func() time.Time
}

// Token says what an ID token is to hold.
type Token struct {
	Client         *oauth.Client
	User           *oauth.User
	Scopes         []string
	Authentication oauth.Authentication
	Nonce          string // as the client sent it; empty: it sent none, and none is told
	Claims         string // see oauth.Grant.Claims
	// AccessToken and Code are what goes along, to be bound by their hashes; empty: nothing.
	AccessToken, Code string
	// IncludeUserClaims adds the claims of the scopes: for response_type=id_token,
	// which brings no access token to ask UserInfo with (OpenID Connect Core §5.4).
	IncludeUserClaims bool
}

// Sign makes the ID token.
func (m *Minter) Sign(ctx context.Context, t Token) (string, error) {
	sub, err := m.Subjects.Of(ctx, t.Client, t.User.Subject)
	if err != nil {
		return "", fmt.Errorf("ID token: %w", err)
	}
	sid, err := m.Subjects.Session(ctx, t.Client, t.Authentication.SID)
	if err != nil {
		return "", fmt.Errorf("ID token: %w", err)
	}
	asked, err := claims.ParseRequest(t.Claims)
	if err != nil {
		return "", fmt.Errorf("ID token: what the grant keeps of the claims parameter: %v", err)
	}
	var scopes []string
	if t.IncludeUserClaims {
		scopes = t.Scopes
	}
	set := claims.ForIDToken(t.User, scopes, asked)
	now := m.Now()
	maps.Copy(set, map[string]any{
		"iss": m.Issuer, "sub": sub, "aud": t.Client.ID, "azp": t.Client.ID,
		"iat": now.Unix(), "exp": now.Add(m.Lifetime).Unix(),
	})
	if a := t.Authentication; !a.AuthTime.IsZero() {
		set["auth_time"] = a.AuthTime.Unix()
	}
	if amr := t.Authentication.AMR; len(amr) > 0 {
		set["amr"] = amr
	}
	for name, value := range map[string]string{
		"nonce": t.Nonce, "acr": t.Authentication.ACR, "sid": sid,
		"at_hash": half(t.AccessToken), "c_hash": half(t.Code),
	} {
		if value != "" {
			set[name] = value
		}
	}
	return m.Keys.Sign(ctx, cmp.Or(t.Client.Metadata.IDTokenAlg, DefaultAlgorithm), typ, set)
}

// half is the left half of a value's hash (OpenID Connect Core §3.1.3.6). Both
// algorithms of ours hash with SHA-256.
func half(value string) string {
	if value == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(value))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
