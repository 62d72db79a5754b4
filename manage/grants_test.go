package manage_test

import (
	"slices"
	"testing"

	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// TestParity58_GrantsOfNewApplications: in the predecessor every grant was every
// client's; the switch gives the client credentials grant back to those that
// keep a secret, and to nobody who did not ask for it by another way.
func TestParity58_GrantsOfNewApplications(t *testing.T) {
	t.Parallel()
	code, rt, cc := oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantClientCredentials
	implicit, password := oauth.GrantImplicit, oauth.GrantPassword
	public := func(in *manage.ApplicationInput) { in.Public = true }
	typed := func(typ oauth.ApplicationType) func(*manage.ApplicationInput) {
		return func(in *manage.ApplicationInput) { in.Type = typ }
	}
	byToken := ada
	byToken.Limit = &oauth.Principal{Subject: ada.Subject, Method: oauth.ByPersonalToken, Scopes: []string{"records:read"}}
	for name, tt := range map[string]struct {
		actor   manage.Actor
		in      manage.ApplicationInput
		off, on []string
	}{
		"web":             {ada, web(), []string{code, rt}, []string{code, rt, cc}},
		"public web":      {ada, web(public), []string{code, rt}, []string{code, rt}},
		"browser":         {ada, web(typed(oauth.BrowserApplication)), []string{code, rt}, []string{code, rt}},
		"native":          {ada, web(typed(oauth.NativeApplication)), []string{code, rt}, []string{code, rt}},
		"service":         {ada, web(func(in *manage.ApplicationInput) { in.Type, in.RedirectURIs = oauth.ServiceApplication, nil }), []string{cc}, []string{cc}},
		"legacy":          {ada, web(typed(oauth.LegacyApplication)), []string{code, rt, implicit, password}, []string{code, rt, implicit, password, cc}},
		"chosen":          {ada, web(func(in *manage.ApplicationInput) { in.GrantTypes = []string{code} }), []string{code}, []string{code}},
		"made by a token": {byToken, web(), []string{code, rt}, []string{code, rt}},
		"of the operator": {manage.Actor{Operator: true}, web(), []string{code, rt}, []string{code, rt, cc}},
	} {
		for _, enabled := range []bool{false, true} {
			o := newOffice(t, manage.Policy{LegacyGrants: true, ClientCredentials: enabled})
			want := tt.off
			if enabled {
				want = tt.on
			}
			c, _, err := o.CreateApplication(t.Context(), tt.actor, tt.in)
			if err != nil || !slices.Equal(c.GrantTypes, want) {
				t.Errorf("%s, switch %v: %+v, %v; want %v", name, enabled, c, err, want)
			}
		}
	}
}
