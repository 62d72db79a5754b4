package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/internal/mint"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

func newToken(env *Env) *cobra.Command {
	return group(&cobra.Command{Use: "token", Aliases: []string{"tokens"}, Short: "Tokens, personal access tokens above all"},
		newTokenCreate(env), newTokenList(env), newTokenRevoke(env), newTokenDelete(env))
}

// tokenJSON is a token as the commands print it.
type tokenJSON struct {
	ID        string     `json:"id"`
	Kind      string     `json:"kind"`
	Name      string     `json:"name"`
	User      string     `json:"user"`
	ClientID  string     `json:"client_id"`
	Scopes    []string   `json:"scopes"`
	Internal  bool       `json:"internal"`
	State     string     `json:"state"`
	IssuedAt  *time.Time `json:"issued_at"`
	ExpiresAt *time.Time `json:"expires_at"`
	LastUsed  *time.Time `json:"last_used_at"`
	// Token is the secret itself, at creation only.
	Token string `json:"token,omitempty"`
}

func showToken(t *oauth.Token, now time.Time) tokenJSON {
	return tokenJSON{t.ID, string(t.Kind), t.Name, t.Subject, t.ClientID, list(t.Scopes), t.Internal, state(t, now),
		stamp(t.IssuedAt), stamp(t.ExpiresAt), stamp(t.LastUsedAt), ""}
}

func state(t *oauth.Token, now time.Time) string {
	switch {
	case !t.RevokedAt.IsZero():
		return "revoked"
	case !t.RotatedAt.IsZero():
		return "replaced"
	case !t.LiveAt(now):
		return "expired"
	}
	return "active"
}

type tokenCreate struct {
	output
	in      manage.TokenInput
	user    string
	expires string
}

func newTokenCreate(env *Env) *cobra.Command {
	var o tokenCreate
	cmd := &cobra.Command{
		Use:   "create -n NAME -u ID|EMAIL [-s SCOPE]...",
		Short: "Make a personal access token",
		Long:  `Makes a personal access token and prints it, and nothing else. It is never shown again.`,
		Example: `  TOKEN=$(valetkey token create -n backup -u maria@example.org -s records:read)
  valetkey token create -n monitor -u bot@example.org -s status:read --expires never --internal`,
		Args: args(),
	}
	cmd.Flags().StringVarP(&o.in.Name, "name", "n", "", "`NAME` of the token")
	cmd.Flags().StringVarP(&o.user, "user", "u", "", "`ID|EMAIL` of the user it acts for")
	cmd.Flags().StringArrayVarP(&o.in.Scopes, "scope", "s", nil, "a `SCOPE` it has; may be given several times")
	cmd.Flags().BoolVarP(&o.in.Internal, "internal", "i", false, "hide it from the user's settings")
	cmd.Flags().StringVar(&o.in.Description, "description", "", "what it is for, as `TEXT`")
	cmd.Flags().StringVar(&o.expires, "expires", "", "`TIME`: a lifetime such as 30d, a date such as 2027-01-31, or never (default: personal_tokens.default)")
	o.flag(cmd)
	s := beside(env, cmd)
	cmd.RunE = s.with(o.require, func(cmd *cobra.Command, h *house, _ []string) error {
		return o.run(cmd.Context(), h)
	})
	return cmd
}

func (o *tokenCreate) require() error {
	switch {
	case o.in.Name == "":
		return usagef("--name is missing")
	case o.user == "":
		return usagef("--user is missing")
	}
	return o.check()
}

func (o *tokenCreate) run(ctx context.Context, h *house) error {
	a, err := h.account(ctx, o.user)
	if err != nil {
		return err
	}
	now := h.env.Now()
	o.in.Subject = a.ID
	if o.in.ExpiresAt, err = expiry(o.expires, now, h.loaded.PersonalTokens.Default.Std()); err != nil {
		return err
	}
	t, secret, err := h.server.Desk().CreateToken(ctx, operator, o.in)
	if err != nil {
		return err
	}
	if o.json() {
		out := showToken(t, now)
		out.Token = string(secret)
		return o.one(h.env, out)
	}
	h.env.printf("%s\n", string(secret))
	return nil
}

