package pages_test

import (
	"net/url"

	"github.com/valetkey/valetkey/internal/pages"
	"github.com/valetkey/valetkey/oauth"
)

var (
	adminApplications = pages.Shell{User: admin, Session: session, Active: pages.AdminApplicationsItem, Status: "Your changes are saved."}
	adminTokens       = pages.Shell{User: admin, Session: session, Active: pages.AdminTokensItem}
	adminActivity     = pages.Shell{User: admin, Session: session, Active: pages.AdminActivityItem}
	hostileFilter     = pages.Form{Values: url.Values{"q": {`"><script>alert(1)</script>`}, "internal": {"yes"}, "kind": {"personal"}, "state": {"all"}, "type": {"token.issued"}}}
	firstParty        = &oauth.Client{ID: "portal", Type: oauth.BrowserApplication, Name: "Portal", AuthMethod: oauth.AuthNone, FirstParty: true, Internal: true,
		Disabled: true, DefaultScopes: []string{"user:email"}, Scopes: []string{"user:email"}, CreatedAt: now, UpdatedAt: now}
	accessToken    = &oauth.Token{ID: "8Access", Kind: oauth.AccessToken, Subject: "u1", ClientID: app.ID, Scopes: []string{"gone:scope"}, IssuedAt: now, ExpiresAt: now.Add(3600e9)}
	revokedToken   = &oauth.Token{ID: "9Revoked", Kind: oauth.PersonalToken, Name: "<b>old</b>", Internal: true, Subject: "u1", IssuedAt: now, RevokedAt: now}
	rotatedToken   = &oauth.Token{ID: "9Rotated", Kind: oauth.RefreshToken, Subject: "u1", ClientID: app.ID, IssuedAt: now, RotatedAt: now}
	adminOptions   = pages.ClientOptions{Types: pages.ClientTypes(true), GrantTypes: []string{"authorization_code", "implicit"}, Groups: groups}
	adminTokenForm = pages.Form{Values: url.Values{"name": {"<b>x</b>"}, "scopes": {"user:email"}}, Errors: []pages.FieldError{
		{Field: "name", Message: "The name must be less than 40 characters long."}, {Field: "scopes", Message: "Choose at least one permission."}}}
	adminForm = pages.Form{Values: url.Values{"type": {"web"}, "name": {"<b>x</b>"}, "internal": {"yes"}, "first_party": {"yes"}, "owner": {"u1"}},
		Errors: []pages.FieldError{{Field: "owner", Message: "There is no such user."}, {Field: "redirect_uris", Message: "Give at least one redirect URI."}}}
)

// adminList is a list in the middle of its pages.
func adminList(names ...string) pages.AdminList {
	l := pages.AdminList{Filter: hostileFilter, Sort: "-created", Sorts: map[string]pages.Sorting{},
		Pager: pages.Pager{First: "/admin/x/?q=a", Next: "/admin/x/?q=a&after=b", FirstLabel: "Newest", NextLabel: "Older"}}
	for i, name := range names {
		l.Sorts[name] = pages.Sorting{URL: "/admin/x/?sort=" + name, By: []string{"descending", ""}[i]}
	}
	return l
}

// adminSamples are the pages of the administration.
var adminSamples = []sample{
	{"admin_applications", adminApplications, pages.AdminApplications{AdminList: adminList("created", "name"), Clients: []*oauth.Client{app, native, hostile, firstParty}}},
	{"admin_applications_empty", adminApplications, pages.AdminApplications{}},
	{"admin_applications_bad", adminApplications, pages.AdminApplications{AdminList: pages.AdminList{Bad: true}}},
	{"admin_application", adminApplications, pages.AdminApplication{Client: app, Owner: "Jane Doe", Scopes: groups, Users: 7,
		Secrets: []pages.ClientSecret{{Hint: "x7Qa", CreatedAt: now, ExpiresAt: now.Add(3600e9), LastUsedAt: now}, {Hint: "aaaa", CreatedAt: now}}}},
	{"admin_application_first_party", adminApplications, pages.AdminApplication{Client: firstParty, Scopes: []oauth.ScopeGroup{profile}}},
	{"admin_application_document", adminApplications, pages.AdminApplication{Client: document}},
	{"admin_application_dynamic", adminApplications, pages.AdminApplication{Client: dynamic}},
	{"admin_application_empty", adminApplications, pages.AdminApplication{Client: empty}},
	{"admin_application_form", adminApplications, pages.AdminApplicationForm{Form: adminForm, Options: adminOptions, Client: app}},
	{"admin_application_form_empty", adminApplications, pages.AdminApplicationForm{}},
	{"admin_application_secret", adminApplications, pages.AdminApplicationSecret{Client: app, Form: pages.Form{Values: url.Values{"keep_old": {"24"}},
		Errors: []pages.FieldError{{Field: "keep_old", Message: "The old secret can go on working for at most 30 days."}}}}},
	{"admin_application_secret_made", adminApplications, pages.AdminApplicationSecret{Client: app, Made: true, Secret: "vk_cs_example"}},
	{"admin_application_secret_empty", adminApplications, pages.AdminApplicationSecret{Client: app, Made: true}},
	{"admin_tokens", adminTokens, pages.AdminTokens{AdminList: adminList("issued"), Tokens: []*oauth.Token{nightly, expired, accessToken, revokedToken, rotatedToken}}},
	{"admin_tokens_empty", adminTokens, pages.AdminTokens{}},
	{"admin_tokens_bad", adminTokens, pages.AdminTokens{AdminList: pages.AdminList{Bad: true}}},
	{"admin_token", adminTokens, pages.AdminToken{Token: nightly, Owner: "Maria Example", Scopes: groups}},
	{"admin_token_access", adminTokens, pages.AdminToken{Token: accessToken, Client: app}},
	{"admin_token_revoked", adminTokens, pages.AdminToken{Token: revokedToken}},
	{"admin_token_empty", adminTokens, pages.AdminToken{Token: rotatedToken}},
	{"admin_token_form", adminTokens, pages.AdminTokenForm{Form: adminTokenForm, Token: nightly, Groups: groups}},
	{"admin_token_form_empty", adminTokens, pages.AdminTokenForm{Token: revokedToken}},
	{"admin_activity", adminActivity, pages.AdminActivity{AdminList: adminList("when"), Events: []*oauth.Event{
		{ID: "e1", At: now, Type: oauth.EventTokenIssued, Actor: "u1", Subject: "u1", ClientID: "c", TokenID: "t", Network: "192.0.2.0/24", RequestID: "R", Detail: "made <b>x</b>"},
		{ID: "e2", At: now, Type: "strange.thing_happened"}}}},
	{"admin_activity_empty", adminActivity, pages.AdminActivity{}},
	{"admin_activity_bad", adminActivity, pages.AdminActivity{AdminList: pages.AdminList{Bad: true}}},
}
