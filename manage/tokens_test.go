package manage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// TestParity50_MakeAToken: item 50, each field right and wrong.
func TestParity50_MakeAToken(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	type input = manage.TokenInput
	const day = 24 * time.Hour
	for name, tt := range map[string]struct {
		change      func(*input)
		field, want string // empty: accepted
	}{
		"valid":            {func(in *input) {}, "", ""},
		"no name":          {func(in *input) { in.Name = "" }, "name", "Give it a name."},
		"40 characters":    {func(in *input) { in.Name = strings.Repeat("é", 40) }, "", ""},
		"41 characters":    {func(in *input) { in.Name = strings.Repeat("x", 41) }, "name", "The name must be less than 40 characters long."},
		"bidi":             {func(in *input) { in.Name = "a\u202eb" }, "name", "invisible"},
		"long description": {func(in *input) { in.Description = strings.Repeat("x", 501) }, "description", "500"},
		"no scope":         {func(in *input) { in.Scopes = nil }, "scopes", "at least one"},
		"unknown scope":    {func(in *input) { in.Scopes = []string{"nope"} }, "scopes", "There is no scope `nope`."},
		"internal scope":   {func(in *input) { in.Scopes = []string{"admin:everything"} }, "scopes", "There is no scope `admin:everything`."},
		"never":            {func(in *input) { in.ExpiresAt = time.Time{} }, "expires_at", "Choose when"},
		"past":             {func(in *input) { in.ExpiresAt = o.now.Add(-time.Second) }, "expires_at", "future"},
		"366 days":         {func(in *input) { in.ExpiresAt = o.now.Add(366 * day) }, "", ""},
		"367 days":         {func(in *input) { in.ExpiresAt = o.now.Add(367 * day) }, "expires_at", "at most 366 days"},
	} {
		in := manage.TokenInput{Name: name, Scopes: []string{"records:read", "user:email"}, ExpiresAt: o.now.Add(time.Hour)}
		tt.change(&in)
		token, secret, err := o.CreateToken(t.Context(), ada, in)
		if tt.field != "" {
			t.Log(name)
			wantInvalid(t, err, tt.field, tt.want)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		parsed, err := o.mint.Parse(secret, mint.PersonalToken)
		if err != nil || parsed.ID != token.ID || parsed.Hash != token.Hash || !strings.HasSuffix(string(secret), token.Hint) {
			t.Errorf("%s: the secret is not that of the row: %v", name, err)
		}
		if token.Kind != oauth.PersonalToken || token.ClientID != "" || token.GrantID != "" || token.Subject != "ada" || token.Internal {
			t.Errorf("%s: token = %+v", name, token)
		}
	}
}

func TestTokenNamesAndQuota(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{MaxPersonalTokens: 3})
	ctx := t.Context()
	in := func(name string) manage.TokenInput {
		return manage.TokenInput{Name: name, Scopes: []string{"records:read"}, ExpiresAt: o.now.Add(time.Hour)}
	}
	one, _ := o.token(ada, in("one"))
	_, _, err := o.CreateToken(ctx, ada, in(" one "))
	wantInvalid(t, err, "name", "already")
	o.token(eve, in("one"))
	two, _ := o.token(ada, in("two"))
	_, err = o.UpdateToken(ctx, ada, two.ID, in("one"))
	wantInvalid(t, err, "name", "already")
	o.token(ada, in("three"))
	_, _, err = o.CreateToken(ctx, ada, in("four"))
	wantRefused(t, err, "3 active tokens")
	if _, err := o.UpdateToken(ctx, ada, two.ID, in("zwei")); err != nil {
		t.Errorf("rename at the limit: %v", err)
	}
	if _, _, err := o.RegenerateToken(ctx, ada, two.ID, o.now.Add(time.Hour)); err != nil {
		t.Errorf("regenerate at the limit: %v", err)
	}
	if err := o.RevokeToken(ctx, ada, one.ID); err != nil {
		t.Fatal(err)
	}
	o.token(ada, in("one"))
	// An expired token frees its name and its place, and cannot be regenerated into a full house.
	o.now = o.now.Add(2 * time.Hour)
	for i := range 3 {
		o.token(ada, in(fmt.Sprint("new ", i)))
	}
	_, _, err = o.RegenerateToken(ctx, ada, two.ID, o.now.Add(time.Hour))
	wantRefused(t, err, "3 active tokens")
}

