package pages_test

import (
	"net/url"
	"time"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/oauth"
)

var (
	app = &oauth.Client{
		ID: "3fGh7Kq2LmNp9RsTvWxYz0", Type: oauth.WebApplication, Name: "Zenodo Uploader", Description: "Uploads data sets from the laboratory.",
		Website: "https://uploader.example/", Owner: "u2", AuthMethod: oauth.AuthBasic, RedirectURIs: []string{"https://uploader.example/callback"},
		GrantTypes: []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken}, Scopes: []string{"deposit:write", "user:email"},
		RequirePKCE: true, CreatedAt: now.AddDate(0, -8, 0),
	}
	native = &oauth.Client{
		ID: "4aBcDeFgHiJkLmNoPqRsTu", Type: oauth.NativeApplication, Name: "Notebook", Website: "https://notebook.example/", AuthMethod: oauth.AuthNone,
		RedirectURIs: []string{"com.example.notebook:/callback"}, GrantTypes: []string{oauth.GrantAuthorizationCode}, CreatedAt: now.AddDate(0, 0, -3), Disabled: true,
	}
	service = &oauth.Client{ID: "5service", Type: oauth.ServiceApplication, Name: "Nightly", Website: "https://nightly.example/", AuthMethod: oauth.AuthBasic,
		GrantTypes: []string{oauth.GrantClientCredentials}, CreatedAt: now}
	hostile = &oauth.Client{
		ID: "6hostile", Type: oauth.WebApplication, Name: "<img src=x onerror=alert(1)> {{7*7}} \u202egnp.exe\u2066\nsecond line",
		Description: `"><script>alert(1)</script>`, Website: "javascript:alert(1)", AuthMethod: oauth.AuthNone,
		RedirectURIs: []string{"https://bücher.example/cb"}, GrantTypes: []string{oauth.GrantAuthorizationCode}, CreatedAt: now,
	}
	dynamic = &oauth.Client{
		ID: "7dynamic", Type: oauth.WebApplication, Name: "Calendar", Registration: oauth.RegisteredDynamically, AuthMethod: oauth.AuthBasic,
		RedirectURIs: []string{"https://calendar.example/cb"}, GrantTypes: []string{oauth.GrantAuthorizationCode}, CreatedAt: now, Profile: oauth.ProfileCertification,
		Metadata: oauth.ClientMetadata{ResponseTypes: []string{oauth.ResponseTypeCode}, LogoURI: "https://calendar.example/logo.png", PolicyURI: "https://calendar.example/privacy",
			TermsURI: "https://calendar.example/terms", JWKS: []byte(`{"keys":[{"kty":"EC"}]}`), RequireAuthTime: true},
	}
	document = &oauth.Client{
		ID: "https://agent.example/client.json", Type: oauth.NativeApplication, Name: "Agent", Registration: oauth.RegisteredByDocument, AuthMethod: oauth.AuthNone,
		RedirectURIs: []string{"http://localhost:7777/cb"}, GrantTypes: []string{oauth.GrantAuthorizationCode}, RefreshAt: now,
	}
	empty = &oauth.Client{}
)

var (
	profile  = oauth.ScopeGroup{Name: "Profile", Scopes: []oauth.Scope{{Name: "user:email", Title: "E-mail address", Description: "Read your e-mail address"}}}
	deposits = oauth.ScopeGroup{Name: "Deposits", Scopes: []oauth.Scope{
		{Name: "deposit:write", Description: "Create and edit deposits"},
		{Name: "deposit:actions", Description: "Publish deposits", Sensitive: true},
	}}
	identity = oauth.ScopeGroup{Name: "Profile", Scopes: []oauth.Scope{
		{Name: "openid", Title: "Sign in", Description: "Know that it is you, and when you signed in"},
		{Name: "email", Title: "E-mail", Description: "Read your e-mail address and whether it is confirmed"},
	}}
	groups = []oauth.ScopeGroup{deposits, profile}
)

var (
	nightly = &oauth.Token{
		ID: "0NightlyToken0000000ab", Kind: oauth.PersonalToken, Subject: "u1", Name: "nightly-export", Description: "The export of every night",
		Scopes: []string{"deposit:write", "user:email"}, IssuedAt: now.AddDate(0, 0, -18), ExpiresAt: now.AddDate(0, 0, 12), Hint: "x7Qa",
		LastUsedAt: now.Add(-2 * time.Hour), LastUsedNetwork: "192.0.2.0/24",
	}
	expiring = &oauth.Token{ID: "1Expiring", Name: "laptop", Scopes: []string{"a", "b", "c", "d", "e"}, IssuedAt: now.AddDate(0, 0, -85), ExpiresAt: now.AddDate(0, 0, 5), Hint: "aaaa"}
	expired  = &oauth.Token{ID: "2Expired", Name: "old script", IssuedAt: now.AddDate(0, 0, -33), ExpiresAt: now.AddDate(0, 0, -3), Hint: "bbbb"}
	forever  = &oauth.Token{ID: "3Forever", Name: "server", Scopes: []string{"deposit:write"}, IssuedAt: now.AddDate(-2, 0, 0), Hint: "cccc", LastUsedAt: now.AddDate(-1, -1, 0)}
)

