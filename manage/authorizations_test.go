package manage_test

import (
	"slices"
	"testing"
	"time"

	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// TestParity53_AuthorizedApplications: item 53, several grants seen as one, and
// revocation of all of them.
func TestParity53_AuthorizedApplications(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	ctx := t.Context()
	yes := true
	uploader, _ := o.application(eve, web())
	other, _ := o.application(eve, web())
	hidden, _ := o.application(operator, web(func(in *manage.ApplicationInput) { in.Internal = &yes }))
	first := o.grant(uploader.ID, "ada", "records:read")
	o.grant(hidden.ID, "ada", "records:read")
	kept := o.grant(other.ID, "ada", "records:write")
	second := o.grant(uploader.ID, "ada", "user:email", "records:read")
	o.grant(uploader.ID, "eve", "records:read")
	used := o.now.Add(time.Hour)
	if err := o.store.TouchGrant(ctx, first.ID, used); err != nil {
		t.Fatal(err)
	}
	tokens := map[string]string{"at1": first.ID, "at2": second.ID, "at3": kept.ID}
	for id, grant := range tokens {
		client := uploader.ID
		if grant == kept.ID {
			client = other.ID
		}
		if err := o.store.CreateToken(ctx, &oauth.Token{ID: id, Kind: oauth.AccessToken, ClientID: client, GrantID: grant, Subject: "ada", IssuedAt: o.now, ExpiresAt: o.now.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}

	list, err := o.Authorizations(ctx, ada)
	if err != nil || len(list) != 2 {
		t.Fatalf("%d authorizations, %v, want 2", len(list), err)
	}
	a := list[0]
	if a.ID != second.ID || a.Client.ID != uploader.ID || !slices.Equal(a.Scopes, []string{"records:read", "user:email"}) ||
		!a.GrantedAt.Equal(first.CreatedAt) || !a.LastUsedAt.Equal(used) {
		t.Errorf("authorization = %+v", a)
	}
	for _, id := range []string{first.ID, second.ID} {
		if got, err := o.Authorization(ctx, ada, id); err != nil || got.ID != second.ID {
			t.Errorf("Authorization(%s) = %+v, %v", id, got, err)
		}
	}
	if err := o.RevokeAuthorization(ctx, ada, second.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{first.ID, second.ID} {
		_, err := o.Authorization(ctx, ada, id)
		wantNotFound(t, "revoked authorization", err)
	}
	for id, grant := range tokens {
		row, err := o.store.Token(ctx, id)
		if err != nil || row.RevokedAt.IsZero() != (grant == kept.ID) {
			t.Errorf("token %s of grant %s: revoked at %v, %v", id, grant, row.RevokedAt, err)
		}
	}
	if list, err := o.Authorizations(ctx, ada); err != nil || len(list) != 1 || list[0].Client.ID != other.ID {
		t.Errorf("what is left: %+v, %v", list, err)
	}
	if list, err := o.Authorizations(ctx, eve); err != nil || len(list) != 1 {
		t.Errorf("eve's own authorization: %+v, %v", list, err)
	}
	if got := o.events()[0]; got != oauth.EventGrantRevoked {
		t.Errorf("last event = %s", got)
	}
	hiddenGrant := o.grant(hidden.ID, "ada", "records:read")
	_, err = o.Authorization(ctx, ada, hiddenGrant.ID)
	wantNotFound(t, "authorization of an internal client", err)
}

func TestActivityIsOnesOwn(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	ctx := t.Context()
	c, _ := o.application(ada, web())
	o.application(eve, web())
	if err := o.SetApplicationDisabled(ctx, admin, c.ID, true); err != nil {
		t.Fatal(err)
	}
	rows, err := o.Activity(ctx, ada, manage.EventQuery{Involving: "eve"}, manage.Page{Limit: 10})
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v, want what ada did and what was done to hers", len(rows), err)
	}
	if e := rows[0]; e.Actor != "root" || e.Subject != "ada" || e.ClientID != c.ID {
		t.Errorf("newest = %+v", e)
	}
	if e := rows[1]; e.Actor != "ada" || e.Network != "192.0.2.0/24" || e.RequestID != "R1" || e.ID == "" || e.At.IsZero() || e.Detail == "" {
		t.Errorf("oldest = %+v", e)
	}
	if rows, err := o.Activity(ctx, admin, manage.EventQuery{}, manage.Page{Limit: 10}); err != nil || len(rows) != 1 {
		t.Errorf("an administrator's own activity: %d rows, %v", len(rows), err)
	}
	if rows, err := o.AuditTrail(ctx, admin, manage.EventQuery{}, manage.Page{Limit: 10}); err != nil || len(rows) != 3 {
		t.Errorf("the audit trail: %d rows, %v", len(rows), err)
	}
	if rows, err := o.Activity(ctx, operator, manage.EventQuery{}, manage.Page{Limit: 10}); err != nil || len(rows) != 3 {
		t.Errorf("the operator's: %d rows, %v", len(rows), err)
	}
}

// TestParity56_Cascades: item 56, at the desk: a client takes its tokens along,
// a token takes nothing.
func TestParity56_Cascades(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	ctx := t.Context()
	c, _ := o.application(ada, web())
	g := o.grant(c.ID, "eve", "records:read")
	for _, id := range []string{"one", "two"} {
		if err := o.store.CreateToken(ctx, &oauth.Token{ID: id, Kind: oauth.AccessToken, ClientID: c.ID, GrantID: g.ID, Subject: "eve", IssuedAt: o.now}); err != nil {
			t.Fatal(err)
		}
	}
	personal, _ := o.token(eve, manage.TokenInput{Name: "mine", Scopes: []string{"records:read"}, ExpiresAt: o.now.Add(time.Hour)})
	if err := o.RevokeToken(ctx, admin, "one"); err != nil {
		t.Fatal(err)
	}
	if two, err := o.store.Token(ctx, "two"); err != nil || !two.RevokedAt.IsZero() {
		t.Errorf("the other token of the grant: %+v, %v", two, err)
	}
	if _, err := o.Authorization(ctx, eve, g.ID); err != nil {
		t.Errorf("the grant: %v", err)
	}
	if err := o.DeleteApplication(ctx, ada, c.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"one", "two"} {
		if _, err := o.store.Token(ctx, id); err == nil {
			t.Errorf("token %s outlives its client", id)
		}
	}
	if err := o.store.DeleteSubject(ctx, "eve"); err != nil {
		t.Fatal(err)
	}
	if _, err := o.store.Token(ctx, personal.ID); err == nil {
		t.Error("a personal access token outlives its user")
	}
}

// What a client was let know by the claims parameter alone is not hidden from the
// person who allowed it (OpenID Connect Core §5.5).
func TestClaimsAreShownAsTheirScopes(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	c, _ := o.application(eve, web())
	if err := o.store.CreateGrant(t.Context(), &oauth.Grant{
		ID: "g", ClientID: c.ID, Subject: "ada", Scopes: []string{"openid"}, CreatedAt: o.now,
		Claims: `{"userinfo":{"email":null},"id_token":{"phone_number":{"essential":true}}}`,
	}); err != nil {
		t.Fatal(err)
	}
	list, err := o.Authorizations(t.Context(), ada)
	if err != nil || len(list) != 1 || !slices.Equal(list[0].Scopes, []string{"email", "openid", "phone"}) {
		t.Errorf("%+v, %v", list, err)
	}
}