// expiry reads --expires.
func expiry(s string, now time.Time, standard time.Duration) (time.Time, error) {
	switch s {
	case "":
		return now.Add(standard), nil
	case "never":
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.DateOnly, s); err == nil {
		return at, nil
	}
	d, err := config.ParseDuration(s)
	if err != nil || d == 0 {
		return time.Time{}, usagef("--expires %q is neither a lifetime such as 30d, nor a date such as 2027-01-31, nor never", s)
	}
	return now.Add(d.Std()), nil
}

func newTokenList(env *Env) *cobra.Command {
	var (
		out         output
		q           = manage.TokenQuery{All: true}
		user, which string
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List tokens, newest first",
		Long:  `Lists tokens, never their secrets. Without --all only personal access tokens that were not revoked.`,
		Args:  args(),
	}
	var all bool
	cmd.Flags().StringVarP(&user, "user", "u", "", "only those of this user (`ID|EMAIL`)")
	cmd.Flags().StringVar(&q.ClientID, "client", "", "only those of this client (`ID`)")
	cmd.Flags().StringVar(&which, "state", "", "`STATE`: active, expired, revoked or all")
	cmd.Flags().BoolVar(&all, "all", false, "tokens of every kind")
	out.flag(cmd)
	s := beside(env, cmd)
	check := func() error {
		switch q.State = manage.TokenState(which); q.State {
		case manage.TokensKept, manage.TokensActive, manage.TokensExpired, manage.TokensRevoked, manage.TokensAll:
			return out.check()
		}
		return usagef("--state is %q; it is active, expired, revoked or all", which)
	}
	cmd.RunE = s.with(check, func(cmd *cobra.Command, h *house, _ []string) error {
		if !all && q.ClientID == "" {
			q.Kind = oauth.PersonalToken
		}
		var err error
		if user != "" {
			if q.Subject, err = h.subject(cmd.Context(), user); err != nil {
				return err
			}
		}
		tokens, err := everyToken(cmd.Context(), h, q)
		if err != nil {
			return err
		}
		now := env.Now()
		items, rows := []tokenJSON{}, [][]string{}
		for _, t := range tokens {
			items = append(items, showToken(t, now))
			rows = append(rows, []string{t.ID, string(t.Kind), t.Name, t.Subject, t.ClientID, strings.Join(t.Scopes, " "), state(t, now), date(t.ExpiresAt, "never"), date(t.LastUsedAt, "never")})
		}
		return out.list(env, items, []string{"ID", "KIND", "NAME", "USER", "CLIENT", "SCOPES", "STATE", "EXPIRES", "LAST USED"}, rows)
	})
	return cmd
}

func everyToken(ctx context.Context, h *house, q manage.TokenQuery) ([]*oauth.Token, error) {
	return every(manage.MaxPage, func(after string) ([]*oauth.Token, error) {
		return h.server.Desk().Tokens(ctx, operator, q, manage.Page{Limit: manage.MaxPage, After: after})
	}, func(t *oauth.Token) string { return t.ID })
}

func newTokenRevoke(env *Env) *cobra.Command {
	cmd := &cobra.Command{Use: "revoke ID", Short: "Revoke a token by its id, as \"token list\" shows it", Args: args("ID")}
	s := beside(env, cmd)
	cmd.RunE = s.with(nil, func(cmd *cobra.Command, h *house, args []string) error {
		err := h.server.Desk().RevokeToken(cmd.Context(), operator, args[0])
		if errors.Is(err, manage.ErrNotFound) {
			return notFoundf("there is no token with the id %q", args[0])
		}
		if err != nil {
			return err
		}
		env.printf("Token %s is revoked.\n", args[0])
		return nil
	})
	return cmd
}

type tokenDelete struct {
	name, user      string
	byToken, forced bool
}

