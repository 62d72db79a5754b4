package manage_test

import (
	"slices"
	"testing"

	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// Of two who change different parts at once neither undoes what the other did.
// The other is here always in the middle of the one.
func TestEditsLoseNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	ctx := t.Context()
	const website = "https://moved.example"

	c, _ := o.application(ada, web())
	meanwhile := true
	_, err := o.EditApplication(ctx, ada, c.ID, func(c oauth.Client) manage.ApplicationInput {
		if meanwhile {
			meanwhile = false
			if _, err := o.UpdateApplication(ctx, ada, c.ID, web(func(in *manage.ApplicationInput) { in.Website = website })); err != nil {
				t.Fatal(err)
			}
		}
		return manage.ApplicationInput{Name: c.Name, Description: "moved", Website: c.Website, RedirectURIs: c.RedirectURIs}
	})
	if err != nil {
		t.Fatal(err)
	}
	app, err := o.Application(ctx, ada, c.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := app.Client; got.Website != website || got.Description != "moved" {
		t.Errorf("website %q, description %q; want what each of the two wrote", got.Website, got.Description)
	}

	token, _ := o.token(ada, o.input("records:read", "records:write"))
	rename := func(t oauth.Token) manage.TokenInput {
		return manage.TokenInput{Name: "renamed", Description: t.Description, Scopes: t.Scopes}
	}
	narrow := manage.TokenInput{Name: token.Name, Scopes: []string{"records:read"}}
	if _, err := o.UpdateToken(ctx, ada, token.ID, narrow); err != nil {
		t.Fatal(err)
	}
	got, err := o.EditToken(ctx, ada, token.ID, rename)
	if err != nil || got.Name != "renamed" || !slices.Equal(got.Scopes, narrow.Scopes) {
		t.Errorf("the token after both: %+v, %v", got, err)
	}
}

// Whose an application is changes by the operator's word only.
func TestOwnerIsTheOperatorsToChange(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	c, _ := o.application(ada, web())
	to := func(subject string) manage.ApplicationInput {
		return web(func(in *manage.ApplicationInput) { in.Owner = subject })
	}
	_, err := o.UpdateApplication(t.Context(), admin, c.ID, to(admin.Subject))
	wantRefused(t, err, "Only the operator of this server may choose the owner")
	_, err = o.UpdateApplication(t.Context(), ada, c.ID, to("eve"))
	wantRefused(t, err, "Only the operator of this server may choose the owner")
	if _, err := o.UpdateApplication(t.Context(), admin, c.ID, to(c.Owner)); err != nil {
		t.Errorf("an administrator who leaves the owner: %v", err)
	}
	if c, err = o.UpdateApplication(t.Context(), operator, c.ID, to("eve")); err != nil || c.Owner != "eve" {
		t.Errorf("the operator: %+v, %v", c, err)
	}
}
