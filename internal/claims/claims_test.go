package claims_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/valetkey/valetkey/internal/claims"
	"github.com/valetkey/valetkey/oauth"
)

// everything is a person of whom all is known.
func everything() *oauth.User {
	return &oauth.User{
		Subject: "s-1", Username: "alice", Name: "Alice Adams", Email: "alice@example.org", EmailVerified: true,
		Claims: oauth.UserClaims{
			GivenName: "Alice", FamilyName: "Adams", MiddleName: "Ann", Nickname: "Al", PreferredUsername: "aadams",
			Profile: "https://example.org/alice", Picture: "https://example.org/alice.png", Website: "https://alice.example",
			Gender: "female", Birthdate: "1990-02-28", Zoneinfo: "Europe/Paris", Locale: "en-GB",
			PhoneNumber: "+441632960000", PhoneNumberVerified: true, UpdatedAt: 1700000000,
			Address: &oauth.Address{Formatted: "1 High Street\nLondon", StreetAddress: "1 High Street", Locality: "London",
				Region: "Greater London", PostalCode: "N1 1AA", Country: "GB"},
		},
	}
}

// TestB8_EveryStandardClaim: each scope brings all of its claims (OpenID Connect
// Core §5.4), and none of another's.
func TestB8_EveryStandardClaim(t *testing.T) {
	t.Parallel()
	for scope, want := range map[string][]string{
		"openid": {},
		"profile": {"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
			"website", "gender", "birthdate", "zoneinfo", "locale", "updated_at"},
		"email":   {"email", "email_verified"},
		"address": {"address"},
		"phone":   {"phone_number", "phone_number_verified"},
	} {
		got := claims.UserInfo(everything(), "sub-1", []string{"openid", scope}, nil)
		want = append(want, "sub")
		slices.Sort(want)
		if names := slices.Sorted(maps.Keys(got)); !slices.Equal(names, want) {
			t.Errorf("%s: got %v, want %v", scope, names, want)
		}
		if got["sub"] != "sub-1" {
			t.Errorf("%s: got sub %v", scope, got["sub"])
		}
	}
	// What is offered is what can be had.
	all := claims.UserInfo(everything(), "sub-1", []string{"profile", "email", "address", "phone"}, nil)
	for _, name := range claims.Names() {
		if _, ok := all[name]; !ok {
			t.Errorf("%s is offered and never told", name)
		}
	}
	if len(claims.Names()) != len(all)-1 {
		t.Errorf("got %d names for %d claims", len(claims.Names()), len(all)-1)
	}
}

// TestB7_ClaimsAreWellTyped: as JSON sees them (OpenID Connect Core §5.1).
func TestB7_ClaimsAreWellTyped(t *testing.T) {
	t.Parallel()
	scopes := []string{"openid", "profile", "email", "address", "phone"}
	body, err := json.Marshal(claims.UserInfo(everything(), "s", scopes, nil))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	for name, value := range got {
		switch v := value.(type) {
		case bool:
			if name != "email_verified" && name != "phone_number_verified" {
				t.Errorf("%s is a boolean", name)
			}
		case float64:
			if name != "updated_at" || v != 1700000000 {
				t.Errorf("%s is the number %v", name, v)
			}
		case string:
			if strings.TrimSpace(v) == "" || name == "updated_at" || strings.HasSuffix(name, "_verified") {
				t.Errorf("%s is the string %q", name, v)
			}
		case map[string]any:
			if name != "address" || len(v) != 6 {
				t.Errorf("%s is the object %v", name, v)
			}
			for member, text := range v {
				if s, ok := text.(string); !ok || s == "" {
					t.Errorf("address.%s is %v", member, text)
				}
			}
		default:
			t.Errorf("%s is a %T", name, value)
		}
	}
}

