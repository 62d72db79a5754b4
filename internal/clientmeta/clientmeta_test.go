package clientmeta_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/clientmeta"
	"github.com/valetkey/valetkey/internal/fetch"
	"github.com/valetkey/valetkey/oauth"
)

const ecKey = `{"kty":"EC","crv":"P-256","kid":"1","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`

// rules are those of a server that can do everything.
func rules(t testing.TB, change ...func(*clientmeta.Rules)) *clientmeta.Rules {
	t.Helper()
	scopes, err := oauth.NewScopes(oauth.Scope{Name: "records:read"}, oauth.Scope{Name: "openid"}, oauth.Scope{Name: "admin", Internal: true})
	if err != nil {
		t.Fatal(err)
	}
	r := &clientmeta.Rules{
		GrantTypes: []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials, oauth.GrantImplicit, oauth.GrantDeviceCode},
		ResponseTypes: []string{oauth.ResponseTypeCode, oauth.ResponseTypeToken, oauth.ResponseTypeIDToken, oauth.ResponseTypeIDTokenToken,
			oauth.ResponseTypeCodeIDToken, oauth.ResponseTypeCodeToken, oauth.ResponseTypeCodeIDTokenToken},
		AuthMethods: []oauth.AuthMethod{oauth.AuthBasic, oauth.AuthPost, oauth.AuthNone, oauth.AuthSecretJWT, oauth.AuthPrivateKeyJWT},
		Scopes:      scopes, SigningAlgs: []string{"RS256", "ES256"}, ClientAlgs: []string{"RS256", "ES256", "PS256"}, SecretAlgs: []string{"HS256"},
		SubjectTypes: []string{oauth.SubjectPublic, oauth.SubjectPairwise}, JWTAccessTokens: true,
		Fetch: fetch.New(fetch.Config{Now: time.Now}),
	}
	for _, c := range change {
		c(r)
	}
	return r
}

