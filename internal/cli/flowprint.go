package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/valetkey/valetkey/internal/flow"
)

// idTokenJSON is what the commands say of an ID token.
type idTokenJSON struct {
	Verified bool           `json:"verified"`
	Problem  string         `json:"problem,omitempty"`
	Header   map[string]any `json:"header"`
	Claims   map[string]any `json:"claims"`
}

// print shows what the token endpoint gave, and whether an ID token in it is
// what it should be. One that is not makes the command fail, after it was shown.
func (f *flowFlags) print(ctx context.Context, c *flow.Client, a *flow.Answer) error {
	response := map[string]any{}
	d := json.NewDecoder(strings.NewReader(string(a.Raw)))
	d.UseNumber()
	if err := d.Decode(&response); err != nil {
		return unavailablef("the token response cannot be read: %w", err)
	}
	var (
		shown   *idTokenJSON
		problem error
	)
	if a.IDToken != "" {
		shown, problem = f.inspect(ctx, c, a)
	}
	if f.json() {
		if err := f.one(f.env, struct {
			Response map[string]any `json:"response"`
			IDToken  *idTokenJSON   `json:"id_token,omitempty"`
		}{response, shown}); err != nil {
			return err
		}
		return problem
	}
	f.env.members(response)
	if shown != nil {
		f.env.printf("\nID token")
		if shown.Verified {
			f.env.printf(", signed by the server for this client (%s)", shown.Header["alg"])
		} else {
			f.env.printf(", NOT VERIFIED: %s", shown.Problem)
		}
		f.env.printf("\n\n")
		f.env.members(shown.Claims)
	}
	return problem
}

// inspect verifies an ID token (OpenID Connect Core §3.1.3.7).
func (f *flowFlags) inspect(ctx context.Context, c *flow.Client, a *flow.Answer) (*idTokenJSON, error) {
	keys, problem := c.Server.Keys(ctx)
	var read *flow.JWT
	if problem == nil {
		read, problem = flow.Verify(a.IDToken, keys, flow.Expected{
			Now: f.env.Now(), Algorithms: flow.Algorithms(), Issuer: c.Server.Issuer, Audience: c.ID,
			Nonce: a.Nonce, AccessToken: a.AccessToken, IDToken: true,
		})
	} else {
		read, _ = flow.Decode(a.IDToken)
	}
	shown := &idTokenJSON{Verified: problem == nil}
	if read != nil {
		shown.Header, shown.Claims = read.Header, read.Claims
	}
	if problem != nil {
		shown.Problem = problem.Error()
		return shown, told(fmt.Errorf("the ID token: %w", problem))
	}
	return shown, nil
}

// first are the members of tokens and answers that people look for, in order;
// the others follow by name.
var first = []string{
	"active", "access_token", "token_type", "expires_in", "refresh_token", "scope", "id_token",
	"alg", "kid", "typ", "iss", "sub", "aud", "client_id", "username", "exp", "nbf", "iat", "auth_time", "nonce", "acr", "amr", "azp",
}

// moments are claims that hold a time in seconds since 1970.
var moments = []string{"exp", "nbf", "iat", "auth_time", "updated_at", "client_id_issued_at", "client_secret_expires_at"}

// members prints a JSON object, a line for each member, with times in words.
func (e *Env) members(object map[string]any) {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		i, j := slices.Index(first, a), slices.Index(first, b)
		switch {
		case i >= 0 && j >= 0:
			return i - j
		case i >= 0:
			return -1
		case j >= 0:
			return 1
		}
		return strings.Compare(a, b)
	})
	w := tabwriter.NewWriter(e.Stdout, 0, 0, 2, ' ', 0)
	for _, name := range names {
		fmt.Fprintf(w, "%s\t%s\n", printable(name), e.value(name, object))
	}
	w.Flush()
}

func (e *Env) value(name string, object map[string]any) string {
	v := object[name]
	text, ok := v.(string)
	if !ok {
		b, err := json.Marshal(v)
		if err != nil {
			return "?"
		}
		text = string(b)
	}
	text = printable(text)
	if slices.Contains(moments, name) {
		if at, there, err := (&flow.JWT{Claims: object}).Time(name); there && err == nil {
			text += "  " + at.Format("2006-01-02 15:04:05 UTC") + ", " + e.inWords(at)
		}
	}
	if name == "expires_in" {
		if seconds, ok := v.(json.Number); ok {
			if d, err := time.ParseDuration(seconds.String() + "s"); err == nil {
				text += "  (" + inUnits(d) + ")"
			}
		}
	}
	return text
}

// inWords says how far away a time is.
func (e *Env) inWords(at time.Time) string {
	d := at.Sub(e.Now())
	switch {
	case d > 0:
		return "in " + inUnits(d)
	case d > -time.Second:
		return "now"
	}
	return inUnits(-d) + " ago"
}

// inUnits is a duration in one unit: "3 hours".
func inUnits(d time.Duration) string {
	units := []struct {
		name string
		size time.Duration
	}{{"year", 365 * 24 * time.Hour}, {"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}, {"second", time.Second}}
	for _, u := range units {
		n := int(d / u.size)
		switch {
		case u.size > time.Second && n < 2 && d != u.size: // 90 minutes rather than an hour
		case n == 1:
			return "1 " + u.name
		default:
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return ""
}
