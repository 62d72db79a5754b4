package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/valetkey/valetkey/internal/clientmeta"
	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

func newClient(env *Env) *cobra.Command {
	return group(&cobra.Command{Use: "client", Aliases: []string{"clients"}, Short: "Registered software"},
		newClientCreate(env), newClientList(env), newClientShow(env), newClientUpdate(env), newClientRotate(env), newClientDelete(env), newInitialToken(env))
}

// clientJSON is a client as the commands print it, with the names of RFC 7591
// §2 where there are any.
type clientJSON struct {
	ID            string     `json:"client_id"`
	Secret        string     `json:"client_secret,omitempty"` // once, when it is made
	Name          string     `json:"client_name"`
	Type          string     `json:"type"`
	Description   string     `json:"description"`
	Website       string     `json:"client_uri"`
	Owner         string     `json:"owner"`
	RedirectURIs  []string   `json:"redirect_uris"`
	GrantTypes    []string   `json:"grant_types"`
	AuthMethod    string     `json:"token_endpoint_auth_method"`
	Scopes        []string   `json:"scopes"`
	DefaultScopes []string   `json:"default_scopes"`
	RequirePKCE   bool       `json:"require_pkce"`
	FirstParty    bool       `json:"first_party"`
	Internal      bool       `json:"internal"`
	Disabled      bool       `json:"disabled"`
	CreatedAt     *time.Time `json:"created_at"`
	Registration  string     `json:"registration,omitempty"` // dynamic or document
	Profile       string     `json:"profile,omitempty"`
	// ApplicationType and Scope say once more in the words of RFC 7591, so that
	// --metadata understands what was printed.
	ApplicationType string `json:"application_type"`
	Scope           string `json:"scope,omitempty"`
	oauth.ClientMetadata
	Secrets []secretJSON `json:"secrets,omitempty"`
	Users   *int         `json:"users,omitempty"`
}

