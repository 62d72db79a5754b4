package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/valetkey/valetkey/accounts"
	"github.com/valetkey/valetkey/internal/config"
	"github.com/valetkey/valetkey/internal/issuer"
	"github.com/valetkey/valetkey/internal/keyring"
	"github.com/valetkey/valetkey/internal/sqldb"
	"github.com/valetkey/valetkey/manage"
	"github.com/valetkey/valetkey/oauth"
)

// What "valetkey dev" is made of: the predecessor's example application.
const (
	devDB       = "./valetkey-dev.db"
	devAddr     = "127.0.0.1:5000"
	devAdmin    = "admin@inveniosoftware.org"
	devReader   = "reader@inveniosoftware.org"
	devPassword = "123456"
	devClient   = "valetkey-flow" // a public client for the command of that name
	// devKeys is what is added to the path of the database for the file of keys.
	// It also marks the database as one that we may delete.
	devKeys = "-key"

	programName = "valetkey"
)

type devOptions struct {
	db, addr string
	fresh    bool
}

func newDev(env *Env) *cobra.Command {
	var o devOptions
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run a server to try things on",
		Long: `Runs a server for development on a database that it makes itself, with two demo
users, the scope test:scope, a protected resource at / and everything that
Invenio-OAuth2Server did switched on. Clients may register themselves. It listens
on this machine only.`,
		Example: `  valetkey dev
  valetkey dev --fresh
  valetkey dev teardown`,
		Args: args(),
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), env) },
	}
	cmd.PersistentFlags().StringVar(&o.db, "db", devDB, "database `FILE`")
	cmd.Flags().StringVar(&o.addr, "addr", devAddr, "`ADDRESS` and port to listen on, on this machine")
	cmd.Flags().BoolVar(&o.fresh, "fresh", false, "start over: delete the database first")
	cmd.AddCommand(&cobra.Command{
		Use:   "teardown",
		Short: "Delete the database and every other trace",
		Args:  args(),
		RunE: func(_ *cobra.Command, _ []string) error {
			path := devPath(o.db)
			removed, err := removeDev(path)
			switch {
			case err != nil:
				return err
			case removed:
				env.printf("%s is gone.\n", path)
			default:
				env.printf("There is no %s.\n", path)
			}
			return nil
		},
	})
	return cmd
}

func (o *devOptions) run(ctx context.Context, env *Env) error {
	path := devPath(o.db)
	if err := requireLoopback(o.addr); err != nil {
		return err
	}
	listener, err := listen(o.addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	if !listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return invalidf("%s is not an address of this machine alone", o.addr)
	}
	if o.fresh {
		if _, err := removeDev(path); err != nil {
			return err
		}
	}
	if err := makeDevKeys(path); err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(o.addr) // requireLoopback has split it
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	l, err := devSettings(path, net.JoinHostPort(host, port))
	if err != nil {
		return err
	}
	d, err := databaseOf(l)
	if err != nil {
		return err
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	h, err := openHouse(ctx, env, l, parts{log: newLogger(env.Stderr, l.Log), dev: true, migrate: true})
	if err != nil {
		return err
	}
	defer h.close()
	if err := h.demoUsers(ctx); err != nil {
		return err
	}
	if err := h.demoClient(ctx); err != nil {
		return err
	}
	if err := h.keys.EnsureActive(ctx); err != nil {
		return unavailablef("%w", err)
	}
	commands := devCommands(cmp.Or(env.Program, programName), o.db, l.Issuer)
	home, err := newSample(h, commands)
	if err != nil {
		return err
	}
	welcome(env, l.Issuer, o.db, commands)
	hl := &health{ping: h.store.Ping}
	return h.run(ctx, listener, h.handler(hl, listener.Addr(), home), hl)
}

func requireLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return invalidf("--addr %q is not an address and a port such as %s", addr, devAddr)
	}
	if !issuer.Loopback(host) {
		return invalidf("--addr %s: the development server has known passwords and listens on this machine only, for example on %s. For anything else there is \"valetkey serve\"", addr, devAddr)
	}
	return nil
}

// devPath accepts what --db of the other commands does.
func devPath(db string) string { return filepath.Clean(strings.TrimPrefix(db, "sqlite:")) }

// devSettings is the configuration of the development server. Files and the
// environment have no say in it, so that it is the same everywhere.
func devSettings(path, addr string) (*config.Loaded, error) {
	return config.Load(config.Sources{Flags: map[string]string{
		"issuer":         "http://" + addr,
		"addr":           addr,
		"db":             "sqlite:" + path,
		"product":        "Valetkey development",
		"keyring-file":   path + devKeys,
		"signup":         "true",
		"password-grant": "true",
		"test-endpoints": "true",
		"compat-invenio": "true",
		// Programs that find a server and register themselves can be tried on it.
		"registration-mode":        "open",
		"client-documents-enabled": "true",
		"scopes": `[{name: test:scope, group: Test, title: Test scope, description: Read the sample resource and the test endpoints},
			{name: test:internal, group: Test, title: Internal test scope, description: Only the operator can give this away, internal: true}]`,
		"server-drain": "0s",
		"metrics-addr": "off",
		"log-format":   "text",
	}})
}

// makeDevKeys makes the file of keys of a database that does not exist yet.
func makeDevKeys(path string) error {
	if _, err := os.Stat(path + devKeys); err == nil {
		return nil
	}
	if _, err := os.Stat(path); err == nil {
		return refusedf("%s was not made by \"valetkey dev\", which would put known passwords into it: name another file by --db", path)
	}
	return writeNew(path+devKeys, []byte("# Keys of the development database beside this file.\n"+string(keyring.Line("dev"))+"\n"), 0o600)
}

// removeDev deletes the database and what belongs to it.
func removeDev(path string) (removed bool, err error) {
	if _, err := os.Stat(path + devKeys); err != nil {
		if _, err := os.Stat(path); err == nil {
			return false, refusedf("%s was not made by \"valetkey dev\", so it stays: delete it yourself if you mean it", path)
		}
		return false, nil
	}
	unlock, err := sqldb.LockFile(path)
	if err != nil {
		return false, refusedf("%w", err)
	}
	defer unlock()
	for _, suffix := range []string{"", "-wal", "-shm", "-journal", devKeys, "-lock"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return false, unavailablef("%w", err)
		}
	}
	return true, nil
}

// demoUsers makes the users that are not there yet, both at once: hashing a
// password is slow on purpose.
func (h *house) demoUsers(ctx context.Context) error {
	users := []accounts.NewUser{{Email: devAdmin, Name: "Admin", Admin: true}, {Email: devReader, Name: "Reader"}}
	failed := make(chan error, len(users))
	for _, u := range users {
		go func() {
			_, err := h.door.FindUser(ctx, u.Email)
			if errors.Is(err, accounts.ErrNotFound) {
				u.Password, u.AllowWeakPassword, u.EmailVerified = devPassword, true, true
				_, err = h.door.CreateUser(ctx, u)
			}
			failed <- err
		}()
	}
	return errors.Join(<-failed, <-failed)
}

// demoClient registers the client that "valetkey flow" is, if it is not there yet.
func (h *house) demoClient(ctx context.Context) error {
	_, err := h.application(ctx, devClient)
	if err == nil || exitCode(err) != exitNotFound {
		return err
	}
	_, _, err = h.server.Desk().CreateApplication(ctx, operator, manage.ApplicationInput{
		ID: devClient, Type: oauth.NativeApplication, Name: "valetkey flow", Description: "The OAuth client on the command line.",
		RedirectURIs: []string{"http://127.0.0.1" + flowPath, "http://[::1]" + flowPath},
		GrantTypes:   []string{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken, oauth.GrantDeviceCode},
	})
	return err
}

// devCommands are the lines to paste.
func devCommands(program, db, issuer string) []string {
	with := " --dev"
	if db != devDB {
		with += " --db " + db
	}
	return []string{
		"TOKEN=$(" + program + " token create" + with + " -n foobar -u " + devReader + " -s " + testScope + ")",
		`curl -i -H "Content-Type:application/json" ` + issuer + `/ -H "Authorization:Bearer $TOKEN"`,
		program + " client create" + with + " --name foobar-app --redirect-uri http://127.0.0.1:5100/authorized",
		program + " flow device --issuer " + issuer + " --client-id " + devClient + " --scope " + testScope,
	}
}

func welcome(env *Env, issuer, db string, commands []string) {
	env.printf(`
  DEVELOPMENT  Never for real people or real data.

  Open      %s/
  Sign in   %s or %s, password %s
  Database  %s ("%s dev teardown" deletes it)

  Paste into another terminal, in this folder:

`, issuer, devAdmin, devReader, devPassword, db, cmp.Or(env.Program, programName))
	for _, c := range commands {
		env.printf("    %s\n", c)
	}
	fmt.Fprintln(env.Stdout)
}
