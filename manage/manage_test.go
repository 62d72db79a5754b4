package manage_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
	"github.com/valetkey/valetkey/store"
	"github.com/valetkey/valetkey/store/memstore"
)

var (
	start    = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	ada      = manage.Actor{Subject: "ada", Network: "192.0.2.0/24", RequestID: "R1"}
	eve      = manage.Actor{Subject: "eve"}
	admin    = manage.Actor{Subject: "root", Admin: true}
	operator = manage.Actor{Operator: true}
)

// people is a user source of fixed users.
type people map[string]*oauth.User

func (p people) User(_ context.Context, subject string) (*oauth.User, error) {
	if u, ok := p[subject]; ok {
		return u, nil
	}
	return nil, oauth.ErrUserNotFound
}

// office is a desk with what stands behind it.
type office struct {
	*manage.Desk
	t     *testing.T
	store *memstore.Store
	mint  *mint.Mint
	now   time.Time
}

func newOffice(t *testing.T, p manage.Policy, change ...func(*manage.Config)) *office {
	t.Helper()
	o := &office{t: t, store: memstore.New(), now: start}
	var err error
	if o.mint, err = mint.New("vk", [][]byte{[]byte("key")}); err != nil {
		t.Fatal(err)
	}
	scopes, err := oauth.NewScopes(
		oauth.Scope{Name: "records:read", Description: "Read your records"},
		oauth.Scope{Name: "records:write", Description: "Change your records"},
		oauth.Scope{Name: "openid", Description: "Know who you are", ClientOnly: true},
		oauth.Scope{Name: "admin:everything", Description: "Do everything", Internal: true})
	if err != nil {
		t.Fatal(err)
	}
	config := manage.Config{
		Store: o.store, Mint: o.mint, Scopes: scopes, Policy: p,
		Now:   func() time.Time { o.now = o.now.Add(time.Millisecond); return o.now },
		Users: people{"ada": {Subject: "ada"}, "eve": {Subject: "eve"}, "root": {Subject: "root", Admin: true}},
	}
	for _, c := range change {
		c(&config)
	}
	o.Desk, err = manage.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// web is a valid input.
func web(change ...func(*manage.ApplicationInput)) manage.ApplicationInput {
	in := manage.ApplicationInput{Name: "Uploader", Website: "https://uploader.example", RedirectURIs: []string{"https://uploader.example/cb"}}
	for _, f := range change {
		f(&in)
	}
	return in
}

func (o *office) application(a manage.Actor, in manage.ApplicationInput) (*oauth.Client, oauth.Secret) {
	o.t.Helper()
	c, secret, err := o.CreateApplication(o.t.Context(), a, in)
	if err != nil {
		o.t.Fatalf("CreateApplication: %v", err)
	}
	return c, secret
}

func (o *office) input(scopes ...string) manage.TokenInput {
	return manage.TokenInput{Name: "token " + mint.NewID(o.now), Scopes: scopes, ExpiresAt: o.now.Add(24 * time.Hour)}
}

func (o *office) token(a manage.Actor, in manage.TokenInput) (*oauth.Token, oauth.Secret) {
	o.t.Helper()
	in.Name = in.Name[:min(len(in.Name), 40)]
	t, secret, err := o.CreateToken(o.t.Context(), a, in)
	if err != nil {
		o.t.Fatalf("CreateToken: %v", err)
	}
	return t, secret
}

// events returns the types of the audit trail, newest first.
func (o *office) events() []oauth.EventType {
	o.t.Helper()
	rows, err := o.AuditTrail(o.t.Context(), operator, manage.EventQuery{}, manage.Page{Limit: 100})
	if err != nil {
		o.t.Fatal(err)
	}
	var types []oauth.EventType
	for _, e := range rows {
		types = append(types, e.Type)
	}
	return types
}

// wantInvalid checks that err is about the field and says want.
func wantInvalid(t *testing.T, err error, field, want string) {
	t.Helper()
	var invalid *manage.Invalid
	if !errors.As(err, &invalid) || !strings.Contains(invalid.Fields()[field], want) {
		t.Errorf("err = %v, want %s: …%s…", err, field, want)
	}
}

func wantRefused(t *testing.T, err error, want string) {
	t.Helper()
	var refused *manage.Refused
	if !errors.As(err, &refused) || !strings.Contains(refused.Reason, want) {
		t.Errorf("err = %v, want a refusal with %q", err, want)
	}
}

func wantNotFound(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, manage.ErrNotFound) {
		t.Errorf("%s: err = %v, want ErrNotFound", what, err)
	}
}

