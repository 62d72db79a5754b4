package manage_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/clientmeta"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
)

const publicKey = `{"keys":[{"kty":"EC","crv":"P-256","kid":"1","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`

// provider is a desk of a server that can sign.
func provider(t *testing.T) *office {
	return newOffice(t, manage.Policy{RequirePKCE: true}, func(c *manage.Config) {
		c.Metadata = &clientmeta.Rules{
			ResponseTypes: []string{oauth.ResponseTypeCode}, SigningAlgs: []string{"RS256", "ES256"}, ClientAlgs: []string{"ES256"},
			AuthMethods:  []oauth.AuthMethod{oauth.AuthBasic, oauth.AuthPost, oauth.AuthNone, oauth.AuthSecretJWT, oauth.AuthPrivateKeyJWT},
			SubjectTypes: []string{oauth.SubjectPublic, oauth.SubjectPairwise}, JWTAccessTokens: true,
		}
		c.Seal = func(secret oauth.Secret, id string) string { return "sealed " + id }
	})
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	o := provider(t)
	certification := oauth.ProfileCertification
	c, _ := o.application(operator, web(func(in *manage.ApplicationInput) {
		in.Metadata = &oauth.ClientMetadata{IDTokenAlg: "ES256", PostLogoutRedirectURIs: []string{"https://uploader.example/out"}}
		in.Profile = &certification
	}))
	if c.Metadata.IDTokenAlg != "ES256" || c.Profile != certification {
		t.Errorf("client %+v", c)
	}
	// What says nothing of it leaves it.
	again, err := o.UpdateApplication(context.Background(), operator, c.ID, web(func(in *manage.ApplicationInput) { in.Name = "Other" }))
	if err != nil || again.Metadata.IDTokenAlg != "ES256" || again.Profile != certification {
		t.Errorf("client %+v, %v", again, err)
	}
	for member, m := range map[string]oauth.ClientMetadata{
		"id_token_signed_response_alg": {IDTokenAlg: "none"},
		"post_logout_redirect_uris":    {PostLogoutRedirectURIs: []string{"javascript:alert(1)"}},
		"jwks":                         {JWKS: json.RawMessage(`{"keys":[{"kty":"oct","k":"eA"}]}`)},
		"access_token_format":          {AccessTokenFormat: oauth.FormatJWT, SubjectType: oauth.SubjectPairwise},
		"sector_identifier_uri":        {SectorIdentifierURI: "https://uploader.example/sector"},
		"response_types":               {ResponseTypes: []string{"id_token"}},
	} {
		_, err := o.UpdateApplication(context.Background(), operator, c.ID, web(func(in *manage.ApplicationInput) { in.Metadata = &m }))
		var bad *manage.Invalid
		if !errors.As(err, &bad) || bad.Errors[0].Field != member {
			t.Errorf("%s: %v", member, err)
		}
	}
	strange := oauth.Profile("strange")
	if _, err := o.UpdateApplication(context.Background(), operator, c.ID, web(func(in *manage.ApplicationInput) { in.Profile = &strange })); err == nil {
		t.Error("a profile that there is not")
	}
	for _, in := range []manage.ApplicationInput{web(func(in *manage.ApplicationInput) { in.Metadata = &oauth.ClientMetadata{} }), web(func(in *manage.ApplicationInput) { in.Profile = &certification })} {
		var refused *manage.Refused
		if _, _, err := o.CreateApplication(context.Background(), ada, in); !errors.As(err, &refused) {
			t.Errorf("a user who is not the operator: %v", err)
		}
	}
}