// TestB7_EmptyClaimsAreLeftOut: nothing is told as "" or null or false.
func TestB7_EmptyClaimsAreLeftOut(t *testing.T) {
	t.Parallel()
	scopes := []string{"openid", "profile", "email", "address", "phone"}
	for name, test := range map[string]struct {
		user oauth.User
		want map[string]any
	}{
		"nothing known": {oauth.User{Subject: "internal-id"}, map[string]any{}},
		"a user name":   {oauth.User{Username: "al"}, map[string]any{"name": "al", "preferred_username": "al"}},
		"an e-mail address is no name": {oauth.User{Email: "al@x.example"},
			map[string]any{"email": "al@x.example", "email_verified": false}},
		"verified, but nothing to verify": {oauth.User{EmailVerified: true, Claims: oauth.UserClaims{PhoneNumberVerified: true}}, map[string]any{}},
		"blanks":                          {oauth.User{Name: " ", Username: "\t", Claims: oauth.UserClaims{Nickname: "  ", Address: &oauth.Address{Country: " "}}}, map[string]any{}},
		"a part of an address": {oauth.User{Claims: oauth.UserClaims{Address: &oauth.Address{Country: "FR"}}},
			map[string]any{"address": map[string]string{"country": "FR"}}},
		"a time before 1970": {oauth.User{Claims: oauth.UserClaims{UpdatedAt: -5}}, map[string]any{}},
	} {
		got := claims.UserInfo(&test.user, "s", scopes, nil)
		delete(got, "sub")
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
	}
	for birthdate, told := range map[string]bool{
		"1990-02-28": true, "0000-02-28": true, "1990": true, "": false, "28.2.1990": false, "1990-2-28": false,
		"1990-13-01": false, "0000": false, "1990-02": false, "1990-02-28T00:00:00Z": false, "1990-00-10": false,
	} {
		got := claims.UserInfo(&oauth.User{Claims: oauth.UserClaims{Birthdate: birthdate}}, "s", scopes, nil)
		if _, ok := got["birthdate"]; ok != told {
			t.Errorf("birthdate %q: got told %v, want %v", birthdate, ok, told)
		}
	}
}

