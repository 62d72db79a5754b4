package manage_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// TestParity46_FieldsOfAnApplication: item 46, each field right and wrong.
func TestParity46_FieldsOfAnApplication(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{RequirePKCE: true})
	type input = manage.ApplicationInput
	for name, tt := range map[string]struct {
		change      func(*input)
		field, want string // empty: accepted
	}{
		"valid":                {func(*input) {}, "", ""},
		"no name":              {func(in *input) { in.Name = "  " }, "name", "Give it a name."},
		"60 characters":        {func(in *input) { in.Name = strings.Repeat("ü", 60) }, "", ""},
		"61 characters":        {func(in *input) { in.Name = strings.Repeat("ü", 61) }, "name", "at most 60"},
		"control in name":      {func(in *input) { in.Name = "Up\x00loader" }, "name", "control"},
		"bidi in name":         {func(in *input) { in.Name = "Up\u202eloader" }, "name", "invisible"},
		"zero width in name":   {func(in *input) { in.Name = "Up\u200bloader" }, "name", "invisible"},
		"line break in name":   {func(in *input) { in.Name = "Up\nloader" }, "name", "control"},
		"not UTF-8":            {func(in *input) { in.Name = "Up\xff" }, "name", "control"},
		"description":          {func(in *input) { in.Description = "two\nlines" }, "", ""},
		"long description":     {func(in *input) { in.Description = strings.Repeat("x", 501) }, "description", "500"},
		"bidi in description":  {func(in *input) { in.Description = "\u2066x" }, "description", "invisible"},
		"no website":           {func(in *input) { in.Website = "" }, "website", "Give the address"},
		"javascript website":   {func(in *input) { in.Website = "javascript:alert(1)" }, "website", "https://"},
		"data website":         {func(in *input) { in.Website = "data:text/html,x" }, "website", "https://"},
		"website without host": {func(in *input) { in.Website = "https://" }, "website", "https://"},
		"website userinfo":     {func(in *input) { in.Website = "https://a@b.example" }, "website", "user name"},
		"website long":         {func(in *input) { in.Website = "https://x.example/" + strings.Repeat("x", 2048) }, "website", "2048"},
		"local website":        {func(in *input) { in.Website = "http://127.0.0.1:5100/" }, "website", "own machine"},
		"local website name":   {func(in *input) { in.Website = "http://LocalHost./" }, "website", "own machine"},
		"local both": {func(in *input) {
			in.Website = "http://127.0.0.1:5100/"
			in.RedirectURIs = []string{"http://127.0.0.1:5100/authorized"}
		}, "", ""},
		"no redirect URI":     {func(in *input) { in.RedirectURIs = []string{" ", ""} }, "redirect_uris", "at least one"},
		"many redirect URIs":  {func(in *input) { in.RedirectURIs = many(10000) }, "redirect_uris", "at most 20"},
		"type":                {func(in *input) { in.Type = "mcp" }, "type", "Choose one of"},
		"legacy is off":       {func(in *input) { in.Type = oauth.LegacyApplication }, "type", "switched off"},
		"auth method":         {func(in *input) { in.AuthMethod = "private_key_jwt" }, "auth_method", "client_secret_basic"},
		"post":                {func(in *input) { in.AuthMethod = oauth.AuthPost }, "", ""},
		"unknown scope":       {func(in *input) { in.Scopes = []string{"nope"} }, "scopes", "There is no scope `nope`."},
		"internal scope":      {func(in *input) { in.Scopes = []string{"admin:everything"} }, "scopes", "There is no scope `admin:everything`."},
		"internal default":    {func(in *input) { in.DefaultScopes = []string{"admin:everything"} }, "default_scopes", "There is no scope"},
		"default outside":     {func(in *input) { in.Scopes = []string{"records:read"}; in.DefaultScopes = []string{"records:write"} }, "default_scopes", "among the scopes"},
		"foreign grant":       {func(in *input) { in.GrantTypes = []string{"urn:x"} }, "grant_types", "cannot use `urn:x`"},
		"password":            {func(in *input) { in.GrantTypes = []string{"password"} }, "grant_types", "cannot use `password`"},
		"public client creds": {func(in *input) { in.Public = true; in.GrantTypes = []string{"client_credentials"} }, "grant_types", "no secret"},
		"device": {func(in *input) {
			in.Type, in.RedirectURIs = oauth.NativeApplication, nil
			in.GrantTypes = []string{oauth.GrantDeviceCode, "refresh_token"}
		}, "", ""},
		"device in a browser": {func(in *input) {
			in.Type = oauth.BrowserApplication
			in.GrantTypes = []string{"authorization_code", oauth.GrantDeviceCode}
		}, "grant_types", "cannot use"},
		"refresh alone":       {func(in *input) { in.GrantTypes = []string{"refresh_token"} }, "grant_types", "goes with"},
		"public without PKCE": {func(in *input) { in.Public = true; in.RequirePKCE = new(bool) }, "require_pkce", "must use PKCE"},
	} {
		_, _, err := o.CreateApplication(t.Context(), ada, web(tt.change))
		if tt.field == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		t.Log(name)
		wantInvalid(t, err, tt.field, tt.want)
	}
}

