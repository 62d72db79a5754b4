package discovery

// registered holds the names of the IANA registry "OAuth Authorization Server
// Metadata" (RFC 8414 §7.1) that a server of this kind could have.
var registered = set(
	// RFC 8414 §2
	"issuer", "authorization_endpoint", "token_endpoint", "jwks_uri", "registration_endpoint", "scopes_supported",
	"response_types_supported", "response_modes_supported", "grant_types_supported",
	"token_endpoint_auth_methods_supported", "token_endpoint_auth_signing_alg_values_supported",
	"service_documentation", "ui_locales_supported", "op_policy_uri", "op_tos_uri",
	"revocation_endpoint", "revocation_endpoint_auth_methods_supported", "revocation_endpoint_auth_signing_alg_values_supported",
	"introspection_endpoint", "introspection_endpoint_auth_methods_supported", "introspection_endpoint_auth_signing_alg_values_supported",
	"code_challenge_methods_supported", "signed_metadata",
	// RFC 9207 §3, RFC 8628 §4, RFC 8705 §3.3 and §5, RFC 9126 §5, RFC 9449 §5.1, RFC 9396 §10, RFC 9101 §10.5
	"authorization_response_iss_parameter_supported", "device_authorization_endpoint",
	"tls_client_certificate_bound_access_tokens", "mtls_endpoint_aliases",
	"pushed_authorization_request_endpoint", "require_pushed_authorization_requests",
	"dpop_signing_alg_values_supported", "authorization_details_types_supported", "require_signed_request_object",
	// RFC 9728 §4
	"protected_resources",
	// OpenID Connect Discovery §3
	"request_parameter_supported", "request_uri_parameter_supported", "require_request_uri_registration",
	"claims_parameter_supported", "claims_supported", "claim_types_supported", "claims_locales_supported",
	"userinfo_endpoint", "acr_values_supported", "subject_types_supported", "display_values_supported",
	"id_token_signing_alg_values_supported", "request_object_signing_alg_values_supported",
	"userinfo_signing_alg_values_supported",
	// OpenID Connect Session Management §3.3, RP-Initiated Logout §2.1, Front-Channel Logout §3, Back-Channel Logout §2.1
	"check_session_iframe", "end_session_endpoint", "frontchannel_logout_supported", "frontchannel_logout_session_supported",
	"backchannel_logout_supported", "backchannel_logout_session_supported",
	// RFC 9701 §7, OAuth Client ID Metadata Document §5
	"introspection_signing_alg_values_supported", "client_id_metadata_document_supported",
	// Initiating User Registration via OpenID Connect §4.1
	"prompt_values_supported",
)

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}