// TestB10_ClaimsParameter: a claim that is asked for by name is told, where it was
// asked for.
func TestB10_ClaimsParameter(t *testing.T) {
	t.Parallel()
	req, err := claims.ParseRequest(`{"userinfo":{"name":{"essential":true},"nobody_knows":null},"id_token":{"email":null,"acr":{"values":["b","a"],"essential":true}}}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := claims.UserInfo(everything(), "s", []string{"openid"}, req); len(got) != 2 || got["name"] != "Alice Adams" {
		t.Errorf("UserInfo: got %v, want sub and name", got)
	}
	if got := claims.ForIDToken(everything(), nil, req); len(got) != 1 || got["email"] != "alice@example.org" {
		t.Errorf("ID token: got %v, want email", got)
	}
	if got, want := req.Scopes(), []string{"profile", "email"}; !slices.Equal(got, want) {
		t.Errorf("scopes: got %v, want %v", got, want)
	}
	if values, essential := req.ACR(); !essential || !slices.Equal(values, []string{"b", "a"}) {
		t.Errorf("acr: got %v, %v", values, essential)
	}
	held := req.Only(func(scope string) bool { return scope == "profile" })
	if got := held.String(); got != `{"userinfo":{"name":{"essential":true}},"id_token":{"acr":{"essential":true,"values":["b","a"]}}}` {
		t.Errorf("held to profile: got %s", got)
	}
	if got := claims.ForIDToken(everything(), nil, held); len(got) != 0 {
		t.Errorf("held to profile: the ID token has %v", got)
	}
}

func TestParseRequest(t *testing.T) {
	t.Parallel()
	for param, want := range map[string]string{
		"":                                    "",
		"{}":                                  "",
		`{"userinfo":null}`:                   "",
		`{"userinfo":{}}`:                     "",
		`{"userinfo":{"x":null},"other":[1]}`: "",
		`{"userinfo":{"name#ja":null}}`:       "",
		` {"userinfo" : {"name" : null}} `:    `{"userinfo":{"name":{}}}`,
		`{"userinfo":{"name":{"essential":false,"shape":"round"}}}`:         `{"userinfo":{"name":{}}}`,
		`{"id_token":{"sub":{"value":"a"},"auth_time":{"essential":true}}}`: `{"id_token":{"auth_time":{"essential":true},"sub":{"value":"a"}}}`,
		`{"userinfo":{"name":{"value":{"a":[1, 2]}}}}`:                      `{"userinfo":{"name":{"value":{"a":[1,2]}}}}`,
		`{"userinfo":{"name":{"values":["x",1]}}}`:                          `{"userinfo":{"name":{"values":["x",1]}}}`,
		`{"UserInfo":{"name":null}}`:                                        "",
		`{"userinfo":{"name":{"Essential":true}}}`:                          `{"userinfo":{"name":{}}}`,
	} {
		req, err := claims.ParseRequest(param)
		if err != nil || req.String() != want || (req == nil) != (want == "") {
			t.Errorf("%s: got %s, %v, want %s", param, req, err, want)
		}
	}
	for _, param := range []string{
		"x", "null", "[]", `"userinfo"`, "{", `{"userinfo":[]}`, `{"userinfo":"name"}`, `{"userinfo":{"name":true}}`, `{"userinfo":{"name":"x"}}`,
		`{"userinfo":{"name":{"essential":"yes"}}}`, `{"userinfo":{"name":{"values":"x"}}}`, `{"userinfo":{"name":null,"name":null}}`,
		`{"userinfo":{},"userinfo":{"name":null}}`, `{"userinfo":{"name":{"essential":true,"essential":false}}}`, `{"userinfo":{}} {}`,
		`{"userinfo":{"name":{"value":"` + strings.Repeat("x", claims.MaxRequest) + `"}}}`, "{\"userinfo\":{\"name\":{\"value\":\"\xff\"}}}",
	} {
		req, err := claims.ParseRequest(param)
		if refusal, ok := errors.AsType[*oauth.Error](err); !ok || refusal.Code != oauth.InvalidRequest || req != nil || !strings.Contains(refusal.Description, "claims") {
			t.Errorf("%.60s: got %v, %v, want invalid_request that names the parameter", param, req, err)
		}
	}
}

// What was read once can be read again, however it is spelled.
func TestRequestDoesNotGrow(t *testing.T) {
	t.Parallel()
	head, tail := `{"userinfo":{"name":{"value":"`, `"}}}`
	req, err := claims.ParseRequest(head + strings.Repeat("<", claims.MaxRequest-len(head)-len(tail)) + tail)
	if err != nil || len(req.String()) > claims.MaxRequest {
		t.Fatalf("got %d bytes, %v", len(req.String()), err)
	}
}

func TestRequestOfNothing(t *testing.T) {
	t.Parallel()
	var req *claims.Request
	if values, essential := req.ACR(); values != nil || essential || req.Subjects() != nil || req.AuthTime() || req.Scopes() != nil || req.Only(nil) != nil || req.String() != "" {
		t.Error("no request asks for something")
	}
	req, err := claims.ParseRequest(`{"id_token":{"sub":{"value":"a","values":["b","a",7]},"auth_time":{"essential":true}}}`)
	if err != nil || !slices.Equal(req.Subjects(), []string{"a", "b"}) || !req.AuthTime() {
		t.Errorf("got %v %v %v", req.Subjects(), req.AuthTime(), err)
	}
}

// FuzzParseRequest: whatever is accepted is written as the same request again, and
// asks for nothing unknown.
func FuzzParseRequest(f *testing.F) {
	for _, seed := range []string{
		`{"userinfo":{"given_name":{"essential":true},"picture":null,"http://example.info/claims/groups":null},"id_token":{"auth_time":{"essential":true},"acr":{"values":["urn:mace:incommon:iap:silver"]}}}`,
		`{"id_token":{"sub":{"value":"248289761001"}}}`, "{}", "null", `{"userinfo":{"name":null,"name":null}}`, `{"userinfo":{"email":{"values":[]}}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, param string) {
		req, err := claims.ParseRequest(param)
		if err != nil {
			if _, ok := errors.AsType[*oauth.Error](err); !ok {
				t.Errorf("%q: %v is no refusal", param, err)
			}
			return
		}
		again, err := claims.ParseRequest(req.String())
		if err != nil || again.String() != req.String() {
			t.Errorf("%q: got %s, then %s (%v)", param, req, again, err)
		}
		told := claims.UserInfo(everything(), "s", nil, req)
		if req == nil && len(told) != 1 {
			t.Errorf("%q asks for nothing and is told %v", param, told)
		}
	})
}

