package cli

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/valetkey/valetkey/accounts"
)

// pageSize is how many rows the lists fetch at once.
const pageSize = 200

func newUser(env *Env) *cobra.Command {
	return group(&cobra.Command{Use: "user", Aliases: []string{"users"}, Short: "People who can sign in"},
		newUserCreate(env), newUserList(env), newUserShow(env), newUserUpdate(env),
		newUserChange(env, "disable", "Keep a user out; their tokens stop working until they are enabled again", (*accounts.Accounts).DisableUser, "%s is disabled. Every session has ended, and no token works.\n"),
		newUserChange(env, "enable", "Let a disabled user in again", (*accounts.Accounts).EnableUser, "%s is enabled.\n"),
		newUserSetPassword(env), newUserDelete(env),
	)
}

// userJSON is a user as the commands print it.
type userJSON struct {
	ID            string     `json:"id"`
	Email         string     `json:"email"`
	EmailVerified bool       `json:"email_verified"`
	Name          string     `json:"name"`
	Admin         bool       `json:"admin"`
	Disabled      bool       `json:"disabled"`
	CreatedAt     *time.Time `json:"created_at"`
	LastSignInAt  *time.Time `json:"last_sign_in_at"`
}

func showUser(a *accounts.Account) userJSON {
	return userJSON{a.ID, a.Email, a.EmailVerified, a.Name, a.Admin, a.Disabled, stamp(a.CreatedAt), stamp(a.LastSignInAt)}
}

func newUserCreate(env *Env) *cobra.Command {
	var (
		out                                output
		u                                  accounts.NewUser
		passwordFile, hashFile, claimsFile string
	)
	cmd := &cobra.Command{
		Use:   "create EMAIL",
		Short: "Make an account",
		Long: `Makes an account. The password is read from --password-file, else from standard
input, else it is asked for. On success the user's id is printed.

` + claimsHelp,
		Example: `  valetkey user create maria@example.org --admin
  valetkey user create jon@example.org --verified --claims claims.json
  valetkey user create bot@example.org --password-file - < password.txt`,
		Args: args("EMAIL"),
	}
	cmd.Flags().StringVar(&u.Name, "name", "", "display `NAME`")
	cmd.Flags().BoolVar(&u.Admin, "admin", false, "an administrator, who sees and changes everybody's applications")
	cmd.Flags().StringVar(&passwordFile, "password-file", "", "read the password from this `FILE`; - is standard input")
	cmd.Flags().StringVar(&hashFile, "password-hash-file", "", "take over a password hash (argon2id, bcrypt or passlib's pbkdf2_sha512) from this `FILE`")
	cmd.Flags().StringVar(&claimsFile, "claims", "", "read what OpenID Connect says about them from this `FILE`")
	cmd.Flags().BoolVar(&u.EmailVerified, "verified", false, "the address is known to be theirs")
	cmd.MarkFlagsMutuallyExclusive("password-file", "password-hash-file")
	out.flag(cmd)
	s := beside(env, cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		u.Email = args[0]
		if _, err := accounts.ParseEmail(u.Email); err != nil {
			return err
		}
		if claimsFile != "" {
			c, err := readClaims(env, claimsFile)
			if err != nil {
				return err
			}
			if u.Claims = c.UserClaims; c.Name != nil && !cmd.Flags().Changed("name") {
				u.Name = *c.Name
			}
		}
		h, err := s.openOrMake(cmd)
		if err != nil {
			return err
		}
		defer h.close()
		if hashFile != "" {
			text, err := os.ReadFile(hashFile)
			if err != nil {
				return invalidf("%w", err)
			}
			u.PasswordHash = strings.TrimSpace(string(text))
		} else if u.Password, err = env.secret("Password", passwordFile, true); err != nil {
			return err
		}
		a, err := h.door.CreateUser(cmd.Context(), u)
		if errors.Is(err, accounts.ErrExists) {
			return refusedf("there is a user %s already", u.Email)
		}
		if err != nil {
			return err
		}
		if out.json() {
			return out.one(env, showUser(a))
		}
		env.printf("%s\n", a.ID)
		return nil
	}
	return cmd
}