func newTokenDelete(env *Env) *cobra.Command {
	var o tokenDelete
	cmd := &cobra.Command{
		Use:   "delete {-n NAME -u ID|EMAIL | --token}",
		Short: "Revoke a token by its name and user, or by the token itself",
		Long:  `With --token the token is read from standard input, or asked for without showing it.`,
		Example: `  valetkey token delete -n backup -u maria@example.org
  valetkey token delete --token --force < leaked.txt`,
		Args: args(),
	}
	cmd.Flags().StringVarP(&o.name, "name", "n", "", "`NAME` of the token")
	cmd.Flags().StringVarP(&o.user, "user", "u", "", "`ID|EMAIL` of its user")
	cmd.Flags().BoolVar(&o.byToken, "token", false, "read the token itself")
	cmd.Flags().BoolVarP(&o.forced, "force", "f", false, "do not ask")
	s := beside(env, cmd)
	cmd.RunE = s.with(o.require, func(cmd *cobra.Command, h *house, _ []string) error {
		return o.run(cmd.Context(), h)
	})
	return cmd
}

func (o *tokenDelete) require() error {
	named := o.name != "" || o.user != ""
	switch {
	case o.byToken && named:
		return usagef("--token goes without --name and --user")
	case !o.byToken && !named:
		return usagef("which token? Name it by --name and --user, or give it by --token")
	case !o.byToken && o.name == "":
		return usagef("--name is missing")
	case !o.byToken && o.user == "":
		return usagef("--user is missing")
	}
	return nil
}

func (o *tokenDelete) run(ctx context.Context, h *house) error {
	t, err := o.find(ctx, h)
	if err != nil {
		return err
	}
	if !o.forced {
		if err := h.env.confirm("Are you sure you want to delete the token?"); err != nil {
			return err
		}
	}
	if err := h.server.Desk().RevokeToken(ctx, operator, t.ID); err != nil {
		return err
	}
	name := t.Name
	if name == "" {
		name = t.ID
	}
	h.env.printf("Token \"%s\" deleted.\n", printable(name))
	return nil
}

func (o *tokenDelete) find(ctx context.Context, h *house) (*oauth.Token, error) {
	if o.byToken {
		return h.tokenBySecret(ctx)
	}
	subject, err := h.subject(ctx, o.user)
	if err != nil {
		return nil, err
	}
	tokens, err := everyToken(ctx, h, manage.TokenQuery{All: true, Kind: oauth.PersonalToken, Subject: subject, Text: o.name})
	if err != nil {
		return nil, err
	}
	var found []*oauth.Token
	for _, t := range tokens {
		if t.Name == o.name {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 0:
		return nil, notFoundf("%s has no token %q", o.user, o.name)
	case 1:
		return found[0], nil
	}
	return nil, refusedf("%s has %d tokens %q: revoke the right one by its id (\"valetkey token list\", \"valetkey token revoke\")", o.user, len(found), o.name)
}

// tokenBySecret reads a token and finds its row, whatever kind it is. An error
// says nothing about what was typed.
func (h *house) tokenBySecret(ctx context.Context) (*oauth.Token, error) {
	secret, err := h.env.secret("Token", "", false)
	if err != nil {
		return nil, err
	}
	m, err := mint.New(h.loaded.TokenPrefix, [][]byte{nil}) // to parse needs no key
	if err != nil {
		return nil, err
	}
	unknown := notFoundf("there is no such token")
	parsed, err := m.Parse(oauth.Secret(strings.TrimSpace(string(secret))), mint.PersonalToken, mint.AccessToken, mint.RefreshToken)
	if err != nil {
		return nil, unknown
	}
	t, err := h.server.Desk().Token(ctx, operator, parsed.ID)
	if errors.Is(err, manage.ErrNotFound) || err == nil && (!t.Hash.Equal(parsed.Hash) || !t.RevokedAt.IsZero()) {
		return nil, unknown
	}
	return t, err
}

// subject is the id of a user who is named by id or address.
func (h *house) subject(ctx context.Context, who string) (string, error) {
	a, err := h.account(ctx, who)
	if err != nil {
		return "", err
	}
	return a.ID, nil
}