// TestParity51_EditNarrowsAndNeverWidens: item 51 without defect 13l.
func TestParity51_EditNarrowsAndNeverWidens(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	ctx := t.Context()
	token, _ := o.token(ada, o.input("records:read", "records:write"))
	got, err := o.UpdateToken(ctx, ada, token.ID, manage.TokenInput{Name: "renamed", Description: "d", Scopes: []string{"records:read"}})
	if err != nil || got.Name != "renamed" || got.Description != "d" || !slices.Equal(got.Scopes, []string{"records:read"}) || got.Hash != token.Hash {
		t.Errorf("updated = %+v, %v", got, err)
	}
	for _, a := range []manage.Actor{ada, admin, operator} {
		_, err = o.UpdateToken(ctx, a, token.ID, manage.TokenInput{Name: "renamed", Scopes: []string{"records:read", "records:write"}})
		wantInvalid(t, err, "scopes", "cannot be given more")
	}
	_, err = o.UpdateToken(ctx, ada, token.ID, manage.TokenInput{Name: "renamed"})
	wantInvalid(t, err, "scopes", "at least one")
	stored, err := o.store.Token(ctx, token.ID)
	if err != nil || !slices.Equal(stored.Scopes, []string{"records:read"}) {
		t.Errorf("stored = %+v, %v", stored, err)
	}
	if err := o.RevokeToken(ctx, ada, token.ID); err != nil {
		t.Fatal(err)
	}
	_, err = o.Token(ctx, ada, token.ID)
	wantNotFound(t, "revoked token", err)
	wantNotFound(t, "revoked twice", o.RevokeToken(ctx, ada, token.ID))
	if got, want := o.events(), []oauth.EventType{oauth.EventTokenRevoked, oauth.EventTokenUpdated, oauth.EventTokenIssued}; !slices.Equal(got, want) {
		t.Errorf("events = %v, want %v", got, want)
	}
}

