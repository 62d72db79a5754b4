package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/internal/doctor"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/keys"
)

const (
	// patience bounds one question to the network.
	patience = 10 * time.Second
	// visit bounds the whole examination.
	visit = 3 * time.Minute
)

// reportJSON is what the doctor says to machines.
type reportJSON struct {
	Worst    doctor.Severity  `json:"worst"`
	Findings []doctor.Finding `json:"findings"`
}

func newDoctor(env *Env) *cobra.Command {
	var (
		out           output
		offline, less bool
	)
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine the configuration, the database and the public URL",
		Long: `Looks for what is wrong with a site, or weaker than it should be, and says what
to do about each. Run it as the user that the server runs as, beside the running
server or without one; it changes nothing. docs/doctor.md explains the checks.

It ends with 0 when nothing is worse than a warning, and with 6 when there is a
problem.`,
		Example: `  valetkey doctor --config /etc/valetkey/valetkey.yaml
  valetkey doctor --offline -o json`,
		Args: args(),
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "leave out what needs the network: the public URL and the mail relay")
	cmd.Flags().BoolVarP(&less, "quiet", "q", false, "show warnings and problems only")
	out.flag(cmd)
	s := newSettings(env, cmd, everySetting)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := out.check(); err != nil {
			return err
		}
		l, err := s.load()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), visit)
		defer cancel()
		found := examine(ctx, env, l, offline)
		worst := doctor.Worst(found)
		if less {
			found = slices.DeleteFunc(found, func(f doctor.Finding) bool { return !f.AtLeast(doctor.Warning) })
		}
		if err := report(env, out, worst, found); err != nil {
			return err
		}
		if worst == doctor.Problem {
			return &failure{exitProblem, errors.New("there is a problem")}
		}
		return nil
	}
	return cmd
}

// examine opens what is there and makes nothing that is not.
func examine(ctx context.Context, env *Env, l *config.Loaded, offline bool) []doctor.Finding {
	h, err := openToLook(ctx, env, l)
	defer h.close()
	site := siteOf(env, h, err)
	site.Invalid = l.Validate()
	if !offline {
		site.HTTP = &http.Client{
			Timeout:       patience,
			Transport:     &http.Transport{TLSClientConfig: &tls.Config{Time: env.Now}, DisableKeepAlives: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		if l.Mail.Host != "" {
			site.Mail = func(ctx context.Context) error {
				ctx, cancel := context.WithTimeout(ctx, patience)
				defer cancel()
				return smtp{l.Mail}.hello(ctx)
			}
		}
	}
	return site.Examine(ctx)
}

// openToLook opens the database and the keyring if they are there. The house is
// never nil.
func openToLook(ctx context.Context, env *Env, l *config.Loaded) (*house, error) {
	none := &house{env: env, loaded: l}
	d, err := databaseOf(l)
	if err != nil {
		return none, err
	}
	if missing, err := d.missing(); missing {
		return none, fs.ErrNotExist
	} else if err != nil {
		return none, err
	}
	h, err := openStore(env, l)
	if err != nil {
		return none, err
	}
	if err := h.db.PingContext(ctx); err != nil {
		h.close()
		return none, err
	}
	if ring, err := keyring.Parse(l.Keyring); err == nil { // else the configuration says why not
		h.ring = ring
	}
	h.keys = keys.New(keys.Config{Store: h.store, Ring: h.ring, Now: env.Now})
	return h, nil
}

// siteOf is what the doctor looks at. unopened says why there is no database.
func siteOf(env *Env, h *house, unopened error) *doctor.Site {
	site := &doctor.Site{Config: h.loaded, Now: env.Now, Unopened: unopened}
	if h.db == nil {
		return site
	}
	site.DB, site.Lines, site.Ping = h.store.DB(), h.lines(), h.store.Ping
	site.Connections = h.db.Stats().MaxOpenConnections
	if h.ring != nil {
		site.Keys = h.keys.List
	}
	return site
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// report prints the findings, a line each, and how many are bad.
func report(env *Env, out output, worst doctor.Severity, found []doctor.Finding) error {
	if out.json() {
		return out.one(env, reportJSON{worst, list(found)})
	}
	for _, f := range found {
		env.printf("%-8s %s: %s\n", strings.ToUpper(string(f.Severity)), f.Check, printable(f.Says))
	}
	count := map[doctor.Severity]int{}
	for _, f := range found {
		count[f.Severity]++
	}
	env.printf("%s, %s.\n", plural(count[doctor.Problem], "problem"), plural(count[doctor.Warning], "warning"))
	return nil
}