var (
	settings = pages.Shell{User: maria, Session: session, Active: pages.SettingsApplications}
	byAdmin  = pages.Shell{User: admin, Session: session, Active: pages.SettingsActivity, Status: "The token was revoked."}
	narrow   = pages.Shell{User: maria, Session: session}
)

var authorized = pages.Authorization{ID: "7grant", Client: app, Publisher: "Jane Doe", Scopes: groups, Names: []string{"deposit:write", "user:email"},
	GrantedAt: now.AddDate(0, -2, 0), LastUsedAt: now.AddDate(0, 0, -2)}

var expiryChoice = pages.Expiry{Days: []int{7, 30, 60, 90, 365}, Min: "2026-11-23", Max: "2027-11-23", Now: now}

func anyExpiry() pages.Expiry {
	e := expiryChoice
	e.AllowNo, e.Max = true, ""
	return e
}

var tokenForm = pages.Form{ID: "FORMID", Values: url.Values{"name": {"nightly-export"}, "description": {"The export of every night"},
	"scopes": {"user:email"}, "expires_in": {"30"}}}

var tokenErrors = pages.Form{ID: "FORMID", Values: url.Values{"expires_in": {"custom"}, "expires_at": {"2020-01-01"}}, Errors: []pages.FieldError{
	{Field: "name", Message: "Give the token a name."},
	{Field: "expires_at", Message: "The expiration must be in the future."},
	{Field: "scopes", Message: "Choose at least one permission."},
}}

var clientOptions = pages.ClientOptions{Types: pages.ClientTypes(true), Groups: groups,
	GrantTypes: []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials, oauth.GrantDeviceCode, oauth.GrantImplicit, oauth.GrantPassword}}

var clientForm = pages.Form{ID: "FORMID", Values: url.Values{"type": {"web"}, "name": {app.Name}, "website": {app.Website}, "description": {app.Description},
	"redirect_uris": {"https://uploader.example/callback\nhttp://127.0.0.1/cb"}, "grant_types": app.GrantTypes, "scopes": app.Scopes, "require_pkce": {"yes"}}}

var clientErrors = pages.Form{Values: url.Values{"type": {"web"}, "redirect_uris": {"http://app.example"}}, Errors: []pages.FieldError{
	{Field: "name", Message: "Give the application a name."},
	{Field: "redirect_uris", Message: "Line 1: http://app.example must use https."},
	{Field: "grant_types", Message: "A public application cannot use client_credentials."},
	{Message: "You have as many applications as you may have."},
}}

