package oauth

import (
	"context"
	"time"
)

// EventType names something that happened and matters to security.
type EventType string

const (
	EventSignIn             EventType = "session.signed_in"
	EventSignInFailed       EventType = "session.sign_in_failed"
	EventSignOut            EventType = "session.signed_out"
	EventSessionRevoked     EventType = "session.revoked"
	EventSessionStale       EventType = "session.stale" // used in other surroundings; must be confirmed
	EventPasswordChanged    EventType = "password.changed"
	EventPasswordReset      EventType = "password.reset"
	EventUserCreated        EventType = "user.created"
	EventUserUpdated        EventType = "user.updated"
	EventUserDisabled       EventType = "user.disabled"
	EventUserEnabled        EventType = "user.enabled"
	EventUserDeleted        EventType = "user.deleted"
	EventClientCreated      EventType = "client.created"
	EventClientUpdated      EventType = "client.updated"
	EventClientDeleted      EventType = "client.deleted"
	EventSecretRotated      EventType = "client.secret_rotated"
	EventConsentGiven       EventType = "consent.given"
	EventConsentDenied      EventType = "consent.denied"
	EventGrantRevoked       EventType = "grant.revoked"
	EventTokenIssued        EventType = "token.issued"
	EventTokenUpdated       EventType = "token.updated"
	EventTokenRevoked       EventType = "token.revoked"
	EventCodeReplayed       EventType = "code.replayed"
	EventRefreshReplayed    EventType = "refresh_token.replayed"
	EventClientAuthFailed   EventType = "client.authentication_failed"
	EventClientRegistered   EventType = "client.registered" // it registered itself
	EventDeviceApproved     EventType = "device.approved"
	EventDeviceDenied       EventType = "device.denied"
	EventLogoutDelivered    EventType = "logout.delivered" // a client was told that a session ended
	EventLogoutFailed       EventType = "logout.failed"    // it could not be told, and will not be
	EventKeyRotated         EventType = "key.rotated"
	EventKeyringKeyRetired  EventType = "keyring.key_retired"
	EventKeyringReencrypted EventType = "keyring.reencrypted"
)

// Event is one row of the audit trail.
type Event struct {
	ID        string // time-ordered
	At        time.Time
	Type      EventType
	Actor     string // subject or client id of who did it; "operator" on the command line; empty: unknown
	Subject   string // whose account, grant or token it concerns
	ClientID  string
	TokenID   string
	Network   string // network of the request as a CIDR prefix (/24 or /48)
	RequestID string
	// Detail is one short English clause for people, never a secret.
	Detail string
}

// Recorder writes the audit trail. The store is one.
type Recorder interface {
	// RecordEvent appends e. An empty ID and a zero At are filled in by the caller.
	RecordEvent(ctx context.Context, e Event) error
}