func TestNewRefusesContradictions(t *testing.T) {
	t.Parallel()
	if _, err := manage.New(manage.Config{}); err == nil {
		t.Error("New accepts a configuration without parts")
	}
	o := newOffice(t, manage.Policy{})
	if p := o.Policy(); p.PersonalTokenDefault != 30*24*time.Hour || p.PersonalTokenMax != 366*24*time.Hour || p.MaxPersonalTokens != 50 {
		t.Errorf("defaults = %+v", p)
	}
	for _, p := range []manage.Policy{{PersonalTokenDefault: 2, PersonalTokenMax: 1}, {MaxPersonalTokens: -1}, {PersonalTokenDefault: -1}} {
		if _, err := manage.New(manage.Config{Store: o.store, Mint: o.mint, Scopes: o.Scopes(), Users: people{}, Now: time.Now, Policy: p}); err == nil {
			t.Errorf("New accepts %+v", p)
		}
	}
}

// TestParity5_OthersThingsDoNotExist: item 5, for every verb.
func TestParity5_OthersThingsDoNotExist(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	ctx := t.Context()
	client, _ := o.application(ada, web())
	token, _ := o.token(ada, o.input("records:read"))
	grant := o.grant(client.ID, "ada", "records:read")
	nobody := manage.Actor{}
	ownerless, _ := o.application(operator, web())
	for name, a := range map[string]manage.Actor{"eve": eve, "nobody": nobody} {
		for _, id := range []string{client.ID, ownerless.ID, "unknown", ""} {
			_, err := o.Application(ctx, a, id)
			wantNotFound(t, name+" Application", err)
			_, err = o.UpdateApplication(ctx, a, id, web())
			wantNotFound(t, name+" UpdateApplication", err)
			_, err = o.RotateSecret(ctx, a, id, 0)
			wantNotFound(t, name+" RotateSecret", err)
			wantNotFound(t, name+" DeleteApplication", o.DeleteApplication(ctx, a, id))
		}
		for _, id := range []string{token.ID, "unknown", ""} {
			_, err := o.Token(ctx, a, id)
			wantNotFound(t, name+" Token", err)
			_, err = o.UpdateToken(ctx, a, id, o.input())
			wantNotFound(t, name+" UpdateToken", err)
			_, _, err = o.RegenerateToken(ctx, a, id, o.now.Add(time.Hour))
			wantNotFound(t, name+" RegenerateToken", err)
			wantNotFound(t, name+" RevokeToken", o.RevokeToken(ctx, a, id))
		}
		for _, id := range []string{grant.ID, "unknown", ""} {
			_, err := o.Authorization(ctx, a, id)
			wantNotFound(t, name+" Authorization", err)
			wantNotFound(t, name+" RevokeAuthorization", o.RevokeAuthorization(ctx, a, id))
		}
		apps, err := o.Applications(ctx, a, manage.ApplicationQuery{All: true, Owner: "ada"}, manage.Page{Limit: 10})
		if err != nil || len(apps) != 0 {
			t.Errorf("%s lists %d applications, %v", name, len(apps), err)
		}
		tokens, err := o.Tokens(ctx, a, manage.TokenQuery{All: true, Subject: "ada"}, manage.Page{Limit: 10})
		if err != nil || len(tokens) != 0 {
			t.Errorf("%s lists %d tokens, %v", name, len(tokens), err)
		}
		_, err = o.AuditTrail(ctx, a, manage.EventQuery{}, manage.Page{Limit: 10})
		wantNotFound(t, name+" AuditTrail", err)
	}
	if c, err := o.Application(ctx, ada, client.ID); err != nil || c.Client.Name != "Uploader" {
		t.Errorf("ada's application after all that: %v, %v", c, err)
	}
}

