package logout

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/valetkey/valetkey/internal/idtoken"
	"github.com/valetkey/valetkey/oauth"
)

const (
	// tokenType: OpenID Connect Back-Channel Logout §2.4.
	tokenType = "logout+jwt"
	// tokenLife: short, as §2.4 advises; an attempt makes its own token.
	tokenLife = 2 * time.Minute
	// logoutEvent is the one member of events.
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
)

// token makes a logout token (OpenID Connect Back-Channel Logout §2.4). It never
// has a nonce, so that it cannot pass for an ID token, and is signed as the
// client's ID tokens are (§2.6).
func (d *Deliverer) token(ctx context.Context, c *oauth.Client, row *oauth.SessionClient) (string, error) {
	sub, err := d.IDTokens.Subjects.Of(ctx, c, row.Subject)
	if err != nil {
		return "", fmt.Errorf("subject of a logout token: %w", err)
	}
	sid, err := d.IDTokens.Subjects.Session(ctx, c, row.SID)
	if err != nil {
		return "", fmt.Errorf("session of a logout token: %w", err)
	}
	now := d.Now()
	token, err := d.IDTokens.Keys.Sign(ctx, cmp.Or(c.Metadata.IDTokenAlg, idtoken.DefaultAlgorithm), tokenType, map[string]any{
		"iss":    d.Issuer,
		"aud":    c.ID,
		"iat":    now.Unix(),
		"exp":    now.Add(tokenLife).Unix(),
		"jti":    rand.Text(),
		"sub":    sub,
		"sid":    sid,
		"events": map[string]struct{}{logoutEvent: {}},
	})
	if err != nil {
		return "", fmt.Errorf("sign a logout token: %w", err)
	}
	return token, nil
}
