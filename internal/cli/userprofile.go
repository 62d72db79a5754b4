package cli

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/oauth"
)

const claimsHelp = `The claims are a JSON object with the names of OpenID Connect Core §5.1, such as
given_name, birthdate, phone_number, phone_number_verified and address.
updated_at is kept by the server itself.`

// maxClaims is more than the longest claims need.
const maxClaims = 64 << 10

// claimsFile is what a file may say about a person.
type claimsFile struct {
	Name *string `json:"name"`
	oauth.UserClaims
}

// readClaims reads a file of claims; - is standard input.
func readClaims(env *Env, path string) (*claimsFile, error) {
	in := env.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, invalidf("%w", err)
		}
		defer f.Close()
		in = f
	}
	d := json.NewDecoder(io.LimitReader(in, maxClaims))
	d.DisallowUnknownFields()
	c := &claimsFile{}
	if err := d.Decode(c); err != nil {
		return nil, invalidf("%s: %w", path, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, invalidf("%s: there is more than one JSON object in it", path)
	}
	return c, nil
}

// userFacts is a user with everything that is known about them.
type userFacts struct {
	userJSON
	Claims oauth.UserClaims `json:"claims"`
}

func newUserShow(env *Env) *cobra.Command {
	var out output
	cmd := &cobra.Command{Use: "show ID|EMAIL", Short: "Show one user with their claims", Args: args("ID or EMAIL")}
	out.flag(cmd)
	s := beside(env, cmd)
	cmd.RunE = s.with(out.check, func(cmd *cobra.Command, h *house, args []string) error {
		a, err := h.account(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		u, err := h.door.User(cmd.Context(), a.ID)
		if err != nil {
			return err
		}
		if out.json() {
			return out.one(env, userFacts{showUser(a), u.Claims})
		}
		return out.list(env, nil, []string{"KEY", "VALUE"}, userRows(a, u.Claims))
	})
	return cmd
}

// userRows shows one user as a table of two columns.
func userRows(a *accounts.Account, c oauth.UserClaims) [][]string {
	rows := [][]string{
		{"id", a.ID}, {"email", a.Email}, {"email_verified", yesNo(a.EmailVerified)}, {"name", a.Name}, {"admin", yesNo(a.Admin)},
		{"disabled", yesNo(a.Disabled)}, {"created", date(a.CreatedAt, "")}, {"last sign-in", date(a.LastSignInAt, "never")},
	}
	address := oauth.Address{}
	if c.Address != nil {
		address = *c.Address
	}
	for _, claim := range [][]string{
		{"given_name", c.GivenName}, {"middle_name", c.MiddleName}, {"family_name", c.FamilyName}, {"nickname", c.Nickname},
		{"preferred_username", c.PreferredUsername}, {"profile", c.Profile}, {"picture", c.Picture}, {"website", c.Website},
		{"gender", c.Gender}, {"birthdate", c.Birthdate}, {"zoneinfo", c.Zoneinfo}, {"locale", c.Locale}, {"phone_number", c.PhoneNumber},
		{"address.formatted", address.Formatted}, {"address.street_address", address.StreetAddress}, {"address.postal_code", address.PostalCode},
		{"address.locality", address.Locality}, {"address.region", address.Region}, {"address.country", address.Country},
	} {
		if claim[1] != "" {
			rows = append(rows, []string{claim[0], strings.ReplaceAll(claim[1], "\n", ", ")})
		}
		if claim[0] == "phone_number" && claim[1] != "" {
			rows = append(rows, []string{"phone_number_verified", yesNo(c.PhoneNumberVerified)})
		}
	}
	return rows
}

func newUserUpdate(env *Env) *cobra.Command {
	var (
		out        output
		name, file string
	)
	cmd := &cobra.Command{
		Use:   "update ID|EMAIL",
		Short: "Change a user's name and claims",
		Long:  "Changes the name, or replaces every claim by those of --claims: what the file\ndoes not say is removed, but for the name.\n\n" + claimsHelp,
		Example: `  valetkey user update maria@example.org --name "Maria Stone"
  valetkey user update maria@example.org --claims claims.json`,
		Args: args("ID or EMAIL"),
	}
	cmd.Flags().StringVar(&name, "name", "", "display `NAME`")
	cmd.Flags().StringVar(&file, "claims", "", "read the claims from this `FILE`; - is standard input")
	out.flag(cmd)
	s := beside(env, cmd)
	check := func() error {
		if !cmd.Flags().Changed("name") && file == "" {
			return usagef("there is nothing to change: give --name or --claims")
		}
		return out.check()
	}
	cmd.RunE = s.with(check, func(cmd *cobra.Command, h *house, args []string) error {
		a, err := h.account(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		claims := a.Claims
		if file != "" {
			c, err := readClaims(env, file)
			if err != nil {
				return err
			}
			if claims = c.UserClaims; c.Name != nil {
				a.Name = *c.Name
			}
		}
		if cmd.Flags().Changed("name") {
			a.Name = name
		}
		if err := h.door.SetProfile(cmd.Context(), a.ID, a.Name, claims); err != nil {
			return err
		}
		if out.json() {
			if a, err = h.account(cmd.Context(), a.ID); err != nil {
				return err
			}
			return out.one(env, userFacts{showUser(a), a.Claims})
		}
		env.printf("%s is changed.\n", a.Email)
		return nil
	})
	return cmd
}
