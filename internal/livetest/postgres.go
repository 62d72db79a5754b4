package livetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrNoPostgres: the programs of a PostgreSQL server are not installed.
var ErrNoPostgres = errors.New("PostgreSQL's programs initdb and postgres are neither in PATH nor in /usr/lib/postgresql/*/bin")

// Postgres is a PostgreSQL server of its own, on a free loopback port.
type Postgres struct {
	URL string // of the database; its user may do everything
	Dir string // with the directory data and the file log

	bin  string
	port string
	as   *syscall.SysProcAttr // who runs it: PostgreSQL refuses to run as root
	cmd  *exec.Cmd
	done chan struct{}
}

// NewPostgres makes a server in a directory of its own and starts it with the
// further settings, each as name=value. Whoever called removes it.
func NewPostgres(ctx context.Context, settings ...string) (*Postgres, error) {
	bin, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	// Not below a test's directory: that is root's alone.
	dir, err := os.MkdirTemp("", "valetkey-postgres")
	if err != nil {
		return nil, err
	}
	p := &Postgres{Dir: dir, bin: bin}
	if err := p.make(ctx, settings); err != nil {
		p.Remove()
		return nil, err
	}
	return p, nil
}

func (p *Postgres) make(ctx context.Context, settings []string) error {
	if err := p.own(); err != nil {
		return err
	}
	addr, err := FreeAddr()
	if err != nil {
		return err
	}
	_, p.port, _ = strings.Cut(addr, ":")
	p.URL = "postgres://valetkey@" + addr + "/postgres?sslmode=disable"
	if out, err := p.program(ctx, "initdb", "-D", p.data(), "-U", "valetkey", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	settings = append([]string{"listen_addresses=127.0.0.1", "port=" + p.port, "unix_socket_directories=" + p.Dir, "max_connections=200"}, settings...)
	var conf strings.Builder
	for _, s := range settings {
		name, value, _ := strings.Cut(s, "=")
		fmt.Fprintf(&conf, "%s = '%s'\n", name, value)
	}
	if err := os.WriteFile(filepath.Join(p.data(), "valetkey.conf"), []byte(conf.String()), 0o644); err != nil {
		return err
	}
	main, err := os.OpenFile(filepath.Join(p.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = main.WriteString("include 'valetkey.conf'\n")
	if err := errors.Join(err, main.Close()); err != nil {
		return err
	}
	return p.Start(ctx)
}

// own gives the directory to whoever runs the server.
func (p *Postgres) own() error {
	if os.Getuid() != 0 {
		return nil
	}
	uid, gid, err := postgresUser()
	if err != nil {
		return err
	}
	p.as = runAs(uint32(uid), uint32(gid))
	return errors.Join(os.Chmod(p.Dir, 0o755), os.Chown(p.Dir, uid, gid))
}

func (p *Postgres) data() string { return filepath.Join(p.Dir, "data") }

// Command is one of the programs of PostgreSQL, run as the user who runs the server.
func (p *Postgres) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return p.program(ctx, name, args...)
}

func (p *Postgres) program(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, name), args...)
	cmd.Dir, cmd.SysProcAttr = p.Dir, p.as
	cmd.Env = slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "PG") })
	return cmd
}

// Start starts the server, for the first time or again, and waits until it takes
// connections.
func (p *Postgres) Start(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(p.Dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := p.program(context.WithoutCancel(ctx), "postgres", "-D", p.data())
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd, p.done = cmd, make(chan struct{})
	go func() {
		cmd.Wait()
		close(p.done)
	}()
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		if p.program(ctx, "pg_isready", "-q", "-h", "127.0.0.1", "-p", p.port).Run() == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("livetest: PostgreSQL ended before it was ready\n%s", p.Log())
		case <-ctx.Done():
			p.Kill()
			return fmt.Errorf("livetest: PostgreSQL was not ready: %w\n%s", ctx.Err(), p.Log())
		case <-time.After(probeEvery):
		}
	}
}

// Kill ends the whole server at once (SIGKILL), every process of it, as a crash
// of its machine would but for what the system has not written to the disk yet.
func (p *Postgres) Kill() {
	if p.cmd == nil {
		return
	}
	pause(p.cmd.Process) // or it would start others for those that end
	children := childrenOf(p.cmd.Process.Pid)
	p.cmd.Process.Kill()
	for _, pid := range children {
		if child, err := os.FindProcess(pid); err == nil {
			child.Kill()
		}
	}
	<-p.done
	for _, pid := range children { // they write no more
		for alive(pid) {
			time.Sleep(time.Millisecond)
		}
	}
	p.cmd = nil
}

// Remove kills the server and deletes its directory.
func (p *Postgres) Remove() error {
	p.Kill()
	return os.RemoveAll(p.Dir)
}

// Log returns everything the server wrote so far.
func (p *Postgres) Log() string {
	text, err := os.ReadFile(filepath.Join(p.Dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// postgresPrograms is the directory of the newest server that is installed.
func postgresPrograms() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path), nil
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", ErrNoPostgres
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(strings.Split(path, "/")[4])
		return n
	}
	return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
}

func postgresUser() (uid, gid int, err error) {
	u, err := user.Lookup("postgres")
	if err != nil {
		return 0, 0, fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres: %w", err)
	}
	uid, err = strconv.Atoi(u.Uid)
	if err != nil {
		return 0, 0, err
	}
	gid, err = strconv.Atoi(u.Gid)
	return uid, gid, err
}

// childrenOf lists the processes that pid started, by /proc.
func childrenOf(pid int) (children []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range all {
		if fields := stat(file); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(strings.Split(file, "/")[2])
			children = append(children, child)
		}
	}
	return children
}

// alive reports whether the process still runs; one that nobody has waited for does not.
func alive(pid int) bool {
	fields := stat(fmt.Sprintf("/proc/%d/stat", pid))
	return len(fields) > 0 && fields[0] != "Z" && fields[0] != "X"
}

// stat returns the fields of a stat file that follow the name: state, parent, ….
func stat(file string) []string {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return strings.Fields(rest)
}
