package cli

import (
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// clientFlags are what can be said about a client, at creation and later.
type clientFlags struct {
	in                         manage.ApplicationInput
	typ, authMethod, owner     string
	pkce, firstParty, internal bool
	metadata                   metadataFlags
}

func (f *clientFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.in.Name, "name", "", "`NAME`, as the consent page shows it")
	fs.StringArrayVar(&f.in.RedirectURIs, "redirect-uri", nil, "`URI` to come back to; may be given several times")
	fs.StringVar(&f.in.Website, "website", "", "`URL` of its website")
	fs.StringVar(&f.in.Description, "description", "", "what it does, as `TEXT`")
	fs.StringVar(&f.typ, "type", "", "`TYPE`: web, browser, native, service or legacy (default web)")
	fs.BoolVar(&f.in.Public, "public", false, "it cannot keep a secret")
	fs.StringVar(&f.authMethod, "auth-method", "", "`METHOD`: client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt or none")
	fs.StringArrayVar(&f.in.GrantTypes, "grant", nil, "a grant `TYPE` it may use, device_code among them; may be given several times (default: that of --type)")
	fs.StringArrayVar(&f.in.Scopes, "scope", nil, "a `SCOPE` it may ask for; may be given several times (default: every one that is not internal)")
	fs.StringArrayVar(&f.in.DefaultScopes, "default-scope", nil, "a `SCOPE` it gets when it asks for none; may be given several times")
	fs.StringVar(&f.owner, "owner", "", "`ID|EMAIL` of the user it belongs to")
	fs.BoolVar(&f.pkce, "pkce", true, "refuse authorization requests without PKCE; --pkce=false allows them")
	fs.BoolVar(&f.firstParty, "first-party", false, "it is our own software: people are not asked for consent, but for one on a device")
	fs.BoolVar(&f.internal, "internal", false, "hide it from the settings pages")
	f.metadata.add(fs)
}

// over is in with everything that the flags say in its place.
func (f *clientFlags) over(cmd *cobra.Command, in manage.ApplicationInput) manage.ApplicationInput {
	given := cmd.Flags().Changed
	if doc := f.metadata.doc; doc != nil {
		in = described(doc, in)
	}
	for name, set := range map[string]func(){
		"name":          func() { in.Name = f.in.Name },
		"redirect-uri":  func() { in.RedirectURIs = f.in.RedirectURIs },
		"website":       func() { in.Website = f.in.Website },
		"description":   func() { in.Description = f.in.Description },
		"type":          func() { in.Type = oauth.ApplicationType(f.typ) },
		"public":        func() { in.Public = f.in.Public },
		"grant":         func() { in.GrantTypes = grantTypes(f.in.GrantTypes) },
		"scope":         func() { in.Scopes = notBlank(f.in.Scopes) },
		"default-scope": func() { in.DefaultScopes = notBlank(f.in.DefaultScopes) },
		"pkce":          func() { in.RequirePKCE = &f.pkce },
		"first-party":   func() { in.FirstParty = &f.firstParty },
		"internal":      func() { in.Internal = &f.internal },
	} {
		if given(name) {
			set()
		}
	}
	if given("auth-method") {
		in.AuthMethod, in.Public = oauth.AuthMethod(f.authMethod), oauth.AuthMethod(f.authMethod) == oauth.AuthNone
	}
	in.Metadata = f.metadata.over(cmd, in.Metadata)
	if given("profile") {
		profile := oauth.Profile(f.metadata.profile)
		in.Profile = &profile
	}
	in.Owner = f.in.Owner
	return in
}

// grantTypes are the wire names of what people write: that of the device code
// is a long URN (RFC 8628 §3.4).
func grantTypes(list []string) []string {
	out := slices.Clone(list)
	for i, name := range out {
		if name == "device_code" {
			out[i] = oauth.GrantDeviceCode
		}
	}
	return out
}

// check refuses flags that contradict each other, and finds the owner.
func (f *clientFlags) check(ctx context.Context, h *house, cmd *cobra.Command) (err error) {
	given := cmd.Flags().Changed
	if given("auth-method") && oauth.AuthMethod(f.authMethod) == oauth.AuthNone && given("public") && !f.in.Public {
		return usagef("--auth-method none and --public=false contradict each other")
	}
	if public, settled := publicTypes[f.typ]; settled && given("public") && f.in.Public != public {
		return usagef("--type %s and --public=%t contradict each other", f.typ, f.in.Public)
	}
	if given("owner") {
		f.in.Owner, err = h.subject(ctx, f.owner)
	}
	return err
}