func many(n int) []string {
	uris := make([]string, n)
	for i := range uris {
		uris[i] = "https://x.example/" + strings.Repeat("a", i%1000+1) + strings.Repeat("b", i/1000)
	}
	return uris
}

// TestTypeChoosesDefaults: the table of the type chooser.
func TestTypeChoosesDefaults(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{RequirePKCE: true, LegacyGrants: true})
	code, both := oauth.GrantAuthorizationCode, []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken}
	for _, tt := range []struct {
		typ    oauth.ApplicationType
		in     manage.ApplicationInput
		method oauth.AuthMethod
		grants []string
		pkce   bool
	}{
		{"", web(), oauth.AuthBasic, both, true},
		{oauth.WebApplication, web(), oauth.AuthBasic, both, true},
		{oauth.WebApplication, web(func(in *manage.ApplicationInput) { in.Public = true }), oauth.AuthNone, both, true},
		{oauth.BrowserApplication, web(), oauth.AuthNone, both, true},
		{oauth.NativeApplication, web(), oauth.AuthNone, both, true},
		{oauth.ServiceApplication, web(func(in *manage.ApplicationInput) { in.RedirectURIs, in.Public = nil, true }), oauth.AuthBasic, []string{oauth.GrantClientCredentials}, false},
		{oauth.LegacyApplication, web(func(in *manage.ApplicationInput) { in.GrantTypes = []string{code, "implicit", "password"} }), oauth.AuthBasic, []string{code, "implicit", "password"}, true},
	} {
		tt.in.Type = tt.typ
		c, secret := o.application(ada, tt.in)
		if c.AuthMethod != tt.method || !slices.Equal(c.GrantTypes, tt.grants) || c.RequirePKCE != tt.pkce {
			t.Errorf("type %q: %s %v PKCE %v, want %s %v %v", tt.typ, c.AuthMethod, c.GrantTypes, c.RequirePKCE, tt.method, tt.grants, tt.pkce)
		}
		if (secret == "") != (tt.method == oauth.AuthNone) {
			t.Errorf("type %q: secret given: %v", tt.typ, secret != "")
		}
		if c.Owner != "ada" || c.FirstParty || c.Internal || c.Disabled {
			t.Errorf("type %q: %+v", tt.typ, c)
		}
	}
}