var ownSamples = []sample{
	{"error_404", pages.Shell{}, pages.ErrorPage{Status: 404}},
	{"error_500", narrow, pages.ErrorPage{Status: 500, RequestID: "01JDREQUESTID"}},

	{"authorization_error", pages.Shell{}, pages.AuthorizationError{Client: "Zenodo Uploader", Code: "invalid_request", Parameter: "redirect_uri",
		Got: "https://uploader.example/cb/", Problem: "It does not match any redirect URI of this client.", Fix: "Register it under Settings, Applications, or change the request. They are compared character by character.",
		Spec: "RFC 6749 §3.1.2.3", RequestID: "01JDREQUESTID", At: now}},
	{"authorization_error_empty", pages.Shell{}, pages.AuthorizationError{}},

	{"consent", narrow, pages.Consent{Request: "REQUEST", Client: app, Publisher: "Jane Doe", RedirectURI: app.RedirectURIs[0], New: groups, Offline: true, SwitchAccount: "/login/?next=x"}},
	{"consent_again", narrow, pages.Consent{Request: "REQUEST", Client: native, RedirectURI: native.RedirectURIs[0], New: []oauth.ScopeGroup{deposits}, Allowed: []oauth.ScopeGroup{profile}}},
	{"consent_loopback", narrow, pages.Consent{Request: "REQUEST", Client: native, RedirectURI: "http://127.0.0.1:41234/cb"}},
	{"consent_hostile", narrow, pages.Consent{Request: "REQUEST", Client: hostile, Publisher: "<b>x</b>\u202e", RedirectURI: hostile.RedirectURIs[0]}},
	{"consent_empty", pages.Shell{}, pages.Consent{Client: empty}},
	{"consent_openid", narrow, pages.Consent{Request: "REQUEST", Client: dynamic, RedirectURI: dynamic.RedirectURIs[0], New: []oauth.ScopeGroup{identity},
		Resources: []string{"Records API", "https://mcp.example/"}}},
	{"consent_document", narrow, pages.Consent{Request: "REQUEST", Client: document, RedirectURI: document.RedirectURIs[0], New: []oauth.ScopeGroup{deposits}}},
	{"form_post", pages.Shell{FormOnly: "https://uploader.example"}, pages.FormPost{Action: "https://uploader.example/cb?a=b&c=%20d", Fields: []pages.FormPostField{
		{Name: "code", Value: "vk_ac_x"}, {Name: "state", Value: `"><script>alert(1)</script>`}}}},
	{"form_post_empty", pages.Shell{}, pages.FormPost{}},

	{"applications", settings, pages.Applications{Clients: []*oauth.Client{app, native}, Tokens: []*oauth.Token{expiring, nightly, forever, expired},
		Authorizations: []pages.Authorization{authorized}, MoreClients: "?clients=x", MoreTokens: "?tokens=y"}},
	{"applications_hostile", settings, pages.Applications{Clients: []*oauth.Client{hostile}, Authorizations: []pages.Authorization{{Client: hostile}}}},
	{"applications_empty", settings, pages.Applications{}},

	{"authorization", settings, authorized},
	{"authorization_dynamic", settings, pages.Authorization{ID: "7grant", Client: dynamic, Scopes: groups, GrantedAt: now.AddDate(0, -2, 0)}},
	{"authorization_empty", settings, pages.Authorization{Client: empty}},
	{"authorization_revoke", settings, pages.RevokeAuthorization{Authorization: authorized}},
	{"authorization_revoke_empty", settings, pages.RevokeAuthorization{Authorization: pages.Authorization{Client: empty}}},

	{"activity", byAdmin, pages.Activity{Older: "?after=e2", Newest: "?", Events: []*oauth.Event{
		{ID: "e1", At: now, Type: oauth.EventTokenRevoked, Network: "192.0.2.0/24", Detail: "revoked the personal access token nightly-export"},
		{ID: "e2", At: now.Add(-time.Hour), Type: "something.new"}}}},
	{"activity_empty", settings, pages.Activity{}},

	{"token_new", settings, pages.TokenNew{Form: tokenForm, Expiry: anyExpiry(), Groups: groups, FromLink: true, Ignored: []string{"no:such"}, AllowNoScopes: true}},
	{"token_new_errors", settings, pages.TokenNew{Form: tokenErrors, Expiry: expiryChoice, Groups: groups}},
	{"token_new_empty", settings, pages.TokenNew{}},
	{"token_created", settings, pages.TokenCreated{Token: nightly, Secret: "vk_pat_0NightlyToken0000000abX", Curl: pages.CurlFor("https://example.org", "vk_pat_0NightlyToken0000000abX")}},
	{"token_created_gone", settings, pages.TokenCreated{Token: nightly}},
	{"token", settings, pages.TokenView{Token: nightly, Form: tokenForm, Groups: groups, Wider: "/account/settings/applications/tokens/new/?name=nightly-export"}},
	{"token_empty", settings, pages.TokenView{Token: expired}},
	{"token_regenerate", settings, pages.TokenRegenerate{Token: nightly, Form: tokenForm, Expiry: expiryChoice}},
	{"token_regenerate_empty", settings, pages.TokenRegenerate{Token: expired}},
	{"token_revoke", settings, pages.TokenRevoke{Token: nightly}},
	{"token_revoke_empty", settings, pages.TokenRevoke{Token: expired}},

	{"client_new", settings, pages.ClientNew{Form: clientForm, Options: clientOptions, FromLink: true}},
	{"client_new_errors", settings, pages.ClientNew{Form: clientErrors, Options: clientOptions}},
	{"client_new_empty", settings, pages.ClientNew{}},
	{"client", settings, pages.ClientView{Form: clientForm, Options: clientOptions, Client: app, Users: 41, Help: pages.HelpFor("https://example.org", app),
		Secrets: []pages.ClientSecret{{Hint: "x7Qa", CreatedAt: now.AddDate(0, 0, -1), LastUsedAt: now.Add(-time.Minute)}, {Hint: "9bCd", CreatedAt: now.AddDate(0, -8, 0), ExpiresAt: now.Add(23 * time.Hour)}}}},
	{"client_public", settings, pages.ClientView{Client: native, Users: 1, Help: pages.HelpFor("https://example.org/auth/idp", native)}},
	{"client_service", settings, pages.ClientView{Client: service, Help: pages.HelpFor("https://example.org", service)}},
	{"client_device", settings, pages.ClientView{Client: television, Help: pages.HelpFor("https://example.org", television)}},
	{"client_created", settings, pages.ClientCreated{Client: app, Secret: "vk_cs_secret", Env: pages.EnvFor("https://example.org", app, "vk_cs_secret")}},
	{"client_created_gone", settings, pages.ClientCreated{Client: app}},
	{"client_reset", settings, pages.ClientReset{Client: app, Form: pages.Form{ID: "FORMID", Values: url.Values{"keep_old": {"0"}}}}},
	{"client_reset_errors", settings, pages.ClientReset{Client: app, Form: pages.Form{Errors: []pages.FieldError{{Field: "keep_old", Message: "Choose one."}}}}},
	{"client_delete", settings, pages.ClientDelete{Client: app, Users: 41, Form: pages.Form{Values: url.Values{"name": {"Zenodo"}}, Errors: []pages.FieldError{{Field: "name", Message: "That is not the application’s name."}}}}},
	{"client_delete_empty", settings, pages.ClientDelete{Client: service}},
}