// TestM53_WhoSignsHasNoSecret: a client that authenticates by its own key has no
// secret, and one that signs with its secret has one that can be read again.
func TestM53_WhoSignsHasNoSecret(t *testing.T) {
	t.Parallel()
	o := provider(t)
	signs := func(in *manage.ApplicationInput) {
		in.AuthMethod, in.Metadata = oauth.AuthPrivateKeyJWT, &oauth.ClientMetadata{JWKS: json.RawMessage(publicKey)}
	}
	c, secret := o.application(operator, web(signs))
	if secret != "" || c.AuthMethod != oauth.AuthPrivateKeyJWT {
		t.Errorf("client %+v", c)
	}
	var refused *manage.Refused
	if _, err := o.RotateSecret(context.Background(), operator, c.ID, 0); !errors.As(err, &refused) {
		t.Errorf("rotate: %v", err)
	}
	if _, _, err := o.CreateApplication(context.Background(), operator, web(func(in *manage.ApplicationInput) { in.AuthMethod = oauth.AuthPrivateKeyJWT })); err == nil {
		t.Error("no key, and yet by a signature")
	}
	plain, _ := o.application(operator, web())
	sealed := func() (n int) {
		secrets, err := o.store.ClientSecrets(context.Background(), plain.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range secrets {
			if s.Sealed == "sealed "+s.ID && (s.ExpiresAt.IsZero() || s.ExpiresAt.After(o.now)) {
				n++
			} else if s.ExpiresAt.IsZero() {
				n--
			}
		}
		return n
	}
	if sealed() != -1 {
		t.Error("the secret of a client that shows it is sealed")
	}
	if _, err := o.UpdateApplication(context.Background(), operator, plain.ID, web(func(in *manage.ApplicationInput) { in.AuthMethod = oauth.AuthSecretJWT })); err != nil {
		t.Fatal(err)
	}
	if sealed() != 0 {
		t.Error("the old secret, with which nobody can sign, still works")
	}
	if _, err := o.RotateSecret(context.Background(), operator, plain.ID, 0); err != nil || sealed() != 1 {
		t.Errorf("the new secret is not sealed: %v", err)
	}
}

// TestRegisteredItself: what the desk changes is not what somebody registered any
// more; a document is not changed at all.
func TestRegisteredItself(t *testing.T) {
	t.Parallel()
	o := provider(t)
	ctx := context.Background()
	dynamic := &oauth.Client{ID: "dynamic", Name: "X", Type: oauth.NativeApplication, AuthMethod: oauth.AuthPost, Registration: oauth.RegisteredDynamically, Fingerprint: "f",
		RedirectURIs: []string{"https://x.example/cb"}, GrantTypes: []string{oauth.GrantAuthorizationCode}}
	document := &oauth.Client{ID: "https://x.example/client.json", Name: "X", Type: oauth.BrowserApplication, AuthMethod: oauth.AuthNone, Registration: oauth.RegisteredByDocument}
	for _, c := range []*oauth.Client{dynamic, document} {
		if err := o.store.CreateClient(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	c, err := o.UpdateApplication(ctx, operator, dynamic.ID, web(func(in *manage.ApplicationInput) { in.Type = oauth.NativeApplication }))
	if err != nil || c.Fingerprint != "" || c.AuthMethod != oauth.AuthPost || c.Registration != oauth.RegisteredDynamically {
		t.Errorf("client %+v, %v", c, err)
	}
	if _, err := o.store.ClientByFingerprint(ctx, "f"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("others would still become it: %v", err)
	}
	var refused *manage.Refused
	if _, err := o.UpdateApplication(ctx, operator, document.ID, web()); !errors.As(err, &refused) {
		t.Errorf("a document: %v", err)
	}
	if err := o.SetApplicationDisabled(ctx, admin, document.ID, true); err != nil {
		t.Error(err)
	}
}

func TestInitialTokens(t *testing.T) {
	t.Parallel()
	o := provider(t)
	ctx := context.Background()
	var refused *manage.Refused
	if _, _, err := o.CreateInitialToken(ctx, ada, manage.InitialTokenInput{Name: "x"}); !errors.As(err, &refused) {
		t.Errorf("a user: %v", err)
	}
	for _, in := range []manage.InitialTokenInput{{}, {Name: "x", ExpiresAt: start.Add(-time.Hour)}, {Name: "a\nb"}} {
		var bad *manage.Invalid
		if _, _, err := o.CreateInitialToken(ctx, operator, in); !errors.As(err, &bad) {
			t.Errorf("%+v: %v", in, err)
		}
	}
	for _, a := range []manage.Actor{operator, admin} {
		token, secret, err := o.CreateInitialToken(ctx, a, manage.InitialTokenInput{Name: " Partners ", ExpiresAt: start.Add(time.Hour)})
		if err != nil || token.Name != "Partners" || token.Subject != a.Subject {
			t.Fatalf("token %+v, %v", token, err)
		}
		if parsed, err := o.mint.Parse(secret, mint.InitialToken); err != nil || parsed.ID != token.ID || !parsed.Hash.Equal(token.Hash) {
			t.Errorf("secret: %v", err)
		}
		list, err := o.Tokens(ctx, operator, manage.TokenQuery{All: true, Kind: oauth.InitialToken}, manage.Page{Limit: 10})
		if err != nil || len(list) != 1 || list[0].ID != token.ID {
			t.Errorf("list %v, %v", list, err)
		}
		if err := o.RevokeToken(ctx, operator, token.ID); err != nil {
			t.Error(err)
		}
		if list, _ := o.Tokens(ctx, operator, manage.TokenQuery{All: true, Kind: oauth.InitialToken}, manage.Page{Limit: 10}); len(list) != 0 {
			t.Errorf("revoked, and listed: %v", list)
		}
	}
}

// The owner of an application that the operator made pairwise cannot take it into the
// sector of others, nor out of the list of its own.
func TestOwnersStayInTheirSector(t *testing.T) {
	t.Parallel()
	o := provider(t)
	ctx := context.Background()
	c, _ := o.application(ada, web())
	pairwise := web(func(in *manage.ApplicationInput) {
		in.Metadata = &oauth.ClientMetadata{SubjectType: oauth.SubjectPairwise}
	})
	if _, err := o.UpdateApplication(ctx, operator, c.ID, pairwise); err != nil {
		t.Fatal(err)
	}
	for member, in := range map[string]manage.ApplicationInput{
		"redirect_uris": web(func(in *manage.ApplicationInput) { in.RedirectURIs = []string{"https://victim.example/cb"} }),
		"grant_types": web(func(in *manage.ApplicationInput) {
			in.GrantTypes = []string{oauth.GrantAuthorizationCode, oauth.GrantDeviceCode}
		}),
	} {
		var bad *manage.Invalid
		if _, err := o.UpdateApplication(ctx, ada, c.ID, in); !errors.As(err, &bad) || bad.Errors[0].Field != member {
			t.Errorf("%s: %v", member, err)
		}
	}
	if _, err := o.UpdateApplication(ctx, ada, c.ID, web(func(in *manage.ApplicationInput) { in.Name = "Other" })); err != nil {
		t.Errorf("another name: %v", err)
	}
	if _, err := o.UpdateApplication(ctx, operator, c.ID, web(func(in *manage.ApplicationInput) { in.RedirectURIs = []string{"https://victim.example/cb"} })); err != nil {
		t.Errorf("the operator: %v", err)
	}
	// Nobody here can be asked for a list, so nothing but the list it has will do.
	if err := o.store.InTx(ctx, func(ctx context.Context, tx store.Store) error {
		c, err := tx.Client(ctx, c.ID)
		if err != nil {
			return err
		}
		c.Metadata.SectorIdentifierURI = "https://sector.example/list"
		return tx.UpdateClient(ctx, c)
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := o.UpdateApplication(ctx, ada, c.ID, web(func(in *manage.ApplicationInput) { in.RedirectURIs = []string{"https://elsewhere.example/cb"} })); err == nil {
		t.Error("out of the list of its sector: got no error")
	}
}
