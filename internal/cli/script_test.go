package cli_test

import (
	"bufio"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite"

	"github.com/valetkey/valetkey/internal/browser"
	"github.com/valetkey/valetkey/internal/cli"
	"github.com/valetkey/valetkey/internal/config"
)

var update = flag.Bool("update", false, "rewrite the golden output in testdata/script")

// The scripts run the command in a process of its own: this test binary under
// the name valetkey.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"valetkey": func() { os.Exit(cli.Main()) }, "person": func() { os.Exit(person()) }})
}

// person URL is somebody at a browser: the reader, who signs in and says yes to
// what is asked, or no if PERSON is "deny".
func person() int {
	b := browser.New(nil)
	page, err := b.Open(os.Args[1])
	for steps := 0; err == nil && steps < 8; steps++ {
		f := page.Form()
		if f == nil {
			return 0
		}
		if _, ok := f.Values["username"]; ok {
			f.Set("username", "reader@inveniosoftware.org").Set("password", "123456")
		} else if os.Getenv("PERSON") == "deny" && len(f.Buttons) > 1 {
			f.Press("confirm", "no")
		}
		page, err = b.Send(f)
	}
	fmt.Fprintln(os.Stderr, "the person does not get on:", page, err)
	return 1
}

// script runs testdata/script/name.txtar.
func script(t *testing.T, name string) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Files:         []string{filepath.Join("testdata", "script", name+".txtar")},
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			port, err := freePort()
			if err != nil {
				return err
			}
			env.Setenv("ADDR", "127.0.0.1:"+port)
			env.Setenv("VALETKEY_METRICS_ADDR", "127.0.0.1:0") // scripts run beside each other
			env.Setenv("SITE", "http://127.0.0.1:"+port)
			private, err := freePort()
			if err != nil {
				return err
			}
			env.Setenv("METRICS", "127.0.0.1:"+private)
			env.Values[heldKey{}] = map[string]*held{}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "capture": capture, "waitfor": waitfor, "fetch": fetch, "settle": settle, "hold": hold, "release": release, "mode": mode, "lacks": lacks, "terminate": terminate, "busy": busy,
		},
	})
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// exits CODE COMMAND ARG...: the command ends with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg {
		ts.Fatalf("usage: exits code command [args...]")
	}
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("%s exits with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// capture NAME: what the last command printed becomes a variable.
func capture(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// waitfor URL [REGEXP]: until it answers 200, with a body that matches.
func waitfor(ts *testscript.TestScript, _ bool, args []string) {
	want := regexp.MustCompile("(?m)" + strings.Join(args[1:], " "))
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if resp, err := http.Get(args[0]); err == nil {
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil && resp.StatusCode == http.StatusOK && want.Match(body) {
				return
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	ts.Fatalf("%s did not answer 200%s", args[0], strings.Join(append([]string{""}, args[1:]...), " with "))
}

// settle waits for the revocation bound: within it a server may still take for
// alive what a command beside it has revoked.
func settle(*testscript.TestScript, bool, []string) {
	time.Sleep(config.Default().RevocationBound.Std())
}

// fetch STATUS URL [NAME:VALUE | @BODY]...: a request without following
// redirects, its answer printed. With a body it is a POST of a form.
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	req, err := http.NewRequest(http.MethodGet, args[1], nil)
	ts.Check(err)
	for _, a := range args[2:] {
		if body, ok := strings.CutPrefix(a, "@"); ok {
			req, err = http.NewRequest(http.MethodPost, args[1], strings.NewReader(body))
			ts.Check(err)
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			continue
		}
		name, value, _ := strings.Cut(a, ":")
		req.Header.Set(name, strings.TrimSpace(value))
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if args[0] == "none" {
		if err == nil {
			ts.Fatalf("%s answers %s", args[1], resp.Status)
		}
		return
	}
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s\n%s\n", resp.Header.Get("Location"), body)
	if got := strconv.Itoa(resp.StatusCode); got != args[0] {
		ts.Fatalf("%s answers %s, want %s\n%s", args[1], got, args[0], body)
	}
}

// held is a request that has been begun.
type held struct {
	conn net.Conn
	rest string
}

type heldKey struct{}

// terminate: SIGTERM to the command that was started last. (The kill of
// testscript knows INT and KILL.)
func terminate(ts *testscript.TestScript, _ bool, _ []string) {
	running := ts.BackgroundCmds()
	ts.Check(running[len(running)-1].Process.Signal(syscall.SIGTERM))
}

// hold NAME URL BODY: begins to post a form and stops before its last byte.
func hold(ts *testscript.TestScript, _ bool, args []string) {
	u, err := url.Parse(args[1])
	ts.Check(err)
	conn, err := net.Dial("tcp", u.Host)
	ts.Check(err)
	body := args[2]
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s",
		u.Path, u.Host, len(body), body[:len(body)-1])
	ts.Check(err)
	time.Sleep(50 * time.Millisecond) // the server has accepted it
	ts.Value(heldKey{}).(map[string]*held)[args[0]] = &held{conn, body[len(body)-1:]}
}

// release NAME STATUS: sends the last byte and wants that answer.
func release(ts *testscript.TestScript, _ bool, args []string) {
	h := ts.Value(heldKey{}).(map[string]*held)[args[0]]
	defer h.conn.Close()
	_, err := io.WriteString(h.conn, h.rest)
	ts.Check(err)
	resp, err := http.ReadResponse(bufio.NewReader(h.conn), nil)
	ts.Check(err)
	if got := strconv.Itoa(resp.StatusCode); got != args[1] {
		ts.Fatalf("the request that was held answers %s, want %s", got, args[1])
	}
}

// mode FILE MODE: the file has these permissions.
func mode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("%s has mode %s, want %s", args[0], got, args[1])
	}
}

// lacks FILE TEXT: no byte of TEXT's run is in the file, binary or not.
func lacks(ts *testscript.TestScript, _ bool, args []string) {
	if args[1] == "" {
		ts.Fatalf("nothing to look for")
	}
	if strings.Contains(ts.ReadFile(args[0]), args[1]) {
		ts.Fatalf("%s holds %q", args[0], args[1])
	}
}

// busy DATABASE TIME: nobody can write to the database for that long.
func busy(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[1])
	ts.Check(err)
	db, err := sql.Open("sqlite", ts.MkAbs(args[0])+"?_txlock=immediate&_pragma=busy_timeout(5000)")
	ts.Check(err)
	tx, err := db.Begin()
	ts.Check(err)
	time.AfterFunc(d, func() {
		tx.Rollback()
		db.Close()
	})
}