// grant inserts a live grant.
func (o *office) grant(clientID, subject string, scopes ...string) *oauth.Grant {
	o.t.Helper()
	o.now = o.now.Add(time.Second)
	g := &oauth.Grant{ID: mint.NewID(o.now), ClientID: clientID, Subject: subject, Scopes: scopes, CreatedAt: o.now}
	if err := o.store.CreateGrant(o.t.Context(), g); err != nil {
		o.t.Fatal(err)
	}
	return g
}

// TestEveryChangeIsRecordedOrUndone: the audit row and the change are one.
func TestEveryChangeIsRecordedOrUndone(t *testing.T) {
	t.Parallel()
	o := newOffice(t, manage.Policy{})
	ctx := t.Context()
	failing := &deaf{Store: o.store}
	d, err := manage.New(manage.Config{Store: failing, Mint: o.mint, Scopes: o.Scopes(), Users: people{}, Now: func() time.Time { return o.now }})
	if err != nil {
		t.Fatal(err)
	}
	client, _ := o.application(ada, web())
	token, _ := o.token(ada, o.input("records:read", "records:write"))
	grant := o.grant(client.ID, "ada", "records:read")
	before := len(o.events())
	changes := map[string]error{}
	_, _, changes["CreateApplication"] = d.CreateApplication(ctx, ada, web())
	_, changes["UpdateApplication"] = d.UpdateApplication(ctx, ada, client.ID, web(func(in *manage.ApplicationInput) { in.Name = "Other" }))
	_, changes["RotateSecret"] = d.RotateSecret(ctx, ada, client.ID, 0)
	changes["DeleteApplication"] = d.DeleteApplication(ctx, ada, client.ID)
	changes["SetApplicationDisabled"] = d.SetApplicationDisabled(ctx, admin, client.ID, true)
	_, _, changes["CreateToken"] = d.CreateToken(ctx, ada, manage.TokenInput{Name: "x", Scopes: []string{"records:read"}, ExpiresAt: o.now.Add(time.Hour)})
	_, changes["UpdateToken"] = d.UpdateToken(ctx, ada, token.ID, manage.TokenInput{Name: "other", Scopes: []string{"records:read"}})
	_, _, changes["RegenerateToken"] = d.RegenerateToken(ctx, ada, token.ID, o.now.Add(time.Hour))
	changes["RevokeToken"] = d.RevokeToken(ctx, ada, token.ID)
	changes["RevokeAuthorization"] = d.RevokeAuthorization(ctx, ada, grant.ID)
	for name, err := range changes {
		if !errors.Is(err, errDeaf) {
			t.Errorf("%s without an audit trail: err = %v, want the fault", name, err)
		}
	}
	app, err := o.Application(ctx, ada, client.ID)
	if err != nil || app.Client.Name != "Uploader" || app.Client.Disabled || len(app.Secrets) != 1 || app.Users != 1 {
		t.Errorf("the application changed: %+v, %v", app, err)
	}
	got, err := o.Token(ctx, ada, token.ID)
	if err != nil || got.Name != token.Name || got.Hash != token.Hash || len(got.Scopes) != 2 {
		t.Errorf("the token changed: %+v, %v", got, err)
	}
	if after := len(o.events()); after != before {
		t.Errorf("%d events, want %d", after, before)
	}
	if tokens, err := o.Tokens(ctx, ada, manage.TokenQuery{}, manage.Page{Limit: 10}); err != nil || len(tokens) != 1 {
		t.Errorf("%d tokens, %v, want 1", len(tokens), err)
	}
}

var errDeaf = errors.New("the audit trail cannot be written")

// deaf is a store whose audit trail is broken.
type deaf struct{ store.Store }

func (d *deaf) InTx(ctx context.Context, fn func(context.Context, store.Store) error) error {
	return d.Store.InTx(ctx, func(ctx context.Context, tx store.Store) error { return fn(ctx, &deaf{tx}) })
}

func (d *deaf) RecordEvent(context.Context, oauth.Event) error { return errDeaf }