func TestRegenerateKillsTheOldSecret(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	ctx := t.Context()
	token, old := o.token(ada, o.input("records:read"))
	got, secret, err := o.RegenerateToken(ctx, ada, token.ID, o.now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := o.store.Token(ctx, token.ID)
	if err != nil {
		t.Fatal(err)
	}
	if secret == old || got.ID != token.ID || got.Name != token.Name || !slices.Equal(got.Scopes, token.Scopes) {
		t.Errorf("regenerated = %+v from %+v", got, token)
	}
	if stored.Hash == oauth.HashSecret(old) || stored.Hash != oauth.HashSecret(secret) {
		t.Error("the store does not know the new secret alone")
	}
	if parsed, err := o.mint.Parse(secret, mint.PersonalToken); err != nil || parsed.ID != token.ID {
		t.Errorf("the new secret names the row %q, %v", parsed.ID, err)
	}
	_, _, err = o.RegenerateToken(ctx, ada, token.ID, time.Time{})
	wantInvalid(t, err, "expires_at", "Choose when")
	_, _, err = o.RegenerateToken(ctx, admin, token.ID, o.now.Add(time.Hour))
	wantRefused(t, err, "its own user")
	if _, err := o.Token(ctx, admin, token.ID); err != nil {
		t.Errorf("an administrator sees it: %v", err)
	}
	if err := o.RevokeToken(ctx, admin, token.ID); err != nil {
		t.Errorf("an administrator revokes it: %v", err)
	}
	_, _, err = o.RegenerateToken(ctx, ada, token.ID, o.now.Add(time.Hour))
	wantNotFound(t, "regenerate after revocation", err)
}

// TestM73_TokenCannotExceedItsScopes: the rule itself, below the API.
func TestM73_TokenCannotExceedItsScopes(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{AllowNoExpiry: true, AllowNoScopes: true})
	ctx := t.Context()
	maker, _ := o.token(ada, o.input("records:read"))
	strong, _ := o.token(ada, o.input("records:read", "records:write"))
	a := ada
	a.Limit = &oauth.Principal{Subject: "ada", Scopes: []string{"records:read"}, Method: oauth.ByPersonalToken, TokenID: maker.ID}
	in := manage.TokenInput{Name: "x", Scopes: []string{"records:write"}, ExpiresAt: o.now.Add(time.Hour)}
	_, _, err := o.CreateToken(ctx, a, in)
	wantRefused(t, err, "lacks itself")
	in.Scopes, in.ExpiresAt = []string{"records:read"}, time.Time{}
	_, _, err = o.CreateToken(ctx, a, in)
	wantInvalid(t, err, "expires_at", "must not outlive it")
	in.ExpiresAt = maker.ExpiresAt.Add(time.Microsecond)
	_, _, err = o.CreateToken(ctx, a, in)
	wantInvalid(t, err, "expires_at", "must not outlive it")
	in.ExpiresAt = maker.ExpiresAt
	made, _ := o.token(a, in)
	_, _, err = o.RegenerateToken(ctx, a, strong.ID, maker.ExpiresAt)
	wantRefused(t, err, "lacks itself")
	if _, _, err := o.RegenerateToken(ctx, a, made.ID, maker.ExpiresAt); err != nil {
		t.Errorf("regenerate what is within the token: %v", err)
	}
	_, err = o.UpdateToken(ctx, a, made.ID, manage.TokenInput{Name: "x", Scopes: []string{"records:read", "records:write"}})
	wantInvalid(t, err, "scopes", "cannot be given more")

	byApp := ada
	byApp.Limit = &oauth.Principal{Subject: "ada", ClientID: "c", Scopes: []string{"records:read"}, Method: oauth.ByAccessToken, TokenID: maker.ID}
	in.Name = "y"
	_, _, err = o.CreateToken(ctx, byApp, in)
	wantRefused(t, err, "An application cannot make")
	_, _, err = o.RegenerateToken(ctx, byApp, made.ID, maker.ExpiresAt)
	wantRefused(t, err, "An application cannot make")

	if err := o.RevokeToken(ctx, ada, maker.ID); err != nil {
		t.Fatal(err)
	}
	_, _, err = o.CreateToken(ctx, a, in)
	wantRefused(t, err, "no longer valid")

	bySession := ada
	bySession.Limit = &oauth.Principal{Subject: "ada", Method: oauth.BySession}
	o.token(bySession, in)
}

func TestTokensForOthersAreTheOperators(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{MaxPersonalTokens: 1})
	ctx := t.Context()
	in := manage.TokenInput{Name: "job", Scopes: []string{"admin:everything"}, Subject: "ada", Internal: true}
	for _, a := range []manage.Actor{eve, admin} {
		_, _, err := o.CreateToken(ctx, a, in)
		wantRefused(t, err, "Only the operator")
	}
	_, _, err := o.CreateToken(ctx, ada, manage.TokenInput{Name: "job", Internal: true, Scopes: []string{"records:read"}, ExpiresAt: o.now.Add(time.Hour)})
	wantRefused(t, err, "Only the operator")
	token, _ := o.token(operator, in)
	if token.Subject != "ada" || !token.Internal || !token.ExpiresAt.IsZero() {
		t.Errorf("the operator's token = %+v", token)
	}
	// It is hidden from ada, does not count for her, and she cannot touch it.
	_, err = o.Token(ctx, ada, token.ID)
	wantNotFound(t, "internal token", err)
	wantNotFound(t, "revoke internal token", o.RevokeToken(ctx, ada, token.ID))
	o.token(ada, manage.TokenInput{Name: "job", Scopes: []string{"records:read"}, ExpiresAt: o.now.Add(time.Hour)})
	in.Subject = "nobody"
	_, _, err = o.CreateToken(ctx, operator, in)
	wantInvalid(t, err, "subject", "no such user")
	in.Subject = ""
	_, _, err = o.CreateToken(ctx, operator, in)
	wantInvalid(t, err, "subject", "whose")
}