// document is a JSON object of the pairs, over one redirect URI.
func document(pairs ...any) []byte {
	m := map[string]any{"redirect_uris": []string{"https://app.test/cb"}}
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

func client(r *clientmeta.Rules, data []byte) (*oauth.Client, error) {
	d, err := clientmeta.Parse(data)
	if err != nil {
		return nil, err
	}
	return r.Client(d)
}

func TestE4_Defaults(t *testing.T) {
	t.Parallel()
	r := rules(t)
	c, err := client(r, document())
	if err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(clientmeta.Describe(c))
	const want = `{"client_name":"Unnamed application","redirect_uris":["https://app.test/cb"],"grant_types":["authorization_code"],` +
		`"token_endpoint_auth_method":"client_secret_basic","application_type":"web","response_types":["code"]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if c.Type != oauth.WebApplication || !c.RequirePKCE || c.Public() {
		t.Errorf("client %+v", c)
	}
}

// TestE4_Consistent: grant types, response types and what follows from them.
func TestE4_Consistent(t *testing.T) {
	t.Parallel()
	list := func(s ...string) []string { return s }
	code, implicit, refresh, cc, device := oauth.GrantAuthorizationCode, oauth.GrantImplicit, oauth.GrantRefreshToken, oauth.GrantClientCredentials, oauth.GrantDeviceCode
	noImplicit := func(r *clientmeta.Rules) {
		r.GrantTypes, r.ResponseTypes = []string{code, refresh}, []string{oauth.ResponseTypeCode}
	}
	for name, tt := range map[string]struct {
		change            func(*clientmeta.Rules)
		doc               []byte
		grants, responses []string
		typ               oauth.ApplicationType
		refused           string
	}{
		"grants only":          {nil, document("grant_types", list(code, refresh)), list(code, refresh), list("code"), oauth.WebApplication, ""},
		"responses only":       {nil, document("response_types", list("id_token")), list(implicit), list("id_token"), oauth.LegacyApplication, ""},
		"hybrid":               {nil, document("grant_types", list(code, implicit), "response_types", list("token id_token code")), list(code, implicit), list("code id_token token"), oauth.LegacyApplication, ""},
		"implicit only":        {nil, document("grant_types", list(implicit)), list(implicit), list("token", "id_token", "id_token token"), oauth.LegacyApplication, ""},
		"null is absent":       {nil, document("grant_types", nil, "response_types", list()), list(code), list("code"), oauth.WebApplication, ""},
		"service":              {nil, document("grant_types", list(cc), "redirect_uris", list()), list(cc), nil, oauth.ServiceApplication, ""},
		"device":               {nil, document("grant_types", list(device), "redirect_uris", nil, "token_endpoint_auth_method", "none"), list(device), nil, oauth.NativeApplication, ""},
		"browser":              {nil, document("token_endpoint_auth_method", "none"), list(code), list("code"), oauth.BrowserApplication, ""},
		"native":               {nil, document("application_type", "native", "redirect_uris", list("com.example.app:/cb", "http://127.0.0.1/cb")), list(code), list("code"), oauth.NativeApplication, ""},
		"not offered":          {noImplicit, document("grant_types", list(code, implicit, device, "password"), "response_types", list("code", "id_token", "code id_token")), list(code), list("code"), oauth.WebApplication, ""},
		"what lived off it":    {noImplicit, document("grant_types", list(implicit, refresh, code), "response_types", list("id_token", "code")), list(refresh, code), list("code"), oauth.WebApplication, ""},
		"nothing offered":      {noImplicit, document("grant_types", list("password", implicit)), nil, nil, "", "grant_types"},
		"no response offered":  {noImplicit, document("response_types", list("id_token")), nil, nil, "", "response_types"},
		"code without grant":   {nil, document("grant_types", list(implicit), "response_types", list("code")), nil, nil, "", "response_types"},
		"grant without code":   {nil, document("grant_types", list(code, implicit), "response_types", list("id_token")), nil, nil, "", "grant_types"},
		"token without grant":  {nil, document("grant_types", list(code), "response_types", list("code", "token")), nil, nil, "", "response_types"},
		"refresh of nothing":   {nil, document("grant_types", list(refresh, implicit)), nil, nil, "", "grant_types"},
		"public credentials":   {nil, document("grant_types", list(code, cc), "token_endpoint_auth_method", "none"), nil, nil, "", "grant_types"},
		"unknown type":         {nil, document("application_type", "desktop"), nil, nil, "", "application_type"},
		"unknown auth":         {nil, document("token_endpoint_auth_method", "tls_client_auth"), nil, nil, "", "token_endpoint_auth_method"},
		"web implicit on http": {nil, document("grant_types", list(implicit), "redirect_uris", list("http://localhost/cb")), nil, nil, "", "redirect_uris"},
		"many grants":          {nil, document("grant_types", make([]string, 10000)), nil, nil, "", "grant_types"},
	} {
		if tt.change == nil {
			tt.change = func(*clientmeta.Rules) {}
		}
		c, err := client(rules(t, tt.change), tt.doc)
		if tt.refused != "" {
			wantMember(t, name, err, tt.refused)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(c.GrantTypes, tt.grants) || !slices.Equal(c.Metadata.ResponseTypes, tt.responses) || c.Type != tt.typ {
			t.Errorf("%s: got %v %v %s", name, c.GrantTypes, c.Metadata.ResponseTypes, c.Type)
		}
	}
}

func wantMember(t *testing.T, name string, err error, member string) {
	t.Helper()
	var e *clientmeta.Error
	if !errors.As(err, &e) || e.Member != member || member != "" && !strings.Contains(e.Message, member) {
		t.Errorf("%s: err = %v, want one about %s", name, err, member)
		return
	}
	code := oauth.InvalidClientMetadata
	switch member {
	case "redirect_uris":
		code = oauth.InvalidRedirectURI
	case "software_statement":
		code = oauth.InvalidSoftwareStatement
	}
	if got := e.Refusal(); got.Code != code {
		t.Errorf("%s: code %s, want %s", name, got.Code, code)
	}
}

// TestE4_Refused: every member that can be wrong, and D2's redirect URI with a fragment.
func TestE4_Refused(t *testing.T) {
	t.Parallel()
	const jwks = "jwks"
	set := func(keys string) json.RawMessage { return json.RawMessage(`{"keys":[` + keys + `]}`) }
	private := strings.Replace(ecKey, `"kty"`, `"d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI","kty"`, 1)
	for name, tt := range map[string]struct {
		doc    []byte
		member string
	}{
		"redirect fragment":     {document("redirect_uris", []string{"https://app.test/cb#x"}), "redirect_uris"},
		"redirect missing":      {document("redirect_uris", []string{}), "redirect_uris"},
		"redirect http":         {document("redirect_uris", []string{"http://app.test/cb"}), "redirect_uris"},
		"redirect wildcard":     {document("redirect_uris", []string{"https://*.app.test/cb"}), "redirect_uris"},
		"redirects":             {document("redirect_uris", make([]string, 10000)), "redirect_uris"},
		"scheme of its own":     {document("redirect_uris", []string{"com.example.app:/cb"}), "redirect_uris"},
		"name bidi":             {document("client_name", "Bank\u202eknab"), "client_name"},
		"name line":             {document("client_name", "Bank\nof you"), "client_name"},
		"scope syntax":          {document("scope", "a  b"), "scope"},
		"scope unknown":         {document("scope", "admin nothing"), "scope"},
		"scope long":            {document("scope", strings.Repeat("a ", 10000)), "scope"},
		"statement":             {document("software_statement", "junk"), "software_statement"},
		"both key members":      {document(jwks, set(ecKey), "jwks_uri", "https://app.test/jwks"), jwks},
		"no key":                {document(jwks, set("")), jwks},
		"keys are no list":      {document(jwks, "x"), jwks},
		"private key":           {document(jwks, set(private)), jwks},
		"symmetric key":         {document(jwks, set(`{"kty":"oct","k":"c2VjcmV0"}`)), jwks},
		"assertion without key": {document("token_endpoint_auth_method", "private_key_jwt"), jwks},
		"assertion alg":         {document("token_endpoint_auth_method", "client_secret_jwt", "token_endpoint_auth_signing_alg", "RS256"), "token_endpoint_auth_signing_alg"},
		"id token none":         {document("id_token_signed_response_alg", "none"), "id_token_signed_response_alg"},
		"userinfo HS256":        {document("userinfo_signed_response_alg", "HS256"), "userinfo_signed_response_alg"},
		"request none":          {document("request_object_signing_alg", "none"), "request_object_signing_alg"},
		"introspection alg":     {document("introspection_signed_response_alg", "x"), "introspection_signed_response_alg"},
		"encryption":            {document("id_token_encrypted_response_alg", "RSA-OAEP"), "id_token_encrypted_response_alg"},
		"encrypted userinfo":    {document("userinfo_encrypted_response_alg", "RSA-OAEP"), "userinfo_encrypted_response_alg"},
		"encrypted answers":     {document("introspection_encrypted_response_alg", "RSA-OAEP"), "introspection_encrypted_response_alg"},
		"bound to a key":        {document("dpop_bound_access_tokens", true), "dpop_bound_access_tokens"},
		"bound to certificate":  {document("tls_client_certificate_bound_access_tokens", true), "tls_client_certificate_bound_access_tokens"},
		"subject type":          {document("subject_type", "secret"), "subject_type"},
		"two sectors":           {document("subject_type", "pairwise", "redirect_uris", []string{"https://a.test/", "https://b.test/"}), "sector_identifier_uri"},
		"no sector":             {document("subject_type", "pairwise", "application_type", "native", "redirect_uris", []string{"com.example.app:/cb"}), "sector_identifier_uri"},
		"pairwise device":       {document("subject_type", "pairwise", "grant_types", []string{"authorization_code", "urn:ietf:params:oauth:grant-type:device_code"}), "grant_types"},
		"pairwise device alone": {document("subject_type", "pairwise", "redirect_uris", []string{}, "sector_identifier_uri", "https://app.test/list", "grant_types", []string{"urn:ietf:params:oauth:grant-type:device_code"}), "grant_types"},
		"pairwise jwt":          {document("subject_type", "pairwise", "access_token_format", "jwt"), "access_token_format"},
		"token format":          {document("access_token_format", "saml"), "access_token_format"},
		"contacts":              {document("contacts", []string{"a\u0000"}), "contacts"},
		"no contact":            {document("contacts", []string{""}), "contacts"},
		"acr values":            {document("default_acr_values", make([]string, 21)), "default_acr_values"},
		"software id":           {document("software_id", strings.Repeat("x", 300)), "software_id"},
		"software version":      {document("software_version", "\u200b"), "software_version"},
		"max age":               {document("default_max_age", -1), "default_max_age"},
		"max age text":          {document("default_max_age", "10"), ""},
		"name number":           {document("client_name", 1), ""},
		"frontchannel origin":   {document("frontchannel_logout_uri", "https://other.test/out"), "frontchannel_logout_uri"},
		"frontchannel port":     {document("frontchannel_logout_uri", "https://app.test:8443/out"), "frontchannel_logout_uri"},
		"post logout fragment":  {document("post_logout_redirect_uris", []string{"https://app.test/#x"}), "post_logout_redirect_uris"},
		"post logouts":          {document("post_logout_redirect_uris", make([]string, 21)), "post_logout_redirect_uris"},
		"request URIs":          {document("request_uris", make([]string, 21)), "request_uris"},
		"empty request URI":     {document("request_uris", []string{"#x"}), "request_uris"},
		"website at home":       {document("client_uri", "http://localhost:3000/"), "client_uri"},
		"not an object":         {[]byte(`[]`), ""},
		"twice":                 {[]byte(`{"client_name":"a","client_name":"b"}`), ""},
		"deep":                  {[]byte(`{"x":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`), ""},
		"large":                 {document("x", strings.Repeat("x", 1<<20)), ""},
		"many members":          {manyMembers(), ""},
	} {
		_, err := client(rules(t), tt.doc)
		wantMember(t, name, err, tt.member)
	}
}

func manyMembers() []byte {
	m := map[string]int{}
	for i := range 200 {
		m[fmt.Sprint("member", i)] = i
	}
	b, _ := json.Marshal(m)
	return b
}
