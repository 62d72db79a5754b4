package clientmeta_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/clientmeta"
	"github.com/valetkey/valetkey/internal/fetch"
	"github.com/valetkey/valetkey/oauth"
)

// TestM09_NoMemberIsScript: whatever URI a client may name, it is not one that runs,
// shows files, or hides where it leads.
func TestM09_NoMemberIsScript(t *testing.T) {
	t.Parallel()
	members := []string{"redirect_uris", "post_logout_redirect_uris", "request_uris", "client_uri", "logo_uri", "policy_uri", "tos_uri",
		"jwks_uri", "sector_identifier_uri", "initiate_login_uri", "backchannel_logout_uri", "frontchannel_logout_uri"}
	hostile := []string{"javascript:alert(1)", "JavaScript://app.test/%0aalert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:https://app.test/x",
		"gopher://app.test/", "https://user:pw@app.test/", "//app.test/x", "/x", "https:app.test", "https:///x", "https://app.test/\r\nX: y", "https://app.test\\@evil.test/",
		"https://аpp.test/", "http:/app.test", "https://"}
	r := rules(t)
	for _, member := range members {
		honest := "https://app.test/ok"
		value := func(uri string) any {
			if strings.HasSuffix(member, "s") {
				return []string{uri}
			}
			return uri
		}
		if _, err := client(r, document(member, value(honest))); err != nil {
			t.Errorf("%s: the control: %v", member, err)
		}
		for _, uri := range hostile {
			_, err := client(r, document(member, value(uri)))
			wantMember(t, member+" "+uri, err, member)
		}
	}
}

// Test3P_InitiateLoginURI: anything but https is refused as invalid_client_metadata, and
// an https one is kept.
func Test3P_InitiateLoginURI(t *testing.T) {
	t.Parallel()
	r := rules(t)
	for _, uri := range []string{"http://app.test/start", "http://localhost/start", "app.test/start", "https://app.test/start#x", "com.example.app:/start"} {
		_, err := client(r, document("initiate_login_uri", uri))
		wantMember(t, uri, err, "initiate_login_uri")
	}
	c, err := client(r, document("initiate_login_uri", "https://app.test/start?iss=1"))
	if err != nil || clientmeta.Describe(c).InitiateLoginURI != "https://app.test/start?iss=1" {
		t.Errorf("client %+v, %v", c, err)
	}
}

// TestM33_OnlyWhatTheFetcherWouldAsk: an address that we would ask is refused when
// it is registered if the fetcher would never ask it.
func TestM33_OnlyWhatTheFetcherWouldAsk(t *testing.T) {
	t.Parallel()
	r := rules(t)
	for _, member := range []string{"jwks_uri", "sector_identifier_uri", "backchannel_logout_uri"} {
		for _, uri := range []string{"http://127.0.0.1/", "http://169.254.169.254/latest", "https://0x7f.1/", "https://2130706433/", "https://localhost./", "https://app.test:22/", "ftp://app.test/", "https://app.test/#f"} {
			_, err := client(r, document(member, uri))
			wantMember(t, member+" "+uri, err, member)
		}
	}
}

// TestM49_NothingPrivileged: members that strangers make up do nothing.
func TestM49_NothingPrivileged(t *testing.T) {
	t.Parallel()
	c, err := client(rules(t), document("first_party", true, "skip_consent", true, "internal", true, "owner", "alice", "client_id", "web", "client_secret", "chosen",
		"require_pkce", false, "profile", "oidc-certification", "default_scopes", []string{"admin"}, "scope", "records:read admin", "grant_types", []string{"password", "authorization_code"}, "disabled", true))
	if err != nil {
		t.Fatal(err)
	}
	if c.FirstParty || c.Internal || c.Owner != "" || c.ID != "" || !c.RequirePKCE || c.Profile != "" || c.DefaultScopes != nil || c.Disabled ||
		!slices.Equal(c.Scopes, []string{"records:read"}) || c.MayUse(oauth.GrantPassword) {
		t.Errorf("client %+v", c)
	}
}

// TestM15_NamesAreShort: a long name is cut; the echo says so.
func TestM15_NamesAreShort(t *testing.T) {
	t.Parallel()
	c, err := client(rules(t), document("client_name", strings.Repeat("é", 10000)))
	if err != nil || len([]rune(c.Name)) != clientmeta.MaxName || !strings.HasSuffix(c.Name, "é…") {
		t.Errorf("name %q, %v", c.Name, err)
	}
}