// TestParity47_RedirectURIMessages: item 47; each line gets its own sentence and
// nothing is saved.
func TestParity47_RedirectURIMessages(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	_, _, err := o.CreateApplication(t.Context(), ada, web(func(in *manage.ApplicationInput) {
		in.RedirectURIs = []string{" https://app.example/cb ", "http://app.example", "", "http://localhost:80@evil.com/cb", "https://app.example/cb"}
	}))
	wantInvalid(t, err, "redirect_uris", "Line 2: `http://app.example` must use https. http is only allowed for localhost, 127.0.0.1 and [::1]. Line 4: `http://localhost:80@evil.com/cb` holds a user name")
	if apps, err := o.Applications(t.Context(), ada, manage.ApplicationQuery{}, manage.Page{Limit: 10}); err != nil || len(apps) != 0 {
		t.Errorf("%d applications were saved, %v", len(apps), err)
	}
	c, _ := o.application(ada, web(func(in *manage.ApplicationInput) {
		in.RedirectURIs = []string{" https://app.example/cb ", "", "https://app.example/cb", "http://[::1]:8000/cb"}
	}))
	if want := []string{"https://app.example/cb", "http://[::1]:8000/cb"}; !slices.Equal(c.RedirectURIs, want) {
		t.Errorf("redirect URIs = %q, want %q: trimmed, blanks and twins dropped", c.RedirectURIs, want)
	}
}