func TestHelp(t *testing.T)                                 { script(t, "help") }
func TestWrongArguments(t *testing.T)                       { script(t, "usage") }
func TestDev(t *testing.T)                                  { script(t, "dev") }
func TestParity61_SecretKeyRotation(t *testing.T)           { script(t, "secret") }
func TestParity60_TokensCreateAndDelete(t *testing.T)       { script(t, "token") }
func TestParity56_DeletingAUserDeletesTheRest(t *testing.T) { script(t, "cascade") }
func TestUsers(t *testing.T)                                { script(t, "user") }
func TestClients(t *testing.T)                              { script(t, "client") }
func TestClientMetadata(t *testing.T)                       { script(t, "metadata") }
func TestFirstCommands(t *testing.T)                        { script(t, "first") }
func TestPrivate(t *testing.T)                              { script(t, "private") }
func TestServe(t *testing.T)                                { script(t, "serve") }
func TestIssuerWithPath(t *testing.T)                       { script(t, "path") }
func TestStop(t *testing.T)                                 { script(t, "stop") }
func TestKilled(t *testing.T)                               { script(t, "killed") }
func TestConfiguration(t *testing.T)                        { script(t, "config") }
func TestFlows(t *testing.T)                                { script(t, "flow") }
func TestJWT(t *testing.T)                                  { script(t, "jwt") }
func TestDoctor(t *testing.T)                               { script(t, "doctor") }
func TestBackup(t *testing.T)                               { script(t, "backup") }
