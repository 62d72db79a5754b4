package session

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

// Memory is for how long after its last sign-in to a client it is remembered
// that a session did that. No session of ours lives longer without one.
const Memory = 90 * 24 * time.Hour

// SID is what clients call the session; empty for no session.
func SID(s *oauth.Session) string {
	if s == nil {
		return ""
	}
	return cmp.Or(s.SID, s.ID)
}

// Wants reports whether the client wants to hear when a session ends.
func Wants(c *oauth.Client) bool {
	return c.Metadata.BackchannelLogoutURI != "" || c.Metadata.FrontchannelLogoutURI != ""
}

// Note writes down, inside tx, that the session called sid signs the subject in
// to the client, if the scopes granted say so and the client wants to hear of its
// end (OpenID Connect Back-Channel Logout §2.3, Front-Channel Logout §2). It
// returns store.ErrUsed if the session has ended meanwhile: nothing must be issued
// then.
func Note(ctx context.Context, tx store.Sessions, c *oauth.Client, sid, subject string, scopes []string, now time.Time) error {
	if sid == "" || !slices.Contains(scopes, oauth.ScopeOpenID) || !Wants(c) {
		return nil
	}
	err := tx.AddSessionClient(ctx, &oauth.SessionClient{SID: sid, ClientID: c.ID, Subject: subject, ExpiresAt: now.Add(Memory)})
	if err != nil {
		return fmt.Errorf("note the session's client: %w", err)
	}
	return nil
}