// TestParity48_SecretIsShownOnceAndRotates: item 48 without defect 13e.
func TestParity48_SecretIsShownOnceAndRotates(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	ctx := t.Context()
	c, first := o.application(ada, web())
	second, err := o.RotateSecret(ctx, ada, c.ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if first == second || len(second) < 60 {
		t.Error("the new secret is the old one, or short")
	}
	live := func() []string {
		app, err := o.Application(ctx, ada, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		var hints []string
		for _, s := range app.Secrets {
			hints = append(hints, s.Hint)
		}
		return hints
	}
	hint := func(s oauth.Secret) string { return string(s[len(s)-4:]) }
	if got, want := live(), []string{hint(second), hint(first)}; !slices.Equal(got, want) {
		t.Errorf("live secrets %v, want %v", got, want)
	}
	third, err := o.RotateSecret(ctx, ada, c.ID, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := live(), []string{hint(third), hint(second)}; !slices.Equal(got, want) {
		t.Errorf("live secrets %v, want %v: two at most", got, want)
	}
	o.now = o.now.Add(time.Hour)
	if got, want := live(), []string{hint(third)}; !slices.Equal(got, want) {
		t.Errorf("live secrets after the grace %v, want %v", got, want)
	}
	fourth, err := o.RotateSecret(ctx, ada, c.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := live(), []string{hint(fourth)}; !slices.Equal(got, want) {
		t.Errorf("live secrets %v, want %v: the old one stops at once", got, want)
	}
	for _, keep := range []time.Duration{-1, 31 * 24 * time.Hour} {
		_, err := o.RotateSecret(ctx, ada, c.ID, keep)
		wantInvalid(t, err, "keep_old", "at most 30 days")
	}
}

// TestM53_OldSecretsStop: the store's rows say so, which is what authenticates.
func TestM53_OldSecretsStop(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	ctx := t.Context()
	c, first := o.application(ada, web())
	if _, err := o.RotateSecret(ctx, ada, c.ID, 0); err != nil {
		t.Fatal(err)
	}
	rows, err := o.store.ClientSecrets(ctx, c.ID)
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d secrets, %v", len(rows), err)
	}
	if rows[0].Hash != oauth.HashSecret(first) || rows[0].ExpiresAt.IsZero() || o.now.Before(rows[0].ExpiresAt) || !rows[1].ExpiresAt.IsZero() {
		t.Errorf("secrets = %+v, want the first expired and the second not", rows)
	}
	// A client that becomes public has no secret any more.
	if _, err := o.UpdateApplication(ctx, ada, c.ID, web(func(in *manage.ApplicationInput) { in.Public = true })); err != nil {
		t.Fatal(err)
	}
	if app, err := o.Application(ctx, ada, c.ID); err != nil || len(app.Secrets) != 0 || !app.Client.Public() {
		t.Errorf("public application: %+v, %v", app, err)
	}
	_, err = o.RotateSecret(ctx, ada, c.ID, 0)
	wantRefused(t, err, "no secret")
	// And gets a new one when it becomes confidential again; the old stay dead.
	if _, err := o.UpdateApplication(ctx, ada, c.ID, web()); err != nil {
		t.Fatal(err)
	}
	if app, err := o.Application(ctx, ada, c.ID); err != nil || len(app.Secrets) != 0 || app.Client.Public() {
		t.Errorf("confidential application: %+v, %v", app, err)
	}
}

// TestParity49_EditAndDelete: items 49 and 56 for one client.
func TestParity49_EditAndDelete(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{RequirePKCE: true})
	ctx := t.Context()
	c, _ := o.application(ada, web(func(in *manage.ApplicationInput) { in.Scopes = []string{"records:read"} }))
	got, err := o.UpdateApplication(ctx, ada, c.ID, web(func(in *manage.ApplicationInput) { in.Name, in.Description = " Other ", "text" }))
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != c.ID || got.Name != "Other" || got.Description != "text" || !slices.Equal(got.Scopes, c.Scopes) || !slices.Equal(got.GrantTypes, c.GrantTypes) ||
		got.Owner != "ada" || !got.RequirePKCE || !got.UpdatedAt.After(c.UpdatedAt) || !got.CreatedAt.Equal(c.CreatedAt) {
		t.Errorf("updated = %+v, want only the named fields changed in %+v", got, c)
	}
	if got, err := o.UpdateApplication(ctx, ada, c.ID, web(func(in *manage.ApplicationInput) { in.Scopes = []string{} })); err != nil || len(got.Scopes) != 0 {
		t.Errorf("empty scopes: %+v, %v", got, err)
	}
	grant := o.grant(c.ID, "eve", "records:read")
	if err := o.DeleteApplication(ctx, ada, c.ID); err != nil {
		t.Fatal(err)
	}
	_, err = o.Application(ctx, ada, c.ID)
	wantNotFound(t, "deleted", err)
	_, err = o.Authorization(ctx, eve, grant.ID)
	wantNotFound(t, "its grant", err)
	if got, want := o.events()[0], oauth.EventClientDeleted; got != want {
		t.Errorf("last event = %s, want %s", got, want)
	}
}

// TestM55_TrustIsTheOperators: what makes a client trusted is in nobody else's hands.
func TestM55_TrustIsTheOperators(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	ctx := t.Context()
	yes := true
	c, _ := o.application(ada, web())
	for name, change := range map[string]func(*manage.ApplicationInput){
		"id":          func(in *manage.ApplicationInput) { in.ID = "web" },
		"first party": func(in *manage.ApplicationInput) { in.FirstParty = &yes },
		"internal":    func(in *manage.ApplicationInput) { in.Internal = &yes },
		"owner":       func(in *manage.ApplicationInput) { in.Owner = "eve" },
	} {
		for who, a := range map[string]manage.Actor{"ada": ada, "admin": admin} {
			if _, _, err := o.CreateApplication(ctx, a, web(change)); err == nil {
				t.Errorf("%s creates with a chosen %s", who, name)
			}
			if _, err := o.UpdateApplication(ctx, a, c.ID, web(change)); err == nil {
				t.Errorf("%s updates with a chosen %s", who, name)
			}
		}
	}
	trusted, _ := o.application(operator, web(func(in *manage.ApplicationInput) {
		in.ID, in.FirstParty, in.Owner, in.Scopes = "portal", &yes, "ada", []string{"admin:everything"}
	}))
	if trusted.ID != "portal" || !trusted.FirstParty || trusted.Owner != "ada" {
		t.Errorf("the operator's client = %+v", trusted)
	}
	// Its owner sees it and may not bend where it sends people.
	if _, err := o.Application(ctx, ada, "portal"); err != nil {
		t.Error(err)
	}
	_, err := o.UpdateApplication(ctx, ada, "portal", web(func(in *manage.ApplicationInput) { in.RedirectURIs = []string{"https://evil.example/"} }))
	wantRefused(t, err, "first-party")
	_, err = o.RotateSecret(ctx, ada, "portal", 0)
	wantRefused(t, err, "first-party")
	wantRefused(t, o.DeleteApplication(ctx, ada, "portal"), "first-party")
	wantRefused(t, o.SetApplicationDisabled(ctx, ada, c.ID, true), "administrator")
}

func TestClientIDs(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	with := func(id string) manage.ApplicationInput {
		return web(func(in *manage.ApplicationInput) { in.ID = id })
	}
	o.application(operator, with("A.b_c~d-1"))
	for id, want := range map[string]string{
		"A.b_c~d-1": "taken", "a b": "letters", "a:b": "letters", "a/b": "letters", "..": "part of an address", "new": "part of an address", "ü": "letters", strings.Repeat("a", 256): "letters", "ada": "subject of a user",
	} {
		_, _, err := o.CreateApplication(t.Context(), operator, with(id))
		wantInvalid(t, err, "id", want)
	}
	_, _, err := o.CreateApplication(t.Context(), operator, web(func(in *manage.ApplicationInput) { in.Owner = "nobody" }))
	wantInvalid(t, err, "owner", "no such user")
	if c, _ := o.application(operator, web()); len(c.ID) != 22 || c.Owner != "" {
		t.Errorf("the operator's client: id %q owner %q, want a drawn id and nobody", c.ID, c.Owner)
	}
}

// TestM49_TokenMakesNoStrongerApplication: what acts for itself stays within the
// token that made it.
func TestM49_TokenMakesNoStrongerApplication(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	ctx := t.Context()
	maker, _ := o.token(ada, o.input("records:read"))
	byToken := ada
	byToken.Limit = &oauth.Principal{Subject: "ada", Scopes: []string{"records:read"}, Method: oauth.ByPersonalToken, TokenID: maker.ID}
	service := func(scopes ...string) manage.ApplicationInput {
		return web(func(in *manage.ApplicationInput) {
			in.Type, in.RedirectURIs, in.Scopes = oauth.ServiceApplication, nil, scopes
		})
	}
	_, _, err := o.CreateApplication(ctx, byToken, service())
	wantRefused(t, err, "lacks itself")
	_, _, err = o.CreateApplication(ctx, byToken, service("records:read", "records:write"))
	wantRefused(t, err, "lacks itself")
	c, _ := o.application(byToken, service("records:read"))
	_, err = o.UpdateApplication(ctx, byToken, c.ID, service("records:write"))
	wantRefused(t, err, "lacks itself")
	_, err = o.UpdateApplication(ctx, byToken, c.ID, service())
	if err != nil {
		t.Errorf("an update that leaves the scopes alone: %v", err)
	}
	strong, _ := o.application(ada, service("records:write"))
	_, err = o.RotateSecret(ctx, byToken, strong.ID, 0)
	wantRefused(t, err, "lacks itself")
	if _, err := o.RotateSecret(ctx, byToken, c.ID, 0); err != nil {
		t.Errorf("a secret for what is within the token: %v", err)
	}
	// A web application asks a person before it gets anything.
	o.application(byToken, web())
	confidential, _ := o.application(ada, web())
	_, err = o.UpdateApplication(ctx, byToken, confidential.ID, web(func(in *manage.ApplicationInput) {
		in.GrantTypes = []string{oauth.GrantAuthorizationCode, oauth.GrantClientCredentials}
	}))
	wantRefused(t, err, "lacks itself")
}

// TestM33_MetadataIsText: addresses in metadata are text. What points inside is
// stored or refused, never opened; there is no field that would be fetched.
func TestM33_MetadataIsText(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	for _, website := range []string{"http://169.254.169.254/", "file:///etc/passwd", "gopher://x/", "http://[::ffff:127.0.0.1]/", "http://0.0.0.0/", "http://localhost./"} {
		c, _, err := o.CreateApplication(t.Context(), ada, web(func(in *manage.ApplicationInput) { in.Website = website }))
		if err == nil && c.Website != website {
			t.Errorf("website %q became %q", website, c.Website)
		}
		if strings.HasPrefix(website, "http://169") != (err == nil) {
			t.Errorf("website %q: %v", website, err)
		}
	}
}
