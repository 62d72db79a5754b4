package cli

import (
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/valetkey/valetkey/internal/config"
)

// settings are the flags that say which configuration a command works with.
type settings struct {
	env   *Env
	file  string
	dev   bool
	flags map[string]string // by name, those that were given
}

// defaultFile is read when nothing else is named and it is there.
const defaultFile = "valetkey.yaml"

// newSettings adds --config, and a flag for each setting that keep accepts; the
// usual ones are in the help, the others are in docs/configuration.md.
func newSettings(env *Env, cmd *cobra.Command, keep func(key string) bool) *settings {
	s := &settings{env: env, flags: map[string]string{}}
	cmd.Flags().StringVar(&s.file, "config", "", "configuration `FILE` (VALETKEY_CONFIG; "+defaultFile+" if it is there)")
	for _, f := range config.Fields() {
		if keep(f.Key) {
			flag := cmd.Flags().VarPF(&setting{s.flags, f.Flag(), f.Bool}, f.Flag(), "", f.Doc)
			flag.Hidden = !usual[f.Key]
			if f.Bool {
				flag.NoOptDefVal = "true"
			}
			if short, ok := shortHelp[f.Key]; ok {
				flag.Usage = short
			}
		}
	}
	return s
}

var usual = map[string]bool{"issuer": true, "addr": true, "db": true, "keyring": true}

var shortHelp = map[string]string{
	"issuer":  "public `URL` of this server",
	"addr":    "`ADDRESS` and port to listen on",
	"db":      "database, as sqlite:`PATH` or a postgres URL",
	"keyring": "`FILE` with the secret keys",
}

func everySetting(string) bool { return true }

// beside gives a command that works beside the server --config, --db and --dev.
func beside(env *Env, cmd *cobra.Command) *settings {
	s := newSettings(env, cmd, func(key string) bool { return key == "db" })
	cmd.Flags().BoolVar(&s.dev, "dev", false, "work with what \"valetkey dev\" runs on")
	return s
}

// load reads the configuration without judging it.
func (s *settings) load() (*config.Loaded, error) {
	if s.dev {
		if s.file != "" {
			return nil, usagef("--dev and --config contradict each other")
		}
		path, given := s.flags["db"]
		if !given {
			path = devDB
		}
		if _, err := os.Stat(devPath(path) + devKeys); err != nil {
			return nil, unavailablef("there is no development database %s: start \"valetkey dev\" in this folder, or name its file by --db", path)
		}
		return devSettings(devPath(path), devAddr)
	}
	file := s.file
	if file == "" {
		file = s.env.lookup("VALETKEY_CONFIG")
	}
	if file == "" {
		if _, err := os.Stat(defaultFile); err == nil {
			file = defaultFile
		}
	}
	return config.Load(config.Sources{File: file, Environ: s.env.Environ, Flags: s.flags})
}

// valid reads the configuration of a server, and refuses one it must not run with.
func (s *settings) valid() (*config.Loaded, error) {
	l, err := s.load()
	if err == nil {
		err = l.Validate()
	}
	return l, err
}

// open builds what a command works with beside the server, on a database that
// must exist already: a list from a file that was not there would be a lie.
func (s *settings) open(cmd *cobra.Command) (*house, error) { return s.openOr(cmd, false) }

// openOrMake is open for commands that may well be the first: a database that is
// not there yet is made.
func (s *settings) openOrMake(cmd *cobra.Command) (*house, error) { return s.openOr(cmd, true) }

func (s *settings) openOr(cmd *cobra.Command, makeMissing bool) (*house, error) {
	l, err := s.load()
	if err != nil {
		return nil, err
	}
	d, err := databaseOf(l)
	if err != nil {
		return nil, err
	}
	missing, err := d.missing()
	switch {
	case err != nil:
		return nil, unavailablef("%w", err)
	case missing && l.Origin("db") == "default":
		return nil, invalidf("which server? Name its configuration by --config or VALETKEY_CONFIG, its database by --db, or take --dev for what \"valetkey dev\" runs on")
	case missing && !makeMissing:
		return nil, unavailablef("there is no database %s yet: start the server, or run \"valetkey migrate up\"; both make it", d)
	}
	return openHouse(cmd.Context(), s.env, l, parts{log: slog.New(slog.DiscardHandler), dev: s.dev, migrate: missing})
}

// with is the RunE of a command that works in the house: check looks at the
// flags before anything is opened (nil: there is nothing to look at), and do
// does what the command is for.
func (s *settings) with(check func() error, do func(*cobra.Command, *house, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if check != nil {
			if err := check(); err != nil {
				return err
			}
		}
		h, err := s.open(cmd)
		if err != nil {
			return err
		}
		defer h.close()
		return do(cmd, h, args)
	}
}

// setting is the value of one flag; it notes the text and leaves the judging to
// package config.
type setting struct {
	flags map[string]string
	name  string
	bool  bool
}

func (v *setting) String() string {
	if v.flags == nil {
		return ""
	}
	return v.flags[v.name]
}

func (v *setting) Set(text string) error {
	if had, twice := v.flags[v.name]; twice && had != text {
		return fmt.Errorf("it is given twice")
	}
	v.flags[v.name] = text
	return nil
}

func (v *setting) Type() string {
	if v.bool {
		return "" // shown without a value
	}
	return "VALUE"
}

var _ pflag.Value = (*setting)(nil)
