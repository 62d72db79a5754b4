package conformance_test

import (
	"slices"
	"strings"
	"testing"
)

func TestR1_Discovery(t *testing.T) {
	t.Parallel()
	p := anonymous(t)
	if p.metadata["issuer"] != p.op.Issuer {
		t.Errorf("issuer %v", p.metadata["issuer"])
	}
	status, _, plain := p.get(p.op.Issuer+"/.well-known/oauth-authorization-server", "")
	if status != 200 || object(t, plain)["issuer"] != p.op.Issuer {
		t.Errorf("RFC 8414: %d", status)
	}
}

// registeredNames are those of IANA's registry for authorization servers.
var registeredNames = strings.Fields(`issuer authorization_endpoint token_endpoint jwks_uri registration_endpoint scopes_supported
response_types_supported response_modes_supported grant_types_supported token_endpoint_auth_methods_supported
token_endpoint_auth_signing_alg_values_supported service_documentation ui_locales_supported op_policy_uri op_tos_uri
revocation_endpoint revocation_endpoint_auth_methods_supported revocation_endpoint_auth_signing_alg_values_supported
introspection_endpoint introspection_endpoint_auth_methods_supported introspection_endpoint_auth_signing_alg_values_supported
code_challenge_methods_supported signed_metadata device_authorization_endpoint tls_client_certificate_bound_access_tokens
mtls_endpoint_aliases nfv_token_signing_alg_values_supported userinfo_endpoint acr_values_supported subject_types_supported
id_token_signing_alg_values_supported userinfo_signing_alg_values_supported request_object_signing_alg_values_supported
display_values_supported claim_types_supported claims_supported claims_locales_supported claims_parameter_supported
request_parameter_supported request_uri_parameter_supported require_request_uri_registration require_signed_request_object
pushed_authorization_request_endpoint require_pushed_authorization_requests introspection_signing_alg_values_supported
authorization_response_iss_parameter_supported check_session_iframe frontchannel_logout_supported
backchannel_logout_session_supported end_session_endpoint backchannel_logout_supported frontchannel_logout_session_supported
prompt_values_supported authorization_details_types_supported dpop_signing_alg_values_supported
client_id_metadata_document_supported protected_resources`)

func TestR2_MetadataShape(t *testing.T) {
	t.Parallel()
	p := anonymous(t)
	for name, value := range p.metadata {
		if !slices.Contains(registeredNames, name) {
			t.Errorf("%s is not registered", name)
		}
		switch {
		case strings.HasSuffix(name, "_endpoint"), strings.HasSuffix(name, "_uri"), name == "check_session_iframe":
			p.endpoint(name)
		case strings.HasSuffix(name, "_values_supported"), strings.HasSuffix(name, "s_supported") && strings.Contains(name, "_types_"):
			list, ok := value.([]any)
			if !ok || len(list) == 0 {
				t.Errorf("%s is %v", name, value)
			}
			for _, v := range list {
				if _, ok := v.(string); !ok {
					t.Errorf("%s holds %v", name, v)
				}
			}
		}
	}
	for _, name := range []string{"authorization_endpoint", "token_endpoint", "jwks_uri"} {
		p.endpoint(name)
	}
	if !slices.Contains(texts(p.metadata, "scopes_supported"), "openid") || !slices.Contains(texts(p.metadata, "code_challenge_methods_supported"), "S256") {
		t.Errorf("scopes %v", p.metadata["scopes_supported"])
	}
}

func TestR3_KeySet(t *testing.T) {
	t.Parallel()
	set := anonymous(t).keys()
	for _, alg := range []string{"RS256", "ES256"} {
		if !slices.ContainsFunc(set.Keys, func(k joseKey) bool { return k.Algorithm == alg }) {
			t.Errorf("no key for %s", alg)
		}
	}
}

func TestC1_Config(t *testing.T) {
	t.Parallel()
	m := anonymous(t).metadata
	has := func(name string, values ...string) {
		t.Helper()
		for _, v := range values {
			if !slices.Contains(texts(m, name), v) {
				t.Errorf("%s is %v, without %s", name, m[name], v)
			}
		}
	}
	has("response_types_supported", "code", "id_token", "id_token token")
	has("subject_types_supported", "public", "pairwise")
	has("id_token_signing_alg_values_supported", "RS256")
	has("userinfo_signing_alg_values_supported", "RS256")
	has("grant_types_supported", "authorization_code", "implicit", "refresh_token")
	has("claims_supported", "sub", "name", "email", "address", "phone_number")
	has("request_object_signing_alg_values_supported", "RS256")
	if slices.Contains(texts(m, "request_object_signing_alg_values_supported"), "none") {
		t.Error("unsigned request objects are offered")
	}
}