func TestScopesAreForClientsOnly(t *testing.T) {
	t.Parallel()
	var names []string
	for _, s := range claims.Scopes() {
		if !s.ClientOnly || s.Internal || s.Title == "" || s.Description == "" {
			t.Errorf("%+v: want it for clients only, and said in words", s)
		}
		names = append(names, s.Name)
	}
	if want := []string{"openid", "profile", "email", "address", "phone", "offline_access"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
}

func pairwise(id, sector string, redirects ...string) *oauth.Client {
	return &oauth.Client{ID: id, RedirectURIs: redirects,
		Metadata: oauth.ClientMetadata{SubjectType: oauth.SubjectPairwise, SectorIdentifierURI: sector}}
}

func TestSector(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		client *oauth.Client
		want   string
	}{
		"the host of its redirect URIs":     {pairwise("a", "", "https://App.example/cb", "https://app.example:8443/other?x=y"), "app.example"},
		"the host of sector_identifier_uri": {pairwise("a", "https://s.example:444/uris.json", "https://a.example/cb", "https://b.example/cb"), "s.example"},
		"a private scheme":                  {pairwise("a", "", "com.example.app:/cb"), "com.example.app:"},
		"loopback":                          {pairwise("a", "", "http://127.0.0.1/cb", "http://127.0.0.1:9/cb"), "127.0.0.1"},
		"IPv6 loopback":                     {pairwise("a", "", "http://[::1]/cb"), "::1"},
		"no redirect URI":                   {pairwise("a", ""), "client a"},
	} {
		if got, err := claims.Sector(test.client); err != nil || got != test.want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, test.want)
		}
	}
	if _, err := claims.Sector(pairwise("a", "", "https://a.example/cb", "https://b.example/cb")); !errors.Is(err, claims.ErrSectors) {
		t.Errorf("two hosts: got %v, want ErrSectors", err)
	}
	if _, err := claims.Sector(pairwise("a", "", "https://a.example/cb", "::")); err == nil {
		t.Error("no URI: got no error")
	}
}

// TestPairwiseSubjects: OpenID Connect Core §8.1.
func TestPairwiseSubjects(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	with := func(salt string) *claims.Subjects {
		return &claims.Subjects{Salt: func(context.Context) ([]byte, error) { return []byte(salt), nil }}
	}
	of := func(s *claims.Subjects, c *oauth.Client, subject string) string {
		t.Helper()
		sub, err := s.Of(ctx, c, subject)
		if err != nil {
			t.Fatal(err)
		}
		return sub
	}
	s := with("0123456789abcdef0123456789abcdef")
	public := &oauth.Client{ID: "p", RedirectURIs: []string{"https://a.example/cb"}}
	one, sibling := pairwise("a", "", "https://a.example/cb"), pairwise("b", "https://a.example/x", "https://c.example/cb")
	stranger := pairwise("c", "", "https://b.example/cb")
	if got := of(s, public, "alice"); got != "alice" {
		t.Errorf("public: got %q", got)
	}
	alice := of(s, one, "alice")
	if alice != of(s, one, "alice") || alice != of(s, sibling, "alice") {
		t.Error("one sector knows alice under several names")
	}
	if len(alice) != 43 || strings.Contains(alice, "alice") || alice == of(s, stranger, "alice") || alice == of(s, one, "bob") || alice == of(with("x"), one, "alice") {
		t.Errorf("got %q, want a name that nobody else can guess", alice)
	}
	// Sector and subject are kept apart.
	if of(s, pairwise("a", "", "https://a.example/cb"), "1bob") == of(s, pairwise("a", "", "https://a.example1/cb"), "bob") {
		t.Error("two people have one name")
	}
	sid := func(c *oauth.Client, sid string) string {
		t.Helper()
		got, err := s.Session(ctx, c, sid)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if sid(public, "s") != "s" || sid(one, "") != "" || sid(public, "") != "" {
		t.Error("the name of a session is not its own")
	}
	if got := sid(one, "alice"); got == "alice" || got != sid(sibling, "alice") || got == sid(stranger, "alice") || got == alice {
		t.Errorf("session: got %q, want what one sector alone knows, and no subject", got)
	}
	broken := &claims.Subjects{Salt: func(context.Context) ([]byte, error) { return nil, errors.New("no salt") }}
	if _, err := broken.Of(ctx, one, "alice"); err == nil {
		t.Error("no salt: got no error")
	}
}
