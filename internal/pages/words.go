package pages

import (
	"strings"
	"time"

	"github.com/valetkey/valetkey/oauth"
)

// typeName is a type of application in a badge.
func typeName(t oauth.ApplicationType) string {
	switch t {
	case oauth.WebApplication:
		return "web"
	case oauth.BrowserApplication:
		return "browser"
	case oauth.NativeApplication:
		return "native"
	case oauth.ServiceApplication:
		return "service"
	}
	return string(t)
}

// registration is how a client came to be in a badge; empty for what a person registered.
func registration(r oauth.Registration) string {
	switch r {
	case oauth.RegisteredDynamically:
		return "registered itself"
	case oauth.RegisteredByDocument:
		return "document"
	}
	return ""
}

var eventNames = map[oauth.EventType]string{
	oauth.EventSignIn:           "Signed in",
	oauth.EventSignInFailed:     "Sign-in failed",
	oauth.EventSignOut:          "Signed out",
	oauth.EventSessionRevoked:   "Session ended",
	oauth.EventSessionStale:     "Session must be confirmed",
	oauth.EventPasswordChanged:  "Password changed",
	oauth.EventPasswordReset:    "Password reset",
	oauth.EventUserCreated:      "Account created",
	oauth.EventUserUpdated:      "Account changed",
	oauth.EventUserDisabled:     "Account disabled",
	oauth.EventUserEnabled:      "Account enabled",
	oauth.EventUserDeleted:      "Account deleted",
	oauth.EventClientCreated:    "Application registered",
	oauth.EventClientUpdated:    "Application changed",
	oauth.EventClientDeleted:    "Application deleted",
	oauth.EventSecretRotated:    "Client secret made",
	oauth.EventConsentGiven:     "Access allowed",
	oauth.EventConsentDenied:    "Access refused",
	oauth.EventGrantRevoked:     "Access revoked",
	oauth.EventTokenIssued:      "Token issued",
	oauth.EventTokenUpdated:     "Token changed",
	oauth.EventTokenRevoked:     "Token revoked",
	oauth.EventCodeReplayed:     "Authorization code used twice",
	oauth.EventRefreshReplayed:  "Refresh token used twice",
	oauth.EventClientAuthFailed: "Client authentication failed",
	oauth.EventClientRegistered: "Application registered itself",
	oauth.EventDeviceApproved:   "Device allowed",
	oauth.EventDeviceDenied:     "Device refused",
	oauth.EventLogoutDelivered:  "Application told of a sign-out",
	oauth.EventLogoutFailed:     "Application could not be told of a sign-out",

	oauth.EventKeyRotated:         "Signing key replaced",
	oauth.EventKeyringKeyRetired:  "Keyring key retired",
	oauth.EventKeyringReencrypted: "Signing keys sealed anew",
}

// eventName is an event for people; a newer version's is its type with spaces.
func eventName(t oauth.EventType) string {
	if name, ok := eventNames[t]; ok {
		return name
	}
	return strings.NewReplacer(".", " ", "_", " ").Replace(string(t))
}

// soon is how long before its end a token is marked.
const soon = 7 * day

// tokenState is revoked, expired, soon or active.
func tokenState(now time.Time, t *oauth.Token) string {
	switch {
	case !t.RevokedAt.IsZero():
		return "revoked"
	case !t.LiveAt(now):
		return "expired"
	case !t.ExpiresAt.IsZero() && t.ExpiresAt.Sub(now) < soon:
		return "soon"
	}
	return "active"
}

// lately says roughly when an application was used last: exact times would
// tell an onlooker more than a person needs to decide.
func lately(now, t time.Time) string {
	d := now.Sub(t)
	switch {
	case t.IsZero():
		return "never used"
	case d < 7*day:
		return "used within the last week"
	case d < 30*day:
		return "used within the last month"
	case d < 365*day:
		return "used within the last year"
	}
	return "not used for more than a year"
}