// TestD3_SectorIdentifier: the list is fetched, and must hold every redirect URI.
func TestD3_SectorIdentifier(t *testing.T) {
	t.Parallel()
	body := ""
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }))
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	r := rules(t, func(r *clientmeta.Rules) {
		r.Fetch = fetch.New(fetch.Config{Now: time.Now, Roots: roots, Allow: []string{"127.0.0.0/8"}})
	})
	two := []string{"https://a.test/cb", "https://b.test/cb"}
	check := func(uri string) error {
		t.Helper()
		c, err := client(r, document("redirect_uris", two, "subject_type", "pairwise", "sector_identifier_uri", uri))
		if err != nil {
			t.Fatal(err)
		}
		return r.CheckSector(context.Background(), c)
	}
	for _, tt := range []struct {
		body string
		ok   bool
	}{
		{`["https://a.test/cb","https://b.test/cb"]`, true},
		{`["https://x.test/","https://b.test/cb","https://a.test/cb"]`, true},
		{`["https://a.test/cb"]`, false},
		{`["https://a.test/cb","https://b.test/cb/"]`, false},
		{`{"redirect_uris":["https://a.test/cb","https://b.test/cb"]}`, false},
		{``, false},
	} {
		body = tt.body
		if err := check(server.URL + "/sector"); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.body, err)
		} else if err != nil {
			wantMember(t, tt.body, err, "sector_identifier_uri")
		}
	}
	body = `["https://a.test/cb","https://b.test/cb"]`
	r.Fetch = fetch.New(fetch.Config{Now: time.Now, Roots: roots})
	wantMember(t, "private address", check(server.URL+"/sector"), "sector_identifier_uri")
	r.Fetch = nil
	wantMember(t, "nothing fetched", check("https://a.test/sector"), "sector_identifier_uri")
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	r := rules(t)
	print := func(pairs ...any) string {
		t.Helper()
		c, err := client(r, document(append([]any{"token_endpoint_auth_method", "none"}, pairs...)...))
		if err != nil {
			t.Fatal(err)
		}
		return clientmeta.Fingerprint(c)
	}
	two := []string{"https://b.test/cb", "https://a.test/cb"}
	base := print("client_name", "X", "redirect_uris", two, "scope", "openid records:read")
	slices.Reverse(two)
	if got := print("redirect_uris", two, "client_name", "X", "unknown", 1, "scope", "records:read openid"); got != base || got == "" {
		t.Errorf("the order of lists, or an unknown member, makes another client: %q, %q", base, got)
	}
	for name, got := range map[string]string{
		"name":     print("client_name", "Y", "redirect_uris", two, "scope", "openid records:read"),
		"redirect": print("client_name", "X", "redirect_uris", two[:1], "scope", "openid records:read"),
		"scope":    print("client_name", "X", "redirect_uris", two),
		"jwks_uri": print("client_name", "X", "redirect_uris", two, "scope", "openid records:read", "jwks_uri", "https://a.test/jwks"),
		"secret":   print("client_name", "X", "redirect_uris", two, "scope", "openid records:read", "token_endpoint_auth_method", "client_secret_post"),
	} {
		if got == base {
			t.Errorf("%s makes no difference", name)
		}
		if (got == "") != (name == "secret") {
			t.Errorf("%s: fingerprint %q", name, got)
		}
	}
}

// TestProfile: a client of the certification profile may leave PKCE out if it has a secret.
func TestProfile(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(*clientmeta.Rules)
		method oauth.AuthMethod
		want   bool
	}{
		"default, secret":       {func(*clientmeta.Rules) {}, oauth.AuthBasic, true},
		"certification, secret": {func(r *clientmeta.Rules) { r.Profile = oauth.ProfileCertification }, oauth.AuthBasic, false},
		"certification, public": {func(r *clientmeta.Rules) { r.Profile = oauth.ProfileCertification }, oauth.AuthNone, true},
		"optional, public":      {func(r *clientmeta.Rules) { r.OptionalPKCE = true }, oauth.AuthNone, false},
	} {
		r := rules(t, tt.change)
		c, err := client(r, document("token_endpoint_auth_method", tt.method))
		if err != nil || c.RequirePKCE != tt.want || c.Profile != r.Profile {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}