func newUserList(env *Env) *cobra.Command {
	var (
		out  output
		text string
	)
	cmd := &cobra.Command{Use: "list", Short: "List the users, newest first", Args: args()}
	cmd.Flags().StringVar(&text, "search", "", "only those whose id, address or name holds this `TEXT`")
	out.flag(cmd)
	s := beside(env, cmd)
	cmd.RunE = s.with(out.check, func(cmd *cobra.Command, h *house, _ []string) error {
		all, err := everyUser(cmd.Context(), h, text)
		if err != nil {
			return err
		}
		items, rows := []userJSON{}, [][]string{}
		for _, a := range all {
			items = append(items, showUser(a))
			rows = append(rows, []string{a.ID, a.Email, a.Name, yesNo(a.Admin), yesNo(a.Disabled), date(a.CreatedAt, ""), date(a.LastSignInAt, "never")})
		}
		return out.list(env, items, []string{"ID", "EMAIL", "NAME", "ADMIN", "DISABLED", "CREATED", "LAST SIGN-IN"}, rows)
	})
	return cmd
}

func everyUser(ctx context.Context, h *house, text string) ([]*accounts.Account, error) {
	return every(pageSize, func(after string) ([]*accounts.Account, error) {
		return h.door.ListUsers(ctx, accounts.AccountQuery{Text: text}, accounts.Page{Limit: pageSize, After: after})
	}, func(a *accounts.Account) string { return a.ID })
}

func newUserChange(env *Env, name, short string, change func(*accounts.Accounts, context.Context, string) error, done string) *cobra.Command {
	cmd := &cobra.Command{Use: name + " ID|EMAIL", Short: short, Args: args("ID or EMAIL")}
	s := beside(env, cmd)
	cmd.RunE = s.with(nil, func(cmd *cobra.Command, h *house, args []string) error {
		a, err := h.account(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if err := change(h.door, cmd.Context(), a.ID); err != nil {
			return err
		}
		env.printf(done, a.Email)
		return nil
	})
	return cmd
}

func newUserSetPassword(env *Env) *cobra.Command {
	var passwordFile string
	cmd := &cobra.Command{
		Use:   "set-password ID|EMAIL",
		Short: "Give a user another password and end their sessions",
		Long:  `The password is read from --password-file, else from standard input, else it is asked for.`,
		Args:  args("ID or EMAIL"),
	}
	cmd.Flags().StringVar(&passwordFile, "password-file", "", "read the password from this `FILE`; - is standard input")
	s := beside(env, cmd)
	cmd.RunE = s.with(nil, func(cmd *cobra.Command, h *house, args []string) error {
		a, err := h.account(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		password, err := env.secret("New password", passwordFile, true)
		if err != nil {
			return err
		}
		if err := h.door.SetPassword(cmd.Context(), a.ID, password); err != nil {
			return err
		}
		env.printf("%s has a new password. Every session has ended.\n", a.Email)
		return nil
	})
	return cmd
}

func newUserDelete(env *Env) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "delete ID|EMAIL",
		Short: "Delete a user with their applications and tokens",
		Args:  args("ID or EMAIL"),
	}
	cmd.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	s := beside(env, cmd)
	cmd.RunE = s.with(nil, func(cmd *cobra.Command, h *house, args []string) error {
		a, err := h.account(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if !force {
			if err := env.confirm("Delete " + printable(a.Email) + " with every application and token of theirs?"); err != nil {
				return err
			}
		}
		if err := h.door.DeleteUser(cmd.Context(), a.ID); err != nil {
			return err
		}
		env.printf("%s is deleted.\n", a.Email)
		return nil
	})
	return cmd
}
