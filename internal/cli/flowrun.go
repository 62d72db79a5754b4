package cli

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/valetkey/valetkey/internal/flow"
)

// flowPath is where the browser comes back to.
const flowPath = flow.CallbackPath

func newFlowCode(env *Env) *cobra.Command {
	var (
		f         = flowFlags{authorization: true, token: true, jwks: true}
		port      int
		noBrowser bool
		prompt    string
		wait      time.Duration
	)
	cmd := &cobra.Command{
		Use:   "code",
		Short: "Sign a person in by a browser (authorization code with PKCE)",
		Long: `Opens a browser at the server, waits for it to come back to a port of this
machine, and exchanges the code. The client needs the redirect URI
http://127.0.0.1/callback; a server that does not let the port vary (RFC 8252
§7.3) needs --port and the URI with it.`,
		Example: `  valetkey flow code --issuer https://id.example.org --client-id cli --scope "openid email"`,
		Args:    args(),
	}
	f.add(env, cmd)
	cmd.Flags().IntVar(&port, "port", 0, "`PORT` of 127.0.0.1 to wait on (default: any that is free)")
	cmd.Flags().BoolVar(&noBrowser, "no-browser", false, "print the address instead of opening a browser")
	cmd.Flags().StringVar(&prompt, "prompt", "", "`WHAT` the server is to ask the person: none, login, consent or select_account")
	cmd.Flags().DurationVar(&wait, "wait", 5*time.Minute, "`TIME` to wait for the browser")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if port < 0 || port > 65535 {
			return usagef("--port %d is no port", port)
		}
		c, err := f.client(cmd.Context())
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), wait)
		defer cancel()
		answer, err := c.Code(ctx, port, prompt, func(address string) {
			if noBrowser {
				fmt.Fprintf(env.Stderr, "Open this address in a browser on this machine:\n\n    %s\n\n", address)
				return
			}
			env.browse(address)
		})
		if err != nil {
			return told(err)
		}
		return f.print(cmd.Context(), c, answer)
	}
	return cmd
}

func newFlowDevice(env *Env) *cobra.Command {
	f := flowFlags{device: true, token: true, jwks: true}
	var here bool
	cmd := &cobra.Command{
		Use:     "device",
		Short:   "Sign a person in by a code that they type elsewhere (RFC 8628)",
		Example: `  valetkey flow device --issuer https://id.example.org --client-id tv --scope records:read`,
		Args:    args(),
	}
	f.add(env, cmd)
	cmd.Flags().BoolVar(&here, "open", false, "open the page in a browser on this machine as well")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := f.client(cmd.Context())
		if err != nil {
			return err
		}
		answer, err := c.Device(cmd.Context(), func(codes *oauth2.DeviceAuthResponse) {
			fmt.Fprintf(env.Stderr, "Open %s and enter the code\n\n    %s\n\n", printable(codes.VerificationURI), printable(codes.UserCode))
			if codes.VerificationURIComplete != "" {
				fmt.Fprintf(env.Stderr, "or open %s\n", printable(codes.VerificationURIComplete))
			}
			if !codes.Expiry.IsZero() {
				fmt.Fprintf(env.Stderr, "The code is good for %s. Waiting …\n", codes.Expiry.Sub(env.Now()).Round(time.Minute))
			}
			if address := codes.VerificationURIComplete; here && flow.CheckURL(address) == nil {
				env.browse(address)
			}
		})
		if err != nil {
			return told(err)
		}
		return f.print(cmd.Context(), c, answer)
	}
	return cmd
}

func newFlowClient(env *Env) *cobra.Command {
	f := flowFlags{token: true}
	cmd := &cobra.Command{
		Use:     "client",
		Short:   "Get a token for the client itself (client credentials)",
		Example: `  valetkey flow client --issuer https://id.example.org --client-id nightly --client-secret-file nightly.secret --scope records:read`,
		Args:    args(),
	}
	f.add(env, cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := f.client(cmd.Context())
		if err != nil {
			return err
		}
		if c.Secret == "" {
			return usagef("a client acts for itself only with a secret: give it by --client-secret-file or CLIENT_SECRET")
		}
		answer, err := c.Credentials(cmd.Context())
		if err != nil {
			return told(err)
		}
		return f.print(cmd.Context(), c, answer)
	}
	return cmd
}

func newFlowRefresh(env *Env) *cobra.Command {
	f := flowFlags{token: true, jwks: true}
	var file string
	cmd := &cobra.Command{
		Use:     "refresh",
		Short:   "Exchange a refresh token, read from standard input",
		Example: `  valetkey flow refresh --issuer https://id.example.org --client-id cli < refresh_token`,
		Args:    args(),
	}
	f.add(env, cmd)
	cmd.Flags().StringVar(&file, "token-file", "", "`FILE` with the refresh token, instead of standard input")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := f.client(cmd.Context())
		if err != nil {
			return err
		}
		token, err := env.credential("Refresh token", file)
		if err != nil {
			return err
		}
		answer, err := c.Refresh(cmd.Context(), token)
		if err != nil {
			return told(err)
		}
		return f.print(cmd.Context(), c, answer)
	}
	return cmd
}

// browse opens a browser: the one that BROWSER names, or the system's. If there
// is none the person sees the address.
func (e *Env) browse(address string) {
	opener := strings.Fields(e.lookup("BROWSER"))
	if len(opener) == 0 {
		switch runtime.GOOS {
		case "darwin":
			opener = []string{"open"}
		case "windows":
			opener = []string{"rundll32", "url.dll,FileProtocolHandler"}
		default:
			opener = []string{"xdg-open"}
		}
	}
	cmd := exec.Command(opener[0], append(opener[1:], address)...)
	cmd.Env = e.Environ
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(e.Stderr, "No browser could be opened here. Open this address in one on this machine:\n\n    %s\n\n", address)
		return
	}
	fmt.Fprintln(e.Stderr, "A browser was opened. Waiting for it to come back …")
	go cmd.Wait()
}