// secretJSON is what may be shown of a secret later.
type secretJSON struct {
	Hint       string     `json:"ends_in"`
	CreatedAt  *time.Time `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
}

func showClient(c *oauth.Client) clientJSON {
	return clientJSON{
		ID: c.ID, Name: c.Name, Type: string(c.Type), Description: c.Description, Website: c.Website, Owner: c.Owner,
		RedirectURIs: list(c.RedirectURIs), GrantTypes: list(c.GrantTypes), AuthMethod: string(c.AuthMethod),
		Scopes: list(c.Scopes), DefaultScopes: list(c.DefaultScopes), RequirePKCE: c.RequirePKCE,
		FirstParty: c.FirstParty, Internal: c.Internal, Disabled: c.Disabled, CreatedAt: stamp(c.CreatedAt),
		Registration: string(c.Registration), Profile: string(c.Profile), ClientMetadata: c.Metadata,
		ApplicationType: clientmeta.Describe(c).ApplicationType, Scope: oauth.ScopeString(c.Scopes),
	}
}

func newClientList(env *Env) *cobra.Command {
	var (
		out   output
		q     = manage.ApplicationQuery{All: true}
		owner string
	)
	cmd := &cobra.Command{Use: "list", Short: "List the clients, newest first", Args: args()}
	cmd.Flags().StringVar(&owner, "owner", "", "only those of this user (`ID|EMAIL`)")
	cmd.Flags().StringVar(&q.Text, "search", "", "only those whose name, website or id holds this `TEXT`")
	out.flag(cmd)
	s := beside(env, cmd)
	cmd.RunE = s.with(out.check, func(cmd *cobra.Command, h *house, _ []string) error {
		var err error
		if owner != "" {
			if q.Owner, err = h.subject(cmd.Context(), owner); err != nil {
				return err
			}
		}
		clients, err := everyClient(cmd.Context(), h, q)
		if err != nil {
			return err
		}
		items, rows := []clientJSON{}, [][]string{}
		for _, c := range clients {
			items = append(items, showClient(c))
			rows = append(rows, []string{c.ID, c.Name, string(c.Type), c.Owner, strings.Join(c.GrantTypes, " "), yesNo(c.Disabled), date(c.CreatedAt, "")})
		}
		return out.list(env, items, []string{"CLIENT ID", "NAME", "TYPE", "OWNER", "GRANT TYPES", "DISABLED", "CREATED"}, rows)
	})
	return cmd
}

func everyClient(ctx context.Context, h *house, q manage.ApplicationQuery) ([]*oauth.Client, error) {
	return every(manage.MaxPage, func(after string) ([]*oauth.Client, error) {
		return h.server.Desk().Applications(ctx, operator, q, manage.Page{Limit: manage.MaxPage, After: after})
	}, func(c *oauth.Client) string { return c.ID })
}

func newClientShow(env *Env) *cobra.Command {
	var out output
	cmd := &cobra.Command{Use: "show ID", Short: "Show one client", Args: args("ID")}
	out.flag(cmd)
	s := beside(env, cmd)
	cmd.RunE = s.with(out.check, func(cmd *cobra.Command, h *house, args []string) error {
		app, err := h.application(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		c := showClient(app.Client)
		c.Users = &app.Users
		for _, sec := range app.Secrets {
			c.Secrets = append(c.Secrets, secretJSON{sec.Hint, stamp(sec.CreatedAt), stamp(sec.ExpiresAt), stamp(sec.LastUsedAt)})
		}
		if out.json() {
			return out.one(env, c)
		}
		return out.list(env, nil, []string{"KEY", "VALUE"}, clientRows(app))
	})
	return cmd
}

// clientRows shows one client as a table of two columns.
func clientRows(app *manage.Application) [][]string {
	c := app.Client
	rows := [][]string{
		{"client_id", c.ID}, {"name", c.Name}, {"type", string(c.Type)}, {"description", c.Description}, {"website", c.Website},
		{"owner", c.Owner}, {"redirect_uris", strings.Join(c.RedirectURIs, " ")}, {"grant_types", strings.Join(c.GrantTypes, " ")},
		{"auth_method", string(c.AuthMethod)}, {"scopes", strings.Join(c.Scopes, " ")}, {"default_scopes", strings.Join(c.DefaultScopes, " ")},
		{"require_pkce", yesNo(c.RequirePKCE)}, {"first_party", yesNo(c.FirstParty)}, {"internal", yesNo(c.Internal)}, {"disabled", yesNo(c.Disabled)},
		{"created", date(c.CreatedAt, "")},
	}
	rows = append(rows, metadataRows(c)...)
	for _, s := range app.Secrets {
		rows = append(rows, []string{"secret", "…" + s.Hint + ", made " + date(s.CreatedAt, "") + ", ends " + date(s.ExpiresAt, "never") + ", last used " + date(s.LastUsedAt, "never")})
	}
	return rows
}

// application finds a client, or says that there is none.
func (h *house) application(ctx context.Context, id string) (*manage.Application, error) {
	app, err := h.server.Desk().Application(ctx, operator, id)
	if errors.Is(err, manage.ErrNotFound) {
		return nil, notFoundf("there is no client %q", id)
	}
	return app, err
}

func newClientRotate(env *Env) *cobra.Command {
	var (
		out  output
		keep string
	)
	cmd := &cobra.Command{
		Use:   "rotate-secret ID",
		Short: "Make a new secret for a client",
		Long:  `Makes a new secret and prints it; it is never shown again. The old one stops working at once, or after --keep-old.`,
		Args:  args("ID"),
	}
	cmd.Flags().StringVar(&keep, "keep-old", "0s", "let the old secret work for this `TIME`, at most 30d")
	out.flag(cmd)
	s := beside(env, cmd)
	var overlap config.Duration
	check := func() (err error) {
		if overlap, err = config.ParseDuration(keep); err != nil {
			return usagef("--keep-old: %w", err)
		}
		return out.check()
	}
	cmd.RunE = s.with(check, func(cmd *cobra.Command, h *house, args []string) error {
		app, err := h.application(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		secret, err := h.server.Desk().RotateSecret(cmd.Context(), operator, args[0], overlap.Std())
		if err != nil {
			return err
		}
		return printClient(env, &out, app.Client, secret)
	})
	return cmd
}

// printClient prints a client that was made or changed. Its secret is shown
// here or never.
func printClient(env *Env, out *output, c *oauth.Client, secret oauth.Secret) error {
	if out.json() {
		v := showClient(c)
		v.Secret = string(secret)
		return out.one(env, v)
	}
	env.printf("client_id: %s\n", c.ID)
	if secret != "" {
		env.printf("client_secret: %s\n", string(secret))
	}
	return nil
}

func newClientDelete(env *Env) *cobra.Command {
	var force bool
	cmd := &cobra.Command{Use: "delete ID", Short: "Delete a client with its tokens", Args: args("ID")}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	s := beside(env, cmd)
	cmd.RunE = s.with(nil, func(cmd *cobra.Command, h *house, args []string) error {
		app, err := h.application(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if !force {
			if err := env.confirm("Delete the client " + printable(app.Client.Name) + " and every token of it?"); err != nil {
				return err
			}
		}
		if err := h.server.Desk().DeleteApplication(cmd.Context(), operator, args[0]); err != nil {
			return err
		}
		env.printf("Client %s is deleted.\n", args[0])
		return nil
	})
	return cmd
}