// publicTypes says of the types that settle it whether they do without a secret.
var publicTypes = map[string]bool{
	string(oauth.BrowserApplication): true, string(oauth.NativeApplication): true, string(oauth.ServiceApplication): false,
}

// notBlank drops the empty value by which a list is emptied (--scope "").
func notBlank(list []string) []string {
	out := []string{}
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func newClientCreate(env *Env) *cobra.Command {
	var (
		out output
		f   clientFlags
		id  string
	)
	cmd := &cobra.Command{
		Use:   "create --name NAME",
		Short: "Register a client",
		Long: `Registers a client and prints its client_id and client_secret. The secret is
never shown again.

The type decides what the client starts with:
  web      runs on a server and keeps a secret
  browser  a single-page application, without a secret
  native   on a person's device or command line, without a secret
  service  acts for itself, with no user (client credentials)
  legacy   may also use the implicit and password grants, where they are on`,
		Example: `  valetkey client create --name Uploader --redirect-uri https://uploader.example.org/callback
  valetkey client create --name TV --type native --grant device_code --grant refresh_token
  valetkey client create --name Nightly --type service --scope records:read -o json
  valetkey client create --metadata client.json`,
		Args: args(),
	}
	f.add(cmd)
	cmd.Flags().StringVar(&id, "id", "", "choose the client `ID` instead of having one drawn")
	out.flag(cmd)
	s := beside(env, cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := f.metadata.read(env); err != nil {
			return err
		}
		if f.in.Name == "" && (f.metadata.doc == nil || f.metadata.doc.Name == "") {
			return usagef("--name is missing")
		}
		if err := out.check(); err != nil {
			return err
		}
		h, err := s.openOrMake(cmd)
		if err != nil {
			return err
		}
		defer h.close()
		if err := f.check(cmd.Context(), h, cmd); err != nil {
			return err
		}
		in := f.over(cmd, manage.ApplicationInput{ID: id})
		c, secret, err := h.server.Desk().CreateApplication(cmd.Context(), operator, in)
		if err != nil {
			return err
		}
		return printClient(env, &out, c, secret)
	}
	return cmd
}

func newClientUpdate(env *Env) *cobra.Command {
	var (
		out output
		f   clientFlags
		on  bool
		off bool
	)
	cmd := &cobra.Command{
		Use:   "update ID",
		Short: "Change a client",
		Long: `Changes what the flags name and leaves the rest. A flag for a list replaces the
whole list; --scope "" empties it.`,
		Args: args("ID"),
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&off, "disable", false, "refuse it everywhere, its tokens too, until it is enabled")
	cmd.Flags().BoolVar(&on, "enable", false, "let it work again")
	cmd.MarkFlagsMutuallyExclusive("enable", "disable")
	out.flag(cmd)
	s := beside(env, cmd)
	cmd.RunE = s.with(out.check, func(cmd *cobra.Command, h *house, args []string) error {
		return f.update(cmd, h, &out, args[0], on, off)
	})
	return cmd
}

func (f *clientFlags) update(cmd *cobra.Command, h *house, out *output, id string, on, off bool) error {
	if err := f.metadata.read(h.env); err != nil {
		return err
	}
	ctx, desk := cmd.Context(), h.server.Desk()
	app, err := h.application(ctx, id)
	if err != nil {
		return err
	}
	if err := f.check(ctx, h, cmd); err != nil {
		return err
	}
	c, err := desk.EditApplication(ctx, operator, id, func(c oauth.Client) manage.ApplicationInput {
		return f.over(cmd, manage.ApplicationInput{
			Name: c.Name, Description: c.Description, Website: c.Website, RedirectURIs: c.RedirectURIs, Public: c.Public(), Metadata: &c.Metadata,
		})
	})
	if err != nil {
		return err
	}
	if on || off {
		if err := desk.SetApplicationDisabled(ctx, operator, id, off); err != nil {
			return err
		}
		c.Disabled = off
	}
	if !manage.HasSecret(c) || out.json() || manage.HasSecret(app.Client) && (c.AuthMethod == app.Client.AuthMethod || c.AuthMethod != oauth.AuthSecretJWT) {
		return printClient(h.env, out, c, "")
	}
	h.env.printf("client_id: %s\nIt has no secret yet: \"valetkey client rotate-secret %s\" makes one.\n", c.ID, c.ID)
	return nil
}
