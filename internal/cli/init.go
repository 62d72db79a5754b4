package cli

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/internal/issuer"
	"github.com/valetkey/valetkey/internal/keyring"
)

type initOptions struct{ issuer, addr, db, dir, file string }

func newInit(env *Env) *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init --issuer URL",
		Short: "Write a configuration and secret keys for a new server",
		Long: `Writes valetkey.yaml, in which every setting is explained, and valetkey.keys,
which only you can read. Files that are there already are left alone.`,
		Example: `  valetkey init --issuer https://id.example.org`,
		Args:    args(),
		RunE:    func(*cobra.Command, []string) error { return o.run(env) },
	}
	d := config.Default()
	cmd.Flags().StringVar(&o.issuer, "issuer", "", "public `URL` of the server, as browsers will see it")
	cmd.Flags().StringVar(&o.addr, "addr", "", "`ADDRESS` and port to listen on (default "+d.Addr+", or that of a loopback issuer)")
	cmd.Flags().StringVar(&o.db, "db", d.DB, "database, as sqlite:`PATH`; the path is relative to the configuration")
	cmd.Flags().StringVar(&o.dir, "dir", ".", "`DIRECTORY` to write into; it is made if need be")
	cmd.Flags().StringVar(&o.file, "config", "", "write the configuration to this `FILE` (default "+defaultFile+" in --dir), and the keys beside it")
	return cmd
}

func (o *initOptions) run(env *Env) error {
	if o.issuer == "" {
		return usagef("--issuer is missing: the public URL of the server, for example https://id.example.org")
	}
	file := o.file
	if file == "" {
		file = filepath.Join(o.dir, defaultFile)
	}
	keyFile := filepath.Join(filepath.Dir(file), "valetkey.keys")
	set := map[string]string{"issuer": o.issuer, "addr": o.listenOn(), "db": o.db, "keyring": filepath.Base(keyFile)}
	key := keyring.Line(env.Now().UTC().Format("2006-01-02"))
	if err := checkInitial(set, string(key)); err != nil {
		return err
	}
	var sample bytes.Buffer
	if err := config.WriteSample(&sample, set); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return unavailablef("%w", err)
	}
	for _, name := range []string{file, keyFile} { // both or neither
		if _, err := os.Lstat(name); err == nil {
			return refusedf("%s is there already and stays as it is; nothing was written", name)
		}
	}
	text := "# Secret keys of this server, newest first. Keep a copy apart from the database:\n# without it the signing keys in the database cannot be read.\n" + string(key) + "\n"
	if err := writeNew(keyFile, []byte(text), 0o600); err != nil {
		return err
	}
	if err := writeNew(file, sample.Bytes(), 0o644); err != nil {
		os.Remove(keyFile)
		return err
	}
	o.explain(env, file, keyFile)
	return nil
}

// listenOn is the address for the issuer: a loopback issuer names its own.
func (o *initOptions) listenOn() string {
	if o.addr != "" {
		return o.addr
	}
	if u, err := url.Parse(o.issuer); err == nil && u.Scheme == "http" && u.Port() != "" && issuer.Loopback(u.Hostname()) {
		return u.Host
	}
	return config.Default().Addr
}

// checkInitial judges the values as the server will.
func checkInitial(set map[string]string, key string) error {
	src := config.Sources{Flags: map[string]string{}}
	for _, f := range config.Fields() {
		if v, ok := set[f.Key]; ok && f.Secret {
			src.Environ = append(src.Environ, f.Env()+"="+key) // its file is not written yet
		} else if ok {
			src.Flags[f.Flag()] = v
		}
	}
	l, err := config.Load(src)
	if err == nil {
		err = l.Validate()
	}
	return err
}

func (o *initOptions) explain(env *Env, file, keyFile string) {
	env.printf("Wrote %s and %s.\n", file, keyFile)
	if u, err := url.Parse(o.issuer); err == nil && u.Scheme == "https" {
		env.printf(`
Put a proxy that speaks https before %[1]s. It must pass the Host header on,
and its address belongs into server.trusted_proxies. For example, with Caddy:

    %[2]s {
        reverse_proxy %[1]s
    }

or with nginx:

    location / {
        proxy_pass http://%[1]s;
        proxy_set_header Host $host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
`, o.listenOn(), u.Host)
	}
	command := "valetkey serve"
	if file != defaultFile {
		command += " --config " + file
	}
	env.printf("\nThen start it. The first start prints a link to make the first administrator.\n\n    %s\n", command)
}
