package clientmeta_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"testing"

	"github.com/valetkey/valetkey/internal/clientmeta"
	"github.com/valetkey/valetkey/oauth"
)

// FuzzClientMetadata: whatever a stranger sends, the answer is a client that the
// rules allow, or an error about a member; and what a client is described as
// makes the same client again.
func FuzzClientMetadata(f *testing.F) {
	for _, seed := range [][]byte{
		document(), []byte(`{}`), []byte(`{"grant_types":["client_credentials"]}`), []byte(`null`),
		document("client_name", "X", "scope", "openid", "application_type", "native", "redirect_uris", []string{"com.example:/cb"}),
		document("token_endpoint_auth_method", "private_key_jwt", "jwks", json.RawMessage(`{"keys":[`+ecKey+`]}`), "contacts", []string{"a@b.test"}),
		document("response_types", []string{"code id_token", "token"}, "default_max_age", 10, "require_auth_time", true, "logo_uri", "https://app.test/logo"),
		document("subject_type", "pairwise", "backchannel_logout_uri", "https://app.test/out", "frontchannel_logout_uri", "https://app.test/out"),
	} {
		f.Add(seed)
	}
	r := rules(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := client(r, data)
		if err != nil {
			var e *clientmeta.Error
			if !errors.As(err, &e) || e.Message == "" {
				t.Fatalf("err = %v", err)
			}
			return
		}
		if c.FirstParty || c.Internal || c.Owner != "" || c.ID != "" || c.MayUse(oauth.GrantPassword) || !clientmeta.Plain(c.Name) {
			t.Fatalf("client %+v", c)
		}
		for _, uri := range append([]string{c.Website, c.Metadata.LogoURI, c.Metadata.JWKSURI, c.Metadata.InitiateLoginURI}, c.RedirectURIs...) {
			if u, err := url.Parse(uri); err != nil || u.Scheme == "javascript" || u.User != nil {
				t.Fatalf("URI %q", uri)
			}
		}
		described, err := json.Marshal(clientmeta.Describe(c))
		if err != nil {
			t.Fatal(err)
		}
		again, err := client(r, described)
		if err != nil {
			t.Fatalf("%s: %v", described, err)
		}
		if twice, _ := json.Marshal(clientmeta.Describe(again)); string(twice) != string(described) {
			t.Fatalf("described as\n%s\nand then as\n%s", described, twice)
		}
	})
}
