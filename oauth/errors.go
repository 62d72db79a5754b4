package oauth

// ErrorCode is an error code of the OAuth specifications by its wire name. It
// is itself an error, so errors.Is(err, oauth.InvalidGrant) works on any [*Error].
type ErrorCode string

func (c ErrorCode) Error() string { return string(c) }

const (
	InvalidRequest          ErrorCode = "invalid_request"           // RFC 6749 §4.1.2.1, §5.2
	InvalidClient           ErrorCode = "invalid_client"            // RFC 6749 §5.2
	InvalidGrant            ErrorCode = "invalid_grant"             // RFC 6749 §5.2
	UnauthorizedClient      ErrorCode = "unauthorized_client"       // RFC 6749 §4.1.2.1, §5.2
	UnsupportedGrantType    ErrorCode = "unsupported_grant_type"    // RFC 6749 §5.2
	UnsupportedResponseType ErrorCode = "unsupported_response_type" // RFC 6749 §4.1.2.1
	InvalidScope            ErrorCode = "invalid_scope"             // RFC 6749 §4.1.2.1, §5.2
	AccessDenied            ErrorCode = "access_denied"             // RFC 6749 §4.1.2.1
	ServerError             ErrorCode = "server_error"              // RFC 6749 §4.1.2.1
	TemporarilyUnavailable  ErrorCode = "temporarily_unavailable"   // RFC 6749 §4.1.2.1
	UnsupportedTokenType    ErrorCode = "unsupported_token_type"    // RFC 7009 §2.2.1
	InvalidToken            ErrorCode = "invalid_token"             // RFC 6750 §3.1
	InsufficientScope       ErrorCode = "insufficient_scope"        // RFC 6750 §3.1
	LoginRequired           ErrorCode = "login_required"            // OpenID Connect Core §3.1.2.6
	ConsentRequired         ErrorCode = "consent_required"          // OpenID Connect Core §3.1.2.6
	InteractionRequired     ErrorCode = "interaction_required"      // OpenID Connect Core §3.1.2.6

	AccountSelectionRequired ErrorCode = "account_selection_required" // OpenID Connect Core §3.1.2.6
	// UnmetAuthenticationRequirements: the code's own document, OpenID Connect Core
	// Error Code unmet_authentication_requirements 1.0.
	UnmetAuthenticationRequirements ErrorCode = "unmet_authentication_requirements"

	RequestNotSupported      ErrorCode = "request_not_supported"      // OpenID Connect Core §3.1.2.6
	RequestURINotSupported   ErrorCode = "request_uri_not_supported"  // OpenID Connect Core §3.1.2.6
	InvalidRequestURI        ErrorCode = "invalid_request_uri"        // OpenID Connect Core §3.1.2.6
	InvalidRequestObject     ErrorCode = "invalid_request_object"     // OpenID Connect Core §3.1.2.6
	RegistrationNotSupported ErrorCode = "registration_not_supported" // OpenID Connect Core §3.1.2.6
	InvalidTarget            ErrorCode = "invalid_target"             // RFC 8707 §2
	InvalidRedirectURI       ErrorCode = "invalid_redirect_uri"       // RFC 7591 §3.2.2
	InvalidClientMetadata    ErrorCode = "invalid_client_metadata"    // RFC 7591 §3.2.2
	InvalidSoftwareStatement ErrorCode = "invalid_software_statement" // RFC 7591 §3.2.2
	AuthorizationPending     ErrorCode = "authorization_pending"      // RFC 8628 §3.5
	ExpiredToken             ErrorCode = "expired_token"              // RFC 8628 §3.5
	SlowDown                 ErrorCode = "slow_down"                  // RFC 8628 §3.5; here: too many failed attempts
)

// Error is a refusal: the protocol says no. Any error that is not an *Error is
// a fault of our own machinery and is answered with no text: as server_error, or,
// if it wraps [TemporarilyUnavailable], by status 503 and Retry-After. So a store
// or a host says that what it needs cannot be reached now:
//
//	return fmt.Errorf("look up user: %w: %w", oauth.TemporarilyUnavailable, err)
type Error struct {
	Code ErrorCode
	// Description goes on the wire as error_description: one or two English
	// sentences in the characters of RFC 6749 §5.2, that name the parameter at
	// fault and hold nothing the recipient did not send.
	Description string
	// Cause goes to the log only.
	Cause error
}

func (e *Error) Error() string {
	s := string(e.Code)
	if e.Description != "" {
		s += ": " + e.Description
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Is makes errors.Is(err, oauth.InvalidGrant) true for an *Error of that code.
func (e *Error) Is(target error) bool { return target == e.Code }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }
