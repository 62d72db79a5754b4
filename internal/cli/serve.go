package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newServe(env *Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Runs the server until it is told to stop (SIGTERM or Ctrl-C). "valetkey init"
writes a configuration to begin with.

Every key of the configuration is also a flag and an environment variable:
lifetimes.access_token is --lifetimes-access-token and
VALETKEY_LIFETIMES_ACCESS_TOKEN. "valetkey config docs" lists them all.`,
		Example: `  valetkey serve --config /etc/valetkey/valetkey.yaml`,
		Args:    args(),
	}
	s := newSettings(env, cmd, everySetting)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return serve(cmd, s) }
	return cmd
}

func serve(cmd *cobra.Command, s *settings) error {
	ctx, env := cmd.Context(), s.env
	l, err := s.valid()
	if err != nil {
		return err
	}
	log := newLogger(env.Stderr, l.Log)
	d, err := databaseOf(l)
	if err != nil {
		return err
	}
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	private, err := openPrivate(l.Metrics)
	if err != nil {
		return err
	}
	if private != nil {
		defer private.listener.Close()
	}
	tracer, err := newTracer(ctx, env, l)
	if err != nil {
		return err
	}
	h, err := openHouse(ctx, env, l, parts{log: log, migrate: true, private: private, tracer: tracer})
	if err != nil {
		return err
	}
	defer h.close()
	for _, f := range siteOf(env, h, nil).AtStart(ctx) {
		log.Warn(f.Says, "check", f.Check)
	}
	if err := h.keys.EnsureActive(ctx); err != nil {
		return unavailablef("%w", err)
	}
	defer trim()()
	listener, err := listen(l.Addr)
	if err != nil {
		return err
	}
	// The link is a secret: it goes to the terminal, not into the log.
	link, err := h.door.SetupLink(ctx)
	if err != nil {
		return err
	}
	if link != "" {
		fmt.Fprintf(env.Stdout, "There is no account yet. Make the first administrator within an hour at\n\n    %s\n\n", link)
	}
	hl := &health{ping: h.store.Ping}
	if private != nil {
		defer private.serve(h, hl)()
	}
	handler := h.handler(hl, listener.Addr(), h.start())
	if tracer != nil {
		defer flush(tracer, log)
		handler = tracer.Wrap(handler)
	}
	return h.run(ctx, listener, handler, hl)
}