// TestParity52_InternalScopesAreHidden: item 52.
func TestParity52_InternalScopesAreHidden(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	unknown := o.input("does:not:exist")
	internal := o.input("admin:everything")
	unknown.Name, internal.Name = "a", "b"
	_, _, errUnknown := o.CreateToken(t.Context(), ada, unknown)
	_, _, errInternal := o.CreateToken(t.Context(), ada, internal)
	wantInvalid(t, errUnknown, "scopes", "There is no scope `does:not:exist`.")
	wantInvalid(t, errInternal, "scopes", "There is no scope `admin:everything`.")
	if slices.ContainsFunc(o.Scopes().Visible(), func(s oauth.Scope) bool { return s.Internal }) {
		t.Error("an internal scope is visible")
	}
}

// Scopes that mean something to clients only are no personal token's, not even an
// operator's, and any application's.
func TestScopesForClientsOnly(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	for _, who := range []manage.Actor{ada, {Operator: true}} {
		in := o.input("records:read", "openid")
		in.Subject = "ada"
		_, _, err := o.CreateToken(t.Context(), who, in)
		wantInvalid(t, err, "scopes", "`openid` is for applications")
	}
	if _, _, err := o.CreateApplication(t.Context(), ada, web(func(in *manage.ApplicationInput) { in.Scopes = []string{"openid"} })); err != nil {
		t.Errorf("an application: %v", err)
	}
	for _, s := range o.Scopes().Personal() {
		if s.ClientOnly || s.Internal {
			t.Errorf("%s is offered to people for their tokens", s.Name)
		}
	}
	if got, want := len(o.Scopes().Personal()), 3; got != want { // two of records and the e-mail address
		t.Errorf("got %d scopes for personal tokens, want %d", got, want)
	}
}

func TestTokenListsByState(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	ctx := t.Context()
	in := func(name string, life time.Duration) manage.TokenInput {
		return manage.TokenInput{Name: name, Scopes: []string{"records:read"}, ExpiresAt: o.now.Add(life)}
	}
	var want = map[manage.TokenState][]string{}
	for i := range 7 {
		short, _ := o.token(ada, in(fmt.Sprint("short", i), time.Minute))
		dead, _ := o.token(ada, in(fmt.Sprint("dead", i), time.Hour))
		long, _ := o.token(ada, in(fmt.Sprint("long", i), time.Hour))
		if err := o.RevokeToken(ctx, ada, dead.ID); err != nil {
			t.Fatal(err)
		}
		for state, ids := range map[manage.TokenState][]string{
			manage.TokensExpired: {short.ID}, manage.TokensRevoked: {dead.ID}, manage.TokensActive: {long.ID},
			manage.TokensKept: {long.ID, short.ID}, manage.TokensAll: {long.ID, dead.ID, short.ID},
		} {
			want[state] = append(slices.Clone(ids), want[state]...)
		}
	}
	o.now = o.now.Add(2 * time.Minute)
	for state, ids := range want {
		var got []string
		for p := (manage.Page{Limit: 2}); ; {
			rows, err := o.Tokens(ctx, ada, manage.TokenQuery{State: state}, p)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				got = append(got, row.ID)
			}
			if len(rows) < p.Limit {
				break
			}
			p.After = rows[len(rows)-1].ID
		}
		if !slices.Equal(got, ids) {
			t.Errorf("state %q: %v, want %v", state, got, ids)
		}
	}
}
