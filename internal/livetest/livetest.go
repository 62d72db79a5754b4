package livetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	readyWithin = 20 * time.Second
	stopWithin  = 20 * time.Second
	probeEvery  = 5 * time.Millisecond
)

// Build compiles the program from the module that the working directory is in
// into dir and returns its path.
func Build(ctx context.Context, dir string) (string, error) {
	root, err := moduleDir()
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "valetkey")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/valetkey")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./cmd/valetkey: %w\n%s", err, out)
	}
	return binary, nil
}

// moduleDir walks up from the working directory to the folder that holds cmd/valetkey.
func moduleDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "cmd", "valetkey")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("livetest: not inside the Valetkey module")
		}
		dir = parent
	}
}

// Site is one installation: a directory with a configuration, a keyring and a database.
type Site struct {
	Binary string
	Dir    string
	Addr   string // host:port it listens on
	Issuer string
	// Env is added to the environment of every command, as NAME=value.
	Env []string
	// Socket is listened on already, at Addr; the server gets it as systemd would
	// pass it. Nil: it opens its own.
	Socket *os.File
	// Transport reaches a server that speaks TLS; nil: plain HTTP.
	Transport http.RoundTripper

	node bool // others listen where the issuer points
}

// NewSite makes an installation in dir as an operator would, with "valetkey
// init", on a free loopback port and a SQLite database.
func NewSite(ctx context.Context, binary, dir string) (*Site, error) {
	return NewSiteOn(ctx, binary, dir, "")
}

// NewSiteOn makes an installation on the database db, as the setting of that name
// has it; empty: a SQLite file in dir.
func NewSiteOn(ctx context.Context, binary, dir, db string) (*Site, error) {
	addr, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	s := &Site{Binary: binary, Dir: dir, Addr: addr, Issuer: "http://" + addr}
	s.Env = []string{"VALETKEY_ADDR=" + addr, "VALETKEY_METRICS_ADDR=127.0.0.1:0", "VALETKEY_LOG_ACCESS=false", "VALETKEY_SERVER_DRAIN=0s"}
	args := []string{"init", "--issuer", s.Issuer}
	if db != "" {
		args = append(args, "--db", db)
	}
	if out, err := s.Run(ctx, "", args...); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	return s, nil
}

// Node returns the same installation on another free port: one more server for
// the same issuer and database.
func (s *Site) Node() (*Site, error) {
	addr, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	node := *s
	node.Addr, node.node = addr, true
	node.Env = append(slices.Clone(s.Env), "VALETKEY_ADDR="+addr)
	return &node, nil
}

// FreeAddr returns a loopback address with a port that was free a moment ago.
func FreeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// Run runs one command of the program in the site's directory and returns what
// it printed. The error holds what it complained about.
func (s *Site) Run(ctx context.Context, stdin string, args ...string) (string, error) {
	cmd := s.command(ctx, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("valetkey %s: %w: %s", args[0], err, stderr.String())
	}
	return stdout.String(), nil
}

func (s *Site) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.Binary, args...)
	cmd.Dir = s.Dir
	cmd.Env = append(foreign(os.Environ()), s.Env...)
	return cmd
}

// activate passes the socket on as systemd does (sd_listen_fds(3)): a shell knows
// the process id that the program will have.
func activate(cmd *exec.Cmd, socket *os.File) {
	cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
	cmd.Path, cmd.Err = "/bin/sh", nil
	cmd.ExtraFiles = []*os.File{socket}
}

// foreign leaves out what the program would take for its configuration; the
// knobs of tests are spelled like it.
func foreign(environ []string) []string {
	return slices.DeleteFunc(environ, func(pair string) bool { return strings.HasPrefix(pair, "VALETKEY_") })
}

// Lacking skips a test for want of something that is not part of Go, or fails it
// where everything is to be there: VALETKEY_TEST_COMPLETE=true says so.
func Lacking(t interface {
	Helper()
	Skip(...any)
	Fatal(...any)
}, what string) {
	t.Helper()
	if os.Getenv("VALETKEY_TEST_COMPLETE") == "true" {
		t.Fatal(what + " (VALETKEY_TEST_COMPLETE is set)")
	}
	t.Skip(what)
}

// Server is one running "valetkey serve".
type Server struct {
	PID int
	// LogFile holds everything it wrote, also of earlier runs of the same site.
	LogFile string

	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// Start starts "valetkey serve" and waits until it is ready.
func (s *Site) Start(ctx context.Context) (*Server, error) {
	logFile, base := filepath.Join(s.Dir, "server.log"), s.Issuer
	if s.node {
		logFile, base = filepath.Join(s.Dir, "server-"+s.Addr[strings.LastIndexByte(s.Addr, ':')+1:]+".log"), "http://"+s.Addr
	}
	log, err := os.OpenFile(logFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := s.command(context.WithoutCancel(ctx), "serve")
	if s.Socket != nil {
		activate(cmd, s.Socket)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	srv := &Server{PID: cmd.Process.Pid, LogFile: logFile, cmd: cmd, done: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(srv.done)
	}()
	if err := srv.awaitReady(ctx, s.Transport, base+"/readyz"); err != nil {
		srv.Kill()
		text, _ := os.ReadFile(logFile)
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	return srv, nil
}

func (v *Server) awaitReady(ctx context.Context, transport http.RoundTripper, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	if transport == nil {
		transport = &http.Transport{DisableKeepAlives: true}
	}
	client := http.Client{Transport: transport}
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if resp, err := client.Do(req); err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-v.done:
			return errors.New("livetest: the server ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("livetest: the server was not ready: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// Kill ends the server at once, as a crash would (SIGKILL).
func (v *Server) Kill() {
	v.cmd.Process.Kill()
	<-v.done
}

// Stop ends the server as an operator would (SIGTERM) and returns an error if
// it does not end well.
func (v *Server) Stop() error {
	if err := v.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	late := time.AfterFunc(stopWithin, v.Kill)
	defer late.Stop()
	<-v.done
	if code := v.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("livetest: the server ended with %d", code)
	}
	return nil
}

// Log returns everything the server wrote so far.
func (v *Server) Log() string {
	text, err := os.ReadFile(v.LogFile)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
